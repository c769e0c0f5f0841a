//! How parent and child talk across the clone: short binary messages over a pair of sockets, and named gates.
//!
//! A dying child says `Failure`: which step, which part of it, the kernel's errno. The words are the parent's, who has the
//! same plan. No prose crosses; the only text is what a hook printed, passed on as it came.

use crate::plan::act::Gate;
use crate::sys::{Errno, Result, socket};
use std::os::fd::{AsFd, OwnedFd};

/// Which part of a step went wrong, where a step has several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Part {
    /// The step itself.
    Whole,
    /// Finding or making the place something is put.
    Target,
    /// Opening what is put there.
    Source,
    /// Putting it there.
    Attach,
    /// A file cannot be mounted on a directory.
    SourceNotDirectory,
    /// Changing its attributes.
    Attributes,
    /// The target must be a plain directory, reached without symbolic links.
    NotPlain,
    /// The target lies in procfs, where only a few files may be covered.
    OnProc,
    /// The target is the root itself.
    OverRoot,
    /// Something else is there already.
    Occupied,
    /// Not the file it should be: a /dev/null or /dev/ptmx that is none.
    Forged,
    /// The program was not found in the search path.
    NotInPath,
    /// The program's file does not exist.
    NoSuchFile,
    /// The program may not be executed.
    NotPermitted,
    /// The program is a directory.
    IsDirectory,
    /// The other side of the channel is gone.
    Abandoned,
    /// The working directory is not inside the container.
    Outside,
    /// Copying what a tmpfs covers.
    Copy,
    /// What is to be bound on /proc is no procfs.
    NotProc,
    /// The program's #! line names an interpreter, given in the output, that is not there or may not be executed.
    Interpreter,
    /// The program is an ELF file whose loader, given in the output, is not there or may not be executed.
    Loader,
    /// The program is neither an ELF file nor a script with a #! line.
    Format,
}

impl Part {
    const ALL: [Part; 22] = [
        Part::Whole,
        Part::Target,
        Part::Source,
        Part::Attach,
        Part::SourceNotDirectory,
        Part::Attributes,
        Part::NotPlain,
        Part::OnProc,
        Part::OverRoot,
        Part::Occupied,
        Part::Forged,
        Part::NotInPath,
        Part::NoSuchFile,
        Part::NotPermitted,
        Part::IsDirectory,
        Part::Abandoned,
        Part::Outside,
        Part::Copy,
        Part::NotProc,
        Part::Interpreter,
        Part::Loader,
        Part::Format,
    ];

    fn from_byte(byte: u8) -> Part {
        Part::ALL.get(usize::from(byte)).copied().unwrap_or(Part::Whole)
    }
}

/// Why a step failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The kernel refused a call.
    Errno(Errno),
    /// A hook ended with this exit status.
    ExitStatus(i32),
    /// A hook was killed by this signal.
    Signal(i32),
    /// A hook did not end within its timeout, in seconds.
    Timeout(i32),
    /// A hook was stopped: by this signal to its runner, or because the process it ran for is gone.
    Stopped(Option<i32>),
    /// The program is built for this ELF machine (`e_machine`, elf(5)).
    Machine(u16),
}

impl Cause {
    /// The kind of a message that carries the cause, and its number.
    fn to_wire(self) -> (u8, i32) {
        match self {
            Cause::Errno(errno) => (FAILED, errno as i32),
            Cause::ExitStatus(status) => (FAILED + 1, status),
            Cause::Signal(signal) => (FAILED + 2, signal),
            Cause::Timeout(seconds) => (FAILED + 3, seconds),
            Cause::Stopped(signal) => (FAILED + 4, signal.unwrap_or(0)),
            Cause::Machine(machine) => (FAILED + 5, machine.into()),
        }
    }

    fn from_wire(kind: u8, number: i32) -> Option<Cause> {
        Some(match kind.checked_sub(FAILED)? {
            0 => Cause::Errno(Errno::from_raw(number)),
            1 => Cause::ExitStatus(number),
            2 => Cause::Signal(number),
            3 => Cause::Timeout(number),
            4 => Cause::Stopped(Some(number).filter(|signal| *signal != 0)),
            5 => Cause::Machine(number as u16),
            _ => return None,
        })
    }
}

impl From<Errno> for Cause {
    fn from(errno: Errno) -> Cause {
        Cause::Errno(errno)
    }
}

/// Why and where a child gave up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Index into the plan's steps.
    pub(crate) step: u16,
    /// Which part of the step.
    pub(crate) part: Part,
    /// The reason.
    pub(crate) cause: Cause,
    /// The end of what a hook printed.
    pub(crate) output: Vec<u8>,
}

/// What a child says.
#[derive(Debug)]
pub(crate) enum Message {
    /// It waits at a gate.
    Reached(Gate),
    /// Here is the outer side of its terminal.
    Terminal(OwnedFd),
    /// It is about to install a filter whose listener will have this number, to be taken with pidfd_getfd(2).
    Listener(i32),
    /// All is prepared; it waits for the word to start.
    Ready,
    /// It is about to execute the program.
    Executing,
    /// It gives up.
    Failed(Failure),
    /// It is gone, or has executed the program.
    Closed,
}

/// The most of a hook's output that is passed on, in bytes.
pub(crate) const OUTPUT: usize = 1024;
const HEADER: usize = 8;

const REACHED: u8 = 1;
const TERMINAL: u8 = 2;
const LISTENER: u8 = 3;
const READY: u8 = 4;
const EXECUTING: u8 = 5;
/// The first of the kinds that carry a [`Cause`].
const FAILED: u8 = 6;
/// The word to start, beside the numbers of the gates.
const GO: u8 = 0xff;

/// One end.
#[derive(Debug)]
pub(crate) struct Channel(OwnedFd);

impl Channel {
    /// Both ends.
    pub(crate) fn pair() -> Result<(Channel, Channel)> {
        socket::pair().map(|(one, other)| (Channel(one), Channel(other)))
    }

    /// An end that came about otherwise: a connection to a container that waits for its start.
    pub(crate) fn over(socket: OwnedFd) -> Channel {
        Channel(socket)
    }

    fn send(&self, kind: u8, part: u8, step: u16, number: i32, fd: Option<&OwnedFd>) -> Result<()> {
        let message = header(kind, part, step, number);
        socket::send(self.0.as_fd(), &message, fd.map(AsFd::as_fd))
    }

    /// Child: waits at a gate; EPIPE if the parent is gone.
    pub(crate) fn wait_at(&self, gate: Gate) -> Result<()> {
        self.send(REACHED, 0, 0, i32::from(gate as u8), None)?;
        self.await_word(gate as u8)
    }

    /// Child: says that all is prepared and waits for the word.
    pub(crate) fn ready(&self) -> Result<()> {
        self.send(READY, 0, 0, 0, None)?;
        self.await_word(GO)
    }

    /// Child: waits for the word to start.
    pub(crate) fn await_go(&self) -> Result<()> {
        self.await_word(GO)
    }

    fn await_word(&self, word: u8) -> Result<()> {
        let mut byte = [0];
        match socket::receive_bytes(self.0.as_fd(), &mut byte)? {
            1 if byte[0] == word => Ok(()),
            1 => Err(Errno::EPROTO),
            _ => Err(Errno::EPIPE),
        }
    }

    /// Child: hands over the outer side of its terminal.
    pub(crate) fn give_terminal(&self, master: &OwnedFd) -> Result<()> {
        self.send(TERMINAL, 0, 0, 0, Some(master))
    }

    /// Child: says which descriptor its seccomp listener will be. Said before there is a filter, because from then on any
    /// call may wait for an agent that does not have the listener yet; `await_go` comes after.
    pub(crate) fn announce_listener(&self, number: i32) -> Result<()> {
        self.send(LISTENER, 0, 0, number, None)
    }

    /// Child: says that execve comes next. After that the channel closes by itself, or carries a failure.
    pub(crate) fn executing(&self) -> Result<()> {
        self.send(EXECUTING, 0, 0, 0, None)
    }

    /// Child: gives up. Nothing can be done when even this fails; the parent then sees the channel close.
    pub(crate) fn fail(&self, failure: &Failure) {
        let (kind, number) = failure.cause.to_wire();
        let mut message = header(kind, failure.part as u8, failure.step, number).to_vec();
        message.extend_from_slice(&failure.output[failure.output.len().saturating_sub(OUTPUT)..]);
        let _ = socket::send(self.0.as_fd(), &message, None);
    }

    /// Parent: opens a gate.
    pub(crate) fn open(&self, gate: Gate) -> Result<()> {
        socket::send(self.0.as_fd(), &[gate as u8], None)
    }

    /// Parent: gives the word to start, or to go on.
    pub(crate) fn go(&self) -> Result<()> {
        socket::send(self.0.as_fd(), &[GO], None)
    }

    /// Parent: the next thing the child says.
    pub(crate) fn next(&self) -> Result<Message> {
        let mut bytes = [0; HEADER + OUTPUT];
        let (length, fd) = match socket::receive(self.0.as_fd(), &mut bytes) {
            // The child died with a message of ours unread.
            Err(Errno::ECONNRESET) => (0, None),
            other => other?,
        };
        if length < HEADER {
            return Ok(Message::Closed);
        }
        let (kind, part, step) = (bytes[0], bytes[1], u16::from_ne_bytes([bytes[2], bytes[3]]));
        let number = i32::from_ne_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
        Ok(match (kind, fd) {
            (REACHED, _) if number == Gate::IdMaps as i32 => Message::Reached(Gate::IdMaps),
            (REACHED, _) if number == Gate::Host as i32 => Message::Reached(Gate::Host),
            (REACHED, _) if number == Gate::Limits as i32 => Message::Reached(Gate::Limits),
            (REACHED, _) if number == Gate::Cgroup as i32 => Message::Reached(Gate::Cgroup),
            (TERMINAL, Some(master)) => Message::Terminal(master),
            (LISTENER, _) => Message::Listener(number),
            (READY, _) => Message::Ready,
            (EXECUTING, _) => Message::Executing,
            (kind, _) => {
                let cause = Cause::from_wire(kind, number).ok_or(Errno::EPROTO)?;
                let output = bytes[HEADER..length].to_vec();
                Message::Failed(Failure { step, part: Part::from_byte(part), cause, output })
            }
        })
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn header(kind: u8, part: u8, step: u16, number: i32) -> [u8; HEADER] {
    let ([s0, s1], [n0, n1, n2, n3]) = (step.to_ne_bytes(), number.to_ne_bytes());
    [kind, part, s0, s1, n0, n1, n2, n3]
}

#[cfg(test)]
mod tests {
    use super::{Cause, Channel, Failure, Message, OUTPUT, Part};
    use crate::sys::Errno;

    #[test]
    fn a_failure_arrives_as_it_was_sent() {
        let (parent, child) = Channel::pair().expect("a pair");
        for cause in [
            Cause::Errno(Errno::EACCES),
            Cause::ExitStatus(127),
            Cause::Signal(9),
            Cause::Timeout(i32::MAX),
            Cause::Stopped(None),
            Cause::Stopped(Some(2)),
            Cause::Machine(u16::MAX),
        ] {
            let sent = Failure { step: 513, part: Part::Copy, cause, output: b"hook: no".to_vec() };
            child.fail(&sent);
            assert!(matches!(parent.next(), Ok(Message::Failed(got)) if got == sent));
        }
    }

    #[test]
    fn of_a_long_output_the_end_is_passed_on() {
        let (parent, child) = Channel::pair().expect("a pair");
        let output: Vec<u8> = (0..OUTPUT * 2).map(|n| n as u8).collect();
        child.fail(&Failure { step: 0, part: Part::Whole, cause: Cause::ExitStatus(1), output: output.clone() });
        assert!(matches!(parent.next(), Ok(Message::Failed(got)) if got.output == output[OUTPUT..]));
    }

    #[test]
    fn the_end_of_the_child_closes_the_channel() {
        let (parent, child) = Channel::pair().expect("a pair");
        drop(child);
        assert!(matches!(parent.next(), Ok(Message::Closed)));
    }

    #[test]
    fn every_part_keeps_its_number() {
        for (number, part) in Part::ALL.into_iter().enumerate() {
            assert_eq!((part as usize, Part::from_byte(number as u8)), (number, part));
        }
    }
}
