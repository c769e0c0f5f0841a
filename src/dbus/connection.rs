//! One blocking connection to a bus: authentication by the socket's credentials, calls and replies, signals. The
//! meaning of the messages is left to the callers. After the deadline every operation fails.

use super::address;
use super::message::{Call, ERROR, LONGEST_PARSED, Message, PREFIX, RETURN, SIGNAL, length_of};
use super::value::Value;
use crate::sys::socket;
use anyhow::{Context, Error, Result, anyhow, bail};
use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fmt;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Instant;

/// Maximum number of queued signals. An honest bus sends only those that match our rules, so there are few.
const KEPT: usize = 64;

/// An error reply of the peer.
#[derive(Debug)]
pub(crate) struct Refused {
    /// The error name, such as `org.freedesktop.systemd1.UnitExists`.
    pub(crate) name: String,
    text: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text.is_empty() {
            true => f.write_str(&self.name),
            false => write!(f, "{} ({})", self.text, self.name),
        }
    }
}

impl std::error::Error for Refused {}

/// A connection.
#[derive(Debug)]
pub(crate) struct Bus {
    stream: UnixStream,
    deadline: Instant,
    serial: u32,
    /// Interface and member of the only signal that is kept.
    awaited: Option<(&'static str, &'static str)>,
    signals: VecDeque<Message>,
    /// The unique name that the bus assigned to this connection.
    name: String,
}

impl Bus {
    /// Connects to the first socket of `address` that accepts, and calls `Hello`. Every operation on this connection
    /// fails after `deadline`.
    pub(crate) fn open(address: &str, deadline: Instant) -> Result<Bus> {
        let mut failure = anyhow!("the address has no Unix socket");
        for name in address::sockets(address) {
            match connect(&name, deadline) {
                Ok(stream) => return Bus::over(stream, deadline).with_context(|| address.to_owned()),
                Err(error) => failure = error,
            }
        }
        Err(failure.context(address.to_owned()))
    }

    /// Authenticates on a connected stream.
    pub(crate) fn over(stream: UnixStream, deadline: Instant) -> Result<Bus> {
        let mut bus = Bus { stream, deadline, serial: 0, awaited: None, signals: VecDeque::new(), name: String::new() };
        // The identity is empty: the peer takes it from the socket, which is also right across user namespaces. All
        // lines are sent at once, because the replies are known in advance.
        bus.send(b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n")?;
        for expected in ["DATA", "OK "] {
            let line = bus.line()?;
            if !line.starts_with(expected) {
                bail!("the bus refused authentication: {line}");
            }
        }
        let answer = bus.ask("Hello", &[])?;
        answer.first().and_then(Value::as_text).unwrap_or_default().clone_into(&mut bus.name);
        Ok(bus)
    }

    /// Calls a method of the bus itself.
    pub(crate) fn ask(&mut self, member: &str, body: &[Value]) -> Result<Vec<Value>> {
        let name = "org.freedesktop.DBus";
        self.call(&Call { destination: name, path: "/org/freedesktop/DBus", interface: name, member, body })
    }

    /// The pid of this process, as the bus sees it.
    pub(crate) fn own_pid(&mut self) -> Result<u32> {
        let answer = self.ask("GetConnectionUnixProcessID", &[Value::text(&self.name)])?;
        match answer.first() {
            Some(Value::Uint32(pid)) => Ok(*pid),
            _ => bail!("the bus returned no pid"),
        }
    }

    /// Calls a method and waits for the reply. An error reply becomes a [`Refused`].
    pub(crate) fn call(&mut self, call: &Call<'_>) -> Result<Vec<Value>> {
        self.serial += 1;
        let serial = self.serial;
        let answer = self.send(&call.encode(serial)).and_then(|()| self.answer_to(serial));
        answer.with_context(|| format!("call {}", call.member)).and_then(|message| match message.kind {
            ERROR => {
                let values = message.values()?;
                let text = values.first().and_then(Value::as_text).unwrap_or_default().to_owned();
                Err(Error::new(Refused { name: message.error, text }))
            }
            _ => message.values(),
        })
    }

    fn answer_to(&mut self, serial: u32) -> Result<Message> {
        loop {
            let message = self.receive()?;
            match message.kind {
                RETURN | ERROR if message.reply_to == Some(serial) => return Ok(message),
                SIGNAL if self.is_awaited(&message) => {
                    if self.signals.len() == KEPT {
                        self.signals.pop_front();
                    }
                    self.signals.push_back(message);
                }
                // We offer no methods, and the specification requires unknown messages to be ignored.
                _ => (),
            }
        }
    }

    /// Keeps the signals `member` of `interface` from now on, and no others.
    pub(crate) fn await_signal(&mut self, interface: &'static str, member: &'static str) {
        self.awaited = Some((interface, member));
    }

    fn is_awaited(&self, message: &Message) -> bool {
        self.awaited == Some((&message.interface, &message.member))
    }

    /// Waits for an awaited signal whose body is `wanted`. Checks the queued signals first.
    pub(crate) fn wait_for(&mut self, wanted: impl Fn(&[Value]) -> bool) -> Result<Vec<Value>> {
        loop {
            let message = match self.signals.pop_front() {
                Some(message) => message,
                None => self.receive()?,
            };
            if message.kind == SIGNAL && self.is_awaited(&message) {
                let values = message.values()?;
                if wanted(&values) {
                    return Ok(values);
                }
            }
        }
    }

    fn receive(&mut self) -> Result<Message> {
        loop {
            let mut prefix = [0; PREFIX];
            self.fill(&mut prefix)?;
            let length = length_of(&prefix)?;
            if length <= LONGEST_PARSED {
                let mut bytes = prefix.to_vec();
                bytes.resize(length, 0);
                self.fill(&mut bytes[PREFIX..])?;
                return Message::parse(&bytes);
            }
            if prefix[1] != SIGNAL {
                bail!("message too long: {length} bytes");
            }
            // No signal of interest is as long.
            self.skip(length - PREFIX)?;
        }
    }

    fn skip(&mut self, mut length: usize) -> Result<()> {
        let mut chunk = [0; 4096];
        while length > 0 {
            let part = length.min(chunk.len());
            self.fill(&mut chunk[..part])?;
            length -= part;
        }
        Ok(())
    }

    /// Reads a line of the authentication, which precedes the first message.
    fn line(&mut self) -> Result<String> {
        const LONGEST: usize = 1024;
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            let mut byte = [0];
            self.fill(&mut byte)?;
            line.push(byte[0]);
            if line.len() > LONGEST {
                bail!("the bus refused authentication: line too long");
            }
        }
        Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.set_write_timeout(Some(left(self.deadline)?))?;
        self.stream.write_all(bytes).map_err(in_time).context("write to the bus")
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<()> {
        let mut filled = 0;
        while filled < bytes.len() {
            // Set before each read, so that a peer that sends byte by byte cannot delay us beyond the deadline.
            self.stream.set_read_timeout(Some(left(self.deadline)?))?;
            match self.stream.read(&mut bytes[filled..]) {
                Ok(0) => bail!("the bus closed the connection"),
                Ok(count) => filled += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => (),
                Err(error) => return Err(in_time(error).context("read from the bus")),
            }
        }
        Ok(())
    }
}

fn connect(name: &OsStr, deadline: Instant) -> Result<UnixStream> {
    let stream = socket::connect_stream_within(name, left(deadline)?).map_err(std::io::Error::from).map_err(in_time)?;
    Ok(UnixStream::from(stream))
}

fn left(deadline: Instant) -> Result<std::time::Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { bail!("no answer in time") } else { Ok(left) }
}

/// Replaces EAGAIN, which the kernel returns when a socket's timeout expires, by a clear message.
fn in_time(error: std::io::Error) -> Error {
    match error.kind() {
        std::io::ErrorKind::WouldBlock => anyhow!("no answer in time"),
        _ => error.into(),
    }
}
