//! Waits for pseudo files to change: kernfs files (`cgroup.events`, `memory.events`) raise POLLPRI. Interpreting their
//! content is left to the caller.

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::uio::pread;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

/// Reads a small pseudo file from its start. The read also marks the current state as seen, so a following [`wait`]
/// returns at the next change and misses none in between.
pub(crate) fn reread(file: BorrowedFd<'_>) -> Result<String, Errno> {
    let mut content = [0; 1024];
    loop {
        match pread(file, &mut content, 0) {
            Ok(n) => return Ok(String::from_utf8_lossy(&content[..n]).into_owned()),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Waits until `file` has changed since it was read; returns false if `deadline` passes first.
pub(crate) fn wait(file: BorrowedFd<'_>, deadline: Instant) -> Result<bool, Errno> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        // Rounded up, so that the last millisecond is not spent in a busy loop.
        let timeout = PollTimeout::try_from(left.as_millis() + 1).unwrap_or(PollTimeout::MAX);
        let mut watched = [PollFd::new(file.as_fd(), PollFlags::POLLPRI)];
        match poll(&mut watched, timeout) {
            Ok(0) => return Ok(false),
            Ok(_) => return Ok(true),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Waits until the other side of `stream` closes (a terminal hangs up, a pipe loses its reader). Returns false if
/// `deadline` passes first.
pub(crate) fn wait_for_hangup(stream: BorrowedFd<'_>, deadline: Instant) -> Result<bool, Errno> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left.as_millis() + 1).unwrap_or(PollTimeout::MAX);
        // No event is requested, because poll(2) always reports POLLERR and POLLHUP.
        match poll(&mut [PollFd::new(stream, PollFlags::empty())], timeout) {
            Ok(0) => return Ok(false),
            Ok(_) => return Ok(true),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// The events seen by [`wait_any`].
#[derive(Debug, Default)]
pub(crate) struct Changed {
    /// Which of the files have changed.
    pub(crate) files: Vec<usize>,
    /// Which of the files poll(2) reports an error of. kernfs files without a trigger (`memory.events`) report it with
    /// every change.
    pub(crate) failed: Vec<usize>,
    /// The process has ended.
    pub(crate) ended: bool,
}

/// Waits until one of `files` has changed since it was read, the process behind `pidfd` has ended, or `deadline` has
/// passed.
pub(crate) fn wait_any(files: &[BorrowedFd<'_>], pidfd: BorrowedFd<'_>, deadline: Instant) -> Result<Changed, Errno> {
    let mut watched: Vec<_> = files.iter().map(|file| PollFd::new(file.as_fd(), PollFlags::POLLPRI)).collect();
    watched.push(PollFd::new(pidfd, PollFlags::POLLIN));
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left.as_millis() + 1).unwrap_or(PollTimeout::MAX);
        match poll(&mut watched, timeout) {
            Err(Errno::EINTR) => continue,
            other => other?,
        };
        let is = |index: usize, flags| watched[index].revents().is_some_and(|seen| seen.intersects(flags));
        let which = |flags| (0..files.len()).filter(|index| is(*index, flags)).collect();
        return Ok(Changed {
            files: which(PollFlags::POLLPRI | PollFlags::POLLERR),
            failed: which(PollFlags::POLLERR),
            ended: is(files.len(), PollFlags::POLLIN),
        });
    }
}
