//! Creates and changes mounts: the descriptor-based calls (open_tree, move_mount, mount_setattr), and mount(2) on the
//! working directory. What is mounted is left to the callers.
//!
//! A target is always an open descriptor, never a path: between check and use of a path, a hostile process that shares
//! the tree could replace it by a symbolic link (CVE-2021-30465).

use super::{Errno, Result, answer, done};
use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// Changes of a mount's own attributes: MOUNT_ATTR_* to set and to clear, and at most one propagation type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attributes {
    /// MOUNT_ATTR_* to set.
    pub(crate) set: u64,
    /// MOUNT_ATTR_* to clear.
    pub(crate) clear: u64,
    /// MS_PRIVATE, MS_SLAVE, MS_SHARED or MS_UNBINDABLE; 0 keeps the current type.
    pub(crate) propagation: u64,
}

impl Attributes {
    /// Whether nothing would change.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Attributes::default()
    }
}

/// Creates a detached copy of the mount (with `recursive`, of the tree of mounts) at `path` (open_tree(2), Linux 5.2).
pub(crate) fn clone_tree(directory: RawFd, path: &CStr, recursive: bool) -> Result<OwnedFd> {
    let mut flags = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC;
    if recursive {
        flags |= libc::AT_RECURSIVE as u32;
    }
    if path.is_empty() {
        flags |= libc::AT_EMPTY_PATH as u32;
    }
    // SAFETY: the kernel reads within bounds, because `path` is a terminated string.
    let raw = answer(unsafe { libc::syscall(libc::SYS_open_tree, directory, path.as_ptr(), flags) })?;
    // SAFETY: nothing else owns the descriptor, because the kernel has just made it.
    Ok(unsafe { OwnedFd::from_raw_fd(raw as RawFd) })
}

/// Creates a detached copy of the mount at a host path; links are followed.
pub(crate) fn clone_tree_following_links(path: &CStr, recursive: bool) -> Result<OwnedFd> {
    clone_tree(libc::AT_FDCWD, path, recursive)
}

/// Creates a detached copy of the mount that a descriptor is on, with the descriptor's file as its root.
pub(crate) fn clone_tree_of(fd: BorrowedFd<'_>, recursive: bool) -> Result<OwnedFd> {
    clone_tree(fd.as_raw_fd(), c"", recursive)
}

/// Attaches the mount behind `tree` on top of `target` (move_mount(2), Linux 5.2).
pub(crate) fn attach(tree: BorrowedFd<'_>, target: BorrowedFd<'_>) -> Result<()> {
    let flags = libc::MOVE_MOUNT_F_EMPTY_PATH | libc::MOVE_MOUNT_T_EMPTY_PATH;
    let empty = c"".as_ptr();
    let (from, to) = (tree.as_raw_fd(), target.as_raw_fd());
    // SAFETY: the kernel reads within bounds, because both paths are terminated literals.
    answer(unsafe { libc::syscall(libc::SYS_move_mount, from, empty, to, empty, flags) }).map(drop)
}

/// Changes the attributes of the mount with the root `fd` (mount_setattr(2), Linux 5.12).
pub(crate) fn set_attributes(fd: BorrowedFd<'_>, recursive: bool, change: Attributes) -> Result<()> {
    set_attributes_and_map(fd, recursive, change, None)
}

/// Like `set_attributes`, and also maps the ids of the mount through `user_namespace` (MOUNT_ATTR_IDMAP). The mount
/// must be detached and must never have been attached.
pub(crate) fn set_attributes_and_map(
    fd: BorrowedFd<'_>,
    recursive: bool,
    change: Attributes,
    user_namespace: Option<BorrowedFd<'_>>,
) -> Result<()> {
    let mut attributes = libc::mount_attr {
        attr_set: change.set,
        attr_clr: change.clear,
        propagation: change.propagation,
        userns_fd: 0,
    };
    if let Some(namespace) = user_namespace {
        attributes.attr_set |= libc::MOUNT_ATTR_IDMAP;
        attributes.userns_fd = namespace.as_raw_fd() as u64;
    }
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    let size = size_of::<libc::mount_attr>();
    // SAFETY: the kernel reads within bounds, because the path is a terminated literal and `attributes` a full
    // structure whose size is passed.
    let raw = unsafe {
        libc::syscall(libc::SYS_mount_setattr, fd.as_raw_fd(), c"".as_ptr(), flags, &raw const attributes, size)
    };
    answer(raw).map(drop)
}

/// Mounts a new file system on top of the working directory with mount(2).
pub(crate) fn mount_here(source: &CStr, kind: &CStr, flags: u64, data: Option<&CStr>) -> Result<()> {
    let data = data.map_or(std::ptr::null(), CStr::as_ptr);
    // SAFETY: the kernel reads within bounds, because all strings are terminated and a null `data` is allowed.
    done(unsafe { libc::mount(source.as_ptr(), c".".as_ptr(), kind.as_ptr(), flags, data.cast()) })
}

/// mount(2) with MS_REMOUNT: changes the superblock and mount flags of the working directory's mount.
pub(crate) fn remount_here(flags: u64, data: Option<&CStr>) -> Result<()> {
    let data = data.map_or(std::ptr::null(), CStr::as_ptr);
    let flags = flags | libc::MS_REMOUNT;
    // SAFETY: the kernel reads within bounds, because the target is a terminated literal, `data` is terminated or null,
    // and source and type may be null here.
    done(unsafe { libc::mount(std::ptr::null(), c".".as_ptr(), std::ptr::null(), flags, data.cast()) })
}

/// Changes the propagation of every mount of this namespace, from "/" down (one of MS_PRIVATE, MS_SLAVE, …).
pub(crate) fn set_propagation_of_root(propagation: u64) -> Result<()> {
    // SAFETY: the kernel reads within bounds, because the target is a terminated literal and all other pointers may be
    // null when only propagation changes.
    done(unsafe { libc::mount(std::ptr::null(), c"/".as_ptr(), std::ptr::null(), propagation, std::ptr::null()) })
}

/// pivot_root(2) of the working directory onto itself: the old root ends up mounted on top of the new one, at "/".
pub(crate) fn pivot_root_here() -> Result<()> {
    let here = c".".as_ptr();
    // SAFETY: the kernel reads within bounds, because both paths are terminated literals.
    answer(unsafe { libc::syscall(libc::SYS_pivot_root, here, here) }).map(drop)
}

/// Detaches the mount on top of the working directory and everything below it (umount2(2), MNT_DETACH).
pub(crate) fn detach_here() -> Result<()> {
    // SAFETY: the kernel reads within bounds, because the path is a terminated literal.
    done(unsafe { libc::umount2(c".".as_ptr(), libc::MNT_DETACH) })
}

/// Detaches the mount at `path`.
pub(crate) fn detach(path: &CStr) -> Result<()> {
    // SAFETY: the kernel reads within bounds, because `path` is a terminated string.
    done(unsafe { libc::umount2(path.as_ptr(), libc::MNT_DETACH | libc::UMOUNT_NOFOLLOW) })
}

/// Moves the mount whose root is the working directory to "/" (mount(2), MS_MOVE), for systems that cannot pivot.
pub(crate) fn move_here_to_root() -> Result<()> {
    // SAFETY: the kernel reads within bounds, because both paths are terminated literals; type and data may be null for
    // MS_MOVE.
    done(unsafe { libc::mount(c".".as_ptr(), c"/".as_ptr(), std::ptr::null(), libc::MS_MOVE, std::ptr::null()) })
}

/// Creates a new file system in a detached mount, which no path leads to (fsopen(2) to fsmount(2), Linux 5.2).
/// `parameters` are for the file system; those without a value are flags. `attributes` are MOUNT_ATTR_* of the mount.
pub(crate) fn detached<'a>(
    kind: &CStr,
    parameters: impl IntoIterator<Item = (&'a CStr, Option<&'a CStr>)>,
    attributes: u64,
) -> Result<OwnedFd> {
    detached_for(kind, parameters, attributes, None)
}

/// Like [`detached`], for a procfs that shows `pid_namespace` instead of this process's (Linux 6.17).
pub(crate) fn detached_for<'a>(
    kind: &CStr,
    parameters: impl IntoIterator<Item = (&'a CStr, Option<&'a CStr>)>,
    attributes: u64,
    pid_namespace: Option<BorrowedFd<'_>>,
) -> Result<OwnedFd> {
    let context = open_context(kind)?;
    for (key, value) in parameters {
        let command = if value.is_some() { libc::FSCONFIG_SET_STRING } else { libc::FSCONFIG_SET_FLAG };
        configure(&context, command, Some(key), value, 0)?;
    }
    if let Some(namespace) = pid_namespace {
        configure(&context, libc::FSCONFIG_SET_FD, Some(c"pidns"), None, namespace.as_raw_fd())?;
    }
    configure(&context, libc::FSCONFIG_CMD_CREATE, None, None, 0)?;
    let flags = libc::FSMOUNT_CLOEXEC;
    // SAFETY: no memory is involved, because fsmount takes no pointers.
    let raw = answer(unsafe { libc::syscall(libc::SYS_fsmount, context.as_raw_fd(), flags, attributes) })?;
    // SAFETY: nothing else owns the descriptor, because the kernel has just made it.
    Ok(unsafe { OwnedFd::from_raw_fd(raw as RawFd) })
}

/// Whether the kernel can mount a procfs for another pid namespace.
pub(crate) fn procfs_takes_pid_namespace() -> bool {
    let own = super::path::open_following_links(c"/proc/self/ns/pid", libc::O_RDONLY);
    let takes = |own: OwnedFd| {
        let context = open_context(c"proc")?;
        configure(&context, libc::FSCONFIG_SET_FD, Some(c"pidns"), None, own.as_raw_fd())
    };
    own.and_then(takes).is_ok()
}

/// fsopen(2).
fn open_context(kind: &CStr) -> Result<OwnedFd> {
    // SAFETY: the kernel reads within bounds, because `kind` is terminated.
    let context = answer(unsafe { libc::syscall(libc::SYS_fsopen, kind.as_ptr(), libc::FSOPEN_CLOEXEC) })? as RawFd;
    // SAFETY: nothing else owns the descriptor, because the kernel has just made it.
    Ok(unsafe { OwnedFd::from_raw_fd(context) })
}

/// fsconfig(2).
fn configure(context: &OwnedFd, command: u32, key: Option<&CStr>, value: Option<&CStr>, number: RawFd) -> Result<()> {
    let (key, value) = (key.map_or(std::ptr::null(), CStr::as_ptr), value.map_or(std::ptr::null(), CStr::as_ptr));
    // SAFETY: the kernel reads within bounds, because key and value are terminated, or null if the command takes none.
    answer(unsafe { libc::syscall(libc::SYS_fsconfig, context.as_raw_fd(), command, key, value, number) }).map(drop)
}

/// Returns the root of the mount that `fd` is on: `fd` itself or its nearest ancestor that is a mount root. Propagation
/// can be changed only for whole mounts.
pub(crate) fn root_of_mount(fd: BorrowedFd<'_>) -> Result<OwnedFd> {
    let mut at = fd.try_clone_to_owned().map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))?;
    while !super::path::is_mount_root(std::os::fd::AsFd::as_fd(&at))? {
        at = super::path::open_entry(std::os::fd::AsFd::as_fd(&at), c"..", libc::O_PATH)?;
    }
    Ok(at)
}
