//! The socket at which a created container waits for its start. That it has its name is what makes a container `created`;
//! until then it has another. Does not know who connects, nor what is said.

use super::{START, files};
use crate::sys::socket;
use anyhow::{Context, Result};
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::path::Path;

/// The name until the container is created.
const DRAFT: &str = ".start";

/// Makes it in the state directory. Bound by a short way, since a socket's path has 108 bytes at most.
pub(super) fn listen(directory: &Path) -> Result<OwnedFd> {
    let held = File::open(directory).with_context(|| format!("open {}", directory.display()))?;
    let path = files::by_descriptor(&held, DRAFT);
    socket::listen_at(&path).map_err(std::io::Error::from).with_context(|| format!("listen in {}", directory.display()))
}

/// Gives it its name.
pub(super) fn publish(directory: &Path) -> Result<()> {
    let draft = directory.join(DRAFT);
    fs::rename(&draft, directory.join(START)).with_context(|| format!("rename {}", draft.display()))
}
