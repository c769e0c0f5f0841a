//! Works on other processes by pidfd: opens one, sends signals through it, waits for the end. Children are left to
//! `clone`.

use super::{Errno, Result, answer};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

/// pidfd_open(2): opens a pidfd for the process that has this pid now. ESRCH if there is none.
pub(crate) fn open(pid: i32) -> Result<OwnedFd> {
    // SAFETY: no memory is involved, because the call takes two integers.
    let fd = answer(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    // SAFETY: nothing else owns the descriptor, because the kernel has just made it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// pidfd_send_signal(2): sends a signal to exactly this process. ESRCH if it has been reaped.
pub(crate) fn signal(process: BorrowedFd<'_>, signal: i32) -> Result<()> {
    let (no_info, no_flags) = (std::ptr::null::<libc::siginfo_t>(), 0);
    // SAFETY: no memory is involved, because a null siginfo is allowed; the signal is then sent as by kill(2).
    answer(unsafe { libc::syscall(libc::SYS_pidfd_send_signal, process.as_raw_fd(), signal, no_info, no_flags) })
        .map(drop)
}

/// pidfd_getfd(2), Linux 5.6: copies the descriptor `number` of that process.
pub(crate) fn take_descriptor(process: BorrowedFd<'_>, number: i32) -> Result<OwnedFd> {
    // SAFETY: no memory is involved, because the call takes integers.
    let fd = answer(unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), number, 0) })?;
    // SAFETY: nothing else owns the descriptor, because the kernel has just made it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// PIDFD_GET_INFO: `_IOWR(0xff, 11, struct pidfd_info)` with the first version of the structure (linux/pidfd.h).
const PIDFD_GET_INFO: u64 = 0xc040_ff0b;
/// The exit status is requested, or is present.
const PIDFD_INFO_EXIT: u64 = 1 << 3;

/// The first version of `struct pidfd_info`.
#[repr(C)]
#[derive(Default)]
struct Info {
    mask: u64,
    cgroup: u64,
    ids: [u32; 11],
    exit_status: i32,
}

/// The status for wait(2) of a process that has been reaped, from a pidfd that was opened before (Linux 6.15).
pub(crate) fn exit_status(process: BorrowedFd<'_>) -> Option<i32> {
    let mut info = Info { mask: PIDFD_INFO_EXIT, ..Info::default() };
    // SAFETY: the kernel stays within bounds, because the number of the call contains the size of `info`.
    let done = unsafe { libc::ioctl(process.as_raw_fd(), PIDFD_GET_INFO as libc::Ioctl, &raw mut info) };
    (done == 0 && info.mask & PIDFD_INFO_EXIT != 0).then_some(info.exit_status)
}

/// Waits until all threads of the process have ended (those of a zombie mostly have), at most for `limit`. Returns
/// whether they have.
pub(crate) fn ended_within(process: BorrowedFd<'_>, limit: Duration) -> Result<bool> {
    let deadline = Instant::now() + limit;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        // Rounded up, so that the last fraction of a millisecond is not spent in a busy loop.
        let timeout = PollTimeout::try_from(left + Duration::from_micros(999)).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(process.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(0) if left.is_zero() => return Ok(false),
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => return Ok(true),
            Err(errno) => return Err(errno),
        }
    }
}

/// Returns the effective user id (geteuid(2)).
pub(crate) fn effective_uid() -> u32 {
    nix::unistd::geteuid().as_raw()
}

/// Returns the effective group id (getegid(2)).
pub(crate) fn effective_gid() -> u32 {
    nix::unistd::getegid().as_raw()
}
