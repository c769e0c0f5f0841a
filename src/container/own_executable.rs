//! Keeps the runtime's executable out of reach of containers (CVE-2019-5736).

use crate::container::caller;
use crate::sys::program::{self, Strings};
use crate::sys::{credentials, executable};
use anyhow::{Context, Result};
use std::ffi::CString;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStringExt;

/// Whether this process is the copy that [`protect`] executes.
pub(crate) fn runs_from_copy() -> bool {
    executable::is_sealed_copy()
}

/// Executes a copy of the runtime in memory, if a child of this process cannot detach from the runtime's file. Must
/// come first: only the pid, the arguments, the environment and inherited descriptors survive.
///
/// A child that joins a container detaches before it joins, with its caller's rights. A child that makes a container
/// detaches as root of its own user namespace.
pub(super) fn protect(joins: bool) -> Result<()> {
    let may = !joins || credentials::capabilities().is_ok_and(|sets| sets.effective & credentials::SYS_ADMIN != 0);
    if (may && executable::can_detach_exe()) || executable::is_sealed_copy() {
        return Ok(());
    }
    let copy = executable::sealed_copy().map_err(io::Error::from).context("copy the own executable to memory")?;
    let words = std::env::args_os().map(|word| CString::new(word.into_vec()));
    let words: Vec<_> = words.collect::<Result<_, _>>().context("read the command line")?;
    let reason = program::execute_fd(copy.as_fd(), &Strings::new(words), &Strings::new(caller::environment()));
    Err(io::Error::from(reason)).context("execute the own executable from memory")
}
