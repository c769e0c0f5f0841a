//! The socket of `--pidfd-socket`: a pidfd of a container's process, for engines.

use crate::sys::socket;
use anyhow::{Context, Result};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

/// Sends a pidfd to the AF_UNIX socket of `--pidfd-socket`. The payload names the kind of process: `standard` or
/// `setns`.
pub(crate) fn send(path: &Path, payload: &[u8], pidfd: BorrowedFd<'_>) -> Result<()> {
    let failed = || format!("send a pidfd to {}", path.display());
    let socket = socket::connect_stream(path).map_err(io::Error::from).with_context(failed)?;
    socket::send(socket.as_fd(), payload, Some(pidfd)).map_err(io::Error::from).with_context(failed)
}
