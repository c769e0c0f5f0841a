//! Walks over a cgroup and all cgroups below it. A container with a writable cgroup can nest thousands of them, with any
//! bytes as names. The walk holds two descriptors whatever the depth, and does not recurse.

use crate::sys::beneath;
use nix::errno::Errno;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

/// What [`walk`] does in a directory.
type Enter<'a> = &'a mut dyn FnMut(BorrowedFd<'_>) -> Result<(), Errno>;
/// What [`walk`] does after a subdirectory: gets the parent, and the name of the subdirectory in it.
type Leave<'a> = &'a mut dyn FnMut(BorrowedFd<'_>, &OsStr) -> Result<(), Errno>;

/// Calls `enter` for `top` and each cgroup below it, parents first, and `leave` for each cgroup below it, children
/// first. A cgroup that is removed meanwhile is skipped. Ends at the first error.
pub(super) fn walk(top: BorrowedFd<'_>, enter: Enter<'_>, leave: Leave<'_>) -> Result<(), Errno> {
    enter(top)?;
    let mut names: Vec<OsString> = Vec::new();
    // For each level, the names that are still to be visited.
    let mut waiting = vec![children(top)?];
    // The directory at the end of `names`; `None` is `top` itself.
    let mut held = None;
    while let Some(level) = waiting.last_mut() {
        let here = held.as_ref().map_or(top, AsFd::as_fd);
        if let Some(name) = level.pop() {
            let child = match beneath::open_directory(here, Path::new(&name)) {
                Err(Errno::ENOENT | Errno::ENODEV) => continue,
                opened => opened?,
            };
            enter(child.as_fd())?;
            waiting.push(children(child.as_fd())?);
            names.push(name);
            held = Some(child);
        } else {
            waiting.pop();
            let Some(name) = names.pop() else { break };
            // cgroup2 has no rename(2) for directories, so ".." is the directory that the child was opened from.
            held = if names.is_empty() { None } else { Some(beneath::open_parent(here)?) };
            leave(held.as_ref().map_or(top, AsFd::as_fd), &name)?;
        }
    }
    Ok(())
}

/// The names of the cgroups in `dir`; none if `dir` has been removed.
fn children(dir: BorrowedFd<'_>) -> Result<Vec<OsString>, Errno> {
    match beneath::entries(dir) {
        Ok(entries) => Ok(entries.into_iter().filter(|(_, is_dir)| *is_dir).map(|(name, _)| name).collect()),
        Err(Errno::ENOENT | Errno::ENODEV) => Ok(Vec::new()),
        Err(errno) => Err(errno),
    }
}
