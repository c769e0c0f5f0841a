//! Receives the master of a container's terminal: passes it to a console socket, or keeps it for the relay.

use crate::sys::path;
use crate::sys::socket;
use crate::sys::terminal::standard;
use anyhow::{Context, Result, bail};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// Checks that a terminal has a receiver, and a console socket a terminal. Without a terminal the program gets the
/// caller's streams. None of them may be a directory, because the program could reach the host's files from it.
pub(crate) fn check(terminal: bool, socket: bool, detached: bool) -> Result<()> {
    if !terminal {
        for (stream, name) in standard().into_iter().zip(["input", "output", "error"]) {
            let status =
                path::status(stream).map_err(io::Error::from).with_context(|| format!("stat standard {name}"))?;
            if status.st_mode & libc::S_IFMT == libc::S_IFDIR {
                bail!("standard {name} is a directory of the host, which would lead out of the container");
            }
        }
    }
    match (terminal, socket) {
        (true, false) if detached => bail!("cannot allocate tty if davit will detach without setting console socket"),
        (false, true) => bail!("cannot use console socket if davit will not detach or allocate tty"),
        (true, true) if !detached => bail!("cannot use console socket if davit will not detach or allocate tty"),
        _ => Ok(()),
    }
}

/// The receiver of a terminal.
pub(crate) enum Console {
    /// An engine's socket. It receives one message with the descriptor, and a name as payload.
    Socket(OwnedFd),
    /// This process.
    Own(Option<OwnedFd>),
}

impl Console {
    /// Connects to the socket of `--console-socket`, before anything is made.
    pub(crate) fn connect(path: Option<&Path>) -> Result<Console> {
        let Some(path) = path else { return Ok(Console::Own(None)) };
        let socket = socket::connect_stream(path).map_err(io::Error::from);
        socket.map(Console::Socket).with_context(|| format!("connect to console socket {}", path.display()))
    }

    /// Takes the master of a terminal.
    pub(crate) fn take(&mut self, master: OwnedFd) -> Result<()> {
        match self {
            Console::Socket(socket) => socket::send(socket.as_fd(), b"/dev/ptmx", Some(master.as_fd()))
                .map_err(io::Error::from)
                .context("send the terminal to the console socket"),
            Console::Own(place) => {
                *place = Some(master);
                Ok(())
            }
        }
    }

    /// Borrows the master that this process keeps.
    pub(crate) fn peek(&self) -> Option<&OwnedFd> {
        match self {
            Console::Own(master) => master.as_ref(),
            Console::Socket(_) => None,
        }
    }

    /// Returns the master that this process keeps.
    pub(crate) fn own(self) -> Option<OwnedFd> {
        match self {
            Console::Own(master) => master,
            Console::Socket(_) => None,
        }
    }
}
