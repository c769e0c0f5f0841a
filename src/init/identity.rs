//! Changes the process to the program's user: streams, groups, ids, capabilities, working directory. Which ids and
//! capabilities those are is decided in `plan`.

use super::{Broken, InPart, Init};
use crate::channel::Part;
use crate::plan::namespaces::{Namespaces, USER};
use crate::sys::credentials::{self, LAST_CAPABILITY, Sets};
use crate::sys::{Errno, path, terminal};
use std::ffi::CStr;

/// Becomes uid 0 and gid 0 of a user namespace that has just been mapped or joined.
pub(super) fn become_root(visible: bool) -> Result<(), Broken> {
    credentials::set_group(0)?;
    credentials::set_user(0)?;
    // Changing ids resets the dumpable flag.
    Ok(credentials::set_dumpable(visible)?)
}

/// Lets the program reopen /dev/stdin and the other streams. Only pipes, sockets and the container's own terminal
/// change owner: a device or regular file that the caller passes stays the caller's. A stream whose owner cannot be
/// changed is still usable.
pub(super) fn own_standard_streams(uid: u32, has_terminal: bool) -> Result<(), Broken> {
    for stream in terminal::standard() {
        let status = path::status(stream)?;
        let kind = status.st_mode & libc::S_IFMT;
        if status.st_uid == uid || !(has_terminal || matches!(kind, libc::S_IFIFO | libc::S_IFSOCK)) {
            continue;
        }
        match path::change_owner(stream, uid, None) {
            Err(Errno::EPERM | Errno::EROFS | Errno::EINVAL) | Ok(()) => (),
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

/// Leaves only the capabilities in `keep` in the bounding set.
pub(super) fn limit_bounding(keep: u64) -> Result<(), Broken> {
    for capability in (0..64).filter(|bit| keep >> bit & 1 == 0) {
        match credentials::drop_from_bounding(capability) {
            // The kernel knows no higher capability numbers.
            Err(Errno::EINVAL) if capability >= LAST_CAPABILITY => break,
            other => other?,
        }
    }
    Ok(())
}

/// Sets groups before ids, because an ordinary user may not set groups. Permitted capabilities are kept for
/// `SetCapabilities`.
///
/// In a user namespace mapped by an ordinary user, setgroups(2) is denied to everybody (user_namespaces(7)). A joining
/// process cannot know this. If no group is requested, the error is ignored: the caller's groups stay, as ids that mean
/// nothing inside.
pub(super) fn set_user(uid: u32, gid: u32, groups: Option<&[u32]>, in_namespaces: &Namespaces) -> Result<(), Broken> {
    match groups.map_or(Ok(()), credentials::set_groups) {
        Err(Errno::EPERM) if in_namespaces.own(USER) && groups.is_some_and(<[u32]>::is_empty) => (),
        other => other?,
    }
    credentials::set_group(gid)?;
    if uid != 0 {
        credentials::keep_capabilities(true)?;
    }
    credentials::set_user(uid)?;
    Ok(credentials::set_dumpable(in_namespaces.made_by_user())?)
}

/// Clears the caller's ambient capabilities first: an ordinary user's program would inherit them (CVE-2016-8867).
pub(super) fn set_capabilities(sets: Sets, ambient: u64) -> Result<(), Broken> {
    credentials::clear_ambient()?;
    credentials::set_capabilities(sets)?;
    for capability in (0..64).filter(|bit| ambient >> bit & 1 == 1) {
        credentials::raise_ambient(capability)?;
    }
    Ok(())
}

impl Init<'_> {
    pub(super) fn change_directory(&mut self, to: &CStr) -> Result<(), Broken> {
        match path::change_directory_inside(to) {
            // A file system may admit only its user (FUSE, NFS with squashed root).
            Err(Errno::EACCES | Errno::EPERM) => {
                self.root_cannot_enter_directory = true;
                Ok(())
            }
            other => other.part(Part::Outside),
        }
    }

    pub(super) fn check_directory(&self, to: &CStr) -> Result<(), Broken> {
        if self.root_cannot_enter_directory {
            path::change_directory_inside(to).part(Part::Outside)?;
        }
        Ok(())
    }
}
