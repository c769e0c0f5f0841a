//! Pipes, files in memory, and waiting for a process while reading what it prints.

use super::{Errno, Result};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// The reading and the writing end of a pipe.
pub(crate) fn pair() -> Result<(OwnedFd, OwnedFd)> {
    nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)
}

/// From linux/memfd.h; the crate nix does not have it.
const MFD_NOEXEC_SEAL: u32 = 0x8;

/// A file in memory with these bytes, to be read from its beginning.
pub(crate) fn file_with(bytes: &[u8]) -> Result<OwnedFd> {
    use nix::sys::memfd::{MFdFlags, memfd_create};
    // The flag is new in Linux 6.3. A host with vm.memfd_noexec = 2 takes no memfd without it.
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
    /// The other process has ended, for which it was to run (0), or this signal has come to ours.
    Abandoned(i32),
}

/// What may happen meanwhile that breaks off the waiting.
#[derive(Clone, Copy, Default)]
pub(crate) struct Meanwhile<'a> {
    /// The end of this process, or of the other side of this socket, on which nothing else is to come.
    pub(crate) ended: Option<BorrowedFd<'a>>,
    /// Signals that are held back: the descriptor, and who attends to them and says which one ends the waiting.
    pub(crate) signals: Option<(BorrowedFd<'a>, &'a dyn Fn() -> Option<i32>)>,
}

/// Reads from `output` until the process behind `pidfd` has ended, or something happens `meanwhile`, or `limit` has passed:
/// the last `most` bytes, and which it was. A process that left its own children with the pipe does not keep us waiting.
pub(crate) fn read_until_end_of(
    output: BorrowedFd<'_>,
    pidfd: BorrowedFd<'_>,
    meanwhile: Meanwhile<'_>,
    limit: Option<Duration>,
    most: usize,
) -> Result<(Vec<u8>, Outcome)> {
    let deadline = limit.map(|limit| Instant::now() + limit);
    let mut printed = Vec::new();
    let mut open = true;
    loop {
        let timeout = match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
            None => PollTimeout::NONE,
            // Rounded up: a poll that ends a fraction of a millisecond early would turn in circles.
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
            printed.drain(..printed.len().saturating_sub(most));
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
