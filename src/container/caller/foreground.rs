//! A container in the foreground: its terminal relayed, signals passed on, its end awaited.

use crate::container::caller::sd_notify::Notices;
use crate::launch::Child;
use crate::report::Log;
use crate::sys::relay::{Relay, Signals};
use crate::sys::{clone, process, relay, terminal};
use anyhow::{Context, Result};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// What has to be in place before the container's program starts.
pub(crate) struct Foreground {
    signals: Signals,
    /// The caller's terminal, in raw mode until this is dropped.
    raw: Option<terminal::Raw>,
}

impl Foreground {
    /// Holds back signals; with a terminal for the container, the caller's own goes to raw mode.
    pub(crate) fn prepare(has_terminal: bool) -> Result<Foreground> {
        let signals = Signals::hold().map_err(io::Error::from).context("hold back signals")?;
        let raw = if has_terminal {
            terminal::Raw::enter().map_err(io::Error::from).context("set the terminal to raw mode")?
        } else {
            None
        };
        Ok(Foreground { signals, raw })
    }
}

impl Foreground {
    /// Prepares the container's terminal before its program starts: it gets the size of the caller's, if the caller has one, and
    /// passes on lines as the program ends them. What a line needs on a screen is added by the caller's terminal.
    pub(crate) fn prepare_terminal(&self, master: &OwnedFd) -> Result<()> {
        relay::copy_size(self.raw.as_ref(), master);
        terminal::keep_line_ends(master).map_err(io::Error::from).context("set the container's terminal")
    }

    /// Attends to signals while a hook runs: one that asks to end is returned, for the hook and the container to be ended;
    /// what is meant for the program goes to it.
    pub(crate) fn forward(&self, program: BorrowedFd<'_>) -> Option<i32> {
        let mut end = None;
        // A descriptor that cannot be read now will fail again, and be told, when the container is attended to.
        for signal in self.signals.take().unwrap_or_default() {
            match signal {
                libc::SIGHUP | libc::SIGINT | libc::SIGQUIT | libc::SIGTERM => end = Some(signal),
                signal => pass_on(signal, program),
            }
        }
        end
    }
}

impl AsFd for Foreground {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.signals.as_fd()
    }
}

/// Passes a signal on that is not about this process itself.
fn pass_on(signal: i32, program: BorrowedFd<'_>) {
    if !matches!(signal, libc::SIGWINCH | libc::SIGCHLD | libc::SIGURG) {
        // ESRCH: it ended in this moment.
        _ = process::signal(program, signal);
    }
}

/// Whether there is nothing more to tell the manager. That it could not be told ends no container, and is no secret.
fn told(notices: &Notices, pid: i32, log: &Log) -> bool {
    notices.take(pid).unwrap_or_else(|error| {
        log.warning_of(&error);
        true
    })
}

/// Attends to the process until it has ended and everything it printed on its terminal has been passed on. Its status as
/// a shell would say it.
pub(crate) fn attend(
    foreground: Foreground,
    child: Child,
    master: Option<OwnedFd>,
    mut notices: Option<Notices>,
    log: &Log,
) -> Result<u8> {
    let relay = master.map(|master| Relay::between(master, foreground.raw.as_ref())).transpose();
    let mut relay = relay.map_err(io::Error::from).context("relay the terminal")?;
    let pidfd = child.pidfd.as_fd();
    // Orphans that ended before signals were held back told nobody, and while a hook ran nobody listened to such signals.
    relay::reap_all_but(child.pid);
    relay.iter().for_each(Relay::copy_size);
    let mut has_reader = true;
    loop {
        let seen = relay::wait(foreground.signals.as_fd(), pidfd, notices.as_ref().map(AsFd::as_fd), relay.as_ref());
        let seen = seen.map_err(io::Error::from).context("wait for the container")?;
        if seen.signal {
            for signal in foreground.signals.take().map_err(io::Error::from).context("read signals")? {
                match signal {
                    libc::SIGWINCH => relay.iter().for_each(Relay::copy_size),
                    // Of a container that shares its PID namespace, orphans come to this subreaper.
                    libc::SIGCHLD => relay::reap_all_but(child.pid),
                    signal => pass_on(signal, pidfd),
                }
            }
        }
        // This process stays, so that the manager need not be waited for.
        if seen.notice && notices.as_ref().is_some_and(|notices| told(notices, child.pid, log)) {
            notices = None;
        }
        if let Some(relay) = &mut relay {
            // The terminal of a program whose output nobody reads is hung up, as where a user closes the window.
            has_reader = relay.pass(&seen).map_err(io::Error::from).context("relay the terminal")?;
        }
        if !has_reader {
            relay = None;
        }
        if seen.ended {
            break;
        }
    }
    if let Some(relay) = &mut relay {
        relay.drain(foreground.signals.as_fd()).map_err(io::Error::from).context("relay the terminal")?;
    }
    let status = clone::wait(child.pid).map_err(io::Error::from).context("wait for the container")?;
    relay::reap_all_but(0);
    Ok(status as u8)
}
