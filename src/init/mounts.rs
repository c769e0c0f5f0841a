//! Performs mounts.
//!
//! What is mounted with which options is decided in `plan::mounts`. Each target is opened inside the root, and all
//! later work uses that descriptor.

use super::masked_paths::below;
use super::paths::{Kind, open_or_make};
use super::{InPart, Init, StepError, step_error};
use crate::channel::Part;
use crate::plan::act::{Bind, Change, InRoot, NewMount, Source};
use crate::plan::namespaces::CGROUP;
use crate::plan::options::MS_NOSYMFOLLOW;
use crate::sys::mount::{self, Attributes};
use crate::sys::{Errno, path};
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

impl<'a> Init<'a> {
    /// Opens the target of a new file system, and returns whether it existed.
    fn mount_target(&self, mount: &NewMount) -> Result<(OwnedFd, bool), StepError> {
        let (root, target) = (self.root()?, mount.target.as_c_str());
        let flags = libc::O_PATH | libc::O_DIRECTORY;
        let open = || match mount.plain_target {
            true => path::open_in_root_without_links(root, target, flags),
            false => path::open_in_root(root, target, flags),
        };
        let part = if mount.plain_target { Part::NotPlain } else { Part::Target };
        let (fd, existed) = match open() {
            Err(Errno::ENOENT) => {
                let made = open_or_make(root, target, Kind::Directory).part(Part::Target)?;
                (if mount.plain_target { open().part(part)? } else { made }, false)
            }
            other => (other.part(part)?, true),
        };
        self.refuse_root(&path::status(fd.as_fd())?)?;
        // Only a procfs may cover procfs: another file system there could forge what the kernel reports
        // (CVE-2019-19921).
        if mount.kind.as_c_str() != c"proc" && is_proc(fd.as_fd())? {
            return Err(step_error(Part::OnProc, Errno::EPERM));
        }
        Ok((fd, existed))
    }

    /// A symbolic link in the image can resolve any target to the root itself. A mount there would hide the container's
    /// tree.
    fn refuse_root(&self, target: &libc::stat) -> Result<(), StepError> {
        if self.root_identity == (target.st_dev, target.st_ino) {
            return Err(step_error(Part::OverRoot, Errno::EBUSY));
        }
        Ok(())
    }

    /// Attaches a new file system. Later steps use its descriptor, because another container that can write to the root
    /// could replace the directory at its path meanwhile (CVE-2019-19921).
    pub(super) fn mount(&mut self, mount: &'a NewMount) -> Result<(), StepError> {
        let (target, existed) = self.mount_target(mount)?;
        // A tmpfs without a mode gets the mode of an existing target. On a new target it has the kernel's default,
        // 1777.
        let mode = (mount.keep_mode && existed).then(|| mode_of(target.as_fd())).transpose()?;
        let new = match self.new_file_system(mount, mode.as_deref(), &target) {
            // sysfs shows the devices of a network namespace, so the kernel lets a user namespace mount only that of
            // its own network namespace. In this one case, bind the host's /sys recursively, with the requested flags.
            Err(Errno::EPERM) if mount.kind.as_c_str() == c"sysfs" && in_user_namespace() => {
                let tree = mount::clone_tree_following_links(c"/sys", true).part(Part::Source)?;
                let attributes = Attributes { set: attributes_of(mount.flags), ..Attributes::default() };
                mount::set_attributes(tree.as_fd(), true, attributes).part(Part::Attributes)?;
                New::Detached(tree)
            }
            other => other?,
        };
        if mount.copy_up {
            let covered =
                path::open_entry(target.as_fd(), c".", libc::O_RDONLY | libc::O_DIRECTORY).part(Part::Copy)?;
            crate::sys::copy_tree::tree(covered.as_fd(), new.as_fd()).part(Part::Copy)?;
        }
        self.finish_mount(mount, new, &target)
    }

    /// Mounts cgroup2. Where a user namespace may not do so, binds only the container's own subtree of the host's
    /// hierarchy, and read-only, because no cgroup namespace hides what is above it (CVE-2023-25809). A container
    /// without its own cgroup, which an unprivileged user can have, gets an empty directory.
    pub(super) fn mount_cgroup(&mut self, mount: &'a NewMount) -> Result<(), StepError> {
        let (target, _) = self.mount_target(mount)?;
        let may_see_root = self.plan.namespaces.own(CGROUP);
        let made = if may_see_root { self.new_file_system(mount, None, &target) } else { Err(Errno::EPERM) };
        let new = match made {
            Err(Errno::EPERM | Errno::EBUSY) => New::Detached(self.own_cgroup(mount)?),
            other => other?,
        };
        self.finish_mount(mount, new, &target)
    }

    /// Makes a new file system. `mode` is the mode of a tmpfs.
    fn new_file_system(&self, mount: &NewMount, mode: Option<&CStr>, target: &OwnedFd) -> Result<New, Errno> {
        if let Some(parameters) = &mount.parameters {
            let mode = mode.map(|mode| (c"mode", Some(mode)));
            let parameters = parameters.iter().map(|(key, value)| (key.as_c_str(), value.as_deref())).chain(mode);
            let pid_namespace = mount.pid_namespace.and_then(|slot| self.inputs.passed_fds.get(slot)).map(AsFd::as_fd);
            let attributes = attributes_of(mount.flags);
            return mount::detached_for(&mount.kind, parameters, attributes, pid_namespace).map(New::Detached);
        }
        path::change_directory(target.as_fd())?;
        mount::mount_here(&mount.source, &mount.kind, mount.flags, mount.data.as_deref())?;
        let top =
            path::open_in_root(self.root.as_ref().ok_or(Errno::EBADF)?.as_fd(), mount.target.as_c_str(), libc::O_PATH)?;
        if path::is_mount_root(top.as_fd())? { Ok(New::Attached(top)) } else { Err(Errno::EBUSY) }
    }

    fn own_cgroup(&self, mount: &NewMount) -> Result<OwnedFd, StepError> {
        let Some(own) = self.inputs.cgroup.as_deref() else { return Ok(empty_directory()?) };
        let tree = mount::clone_tree_following_links(own, false).part(Part::Source)?;
        let set = attributes_of(mount.flags) | libc::MOUNT_ATTR_RDONLY;
        let attributes = Attributes { set, ..Attributes::default() };
        mount::set_attributes(tree.as_fd(), false, attributes).part(Part::Attributes)?;
        Ok(tree)
    }

    /// Attaches a new mount and changes its attributes.
    fn finish_mount(&mut self, mount: &'a NewMount, new: New, target: &OwnedFd) -> Result<(), StepError> {
        let top = match new {
            New::Detached(tree) => {
                mount::attach(tree.as_fd(), target.as_fd()).part(Part::Attach)?;
                tree
            }
            New::Attached(top) => top,
        };
        change(top.as_fd(), &mount.changes)?;
        self.hold_mount(&mount.target, top);
        Ok(())
    }

    /// Keeps a mount open if a later step masks or changes something in it.
    fn hold_mount(&mut self, target: &'a InRoot, top: OwnedFd) {
        if self.changed_later.iter().any(|path| below(path, target).is_some()) {
            self.held.push((target, top));
        }
    }

    /// Opens a path inside the root. If this process has mounted something above the path, starts from the latest such
    /// mount.
    pub(super) fn open_made(&self, at: &InRoot, flags: i32) -> Result<OwnedFd, Errno> {
        let held = self.held.iter().rev().find_map(|(mount, top)| Some((top, below(at, mount)?)));
        match held {
            Some((top, rest)) if rest.is_empty() => top.try_clone().map_err(|_| Errno::EMFILE),
            Some((top, rest)) => path::open_in_root(top.as_fd(), rest, flags),
            None => path::open_in_root(self.root.as_ref().ok_or(Errno::EBADF)?.as_fd(), at.as_c_str(), flags),
        }
    }

    pub(super) fn bind(&mut self, bind: &'a Bind) -> Result<(), StepError> {
        if bind.copy_symlink && self.copy_symlink(bind)? {
            return Ok(());
        }
        let own;
        let tree = match &bind.source {
            Source::PassedFd(slot, _) => self.passed_fd(*slot)?,
            Source::InRoot(source, id_map) => {
                let found = path::open_in_root(self.root()?, source.as_c_str(), libc::O_PATH).part(Part::Source)?;
                own = mount::clone_tree_of(found.as_fd(), bind.recursive).part(Part::Source)?;
                if id_map.is_some() {
                    self.inputs.channel.map_ids(&own, self.step).part(Part::Abandoned)?;
                }
                own.as_fd()
            }
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
        // move_mount(2) would report both mistakes as EINVAL.
        match (kind, is_directory) {
            (Kind::Directory, false) => return Err(step_error(Part::Target, Errno::ENOTDIR)),
            (Kind::File, true) => return Err(step_error(Part::SourceNotDirectory, Errno::ENOTDIR)),
            _ => (),
        }
        // An image or a volume must not replace what procfs reports about the container, nor receive what the runtime
        // writes there (CVE-2019-16884).
        let on_proc = path::file_system(target.as_fd())? == libc::PROC_SUPER_MAGIC as u64;
        if on_proc && !bind.on_proc && !is_proc(tree)? {
            return Err(step_error(Part::OnProc, Errno::EPERM));
        }
        if bind.must_be_proc && !is_proc(tree)? {
            return Err(step_error(Part::NotProc, Errno::EPERM));
        }
        for change in &bind.changes {
            mount::set_attributes(tree, change.recursive, change.attributes).part(Part::Attributes)?;
        }
        mount::attach(tree, target.as_fd()).part(Part::Attach)?;
        let top = tree.try_clone_to_owned().map_err(|_| Errno::EMFILE)?;
        self.hold_mount(&bind.target, top);
        Ok(())
    }

    /// Makes a copy of the source if it is a symbolic link. Returns false if it is not.
    fn copy_symlink(&self, bind: &Bind) -> Result<bool, StepError> {
        let flags = libc::O_PATH | libc::O_NOFOLLOW;
        let found = match &bind.source {
            Source::InRoot(source, _) => path::open_in_root(self.root()?, source.as_c_str(), flags),
            other => path::open_following_links(other.path(), flags),
        };
        let found = found.part(Part::Source)?;
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
                _ => Err(step_error(Part::Occupied, Errno::EEXIST)),
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
    ) -> Result<(), StepError> {
        let top = self.open_made(target, libc::O_PATH).part(Part::Target)?;
        if flags & libc::MS_BIND == 0 {
            path::change_directory(top.as_fd()).part(Part::Target)?;
            mount::remount_here(flags, data)?;
        }
        change(top.as_fd(), changes)
    }
}

/// A new mount.
enum New {
    /// Not attached to its target yet.
    Detached(OwnedFd),
    /// Already at its target, because only mount(2) accepts its options.
    Attached(OwnedFd),
}

impl AsFd for New {
    fn as_fd(&self) -> BorrowedFd<'_> {
        let (New::Detached(fd) | New::Attached(fd)) = self;
        fd.as_fd()
    }
}

/// Changes the attributes of a mount.
fn change(top: BorrowedFd<'_>, changes: &[Change]) -> Result<(), StepError> {
    changes
        .iter()
        .try_for_each(|change| mount::set_attributes(top, change.recursive, change.attributes))
        .part(Part::Attributes)
}

/// Splits a path into its directory and its last name.
fn split(path: &CStr) -> Result<(CString, CString), Errno> {
    let bytes = path.to_bytes();
    let at = bytes.iter().rposition(|byte| *byte == b'/').ok_or(Errno::EINVAL)?;
    let part = |bytes: &[u8]| CString::new(bytes).map_err(|_| Errno::EINVAL);
    Ok((part(&bytes[..at.max(1)])?, part(&bytes[at + 1..])?))
}

/// Whether a tree is on procfs. A container may bind the host's procfs itself, also on top of procfs.
fn is_proc(tree: BorrowedFd<'_>) -> Result<bool, StepError> {
    Ok(path::file_system(tree)? == libc::PROC_SUPER_MAGIC as u64)
}

/// The permission bits of a directory as a mount option.
fn mode_of(directory: BorrowedFd<'_>) -> Result<CString, StepError> {
    let mode = path::status(directory)?.st_mode & 0o7777;
    CString::new(format!("{mode:o}")).map_err(|_| Errno::EINVAL.into())
}

/// Whether this process is outside the initial user namespace. Must be called before `/proc` is the container's.
fn in_user_namespace() -> bool {
    /// PROC_USER_INIT_INO: the inode number of the initial user namespace since it has had one.
    const FIRST: u64 = 0xefff_fffd;
    let own = path::open_following_links(c"/proc/self/ns/user", libc::O_RDONLY);
    own.and_then(|own| path::status(own.as_fd())).is_ok_and(|status| status.st_ino != FIRST)
}

/// An empty read-only file system, mounted instead of cgroup2 for a container without a cgroup.
fn empty_directory() -> Result<OwnedFd, Errno> {
    let options = [(c"size", Some(c"4k")), (c"nr_inodes", Some(c"1")), (c"mode", Some(c"0555"))];
    let attributes = libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;
    mount::detached(c"tmpfs", options, attributes | libc::MOUNT_ATTR_NOEXEC)
}

/// The MOUNT_ATTR_* equivalents of MS_* flags.
fn attributes_of(flags: u64) -> u64 {
    [
        (libc::MS_RDONLY, libc::MOUNT_ATTR_RDONLY),
        (libc::MS_NOSUID, libc::MOUNT_ATTR_NOSUID),
        (libc::MS_NODEV, libc::MOUNT_ATTR_NODEV),
        (libc::MS_NOEXEC, libc::MOUNT_ATTR_NOEXEC),
        (libc::MS_NODIRATIME, libc::MOUNT_ATTR_NODIRATIME),
        (libc::MS_NOATIME, libc::MOUNT_ATTR_NOATIME),
        (libc::MS_STRICTATIME, libc::MOUNT_ATTR_STRICTATIME),
        (MS_NOSYMFOLLOW, libc::MOUNT_ATTR_NOSYMFOLLOW),
    ]
    .into_iter()
    .filter(|(flag, _)| flags & flag != 0)
    .fold(0, |attributes, (_, attribute)| attributes | attribute)
}
