//! Serves a child in the foreground: reads signals from a descriptor and copies bytes between two terminals. Handling
//! the signals is left to the caller.

use super::terminal::{self, Raw};
use super::{Errno, Result, pipe};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// All signals, blocked and read from a descriptor instead.
#[derive(Debug)]
pub(crate) struct Signals(SignalFd);

impl Signals {
    /// Blocks every signal that can be blocked, until the process ends.
    pub(crate) fn hold() -> Result<Signals> {
        let mut all = SigSet::all();
        // Faults of this process must still end it. SIGPIPE stays ignored: if blocked, it would be read here and
        // forwarded.
        for fault in [
            libc::SIGSEGV,
            libc::SIGBUS,
            libc::SIGILL,
            libc::SIGFPE,
            libc::SIGABRT,
            libc::SIGTRAP,
            libc::SIGSYS,
            libc::SIGPIPE,
        ] {
            all.remove(fault.try_into()?);
        }
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&all), None)?;
        SignalFd::with_flags(&all, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK).map(Signals)
    }

    /// Returns the signals that have arrived since the last call.
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

/// Copies the size of the caller's terminal to the container's.
pub(crate) fn copy_size(raw: Option<&Raw>, master: &OwnedFd) {
    give_size(raw.and_then(Raw::try_clone).as_ref(), master);
}

/// Keeps the size if there is no terminal to copy from, or if that has no size.
fn give_size(from: Option<&OwnedFd>, to: &OwnedFd) {
    let size = from.and_then(|fd| terminal::size(fd.as_fd()).ok()).filter(|size| *size != (0, 0));
    if let Some((rows, columns)) = size {
        let _ = terminal::set_size(to.as_fd(), rows, columns);
    }
}

/// The events seen by [`wait`].
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// A signal has arrived.
    pub(crate) signal: bool,
    /// The process has ended.
    pub(crate) ended: bool,
    /// The program has sent a notification to its manager (sd_notify).
    pub(crate) notice: bool,
    /// The container's terminal is readable or writable.
    master: bool,
    input: bool,
    /// Standard output is writable.
    output_ready: bool,
}

/// Waits for the next event.
pub(crate) fn wait(
    signals: BorrowedFd<'_>,
    pidfd: BorrowedFd<'_>,
    notices: Option<BorrowedFd<'_>>,
    relay: Option<&Relay>,
) -> Result<Seen> {
    let mut fds = vec![PollFd::new(signals, PollFlags::POLLIN), PollFd::new(pidfd, PollFlags::POLLIN)];
    fds.extend(notices.map(|socket| PollFd::new(socket, PollFlags::POLLIN)));
    let [mut master, mut input, mut output_ready] = [None; 3];
    if let Some(relay) = relay {
        let mut add = |fd, wanted: PollFlags| {
            fds.push(PollFd::new(fd, wanted));
            Some(fds.len() - 1)
        };
        let [stdin, stdout, _] = terminal::standard();
        // Descriptors without requested events are left out, because poll(2) would report a hang-up again and again.
        let wanted = relay.wanted();
        if !wanted.is_empty() {
            master = add(relay.master.as_fd(), wanted);
        }
        if relay.input_open && relay.input.is_empty() {
            input = add(stdin, PollFlags::POLLIN);
        }
        if !relay.output.is_empty() {
            output_ready = add(stdout, PollFlags::POLLOUT);
        }
    }
    match poll(&mut fds, PollTimeout::NONE) {
        Err(Errno::EINTR) => return Ok(Seen::default()),
        other => other?,
    };
    let any = |index: usize| fds[index].any().unwrap_or(false);
    let [master, input, output_ready] = [master, input, output_ready].map(|index| index.is_some_and(any));
    let notice = notices.is_some() && any(2);
    Ok(Seen { signal: any(0), ended: any(1), notice, master, input, output_ready })
}

/// Copies bytes between the caller's standard streams and the master of a container's terminal.
///
/// Neither direction waits for the other, nor for a program that does not read. Bytes that cannot be written yet are
/// kept, at most one read of them, and reading pauses until they are written.
#[derive(Debug)]
pub(crate) struct Relay {
    master: OwnedFd,
    /// A descriptor of the caller's terminal, for its size.
    size_of: Option<OwnedFd>,
    output_open: bool,
    input_open: bool,
    /// Read from the master, not yet written to standard output.
    output: Vec<u8>,
    /// Read from standard input, not yet written to the master.
    input: Vec<u8>,
}

/// Number of bytes per read, and so the maximum kept in each direction.
const READ_SIZE: usize = 16_384;

/// Number of bytes per write to standard output. Standard output stays in blocking mode, because other processes share
/// it. A pipe that is writable accepts this many bytes without blocking (PIPE_BUF, pipe(7)).
const WRITE_SIZE: usize = 4096;

/// Maximum number of bytes copied after the program has ended: more than a terminal buffers for its reader.
const DRAIN_LIMIT: usize = 1 << 20;

impl Relay {
    /// Creates a relay; `raw` is the caller's terminal if there is one.
    pub(crate) fn between(master: OwnedFd, raw: Option<&Raw>) -> Result<Relay> {
        let flags = OFlag::from_bits_retain(fcntl(&master, FcntlArg::F_GETFL)?);
        fcntl(&master, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        let size_of = raw.and_then(Raw::try_clone);
        Ok(Relay { master, size_of, output_open: true, input_open: true, output: Vec::new(), input: Vec::new() })
    }

    /// Copies the current size of the caller's terminal to the container's.
    pub(crate) fn copy_size(&self) {
        give_size(self.size_of.as_ref(), &self.master);
    }

    /// Returns the events to wait for on the master.
    fn wanted(&self) -> PollFlags {
        let mut wanted = PollFlags::empty();
        wanted.set(PollFlags::POLLIN, self.output_open && self.output.is_empty());
        wanted.set(PollFlags::POLLOUT, !self.input.is_empty());
        wanted
    }

    /// Handles the events of a wait. Returns false if standard output has no reader any more.
    pub(crate) fn pass(&mut self, seen: &Seen) -> Result<bool> {
        if seen.output_ready && !write_some(terminal::standard()[1], &mut self.output)? {
            return Ok(false);
        }
        if seen.master {
            self.read_output()?;
            self.write_input()?;
        }
        if seen.input {
            let mut bytes = [0; READ_SIZE];
            match pipe::read(terminal::standard()[0], &mut bytes) {
                Ok(0) | Err(Errno::EIO) => {
                    self.input_open = false;
                    // The terminal's end-of-file character (Ctrl-D).
                    self.input.push(4);
                }
                Ok(length) => self.input.extend_from_slice(&bytes[..length]),
                Err(Errno::EAGAIN) => (),
                Err(errno) => return Err(errno),
            }
            self.write_input()?;
        }
        Ok(true)
    }

    /// Reads output of the container if the previous output is written. Returns whether there is output to write.
    fn read_output(&mut self) -> Result<bool> {
        if !self.output_open || !self.output.is_empty() {
            return Ok(false);
        }
        let mut bytes = [0; READ_SIZE];
        match pipe::read(self.master.as_fd(), &mut bytes) {
            // The last process has closed the slave.
            Ok(0) | Err(Errno::EIO) => self.output_open = false,
            Ok(length) => self.output.extend_from_slice(&bytes[..length]),
            Err(Errno::EAGAIN) => (),
            Err(errno) => return Err(errno),
        }
        Ok(!self.output.is_empty())
    }

    /// Writes as much input as the container's terminal accepts now.
    fn write_input(&mut self) -> Result<()> {
        while !self.input.is_empty() {
            match nix::unistd::write(&self.master, &self.input) {
                Ok(length) => drop(self.input.drain(..length)),
                Err(Errno::EINTR) => (),
                Err(Errno::EAGAIN) => return Ok(()),
                // The slave has no reader any more.
                Err(Errno::EIO) => {
                    self.input_open = false;
                    self.input.clear();
                }
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }

    /// Copies the container's remaining output. Processes that the program left behind may print forever, so this ends
    /// after [`DRAIN_LIMIT`] bytes. If the reader is slow, it ends at the next of `signals`.
    pub(crate) fn drain(&mut self, signals: BorrowedFd<'_>) -> Result<()> {
        let mut passed = 0;
        while passed < DRAIN_LIMIT && (!self.output.is_empty() || self.read_output()?) {
            let output = terminal::standard()[1];
            let mut fds = [PollFd::new(output, PollFlags::POLLOUT), PollFd::new(signals, PollFlags::POLLIN)];
            match poll(&mut fds, PollTimeout::NONE) {
                Err(Errno::EINTR) => continue,
                other => drop(other?),
            }
            if fds[1].any().unwrap_or(false) && !fds[0].any().unwrap_or(false) {
                return Ok(());
            }
            let before = self.output.len();
            if !write_some(output, &mut self.output)? {
                return Ok(());
            }
            passed += before - self.output.len();
        }
        Ok(())
    }
}

/// Writes the first of `bytes` and removes the written ones. Returns false if there is no reader any more.
fn write_some(fd: BorrowedFd<'_>, bytes: &mut Vec<u8>) -> Result<bool> {
    match nix::unistd::write(fd, &bytes[..bytes.len().min(WRITE_SIZE)]) {
        Ok(length) => drop(bytes.drain(..length)),
        Err(Errno::EINTR | Errno::EAGAIN) => (),
        Err(Errno::EPIPE) => return Ok(false),
        Err(errno) => return Err(errno),
    }
    Ok(true)
}

/// Reaps ended orphans that this process has adopted as a subreaper. Does not reap `kept`, which has its own wait;
/// after that wait, `kept` must be 0 (no process).
pub(crate) fn reap_all_but(kept: libc::pid_t) {
    loop {
        // SAFETY: zero is a valid value, because siginfo_t is plain data.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        // SAFETY: the kernel writes within bounds, because `info` is a full structure.
        let raw = unsafe { libc::waitid(libc::P_ALL, 0, &raw mut info, flags) };
        // SAFETY: the pid is initialised, because a successful waitid sets it (to 0 if no child has ended).
        let pid = if raw == 0 { unsafe { info.si_pid() } } else { 0 };
        if pid <= 0 || pid == kept {
            return;
        }
        // SAFETY: no memory is involved, because a null status is allowed.
        unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) };
    }
}
