//! Wraps openat2(2). It is the only wrapper, with the only retry rule; where a path may resolve to is left to the
//! callers.

use super::{Errno, Result, answer};
use std::ffi::CStr;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// Number of attempts before an error is final. The kernel returns EAGAIN if a rename happened while it resolved a
/// `..`, and EINTR if a signal came; both are rare. A FUSE file system can return them forever.
const ATTEMPTS: usize = 128;

/// Opens `path` below `directory`, close-on-exec, with the RESOLVE_* flags in `resolve`. Returns EAGAIN or EINTR after
/// many attempts.
pub(super) fn openat2(directory: RawFd, path: &CStr, flags: i32, resolve: u64) -> Result<OwnedFd> {
    // SAFETY: zero is a valid value, because open_how is plain data without private padding.
    let mut how: libc::open_how = unsafe { std::mem::zeroed() };
    how.flags = (flags | libc::O_CLOEXEC) as u64;
    how.resolve = resolve;
    let mut last = Errno::EAGAIN;
    for _ in 0..ATTEMPTS {
        // SAFETY: the kernel reads within bounds, because `path` is terminated and the size of `how` is passed along.
        let raw = unsafe {
            libc::syscall(libc::SYS_openat2, directory, path.as_ptr(), &raw const how, size_of::<libc::open_how>())
        };
        match answer(raw) {
            Err(errno @ (Errno::EAGAIN | Errno::EINTR)) => last = errno,
            // SAFETY: nothing else owns the descriptor, because the kernel has just made it.
            other => return other.map(|fd| unsafe { OwnedFd::from_raw_fd(fd as RawFd) }),
        }
    }
    Err(last)
}
