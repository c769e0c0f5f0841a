//! The runtime's own executable, kept out of reach of the containers it makes (CVE-2019-5736).

use crate::container::caller;
use crate::sys::program::{self, Strings};
use crate::sys::{credentials, executable};
use anyhow::{Context, Result};
use std::ffi::CString;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStringExt;

/// Where a child of this process will not be able to part from the runtime's file, this process begins again from a copy
/// of the file in memory that nobody can write to. To be called before anything else is done: nothing of this process is
/// left but its pid, its words, its environment and the descriptors it was given.
///
/// A child that joins a container has to part from the file before it joins, with its caller's rights; one that makes a
/// container does so as root of its own user namespace.
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
