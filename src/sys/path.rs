//! Opens paths with openat2(2) inside a root that a hostile process may be changing, and works on the opened files.
//! Retries are left to `openat2`.
//!
//! `open_in_root` treats the directory as "/": symbolic links and `..` can never lead out of it (RESOLVE_IN_ROOT).
//! `open_beneath` refuses links altogether, for kernel file systems whose files have known names.

use super::openat2::openat2;
use super::{Errno, Result, answer, done};
use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Magic links (`/proc/PID/exe` and its like) are never followed in a container's tree.
const IN_ROOT: u64 = libc::RESOLVE_IN_ROOT | libc::RESOLVE_NO_MAGICLINKS;
const BENEATH: u64 = libc::RESOLVE_BENEATH | libc::RESOLVE_NO_MAGICLINKS | libc::RESOLVE_NO_SYMLINKS;

/// Opens `path` with `root` as its "/", following symbolic links inside it.
pub(crate) fn open_in_root(root: BorrowedFd<'_>, path: &CStr, flags: i32) -> Result<OwnedFd> {
    openat2(root.as_raw_fd(), path, flags, IN_ROOT)
}

/// Opens `path` with `root` as its "/", refusing symbolic links in any component (ELOOP).
pub(crate) fn open_in_root_without_links(root: BorrowedFd<'_>, path: &CStr, flags: i32) -> Result<OwnedFd> {
    openat2(root.as_raw_fd(), path, flags, IN_ROOT | libc::RESOLVE_NO_SYMLINKS)
}

/// Opens `path` below `directory`; refuses to leave it, and refuses links and magic links.
pub(crate) fn open_beneath(directory: BorrowedFd<'_>, path: &CStr, flags: i32) -> Result<OwnedFd> {
    openat2(directory.as_raw_fd(), path, flags, BENEATH)
}

/// Opens `path` below `proc`, a procfs. Follows `self`, and refuses files that are covered by mounts (EXDEV).
pub(crate) fn open_on_proc(proc: BorrowedFd<'_>, path: &CStr, flags: i32) -> Result<OwnedFd> {
    let resolve = libc::RESOLVE_BENEATH | libc::RESOLVE_NO_MAGICLINKS | libc::RESOLVE_NO_XDEV;
    openat2(proc.as_raw_fd(), path, flags, resolve)
}

/// Opens `path` as this process sees it: follows links and may lead anywhere. Only for paths of the host.
pub(crate) fn open_following_links(path: &CStr, flags: i32) -> Result<OwnedFd> {
    // SAFETY: the kernel reads within bounds, because `path` is a terminated string.
    let raw = Errno::result(unsafe { libc::open(path.as_ptr(), flags | libc::O_CLOEXEC) })?;
    // SAFETY: nothing else owns the descriptor, because the kernel has just made it.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// Opens the entry `name` of `directory`, which must not be a link.
pub(crate) fn open_entry(directory: BorrowedFd<'_>, name: &CStr, flags: i32) -> Result<OwnedFd> {
    let flags = flags | libc::O_CLOEXEC | libc::O_NOFOLLOW;
    // SAFETY: the kernel reads within bounds, because `name` is a terminated string.
    let raw = Errno::result(unsafe { libc::openat(directory.as_raw_fd(), name.as_ptr(), flags) })?;
    // SAFETY: nothing else owns the descriptor, because the kernel has just made it.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// Creates and opens the empty regular file `name`. EEXIST if any file of that name exists.
pub(crate) fn make_file(directory: BorrowedFd<'_>, name: &CStr, mode: u32) -> Result<OwnedFd> {
    let flags = libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW | libc::O_CLOEXEC | libc::O_WRONLY;
    // SAFETY: the kernel reads within bounds, because `name` is a terminated string.
    let raw = Errno::result(unsafe { libc::openat(directory.as_raw_fd(), name.as_ptr(), flags, mode) })?;
    // SAFETY: nothing else owns the descriptor, because the kernel has just made it.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// Creates a regular file without a name in `directory` (open(2), O_TMPFILE), open for reading and writing.
pub(crate) fn make_unlinked_file(directory: BorrowedFd<'_>, mode: u32) -> Result<OwnedFd> {
    let flags = libc::O_TMPFILE | libc::O_RDWR | libc::O_CLOEXEC;
    // SAFETY: the kernel reads within bounds, because the path is a terminated literal.
    let raw = Errno::result(unsafe { libc::openat(directory.as_raw_fd(), c".".as_ptr(), flags, mode) })?;
    // SAFETY: nothing else owns the descriptor, because the kernel has just made it.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// Creates the directory `name`.
pub(crate) fn make_directory(directory: BorrowedFd<'_>, name: &CStr, mode: u32) -> Result<()> {
    // SAFETY: the kernel reads within bounds, because `name` is a terminated string.
    done(unsafe { libc::mkdirat(directory.as_raw_fd(), name.as_ptr(), mode) })
}

/// Creates the directory at a host path.
pub(crate) fn make_directory_at(path: &CStr, mode: u32) -> Result<()> {
    // SAFETY: the kernel reads within bounds, because `path` is a terminated string.
    done(unsafe { libc::mkdir(path.as_ptr(), mode) })
}

/// Creates the node `name`: `kind` is S_IFCHR, S_IFBLK or S_IFIFO with the permission bits (umask applies).
pub(crate) fn make_node(directory: BorrowedFd<'_>, name: &CStr, kind: u32, device: u64) -> Result<()> {
    // SAFETY: the kernel reads within bounds, because `name` is a terminated string.
    done(unsafe { libc::mknodat(directory.as_raw_fd(), name.as_ptr(), kind, device) })
}

/// Creates the symbolic link `name` that leads to `target`.
pub(crate) fn make_link(target: &CStr, directory: BorrowedFd<'_>, name: &CStr) -> Result<()> {
    // SAFETY: the kernel reads within bounds, because both are terminated strings.
    done(unsafe { libc::symlinkat(target.as_ptr(), directory.as_raw_fd(), name.as_ptr()) })
}

/// Reads the symbolic link `name`.
pub(crate) fn read_link(directory: BorrowedFd<'_>, name: &CStr) -> Result<Vec<u8>> {
    let mut buffer = vec![0_u8; libc::PATH_MAX as usize];
    let (at, into, size) = (directory.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len());
    // SAFETY: the kernel stays within bounds, because `name` is a terminated string and the pointer and size describe
    // one live buffer.
    let length = Errno::result(unsafe { libc::readlinkat(at, name.as_ptr(), into, size) })?;
    buffer.truncate(length as usize);
    Ok(buffer)
}

/// Removes the entry `name`, which is not a directory.
pub(crate) fn remove_entry(directory: BorrowedFd<'_>, name: &CStr) -> Result<()> {
    // SAFETY: the kernel reads within bounds, because `name` is a terminated string.
    done(unsafe { libc::unlinkat(directory.as_raw_fd(), name.as_ptr(), 0) })
}

/// Returns the status of an open file (fstat(2)).
pub(crate) fn status(fd: BorrowedFd<'_>) -> Result<libc::stat> {
    // SAFETY: zero is a valid value, because stat is plain data.
    let mut status: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes within bounds, because `status` is a full structure.
    done(unsafe { libc::fstat(fd.as_raw_fd(), &raw mut status) })?;
    Ok(status)
}

/// Returns the status of the entry `name`; links are not followed.
pub(crate) fn status_of_entry(directory: BorrowedFd<'_>, name: &CStr) -> Result<libc::stat> {
    // SAFETY: zero is a valid value, because stat is plain data.
    let mut status: libc::stat = unsafe { std::mem::zeroed() };
    let flags = libc::AT_SYMLINK_NOFOLLOW;
    // SAFETY: the kernel stays within bounds, because `name` is a terminated string and `status` a full structure.
    done(unsafe { libc::fstatat(directory.as_raw_fd(), name.as_ptr(), &raw mut status, flags) })?;
    Ok(status)
}

/// Whether the path exists as this process sees it; links are followed.
pub(crate) fn exists(path: &CStr) -> bool {
    // SAFETY: the kernel reads within bounds, because `path` is a terminated string.
    unsafe { libc::access(path.as_ptr(), libc::F_OK) == 0 }
}

/// Returns the magic number of a descriptor's file system (statfs(2)).
pub(crate) fn file_system(fd: BorrowedFd<'_>) -> Result<u64> {
    // SAFETY: zero is a valid value, because statfs is plain data.
    let mut facts: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes within bounds, because `facts` is a full structure.
    done(unsafe { libc::fstatfs(fd.as_raw_fd(), &raw mut facts) })?;
    Ok(facts.f_type as u64)
}

/// Whether the descriptor is the root of a mount (statx(2), STATX_ATTR_MOUNT_ROOT, Linux 5.8).
pub(crate) fn is_mount_root(fd: BorrowedFd<'_>) -> Result<bool> {
    // SAFETY: zero is a valid value, because statx is plain data.
    let mut facts: libc::statx = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel stays within bounds, because the path is a terminated literal and `facts` a full structure.
    done(unsafe { libc::statx(fd.as_raw_fd(), c"".as_ptr(), libc::AT_EMPTY_PATH, 0, &raw mut facts) })?;
    Ok(facts.stx_attributes & libc::STATX_ATTR_MOUNT_ROOT as u64 != 0)
}

/// The id of the mount that the descriptor is on (statx(2)): unique since boot from Linux 6.8 on, before that the number
/// in mountinfo.
pub(crate) fn mount_id(fd: BorrowedFd<'_>) -> Result<u64> {
    /// STATX_MNT_ID_UNIQUE. An older kernel ignores it and returns the other id.
    const UNIQUE: u32 = 0x4000;
    // SAFETY: zero is a valid value, because statx is plain data.
    let mut facts: libc::statx = unsafe { std::mem::zeroed() };
    let (flags, mask) = (libc::AT_EMPTY_PATH, libc::STATX_MNT_ID | UNIQUE);
    // SAFETY: the kernel stays within bounds, because the path is a terminated literal and `facts` a full structure.
    done(unsafe { libc::statx(fd.as_raw_fd(), c"".as_ptr(), flags, mask, &raw mut facts) })?;
    Ok(facts.stx_mnt_id)
}

/// Changes the owner of an open file; a gid of `None` is kept.
pub(crate) fn change_owner(fd: BorrowedFd<'_>, uid: u32, gid: Option<u32>) -> Result<()> {
    let flags = libc::AT_EMPTY_PATH;
    // SAFETY: the kernel reads within bounds, because the path is a terminated literal.
    done(unsafe { libc::fchownat(fd.as_raw_fd(), c"".as_ptr(), uid, gid.unwrap_or(u32::MAX), flags) })
}

/// Changes the owner of the entry `name`; links are not followed.
pub(crate) fn change_owner_of_entry(directory: BorrowedFd<'_>, name: &CStr, uid: u32, gid: u32) -> Result<()> {
    // SAFETY: the kernel reads within bounds, because `name` is a terminated string.
    done(unsafe { libc::fchownat(directory.as_raw_fd(), name.as_ptr(), uid, gid, libc::AT_SYMLINK_NOFOLLOW) })
}

/// Changes the permission bits of a file opened with O_PATH, for which fchmod(2) fails.
pub(crate) fn change_mode(fd: BorrowedFd<'_>, mode: u32) -> Result<()> {
    let path = std::ffi::CString::new(format!("/proc/self/fd/{}", fd.as_raw_fd())).map_err(|_| Errno::EINVAL)?;
    // SAFETY: the kernel reads within bounds, because `path` is a terminated string. /proc is still the host's, because
    // the root is entered only after all files are created.
    done(unsafe { libc::chmod(path.as_ptr(), mode) })
}

/// Writes all of `bytes` in one write(2), as kernel file systems require.
pub(crate) fn write(fd: BorrowedFd<'_>, bytes: &[u8]) -> Result<()> {
    match nix::unistd::write(fd, bytes)? {
        written if written == bytes.len() => Ok(()),
        _ => Err(Errno::EIO),
    }
}

/// Makes `directory` the working directory.
pub(crate) fn change_directory(directory: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: no memory is involved, because fchdir takes no pointers.
    done(unsafe { libc::fchdir(directory.as_raw_fd()) })
}

/// Changes this process's root to the working directory.
pub(crate) fn change_root_to_working_directory() -> Result<()> {
    // SAFETY: the kernel reads within bounds, because the path is a terminated literal.
    done(unsafe { libc::chroot(c".".as_ptr()) })
}

/// Changes the working directory to `path`, and checks that it lies inside this process's root.
///
/// For a directory reached through a leaked descriptor, getcwd(2) returns ENOENT or an "(unreachable)" path
/// (CVE-2024-21626). Magic links such as `/proc/self/fd/7` are refused earlier (ELOOP). fchdir(2) checks the search
/// permission as chdir(2) does.
pub(crate) fn change_directory_inside(path: &CStr) -> Result<()> {
    let resolve = libc::RESOLVE_NO_MAGICLINKS;
    let directory = openat2(libc::AT_FDCWD, path, libc::O_PATH | libc::O_DIRECTORY, resolve)?;
    change_directory(std::os::fd::AsFd::as_fd(&directory))?;
    working_directory_is_inside()
}

/// ENOENT unless the working directory lies inside this process's root.
pub(crate) fn working_directory_is_inside() -> Result<()> {
    let mut buffer = [0_u8; libc::PATH_MAX as usize];
    // SAFETY: the kernel writes within bounds, because the pointer and the length describe one live buffer. The raw
    // call is used because the C library hides an unreachable directory with fallbacks.
    let raw = unsafe { libc::syscall(libc::SYS_getcwd, buffer.as_mut_ptr(), buffer.len()) };
    match answer(raw) {
        Ok(_) if buffer[0] == b'/' => Ok(()),
        Ok(_) => Err(Errno::ENOENT),
        Err(errno) => Err(errno),
    }
}
