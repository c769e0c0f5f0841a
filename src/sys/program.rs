//! The last acts before another program runs: finding it, closing descriptors, execve(2).

use super::{Errno, Result, done};
use std::ffi::{CStr, c_char};

/// Whether this process, with its effective ids, may execute what `path` leads to.
pub(crate) fn may_execute(path: &CStr) -> Result<()> {
    // SAFETY: `path` is a terminated string.
    done(unsafe { libc::faccessat(libc::AT_FDCWD, path.as_ptr(), libc::X_OK, libc::AT_EACCESS) })
}

/// What `path` leads to, links followed.
pub(crate) fn status(path: &CStr) -> Result<libc::stat> {
    // SAFETY: stat is plain data for which zero is a value.
    let mut status: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: `path` is a terminated string and `status` a full structure the kernel writes to.
    done(unsafe { libc::stat(path.as_ptr(), &raw mut status) })?;
    Ok(status)
}

/// Reads from the position `at` on, as much as there is at once.
pub(crate) fn read_at(fd: std::os::fd::BorrowedFd<'_>, bytes: &mut [u8], at: u64) -> Result<usize> {
    nix::sys::uio::pread(fd, bytes, i64::try_from(at).map_err(|_| Errno::EINVAL)?)
}

/// Marks every descriptor from `first` on close-on-exec (close_range(2), Linux 5.11).
pub(crate) fn close_on_exec_from(first: u32) -> Result<()> {
    // SAFETY: close_range takes numbers; nothing is closed now.
    done(unsafe { libc::close_range(first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC as i32) })
}

/// Closes every descriptor from `first` on but those in `keep`, which are in ascending order. For a process that will not
/// come back to whoever owns what is closed: a fresh child.
pub(crate) fn close_from_except(first: u32, keep: &[i32]) -> Result<()> {
    let mut from = first;
    for number in keep.iter().filter_map(|fd| u32::try_from(*fd).ok()) {
        if number > from {
            // SAFETY: close_range takes numbers; the caller vouches that nothing uses these descriptors any more.
            done(unsafe { libc::close_range(from, number - 1, 0) })?;
        }
        from = from.max(number + 1);
    }
    // SAFETY: as above.
    done(unsafe { libc::close_range(from, u32::MAX, 0) })
}

/// Clears the close-on-exec mark of a descriptor; EBADF if there is none.
pub(crate) fn keep_on_exec(fd: i32) -> Result<()> {
    // SAFETY: F_SETFD takes an int.
    done(unsafe { libc::fcntl(fd, libc::F_SETFD, 0) })
}

/// Whether `fd` is an open descriptor.
pub(crate) fn is_open(fd: i32) -> bool {
    // SAFETY: F_GETFD takes no argument.
    unsafe { libc::fcntl(fd, libc::F_GETFD) >= 0 }
}

/// A null-terminated array of string pointers, as execve(2) takes it, built before the fork.
pub(crate) struct Strings {
    owned: Vec<std::ffi::CString>,
    pointers: Vec<*const c_char>,
}

impl Strings {
    /// Takes the strings and points to them.
    pub(crate) fn new(strings: Vec<std::ffi::CString>) -> Self {
        // A CString's bytes live on the heap and stay where they are when the vector moves.
        let pointers = strings.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect();
        Strings { owned: strings, pointers }
    }

    /// Adds one more.
    pub(crate) fn push(&mut self, text: std::ffi::CString) {
        let end = self.pointers.len() - 1;
        self.pointers.insert(end, text.as_ptr());
        self.owned.push(text);
    }
}

/// Replaces this process's program; returns only the reason why it could not.
pub(crate) fn execute(path: &CStr, arguments: &Strings, environment: &Strings) -> Errno {
    // SAFETY: `path` is terminated and both arrays are null-terminated and point to strings their owner keeps alive.
    unsafe { libc::execve(path.as_ptr(), arguments.pointers.as_ptr(), environment.pointers.as_ptr()) };
    Errno::last()
}

/// Replaces this process's program by the one behind `fd`, with this process's own arguments and environment.
pub(crate) fn execute_fd(fd: std::os::fd::BorrowedFd<'_>, arguments: &Strings, environment: &Strings) -> Errno {
    let flags = libc::AT_EMPTY_PATH;
    let (path, argv, envp) = (c"".as_ptr(), arguments.pointers.as_ptr(), environment.pointers.as_ptr());
    // SAFETY: the path is a terminated literal; the arrays are as in `execute`.
    unsafe { libc::syscall(libc::SYS_execveat, std::os::fd::AsRawFd::as_raw_fd(&fd), path, argv, envp, flags) };
    Errno::last()
}
