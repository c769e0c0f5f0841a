//! Prepares and performs an execve(2): checks the program, closes descriptors. The search in PATH is left to
//! `init::program`.

use super::{Errno, Result, done};
use std::ffi::{CStr, c_char};

/// Checks whether this process, with its effective ids, may execute `path`.
pub(crate) fn may_execute(path: &CStr) -> Result<()> {
    // SAFETY: the kernel reads within bounds, because `path` is a terminated string.
    done(unsafe { libc::faccessat(libc::AT_FDCWD, path.as_ptr(), libc::X_OK, libc::AT_EACCESS) })
}

/// Returns the status of `path`; links are followed.
pub(crate) fn status(path: &CStr) -> Result<libc::stat> {
    // SAFETY: zero is a valid value, because stat is plain data.
    let mut status: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel stays within bounds, because `path` is a terminated string and `status` a full structure.
    done(unsafe { libc::stat(path.as_ptr(), &raw mut status) })?;
    Ok(status)
}

/// Reads once from the position `at` on.
pub(crate) fn read_at(fd: std::os::fd::BorrowedFd<'_>, bytes: &mut [u8], at: u64) -> Result<usize> {
    nix::sys::uio::pread(fd, bytes, i64::try_from(at).map_err(|_| Errno::EINVAL)?)
}

/// Marks every descriptor from `first` on close-on-exec (close_range(2), Linux 5.11).
pub(crate) fn close_on_exec_from(first: u32) -> Result<()> {
    // SAFETY: no memory is involved, because close_range takes numbers. Nothing is closed now.
    done(unsafe { libc::close_range(first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC as i32) })
}

/// Closes every descriptor from `first` on except those in `keep`, which are in ascending order. Only for a new child
/// that never returns to the owners of these descriptors.
pub(crate) fn close_from_except(first: u32, keep: &[i32]) -> Result<()> {
    let mut from = first;
    for number in keep.iter().filter_map(|fd| u32::try_from(*fd).ok()) {
        if number > from {
            // SAFETY: no owned descriptor is closed, because the caller guarantees that nothing uses these descriptors
            // any more.
            done(unsafe { libc::close_range(from, number - 1, 0) })?;
        }
        from = from.max(number + 1);
    }
    // SAFETY: no owned descriptor is closed, because the caller guarantees that nothing uses these descriptors any
    // more.
    done(unsafe { libc::close_range(from, u32::MAX, 0) })
}

/// Clears the close-on-exec flag of a descriptor; EBADF if it is not open.
pub(crate) fn keep_on_exec(fd: i32) -> Result<()> {
    // SAFETY: no memory is involved, because F_SETFD takes an int.
    done(unsafe { libc::fcntl(fd, libc::F_SETFD, 0) })
}

/// Returns the number of the next new descriptor: the lowest free one.
pub(crate) fn next_descriptor() -> Result<i32> {
    use std::os::fd::AsRawFd;
    // Standard input is always open, because the start-up code opens it.
    let next = std::io::stdin().lock().as_raw_fd();
    // SAFETY: no memory is involved, because dup takes a number.
    let number = Errno::result(unsafe { libc::dup(next) })?;
    // SAFETY: nothing else owns the descriptor, because the line above has just made it.
    done(unsafe { libc::close(number) })?;
    Ok(number)
}

/// Whether this process inherited `fd`: it is open without close-on-exec, which davit sets on all descriptors that it
/// opens itself.
pub(crate) fn is_inherited(fd: i32) -> bool {
    // SAFETY: no memory is involved, because F_GETFD takes no argument.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFD) };
    flags >= 0 && flags & libc::FD_CLOEXEC == 0
}

/// A null-terminated array of string pointers for execve(2), built before the clone.
pub(crate) struct Strings {
    _owned: Vec<std::ffi::CString>,
    pointers: Vec<*const c_char>,
}

impl Strings {
    /// Takes ownership of the strings and builds the array of pointers.
    pub(crate) fn new(strings: Vec<std::ffi::CString>) -> Self {
        // The pointers stay valid when the vector moves, because a CString's bytes are on the heap.
        let pointers = strings.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect();
        Strings { _owned: strings, pointers }
    }
}

/// Executes a program; returns only if that fails, with the error.
pub(crate) fn execute(path: &CStr, arguments: &Strings, environment: &Strings) -> Errno {
    // SAFETY: the kernel reads within bounds, because `path` is terminated and both arrays are null-terminated and
    // point to strings that their owner keeps alive.
    unsafe { libc::execve(path.as_ptr(), arguments.pointers.as_ptr(), environment.pointers.as_ptr()) };
    Errno::last()
}

/// Executes the program behind `fd`, with this process's own arguments and environment.
pub(crate) fn execute_fd(fd: std::os::fd::BorrowedFd<'_>, arguments: &Strings, environment: &Strings) -> Errno {
    let flags = libc::AT_EMPTY_PATH;
    let (path, argv, envp) = (c"".as_ptr(), arguments.pointers.as_ptr(), environment.pointers.as_ptr());
    // SAFETY: the kernel reads within bounds, because the path is a terminated literal and the arrays are as in
    // `execute`.
    unsafe { libc::syscall(libc::SYS_execveat, std::os::fd::AsRawFd::as_raw_fd(&fd), path, argv, envp, flags) };
    Errno::last()
}
