//! Processes that are not ours: handles that cannot come to mean another process, signals through them, and their end.

use super::{Errno, Result, answer};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

/// pidfd_open(2): a handle for whatever process has this pid now. ESRCH when there is none.
pub(crate) fn open(pid: i32) -> Result<OwnedFd> {
    // SAFETY: the call takes two integers and touches no memory of ours.
    let fd = answer(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    // SAFETY: the kernel has just made this descriptor for us, so nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// pidfd_send_signal(2): a signal to exactly that process. ESRCH when it has been reaped.
pub(crate) fn signal(process: BorrowedFd<'_>, signal: i32) -> Result<()> {
    let (no_info, no_flags) = (std::ptr::null::<libc::siginfo_t>(), 0);
    // SAFETY: a null siginfo is allowed and means what kill(2) would send.
    answer(unsafe { libc::syscall(libc::SYS_pidfd_send_signal, process.as_raw_fd(), signal, no_info, no_flags) })
        .map(drop)
}

/// pidfd_getfd(2), Linux 5.6: a copy of the descriptor `number` of that process.
pub(crate) fn take_descriptor(process: BorrowedFd<'_>, number: i32) -> Result<OwnedFd> {
    // SAFETY: the call takes integers.
    let fd = answer(unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), number, 0) })?;
    // SAFETY: the kernel has just made this descriptor for us, so nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// Waits until the process has ended (a zombie has), at most `limit`. Whether it has.
pub(crate) fn ended_within(process: BorrowedFd<'_>, limit: Duration) -> Result<bool> {
    let deadline = Instant::now() + limit;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        // Rounded up, so that the last fraction of a millisecond is waited for and not spun through.
        let timeout = PollTimeout::try_from(left + Duration::from_micros(999)).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(process.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(0) if left.is_zero() => return Ok(false),
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => return Ok(true),
            Err(errno) => return Err(errno),
        }
    }
}

/// Whether a process that this one has just made is being killed, or was: SIGKILL is on its way to it, or it has ended by a signal.
/// What /proc says is of help only because nobody else waits for that process.
pub(crate) fn is_killed(pid: i32) -> bool {
    let Ok(file) = File::open(format!("/proc/{pid}/stat")) else { return false };
    let told = |wanted: fn(&Told) -> bool| {
        let mut line = [0; 1024];
        let length = file.read_at(&mut line, 0).unwrap_or(0);
        Told::parse(&line[..length]).is_some_and(|told| wanted(&told))
    };
    // The signal is no longer pending once it is being obeyed, and only then is the mark there: asked for in this order, one is seen.
    told(|told| told.pending >> (libc::SIGKILL - 1) & 1 != 0) || told(|told| told.flags & PF_SIGNALED != 0)
}

/// Of the flags of a task: it was killed by a signal (linux/sched.h).
const PF_SIGNALED: u64 = 0x400;

/// What /proc/PID/stat tells of the end of a process: fields 9 and 31 (proc(5)).
#[derive(Debug, PartialEq)]
struct Told {
    flags: u64,
    pending: u64,
}

impl Told {
    /// The name, field 2, may hold spaces and parentheses: it ends at the last parenthesis.
    fn parse(line: &[u8]) -> Option<Told> {
        let end = line.iter().rposition(|&byte| byte == b')')?;
        let mut fields = std::str::from_utf8(&line[end + 1..]).ok()?.split_ascii_whitespace();
        let flags = fields.nth(6)?.parse().ok()?;
        let pending = fields.nth(21)?.parse().ok()?;
        Some(Told { flags, pending })
    }
}

/// geteuid(2): whose rights this process has.
pub(crate) fn effective_uid() -> u32 {
    nix::unistd::geteuid().as_raw()
}

/// getegid(2): in whose group this process is.
pub(crate) fn effective_gid() -> u32 {
    nix::unistd::getegid().as_raw()
}

#[cfg(test)]
mod tests {
    use super::{Told, is_killed};
    use crate::sys::clone::{Side, clone3, exit_now, wait};

    #[test]
    fn the_fields_are_those_of_proc() {
        let line = b"7 (a) b) S 1 7 7 0 -1 1077936384 120 0 0 0 1 2 0 0 20 0 1 0 9 8 7 99 1 1 1 1 1 256 0 4096 0 1 0 0 17 0 0 0\n";
        assert_eq!(Told::parse(line), Some(Told { flags: 1_077_936_384, pending: 256 }));
        assert_eq!(Told::parse(b"7 (a) S 1"), None);
    }

    #[test]
    fn who_was_killed_is_told_from_who_has_ended() {
        for (signal, killed) in [(Some(nix::sys::signal::SIGKILL), true), (None, false)] {
            let pid = match clone3(0, None).expect("a child") {
                Side::Child => {
                    let own = nix::unistd::getpid();
                    _ = nix::sys::signal::kill(own, signal);
                    exit_now(0)
                }
                Side::Parent { pid, pidfd } => {
                    assert_eq!(
                        super::ended_within(std::os::fd::AsFd::as_fd(&pidfd), std::time::Duration::from_secs(10)),
                        Ok(true)
                    );
                    pid
                }
            };
            assert_eq!(is_killed(pid), killed);
            wait(pid).expect("its end");
        }
    }
}
