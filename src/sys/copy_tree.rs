//! Copies a directory tree by descriptors, for `tmpcopyup`. Opening both directories safely is left to the caller.

use crate::sys::{Errno, Result, path};
use nix::dir::Dir;
use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// Copies everything below `from` to `to`: directories, files, links and nodes, with owner and mode. Links are copied
/// and never followed.
pub(crate) fn tree(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> Result<()> {
    let mut entries = Dir::from_fd(path::open_entry(from, c".", libc::O_RDONLY | libc::O_DIRECTORY)?)?;
    for entry in entries.iter() {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let status = path::status_of_entry(from, name)?;
        match status.st_mode & libc::S_IFMT {
            libc::S_IFDIR => {
                path::make_directory(to, name, 0o700)?;
                let flags = libc::O_RDONLY | libc::O_DIRECTORY;
                let (source, target) = (path::open_entry(from, name, flags)?, path::open_entry(to, name, flags)?);
                tree(source.as_fd(), target.as_fd())?;
            }
            libc::S_IFREG => file(from, to, name)?,
            libc::S_IFLNK => {
                let text = path::read_link(from, name)?;
                let text = std::ffi::CString::new(text).map_err(|_| Errno::EINVAL)?;
                path::make_link(&text, to, name)?;
            }
            _ => path::make_node(to, name, status.st_mode, status.st_rdev)?,
        }
        path::change_owner_of_entry(to, name, status.st_uid, status.st_gid)?;
        if status.st_mode & libc::S_IFMT != libc::S_IFLNK {
            let copied = path::open_entry(to, name, libc::O_PATH)?;
            path::change_mode(copied.as_fd(), status.st_mode & 0o7777)?;
        }
    }
    Ok(())
}

fn file(from: BorrowedFd<'_>, to: BorrowedFd<'_>, name: &CStr) -> Result<()> {
    let source = path::open_entry(from, name, libc::O_RDONLY | libc::O_NOCTTY | libc::O_NONBLOCK)?;
    let target = path::make_file(to, name, 0o600)?;
    loop {
        // SAFETY: no memory is involved, because a null offset is allowed and selects the file's own.
        let sent = unsafe { libc::sendfile(target.as_raw_fd(), source.as_raw_fd(), std::ptr::null_mut(), 0x7fff_f000) };
        match Errno::result(sent) {
            Ok(0) => return Ok(()),
            Ok(_) | Err(Errno::EINTR) => (),
            Err(errno) => return Err(errno),
        }
    }
}
