//! Installs seccomp filters (seccomp(2)). Compiling them is left to `bpf::seccomp`.

use super::{Result, answer};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// Installs `program` for this process. With the flag SECCOMP_FILTER_FLAG_NEW_LISTENER, returns the descriptor on which
/// its notifications arrive.
pub(crate) fn install(program: &[libc::sock_filter], flags: u64) -> Result<Option<OwnedFd>> {
    let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_ptr().cast_mut() };
    let mode = libc::SECCOMP_SET_MODE_FILTER;
    // SAFETY: the kernel reads within bounds, because `program` points to a live slice of the stated length. The kernel
    // does not write to it.
    let raw = answer(unsafe { libc::syscall(libc::SYS_seccomp, mode, flags, &raw const program) })?;
    if flags & libc::SECCOMP_FILTER_FLAG_NEW_LISTENER == 0 {
        return Ok(None);
    }
    // SAFETY: nothing else owns the descriptor, because with this flag the kernel returns a new one.
    Ok(Some(unsafe { OwnedFd::from_raw_fd(raw as RawFd) }))
}
