//! Changes to the program's identity: streams, groups, ids, capabilities, working directory.
//!
//! Which identity is decided in `plan::identity`, and the order of the changes in `plan::order`.

use super::{InPart, Init, StepError};
use crate::channel::Part;
use crate::plan::namespaces::{Namespaces, USER};
use crate::sys::credentials::{self, LAST_CAPABILITY, Sets};
use crate::sys::{Errno, path, terminal};
use std::ffi::CStr;

/// Changes to uid 0 and gid 0 of a user namespace that has just been mapped or joined.
pub(super) fn become_root(visible: bool) -> Result<(), StepError> {
    credentials::set_group(0)?;
    credentials::set_user(0)?;
    // The kernel resets the dumpable flag when ids change.
    Ok(credentials::set_dumpable(visible)?)
}

/// Changes the owner of the standard streams, so that the program can reopen /dev/stdin and the like. Only pipes,
/// sockets and the container's own terminal change: the caller keeps its devices and files. A stream whose owner cannot
/// change is still usable.
pub(super) fn own_standard_streams(uid: u32, has_terminal: bool) -> Result<(), StepError> {
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

/// Drops all capabilities outside `keep` from the bounding set.
pub(super) fn limit_bounding(keep: u64) -> Result<(), StepError> {
    for capability in (0..64).filter(|bit| keep >> bit & 1 == 0) {
        match credentials::drop_from_bounding(capability) {
            // Beyond the last capability of this kernel.
            Err(Errno::EINVAL) if capability >= LAST_CAPABILITY => break,
            other => other?,
        }
    }
    Ok(())
}

/// Sets groups before ids, because an unprivileged user may not set groups. Keeps permitted capabilities for
/// `SetCapabilities`.
///
/// In a user namespace that an unprivileged user has mapped, setgroups(2) is denied (user_namespaces(7)). A process
/// that joins it cannot know this. If it requests no groups, it keeps the caller's groups, which have no meaning
/// inside.
pub(super) fn set_user(
    uid: u32,
    gid: u32,
    groups: Option<&[u32]>,
    in_namespaces: &Namespaces,
) -> Result<(), StepError> {
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

/// Clears ambient capabilities inherited from the caller first, because an unprivileged program would keep them
/// (CVE-2016-8867).
pub(super) fn set_capabilities(sets: Sets, ambient: u64) -> Result<(), StepError> {
    credentials::clear_ambient()?;
    credentials::set_capabilities(sets)?;
    for capability in (0..64).filter(|bit| ambient >> bit & 1 == 1) {
        credentials::raise_ambient(capability)?;
    }
    Ok(())
}

impl Init<'_> {
    pub(super) fn change_directory(&mut self, to: &CStr) -> Result<(), StepError> {
        match path::change_directory_inside(to) {
            // Some file systems (FUSE, NFS with root squash) admit only the user: `CheckDirectory` tries again later.
            Err(Errno::EACCES | Errno::EPERM) => {
                self.only_user_may_enter = true;
                Ok(())
            }
            other => other.part(Part::Outside),
        }
    }

    pub(super) fn check_directory(&self, to: &CStr) -> Result<(), StepError> {
        if self.only_user_may_enter {
            path::change_directory_inside(to).part(Part::Outside)?;
        }
        Ok(())
    }
}
