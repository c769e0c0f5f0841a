//! Exchanges short binary messages between parent and child over a socket pair. Writing error texts is left to the
//! parent.
//!
//! A failing child sends `Failure`: the step, the part of the step and the kernel's errno. The parent has the same plan
//! and writes the text. The only text that crosses the channel is the output of a hook, passed on unchanged.

use crate::plan::act::Gate;
use crate::sys::{Errno, Result, socket};
use std::os::fd::{AsFd, OwnedFd};

/// The part of a step that failed, if the step has several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Part {
    /// The step itself.
    Whole,
    /// Finding or creating the mount target.
    Target,
    /// Opening the mount source.
    Source,
    /// Attaching the source to the target.
    Attach,
    /// A file cannot be mounted on a directory.
    SourceNotDirectory,
    /// Changing the mount's attributes.
    Attributes,
    /// The target must be a plain directory, reached without symbolic links.
    NotPlain,
    /// The target lies in procfs, where only a few files may be covered.
    OnProc,
    /// The target is the root itself.
    OverRoot,
    /// Another file already exists there.
    Occupied,
    /// The file is not the expected device, for example a /dev/null or /dev/ptmx that is a plain file.
    Forged,
    /// The program was not found in the search path.
    NotInPath,
    /// The program's file does not exist.
    NoSuchFile,
    /// The program may not be executed.
    NotPermitted,
    /// The program is a directory.
    IsDirectory,
    /// The other side has closed the channel.
    Abandoned,
    /// The working directory is not inside the container.
    Outside,
    /// Copying the files that a tmpfs covers (`tmpcopyup`).
    Copy,
    /// The source of a bind on /proc is not a procfs.
    NotProc,
    /// The program's #! line names an interpreter that is missing or may not be executed. The output holds its name.
    Interpreter,
    /// The program is an ELF file whose loader is missing or may not be executed. The output holds the loader's name.
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
    /// A hook was stopped, by this signal to its runner or because the process it ran for has exited.
    Stopped(Option<i32>),
    /// The program is built for this ELF machine (`e_machine`, elf(5)).
    Machine(u16),
}

impl Cause {
    /// The message kind for this cause, and the number it carries.
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

/// Why and where a child failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Index into the plan's steps.
    pub(crate) step: u16,
    /// Which part of the step.
    pub(crate) part: Part,
    /// The reason.
    pub(crate) cause: Cause,
    /// The last bytes of a hook's output.
    pub(crate) output: Vec<u8>,
}

/// A message from the child.
#[derive(Debug)]
pub(crate) enum Message {
    /// The child waits at a gate.
    Reached(Gate),
    /// Carries the master side of the child's terminal.
    Terminal(OwnedFd),
    /// The child is about to install a filter. Its listener will have this number; the parent takes it with
    /// pidfd_getfd(2).
    Listener(i32),
    /// Carries a detached mount, the source of this step. The child waits until the parent has mapped its ids.
    MapIds(OwnedFd, u16),
    /// Everything is prepared; the child waits for the start message.
    Ready,
    /// The child is about to execute the program.
    Executing,
    /// The child has failed.
    Failed(Failure),
    /// The child has exited or has executed the program.
    Closed,
}

/// Maximum length of the hook output that is passed on, in bytes.
pub(crate) const OUTPUT: usize = 1024;
const HEADER: usize = 8;

const REACHED: u8 = 1;
const TERMINAL: u8 = 2;
const LISTENER: u8 = 3;
const READY: u8 = 4;
const EXECUTING: u8 = 5;
/// The first of the message kinds that carry a [`Cause`].
const FAILED: u8 = 6;
const MAP_IDS: u8 = 0xf0;
/// The start message; gates use their own numbers.
const GO: u8 = 0xff;

/// One end of the channel.
#[derive(Debug)]
pub(crate) struct Channel(OwnedFd);

impl Channel {
    /// Creates both ends.
    pub(crate) fn pair() -> Result<(Channel, Channel)> {
        socket::pair().map(|(one, other)| (Channel(one), Channel(other)))
    }

    /// Uses an existing socket: the connection to a container that waits for its start.
    pub(crate) fn over(socket: OwnedFd) -> Channel {
        Channel(socket)
    }

    fn send(&self, kind: u8, part: u8, step: u16, number: i32, fd: Option<&OwnedFd>) -> Result<()> {
        let message = header(kind, part, step, number);
        socket::send(self.0.as_fd(), &message, fd.map(AsFd::as_fd))
    }

    /// Child: waits at a gate; EPIPE if the parent has exited.
    pub(crate) fn wait_at(&self, gate: Gate) -> Result<()> {
        self.send(REACHED, 0, 0, i32::from(gate as u8), None)?;
        self.await_byte(gate as u8)
    }

    /// Child: reports that everything is prepared and waits for the start message.
    pub(crate) fn ready(&self) -> Result<()> {
        self.send(READY, 0, 0, 0, None)?;
        self.await_byte(GO)
    }

    /// Child: waits for the start message.
    pub(crate) fn await_go(&self) -> Result<()> {
        self.await_byte(GO)
    }

    fn await_byte(&self, expected: u8) -> Result<()> {
        let mut byte = [0];
        match socket::receive_bytes(self.0.as_fd(), &mut byte)? {
            1 if byte[0] == expected => Ok(()),
            1 => Err(Errno::EPROTO),
            _ => Err(Errno::EPIPE),
        }
    }

    /// Child: sends the master side of its terminal.
    pub(crate) fn give_terminal(&self, master: &OwnedFd) -> Result<()> {
        self.send(TERMINAL, 0, 0, 0, Some(master))
    }

    /// Child: sends a detached mount, the source of `step`, and waits until its ids are mapped.
    pub(crate) fn map_ids(&self, tree: &OwnedFd, step: u16) -> Result<()> {
        self.send(MAP_IDS, 0, step, 0, Some(tree))?;
        self.await_byte(GO)
    }

    /// Child: announces the number of its seccomp listener. This happens before the filter is installed: afterwards any
    /// call may wait for an agent that does not have the listener yet. `await_go` follows.
    pub(crate) fn announce_listener(&self, number: i32) -> Result<()> {
        self.send(LISTENER, 0, 0, number, None)
    }

    /// Child: announces execve. Afterwards execve closes the channel, or the channel carries a failure.
    pub(crate) fn executing(&self) -> Result<()> {
        self.send(EXECUTING, 0, 0, 0, None)
    }

    /// Child: reports a failure. Errors are ignored, because the parent then sees the channel close.
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

    /// Parent: sends the message to start or to continue.
    pub(crate) fn go(&self) -> Result<()> {
        socket::send(self.0.as_fd(), &[GO], None)
    }

    /// Parent: receives the next message from the child.
    pub(crate) fn next(&self) -> Result<Message> {
        let mut bytes = [0; HEADER + OUTPUT];
        let (length, fd) = match socket::receive(self.0.as_fd(), &mut bytes) {
            // The child exited before it read one of our messages.
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
            (MAP_IDS, Some(tree)) => Message::MapIds(tree, step),
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
    fn only_the_end_of_a_long_output_is_passed_on() {
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
