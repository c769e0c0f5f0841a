//! Reads, writes and creates files and directories below a held directory. Lookups never leave that directory, follow
//! no symbolic link and cross no mount.
//!
//! It is made for pseudo file systems such as cgroup2: files are read completely and written one entry per call.
//! Resolving paths inside a container's root, where links must be followed, is left to `path`.

use super::openat2::openat2;
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{Mode, mkdirat};
use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, statfs};
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchownat, read, unlinkat, write};
use std::ffi::{CString, OsStr, OsString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Whether a cgroup v2 hierarchy is mounted at `path`.
pub(crate) fn is_cgroup2(path: &Path) -> Result<bool, Errno> {
    statfs(path).map(|facts| facts.filesystem_type() == CGROUP2_SUPER_MAGIC)
}

/// Opens the directory `path` as the base of the other calls. The last component must not be a symbolic link.
pub(crate) fn base(path: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    nix::fcntl::open(path, flags, Mode::empty())
}

/// Opens the directory at `path` below `base`.
pub(crate) fn open_directory(base: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd, Errno> {
    open(base, path, OFlag::O_RDONLY | OFlag::O_DIRECTORY)
}

/// Opens the directory that contains `dir`. For file systems in which a directory cannot be moved, as cgroup2: only
/// there is it the directory that `dir` was opened from.
pub(crate) fn open_parent(dir: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
    openat2(dir.as_raw_fd(), c"..", flags.bits(), libc::RESOLVE_NO_XDEV)
}

/// Opens the file `name` below `base` for reading.
pub(crate) fn open_file(base: BorrowedFd<'_>, name: &str) -> Result<OwnedFd, Errno> {
    open(base, Path::new(name), OFlag::O_RDONLY)
}

/// Opens the file `name` below `base` and writes `trigger` to it (pressure files). While open, the descriptor raises
/// POLLPRI when the trigger fires.
pub(crate) fn open_trigger(base: BorrowedFd<'_>, name: &str, trigger: &str) -> Result<OwnedFd, Errno> {
    let file = open(base, Path::new(name), OFlag::O_RDWR | OFlag::O_NONBLOCK)?;
    // The kernel expects the terminating zero inside the write.
    write(&file, format!("{trigger}\0").as_bytes())?;
    Ok(file)
}

fn open(base: BorrowedFd<'_>, path: &Path, flags: OFlag) -> Result<OwnedFd, Errno> {
    let resolve =
        libc::RESOLVE_BENEATH | libc::RESOLVE_NO_MAGICLINKS | libc::RESOLVE_NO_SYMLINKS | libc::RESOLVE_NO_XDEV;
    let path = CString::new(path.as_os_str().as_bytes()).map_err(|_| Errno::EINVAL)?;
    openat2(base.as_raw_fd(), &path, flags.bits(), resolve)
}

/// Returns the whole content of the file `name` below `base`. Invalid UTF-8 is replaced.
pub(crate) fn read_file(base: BorrowedFd<'_>, name: &str) -> Result<String, Errno> {
    let file = open_file(base, name)?;
    read_to_end(file.as_fd())
}

/// Returns the content of the file at `path` in a pseudo file system, whose files have no size.
pub(crate) fn read_pseudo_file(path: &str) -> Result<String, Errno> {
    let file = nix::fcntl::open(path, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    read_to_end(file.as_fd())
}

/// Reads from the current offset to the end.
pub(crate) fn read_to_end(file: BorrowedFd<'_>) -> Result<String, Errno> {
    let mut content = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        match read(file, &mut chunk) {
            Ok(0) => break,
            Ok(n) => content.extend_from_slice(&chunk[..n]),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(String::from_utf8(content).unwrap_or_else(|bad| String::from_utf8_lossy(bad.as_bytes()).into_owned()))
}

/// Writes `value` to the existing file `name` below `base` in one write(2), because pseudo files accept one entry per
/// call.
pub(crate) fn write_file(base: BorrowedFd<'_>, name: &str, value: &str) -> Result<(), Errno> {
    let file = open(base, Path::new(name), OFlag::O_WRONLY)?;
    loop {
        match write(&file, value.as_bytes()) {
            Ok(n) if n == value.len() => return Ok(()),
            Ok(_) => return Err(Errno::EIO),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Creates the directory `path` below `base` with mode 0755 minus the umask. All parents must exist.
pub(crate) fn make_directory(base: BorrowedFd<'_>, path: &Path) -> Result<(), Errno> {
    mkdirat(base, path, Mode::from_bits_truncate(0o755))
}

/// Removes the empty directory `path` below `base`.
pub(crate) fn remove_directory(base: BorrowedFd<'_>, path: &Path) -> Result<(), Errno> {
    unlinkat(base, path, UnlinkatFlags::RemoveDir)
}

/// Changes the owner of the file `name` in `base` ("." is the directory itself) to `uid` and `gid`; `None` keeps the
/// current one.
pub(crate) fn give(base: BorrowedFd<'_>, name: &str, uid: Option<u32>, gid: Option<u32>) -> Result<(), Errno> {
    fchownat(base, name, uid.map(Uid::from_raw), gid.map(Gid::from_raw), AtFlags::AT_SYMLINK_NOFOLLOW)
}

/// Lists the names in the directory `base`, and whether each is a directory.
pub(crate) fn entries(base: BorrowedFd<'_>) -> Result<Vec<(OsString, bool)>, Errno> {
    // Opens a separate descriptor, because reading a directory moves the offset of the open file.
    let own = openat(base, ".", OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
    let mut names = Vec::new();
    for entry in Dir::from_fd(own)?.iter() {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name != "." && name != ".." {
            names.push((name.to_owned(), entry.file_type() == Some(nix::dir::Type::Directory)));
        }
    }
    Ok(names)
}
