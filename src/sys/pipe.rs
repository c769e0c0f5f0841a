//! Creates pipes and files in memory, and waits for a process while reading its output. What the output means is left
//! to the caller.

use super::{Errno, Result};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// Creates a pipe; returns its reading and its writing end.
pub(crate) fn pair() -> Result<(OwnedFd, OwnedFd)> {
    nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)
}

/// From linux/memfd.h; the crate nix does not define it.
const MFD_NOEXEC_SEAL: u32 = 0x8;

/// Creates a file in memory with these bytes, positioned at its start.
pub(crate) fn file_with(bytes: &[u8]) -> Result<OwnedFd> {
    use nix::sys::memfd::{MFdFlags, memfd_create};
    // The flag exists since Linux 6.3. A host with vm.memfd_noexec = 2 refuses a memfd without it.
    let not_executable = MFdFlags::from_bits_retain(MFD_NOEXEC_SEAL);
    let file = match memfd_create(c"state", MFdFlags::MFD_CLOEXEC | not_executable) {
        Err(Errno::EINVAL) => memfd_create(c"state", MFdFlags::MFD_CLOEXEC)?,
        other => other?,
    };
    let mut rest = bytes;
    while !rest.is_empty() {
        rest = &rest[nix::unistd::write(&file, rest)?..];
    }
    nix::unistd::lseek(&file, 0, nix::unistd::Whence::SeekSet)?;
    Ok(file)
}

/// Reads once; 0 at the end.
pub(crate) fn read(fd: BorrowedFd<'_>, bytes: &mut [u8]) -> Result<usize> {
    loop {
        match nix::unistd::read(fd, bytes) {
            Err(Errno::EINTR) => (),
            other => return other,
        }
    }
}

/// Why reading the output of a process has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The process has ended.
    Ended,
    /// Its time is up.
    Late,
    /// The process on whose behalf it ran has ended (0), or this process got this signal.
    Abandoned(i32),
}

/// Events that stop the waiting.
#[derive(Clone, Copy, Default)]
pub(crate) struct Meanwhile<'a> {
    /// A pidfd or a socket: the process ends, or the other side of the socket closes. Nothing else arrives on that
    /// socket.
    pub(crate) ended: Option<BorrowedFd<'a>>,
    /// Blocked signals: the descriptor, and the function that handles them and returns the one that stops the waiting.
    pub(crate) signals: Option<(BorrowedFd<'a>, &'a dyn Fn() -> Option<i32>)>,
}

/// Reads from `output` until the process behind `pidfd` ends, an event in `meanwhile` happens, or `limit` passes.
/// Returns the last `max_bytes` bytes and the outcome. Children that the process left with the pipe do not delay the
/// return.
pub(crate) fn read_until_end_of(
    output: BorrowedFd<'_>,
    pidfd: BorrowedFd<'_>,
    meanwhile: Meanwhile<'_>,
    limit: Option<Duration>,
    max_bytes: usize,
) -> Result<(Vec<u8>, Outcome)> {
    let deadline = limit.map(|limit| Instant::now() + limit);
    let mut printed = Vec::new();
    let mut open = true;
    loop {
        let timeout = match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
            None => PollTimeout::NONE,
            // Rounded up, because a poll that ends a fraction of a millisecond early would cause a busy loop.
            Some(left) => PollTimeout::try_from(left.as_millis().saturating_add(1)).unwrap_or(PollTimeout::MAX),
        };
        let mut wanted = vec![PollFd::new(pidfd, PollFlags::POLLIN)];
        wanted.extend(meanwhile.ended.map(|client| PollFd::new(client, PollFlags::POLLIN)));
        wanted.extend(meanwhile.signals.map(|(signals, _)| PollFd::new(signals, PollFlags::POLLIN)));
        wanted.extend(open.then(|| PollFd::new(output, PollFlags::POLLIN)));
        match poll(&mut wanted, timeout) {
            Err(Errno::EINTR) => continue,
            other => other?,
        };
        let any = |index: usize| wanted[index].any().unwrap_or(false);
        let ended = any(0);
        let abandoned = meanwhile.ended.is_some() && any(1);
        let signalled = meanwhile.signals.filter(|_| any(1 + usize::from(meanwhile.ended.is_some())));
        let readable = open && any(wanted.len() - 1);
        if readable {
            let mut bytes = [0; 4096];
            let length = read(output.as_fd(), &mut bytes)?;
            open = length > 0;
            printed.extend_from_slice(&bytes[..length]);
            printed.drain(..printed.len().saturating_sub(max_bytes));
        } else if ended {
            return Ok((printed, Outcome::Ended));
        }
        let signal = signalled.and_then(|(_, attend)| attend());
        if !ended && (abandoned || signal.is_some()) {
            return Ok((printed, Outcome::Abandoned(signal.unwrap_or(0))));
        }
        if !ended && deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Ok((printed, Outcome::Late));
        }
    }
}
