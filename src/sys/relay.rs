//! Attending to a child in the foreground: signals as descriptors, bytes between two terminals.

use super::terminal::{self, Raw};
use super::{Errno, Result, pipe};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
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
        // A fault of our own must still end us. SIGPIPE stays ignored: held back, it would be read here and passed on.
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
    let size = from.and_then(|fd| terminal::size(fd.as_fd()).ok()).filter(|size| *size != (0, 0));
    if let Some((rows, columns)) = size {
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
    /// The program has told its manager something.
    pub(crate) notice: bool,
    /// The container's terminal has something to say or takes more.
    master: bool,
    input: bool,
    /// Standard output takes more.
    room: bool,
}

/// Waits for the next thing to attend to.
pub(crate) fn wait(
    signals: BorrowedFd<'_>,
    pidfd: BorrowedFd<'_>,
    notices: Option<BorrowedFd<'_>>,
    relay: Option<&Relay>,
) -> Result<Seen> {
    let mut fds = vec![PollFd::new(signals, PollFlags::POLLIN), PollFd::new(pidfd, PollFlags::POLLIN)];
    fds.extend(notices.map(|socket| PollFd::new(socket, PollFlags::POLLIN)));
    let [mut master, mut input, mut room] = [None; 3];
    if let Some(relay) = relay {
        let mut add = |fd, wanted: PollFlags| {
            fds.push(PollFd::new(fd, wanted));
            Some(fds.len() - 1)
        };
        let [stdin, stdout, _] = terminal::standard();
        // What is not wanted is not looked at: a hang-up would be seen again and again.
        let wanted = relay.wanted();
        if !wanted.is_empty() {
            master = add(relay.master.as_fd(), wanted);
        }
        if relay.input_open && relay.input.is_empty() {
            input = add(stdin, PollFlags::POLLIN);
        }
        if !relay.output.is_empty() {
            room = add(stdout, PollFlags::POLLOUT);
        }
    }
    match poll(&mut fds, PollTimeout::NONE) {
        Err(Errno::EINTR) => return Ok(Seen::default()),
        other => other?,
    };
    let any = |index: usize| fds[index].any().unwrap_or(false);
    let [master, input, room] = [master, input, room].map(|index| index.is_some_and(any));
    let notice = notices.is_some() && any(2);
    Ok(Seen { signal: any(0), ended: any(1), notice, master, input, room })
}

/// Bytes between the caller's standard streams and the outer side of a container's terminal.
///
/// Neither direction waits for the other, nor for a program that does not read: what cannot be passed on yet is kept, one
/// reading of it, and no more is read until that has gone.
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

/// How much is read at once, in bytes, and so how much is kept at most in each direction.
const PORTION: usize = 16_384;

/// How much is written to standard output at once. That stays in blocking mode, as it is its other users' too: a pipe with
/// room takes this much without blocking (PIPE_BUF, pipe(7)).
const SIP: usize = 4096;

/// How much is passed on after the program has ended, in bytes: more than a terminal keeps for its reader.
const LEFT: usize = 1 << 20;

impl Relay {
    /// A relay; `raw` is the caller's terminal if it has one.
    pub(crate) fn between(master: OwnedFd, raw: Option<&Raw>) -> Result<Relay> {
        let flags = OFlag::from_bits_retain(fcntl(&master, FcntlArg::F_GETFL)?);
        fcntl(&master, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        let size_of = raw.and_then(Raw::try_clone);
        Ok(Relay { master, size_of, output_open: true, input_open: true, output: Vec::new(), input: Vec::new() })
    }

    /// Gives the container's terminal the size the caller's has now.
    pub(crate) fn copy_size(&self) {
        give_size(self.size_of.as_ref(), &self.master);
    }

    /// What is to be done with the master.
    fn wanted(&self) -> PollFlags {
        let mut wanted = PollFlags::empty();
        wanted.set(PollFlags::POLLIN, self.output_open && self.output.is_empty());
        wanted.set(PollFlags::POLLOUT, !self.input.is_empty());
        wanted
    }

    /// Passes on what the wait has seen. False if nobody reads standard output any more.
    pub(crate) fn pass(&mut self, seen: &Seen) -> Result<bool> {
        if seen.room && !write_some(terminal::standard()[1], &mut self.output)? {
            return Ok(false);
        }
        if seen.master {
            self.take_output()?;
            self.give_input()?;
        }
        if seen.input {
            let mut bytes = [0; PORTION];
            match pipe::read(terminal::standard()[0], &mut bytes) {
                Ok(0) | Err(Errno::EIO) => {
                    self.input_open = false;
                    // The end of the input, as a terminal says it.
                    self.input.push(4);
                }
                Ok(length) => self.input.extend_from_slice(&bytes[..length]),
                Err(Errno::EAGAIN) => (),
                Err(errno) => return Err(errno),
            }
            self.give_input()?;
        }
        Ok(true)
    }

    /// Reads what the container has printed, if what was read before is gone. Whether there was anything.
    fn take_output(&mut self) -> Result<bool> {
        if !self.output_open || !self.output.is_empty() {
            return Ok(false);
        }
        let mut bytes = [0; PORTION];
        match pipe::read(self.master.as_fd(), &mut bytes) {
            // The last process has closed the inner side.
            Ok(0) | Err(Errno::EIO) => self.output_open = false,
            Ok(length) => self.output.extend_from_slice(&bytes[..length]),
            Err(Errno::EAGAIN) => (),
            Err(errno) => return Err(errno),
        }
        Ok(!self.output.is_empty())
    }

    /// Writes as much of the input as the container's terminal takes now.
    fn give_input(&mut self) -> Result<()> {
        while !self.input.is_empty() {
            match nix::unistd::write(&self.master, &self.input) {
                Ok(length) => drop(self.input.drain(..length)),
                Err(Errno::EINTR) => (),
                Err(Errno::EAGAIN) => return Ok(()),
                // Nobody reads any more.
                Err(Errno::EIO) => {
                    self.input_open = false;
                    self.input.clear();
                }
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }

    /// Passes on what the container has printed and nobody has read yet. Processes that the program left behind may print on
    /// for ever, so this ends after [`LEFT`] bytes; and where the reader is slow, with the next of `signals`.
    pub(crate) fn drain(&mut self, signals: BorrowedFd<'_>) -> Result<()> {
        let mut passed = 0;
        while passed < LEFT && (!self.output.is_empty() || self.take_output()?) {
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

/// Writes the first of `bytes`, and removes what is written. False if nobody reads any more.
fn write_some(fd: BorrowedFd<'_>, bytes: &mut Vec<u8>) -> Result<bool> {
    match nix::unistd::write(fd, &bytes[..bytes.len().min(SIP)]) {
        Ok(length) => drop(bytes.drain(..length)),
        Err(Errno::EINTR | Errno::EAGAIN) => (),
        Err(Errno::EPIPE) => return Ok(false),
        Err(errno) => return Err(errno),
    }
    Ok(true)
}

/// Reaps orphans that came to this process as a subreaper and have ended. `kept` is left for a wait of its own, after which
/// 0, no process, is to be kept.
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
