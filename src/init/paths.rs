//! Opens targets inside the root and creates missing ones. It leaves mounting on them to `mounts`. It never leaves the
//! root.

use super::{Broken, InPart, Init};
use crate::channel::Part;
use crate::plan::act::InRoot;
use crate::sys::mount::{self, Attributes};
use crate::sys::{Errno, path};
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The kind of file that a mount needs as its target.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Directory,
    File,
}

/// The kernel's own limit of links in one lookup.
const MOST_LINKS: u32 = 40;

/// Opens `target` inside `root`. If it does not exist, creates its parents as directories and the target as `kind`.
///
/// A dangling symbolic link is followed and its target created, because images rely on it. Every step handles one
/// component below a held directory, so nothing is ever created outside the root (CVE-2024-45310).
pub(super) fn open_or_make(root: BorrowedFd<'_>, target: &CStr, kind: Kind) -> Result<OwnedFd, Errno> {
    match path::open_in_root(root, target, libc::O_PATH) {
        Err(Errno::ENOENT) => match make_last(root, target, kind) {
            // A parent is missing, or the name is a dangling link.
            Err(Errno::ENOENT | Errno::EEXIST) => make(root, target.to_bytes(), kind, &mut 0),
            other => other,
        },
        other => other,
    }
}

/// The usual case: only the last name is missing.
fn make_last(root: BorrowedFd<'_>, target: &CStr, kind: Kind) -> Result<OwnedFd, Errno> {
    let path = target.to_bytes();
    let slash = path.iter().rposition(|byte| *byte == b'/').ok_or(Errno::ENOENT)?;
    let parent = CString::new(&path[..slash.max(1)]).map_err(|_| Errno::EINVAL)?;
    let name = CString::new(&path[slash + 1..]).map_err(|_| Errno::EINVAL)?;
    let parent = path::open_in_root(root, &parent, libc::O_PATH | libc::O_DIRECTORY)?;
    make_one(parent.as_fd(), &name, kind)?;
    path::open_entry(parent.as_fd(), &name, libc::O_PATH)
}

fn make(root: BorrowedFd<'_>, target: &[u8], kind: Kind, links: &mut u32) -> Result<OwnedFd, Errno> {
    let names: Vec<&[u8]> =
        target.split(|byte| *byte == b'/').filter(|name| !name.is_empty() && *name != b".").collect();
    let mut done = Vec::new();
    let mut at = path::open_in_root(root, c"/", libc::O_PATH | libc::O_DIRECTORY)?;
    for (index, name) in names.iter().enumerate() {
        let last = index + 1 == names.len();
        let name = CString::new(*name).map_err(|_| Errno::EINVAL)?;
        let parent = done.clone();
        done.push(b'/');
        done.extend_from_slice(name.as_bytes());
        let so_far = CString::new(done.as_slice()).map_err(|_| Errno::EINVAL)?;
        let wanted = if last { kind } else { Kind::Directory };
        match path::open_in_root(root, &so_far, libc::O_PATH) {
            Ok(found) => at = found,
            Err(Errno::ENOENT) => match make_one(at.as_fd(), &name, wanted) {
                Ok(()) => at = path::open_entry(at.as_fd(), &name, libc::O_PATH)?,
                Err(Errno::EEXIST) => {
                    *links += 1;
                    if *links > MOST_LINKS {
                        return Err(Errno::ELOOP);
                    }
                    let mut onward = path::read_link(at.as_fd(), &name)?;
                    if !onward.starts_with(b"/") {
                        onward = [parent.as_slice(), b"/", &onward].concat();
                    }
                    for rest in &names[index + 1..] {
                        onward.push(b'/');
                        onward.extend_from_slice(rest);
                    }
                    return make(root, &onward, kind, links);
                }
                Err(errno) => return Err(errno),
            },
            Err(errno) => return Err(errno),
        }
    }
    Ok(at)
}

fn make_one(directory: BorrowedFd<'_>, name: &CStr, kind: Kind) -> Result<(), Errno> {
    match kind {
        _ if name == c".." => Err(Errno::EINVAL),
        Kind::Directory => path::make_directory(directory, name, 0o755),
        Kind::File => path::make_file(directory, name, 0o644).map(drop),
    }
}

impl Init<'_> {
    /// Makes the top mount at a path read-only.
    pub(super) fn make_readonly(&mut self, at: &InRoot) -> Result<(), Broken> {
        let target = self.open_made(at, libc::O_PATH).part(Part::Target)?;
        let readonly = Attributes { set: libc::MOUNT_ATTR_RDONLY, ..Attributes::default() };
        mount::set_attributes(target.as_fd(), false, readonly).part(Part::Attributes)
    }

    /// Creates a missing working directory, because engines expect it.
    pub(super) fn make_working_directory(&mut self, at: &InRoot) -> Result<(), Broken> {
        match open_or_make(self.root()?, at.as_c_str(), Kind::Directory) {
            // A magic link such as /proc/self/cwd is entered, or refused, by `ChangeDirectory`.
            Ok(_) | Err(Errno::ELOOP) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}
