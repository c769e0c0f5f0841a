//! Performing mounts: the target is opened inside the root and everything happens on that descriptor.

use super::paths::{Kind, open_or_make};
use super::{Broken, InPart, Init, broken};
use crate::channel::Part;
use crate::plan::act::{Bind, Change, InRoot, NewMount, Source};
use crate::sys::mount::{self, Attributes};
use crate::sys::{Errno, path};
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

impl Init<'_> {
    /// Opens the place for a new file system.
    fn mount_target(&self, mount: &NewMount) -> Result<OwnedFd, Broken> {
        let (root, target) = (self.root()?, mount.target.as_c_str());
        let fd = if mount.plain_target {
            let flags = libc::O_PATH | libc::O_DIRECTORY;
            match path::open_in_root_without_links(root, target, flags) {
                Err(Errno::ENOENT) => {
                    open_or_make(root, target, Kind::Directory).part(Part::Target)?;
                    path::open_in_root_without_links(root, target, flags).part(Part::NotPlain)?
                }
                other => other.part(Part::NotPlain)?,
            }
        } else {
            open_or_make(root, target, Kind::Directory).part(Part::Target)?
        };
        self.refuse_root(&path::status(fd.as_fd())?)?;
        Ok(fd)
    }

    /// A link in the image can lead any target to the root itself, which would hide the container's tree.
    fn refuse_root(&self, target: &libc::stat) -> Result<(), Broken> {
        if self.root_identity == (target.st_dev, target.st_ino) {
            return Err(broken(Part::OverRoot, Errno::EBUSY));
        }
        Ok(())
    }

    pub(super) fn mount(&mut self, mount: &NewMount) -> Result<(), Broken> {
        let target = self.mount_target(mount)?;
        let data = match mount.keep_mode {
            true => with_mode_of(target.as_fd(), mount.data.as_deref())?,
            false => mount.data.clone(),
        };
        if mount.copy_up {
            return self.mount_copy(mount, &target, data.as_deref());
        }
        path::change_directory(target.as_fd()).part(Part::Target)?;
        match mount::mount_here(&mount.source, &mount.kind, mount.flags, data.as_deref()) {
            // sysfs shows the devices of a network namespace, so a user namespace may mount only that of its own. What
            // the host shows is the next best, with all of it as read-only as was asked for; but only for this reason.
            Err(Errno::EPERM) if mount.kind.as_c_str() == c"sysfs" && in_user_namespace() => {
                let tree = mount::clone_tree_following_links(c"/sys", true).part(Part::Source)?;
                let attributes = Attributes { set: attributes_of(mount.flags), ..Attributes::default() };
                mount::set_attributes(tree.as_fd(), true, attributes).part(Part::Attributes)?;
                mount::attach(tree.as_fd(), target.as_fd()).part(Part::Attach)?;
            }
            other => other?,
        }
        if mount.plain_target {
            self.hold_mount(mount)?;
        }
        self.change(&mount.target, &mount.changes)
    }

    /// Keeps the mount that has just been made: what is closed in it later is looked up from there. A neighbour that can
    /// write to the root could otherwise take /proc away while /proc/sys is to become read-only (CVE-2019-19921).
    fn hold_mount(&mut self, mount: &NewMount) -> Result<(), Broken> {
        let top = path::open_in_root_without_links(self.root()?, mount.target.as_c_str(), libc::O_PATH);
        let top = top.part(Part::NotPlain)?;
        if !path::is_mount_root(top.as_fd())? {
            return Err(broken(Part::NotPlain, Errno::EBUSY));
        }
        self.held.push((mount.target.clone(), top));
        Ok(())
    }

    /// Mounts the tmpfs, then fills it from the directory it covers, which is held open.
    fn mount_copy(&mut self, mount: &NewMount, target: &OwnedFd, data: Option<&CStr>) -> Result<(), Broken> {
        path::change_directory(target.as_fd()).part(Part::Target)?;
        let covered = path::open_entry(target.as_fd(), c".", libc::O_RDONLY | libc::O_DIRECTORY).part(Part::Copy)?;
        mount::mount_here(&mount.source, &mount.kind, mount.flags & !libc::MS_RDONLY, data)?;
        let new = path::open_in_root(self.root()?, mount.target.as_c_str(), libc::O_RDONLY | libc::O_DIRECTORY);
        crate::sys::copy_tree::tree(covered.as_fd(), new.part(Part::Target)?.as_fd()).part(Part::Copy)?;
        self.change(&mount.target, &mount.changes)
    }

    /// cgroup2 itself, or where a user namespace may not mount it, the part of the host's that is this container's: never
    /// all of it, and read-only, since no cgroup namespace keeps the container from what lies above (CVE-2023-25809). A
    /// container that has no cgroup of its own, as an ordinary user's may, gets an empty directory.
    pub(super) fn mount_cgroup(&mut self, mount: &NewMount) -> Result<(), Broken> {
        let target = self.mount_target(mount)?;
        path::change_directory(target.as_fd()).part(Part::Target)?;
        match mount::mount_here(&mount.source, &mount.kind, mount.flags, mount.data.as_deref()) {
            Err(Errno::EPERM | Errno::EBUSY) => {
                let Some(own) = self.inputs.cgroup.as_deref() else { return hide_cgroups() };
                let tree = mount::clone_tree_following_links(own, false).part(Part::Source)?;
                let set = attributes_of(mount.flags) | libc::MOUNT_ATTR_RDONLY;
                let attributes = Attributes { set, ..Attributes::default() };
                mount::set_attributes(tree.as_fd(), false, attributes).part(Part::Attributes)?;
                mount::attach(tree.as_fd(), target.as_fd()).part(Part::Attach)?;
            }
            other => other?,
        }
        self.change(&mount.target, &mount.changes)
    }

    pub(super) fn bind(&mut self, bind: &Bind) -> Result<(), Broken> {
        if bind.copy_symlink && self.copy_symlink(bind)? {
            return Ok(());
        }
        let own;
        let tree = match &bind.source {
            Source::PassedFd(slot, _) => self.passed_fd(*slot)?,
            Source::Path(source) | Source::Reachable(_, source) => {
                match (mount::clone_tree_following_links(source, bind.recursive), &bind.source) {
                    (Err(Errno::EACCES), Source::Reachable(slot, _)) => self.passed_fd(*slot)?,
                    (tree, _) => {
                        own = tree.part(Part::Source)?;
                        own.as_fd()
                    }
                }
            }
        };
        let status = path::status(tree).part(Part::Source)?;
        let kind = if status.st_mode & libc::S_IFMT == libc::S_IFDIR { Kind::Directory } else { Kind::File };
        let target = open_or_make(self.root()?, bind.target.as_c_str(), kind).part(Part::Target)?;
        let found = path::status(target.as_fd())?;
        self.refuse_root(&found)?;
        let is_directory = found.st_mode & libc::S_IFMT == libc::S_IFDIR;
        // move_mount(2) would call either mistake an invalid argument.
        match (kind, is_directory) {
            (Kind::Directory, false) => return Err(broken(Part::Target, Errno::ENOTDIR)),
            (Kind::File, true) => return Err(broken(Part::SourceNotDirectory, Errno::ENOTDIR)),
            _ => (),
        }
        // What lies on procfs is the kernel's word about the container; an image or a volume must not be able to replace
        // it, nor to catch what the runtime writes there (CVE-2019-16884).
        let on_proc = path::file_system(target.as_fd())? == libc::PROC_SUPER_MAGIC as u64;
        if on_proc && !bind.on_proc && !is_proc(tree)? {
            return Err(broken(Part::OnProc, Errno::EPERM));
        }
        if bind.must_be_proc && !is_proc(tree)? {
            return Err(broken(Part::NotProc, Errno::EPERM));
        }
        for change in &bind.changes {
            mount::set_attributes(tree, change.recursive, change.attributes).part(Part::Attributes)?;
        }
        mount::attach(tree, target.as_fd()).part(Part::Attach)
    }

    /// Makes the link that the source is; false if it is none.
    fn copy_symlink(&self, bind: &Bind) -> Result<bool, Broken> {
        let (Source::Path(source) | Source::Reachable(_, source) | Source::PassedFd(_, source)) = &bind.source;
        let found = path::open_following_links(source, libc::O_PATH | libc::O_NOFOLLOW).part(Part::Source)?;
        if path::status(found.as_fd())?.st_mode & libc::S_IFMT != libc::S_IFLNK {
            return Ok(false);
        }
        let text = path::read_link(found.as_fd(), c"").part(Part::Source)?;
        let text = CString::new(text).map_err(|_| Errno::EINVAL)?;
        let (directory, name) = split(bind.target.as_c_str())?;
        let directory = open_or_make(self.root()?, &directory, Kind::Directory).part(Part::Target)?;
        match path::make_link(&text, directory.as_fd(), &name) {
            Err(Errno::EEXIST) => match path::read_link(directory.as_fd(), &name) {
                Ok(there) if there == text.as_bytes() => Ok(true),
                _ => Err(broken(Part::Occupied, Errno::EEXIST)),
            },
            made => made.map(|()| true).part(Part::Target),
        }
    }

    pub(super) fn remount(
        &mut self,
        target: &InRoot,
        flags: u64,
        data: Option<&CStr>,
        changes: &[Change],
    ) -> Result<(), Broken> {
        if flags & libc::MS_BIND == 0 {
            let fd = path::open_in_root(self.root()?, target.as_c_str(), libc::O_PATH).part(Part::Target)?;
            path::change_directory(fd.as_fd()).part(Part::Target)?;
            mount::remount_here(flags, data)?;
        }
        self.change(target, changes)
    }

    /// Changes the mount on top of a path.
    fn change(&self, target: &InRoot, changes: &[Change]) -> Result<(), Broken> {
        if changes.is_empty() {
            return Ok(());
        }
        let top = path::open_in_root(self.root()?, target.as_c_str(), libc::O_PATH).part(Part::Target)?;
        changes
            .iter()
            .try_for_each(|change| mount::set_attributes(top.as_fd(), change.recursive, change.attributes))
            .part(Part::Attributes)
    }
}

/// A path's directory and last name.
fn split(path: &CStr) -> Result<(CString, CString), Errno> {
    let bytes = path.to_bytes();
    let at = bytes.iter().rposition(|byte| *byte == b'/').ok_or(Errno::EINVAL)?;
    let part = |bytes: &[u8]| CString::new(bytes).map_err(|_| Errno::EINVAL);
    Ok((part(&bytes[..at.max(1)])?, part(&bytes[at + 1..])?))
}

/// A bind of procfs itself is a container that shares its host's; it may lie on procfs.
fn is_proc(tree: BorrowedFd<'_>) -> Result<bool, Broken> {
    Ok(path::file_system(tree)? == libc::PROC_SUPER_MAGIC as u64)
}

/// A tmpfs without a mode of its own gets that of the directory it covers; its own default would be 1777.
fn with_mode_of(covered: BorrowedFd<'_>, data: Option<&CStr>) -> Result<Option<CString>, Broken> {
    let mode = path::status(covered)?.st_mode & 0o7777;
    let mut text = format!("mode={mode:o}").into_bytes();
    if let Some(data) = data {
        text.push(b',');
        text.extend_from_slice(data.to_bytes());
    }
    CString::new(text).map(Some).map_err(|_| Errno::EINVAL.into())
}

/// Whether this process is in a user namespace other than that of the machine. Only asked before `/proc` is the container's.
fn in_user_namespace() -> bool {
    /// PROC_USER_INIT_INO, which the kernel has given the first user namespace ever since it has had a number.
    const FIRST: u64 = 0xefff_fffd;
    let own = path::open_following_links(c"/proc/self/ns/user", libc::O_RDONLY);
    own.and_then(|own| path::status(own.as_fd())).is_ok_and(|status| status.st_ino != FIRST)
}

/// Covers the working directory, so that neither a cgroup of the image's nor the host's, bound with /sys, is seen there.
fn hide_cgroups() -> Result<(), Broken> {
    let flags = libc::MS_RDONLY | libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
    Ok(mount::mount_here(c"tmpfs", c"tmpfs", flags, Some(c"size=4k,nr_inodes=1,mode=0555"))?)
}

/// The attributes of a mount that go with flags of mount(2).
fn attributes_of(flags: u64) -> u64 {
    [
        (libc::MS_RDONLY, libc::MOUNT_ATTR_RDONLY),
        (libc::MS_NOSUID, libc::MOUNT_ATTR_NOSUID),
        (libc::MS_NODEV, libc::MOUNT_ATTR_NODEV),
        (libc::MS_NOEXEC, libc::MOUNT_ATTR_NOEXEC),
    ]
    .into_iter()
    .filter(|(flag, _)| flags & flag != 0)
    .fold(0, |attributes, (_, attribute)| attributes | attribute)
}
