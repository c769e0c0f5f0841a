//! Attending to a child in the foreground: signals as descriptors, bytes between two terminals.

use super::terminal::{self, Raw};
use super::{Errno, Result, pipe};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// All signals, held back and read from a descriptor instead.
#[derive(Debug)]
pub(crate) struct Signals(SignalFd);

impl Signals {
    /// Holds back every signal that can be, from now until the process ends.
    pub(crate) fn hold() -> Result<Signals> {
        let mut all = SigSet::all();
        // A fault of our own must still end us, and stopping a job is between the shell and us.
        for fault in
            [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGABRT, libc::SIGTRAP, libc::SIGSYS]
        {
            all.remove(fault.try_into()?);
        }
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&all), None)?;
        SignalFd::with_flags(&all, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK).map(Signals)
    }

    /// The signals that have come since.
    pub(crate) fn take(&self) -> Result<Vec<i32>> {
        let mut signals = Vec::new();
        while let Some(info) = self.0.read_signal()? {
            signals.push(info.ssi_signo as i32);
        }
        Ok(signals)
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Gives a container's terminal the size of the caller's.
pub(crate) fn copy_size(raw: Option<&Raw>, master: &OwnedFd) {
    give_size(raw.and_then(Raw::try_clone).as_ref(), master);
}

/// Without a terminal to copy from, or when it has no size, the size stays.
fn give_size(from: Option<&OwnedFd>, to: &OwnedFd) {
    if let Some((rows, columns)) = from.and_then(|fd| terminal::size(fd.as_fd()).ok()) {
        let _ = terminal::set_size(to.as_fd(), rows, columns);
    }
}

/// What a wait has seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// A signal has come.
    pub(crate) signal: bool,
    /// The process has ended.
    pub(crate) ended: bool,
    output: bool,
    input: bool,
}

/// Waits for the next thing to attend to.
pub(crate) fn wait(signals: BorrowedFd<'_>, pidfd: BorrowedFd<'_>, relay: Option<&Relay>) -> Result<Seen> {
    let mut fds = vec![PollFd::new(signals, PollFlags::POLLIN), PollFd::new(pidfd, PollFlags::POLLIN)];
    let mut output = None;
    let mut input = None;
    if let Some(relay) = relay {
        if relay.output_open {
            output = Some(fds.len());
            fds.push(PollFd::new(relay.master.as_fd(), PollFlags::POLLIN));
        }
        if relay.input_open {
            input = Some(fds.len());
            fds.push(PollFd::new(terminal::standard()[0], PollFlags::POLLIN));
        }
    }
    match poll(&mut fds, PollTimeout::NONE) {
        Err(Errno::EINTR) => return Ok(Seen::default()),
        other => other?,
    };
    let any = |index: usize| fds[index].any().unwrap_or(false);
    Ok(Seen { signal: any(0), ended: any(1), output: output.is_some_and(any), input: input.is_some_and(any) })
}

/// Bytes between the caller's standard streams and the outer side of a container's terminal.
#[derive(Debug)]
pub(crate) struct Relay {
    master: OwnedFd,
    /// A descriptor of the caller's terminal, for its size.
    size_of: Option<OwnedFd>,
    output_open: bool,
    input_open: bool,
}

impl Relay {
    /// A relay; `raw` is the caller's terminal if it has one.
    pub(crate) fn between(master: OwnedFd, raw: Option<&Raw>) -> Relay {
        let size_of = raw.and_then(Raw::try_clone);
        Relay { master, size_of, output_open: true, input_open: true }
    }

    /// Gives the container's terminal the size the caller's has now.
    pub(crate) fn copy_size(&self) {
        give_size(self.size_of.as_ref(), &self.master);
    }

    /// Passes on what the wait has seen.
    pub(crate) fn pass(&mut self, seen: &Seen) -> Result<()> {
        let mut bytes = [0; 16_384];
        if seen.output {
            match pipe::read(self.master.as_fd(), &mut bytes) {
                // The last process has closed the inner side.
                Ok(0) | Err(Errno::EIO) => self.output_open = false,
                Ok(length) => write_all(terminal::standard()[1], &bytes[..length])?,
                Err(errno) => return Err(errno),
            }
        }
        if seen.input {
            match pipe::read(terminal::standard()[0], &mut bytes) {
                Ok(0) | Err(Errno::EIO) => {
                    self.input_open = false;
                    // The end of the input, as a terminal says it.
                    self.write_input(&[4])?;
                }
                Ok(length) => self.write_input(&bytes[..length])?,
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }

    fn write_input(&mut self, bytes: &[u8]) -> Result<()> {
        match write_all(self.master.as_fd(), bytes) {
            // Nobody reads any more.
            Err(Errno::EIO) => {
                self.input_open = false;
                Ok(())
            }
            other => other,
        }
    }

    /// Passes on what the container has printed and nobody has read yet. Processes it left behind do not keep us.
    pub(crate) fn drain(&mut self) -> Result<()> {
        while self.output_open {
            let mut fds = [PollFd::new(self.master.as_fd(), PollFlags::POLLIN)];
            match poll(&mut fds, PollTimeout::ZERO) {
                Ok(0) => return Ok(()),
                Err(Errno::EINTR) => continue,
                other => other?,
            };
            self.pass(&Seen { output: true, ..Seen::default() })?;
        }
        Ok(())
    }
}

fn write_all(fd: BorrowedFd<'_>, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        match nix::unistd::write(fd, bytes) {
            Ok(length) => bytes = &bytes[length..],
            Err(Errno::EINTR) => (),
            Err(Errno::EAGAIN) => {
                poll(&mut [PollFd::new(fd, PollFlags::POLLOUT)], PollTimeout::NONE)?;
            }
            // Nobody wants the output; the container goes on.
            Err(Errno::EPIPE) => return Ok(()),
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Reaps orphans that came to this process as a subreaper and have ended.
pub(crate) fn reap_others() {
    loop {
        // SAFETY: a null status is allowed.
        let pid = unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) };
        if pid <= 0 {
            return;
        }
    }
}
