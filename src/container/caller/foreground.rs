//! Runs a container in the foreground: relays its terminal, forwards signals, waits for its end.

use crate::container::caller::sd_notify::Notices;
use crate::report::Log;
use crate::sys::relay::{Relay, Signals};
use crate::sys::{clone, process, relay, terminal};
use anyhow::{Context, Result};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// What is prepared before the container's program starts.
pub(crate) struct Foreground {
    signals: Signals,
    /// The caller's terminal, in raw mode until this is dropped.
    raw: Option<terminal::Raw>,
}

impl Foreground {
    /// Blocks signals. With a terminal for the container, sets the caller's terminal to raw mode.
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
    /// Prepares the container's terminal before its program starts. It gets the size of the caller's terminal, if there
    /// is one, and passes line feeds unchanged; the caller's terminal adds carriage returns.
    pub(crate) fn prepare_terminal(&self, master: &OwnedFd) -> Result<()> {
        relay::copy_size(self.raw.as_ref(), master);
        terminal::keep_line_ends(master).map_err(io::Error::from).context("set the container's terminal")
    }

    /// Handles signals while a hook runs. Returns a termination signal, so that hook and container are ended. Forwards
    /// other signals to the program.
    pub(crate) fn forward(&self, program: BorrowedFd<'_>) -> Option<i32> {
        let mut end = None;
        // A descriptor that cannot be read fails again in `attend`, which reports the error.
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

/// Forwards a signal, unless it concerns this process only.
fn pass_on(signal: i32, program: BorrowedFd<'_>) {
    if !matches!(signal, libc::SIGWINCH | libc::SIGCHLD | libc::SIGURG) {
        // ESRCH: the program has just ended.
        _ = process::signal(program, signal);
    }
}

/// Whether the manager needs no more notifications. A failed notification does not end the container; it causes a
/// warning.
fn is_notified(notices: &Notices, pid: i32, log: &Log) -> bool {
    notices.take(pid).unwrap_or_else(|error| {
        log.warning_of(&error);
        true
    })
}

/// The end of a process that was served.
pub(crate) struct End {
    pub(crate) status: ExitStatus,
    /// The last signal that was forwarded to it.
    pub(crate) forwarded: Option<i32>,
}

impl End {
    /// The status as a shell reports it: the exit code, or 128 + signal.
    pub(crate) fn code(&self) -> u8 {
        let code = self.status.code().or_else(|| self.status.signal().map(|signal| 128 + signal));
        code.unwrap_or_default() as u8
    }
}

/// Serves the process until it has ended and its terminal output has been passed on.
pub(crate) fn attend(
    foreground: Foreground,
    (pid, pidfd): (i32, BorrowedFd<'_>),
    master: Option<OwnedFd>,
    mut notices: Option<Notices>,
    log: &Log,
) -> Result<End> {
    let mut forwarded = None;
    let relay = master.map(|master| Relay::between(master, foreground.raw.as_ref())).transpose();
    let mut relay = relay.map_err(io::Error::from).context("relay the terminal")?;
    // SIGCHLD of orphans that ended before signals were blocked, or while a hook ran, was lost.
    relay::reap_all_but(pid);
    relay.iter().for_each(Relay::copy_size);
    let mut has_reader = true;
    loop {
        let seen = relay::wait(foreground.signals.as_fd(), pidfd, notices.as_ref().map(AsFd::as_fd), relay.as_ref());
        let seen = seen.map_err(io::Error::from).context("wait for the container")?;
        if seen.signal {
            for signal in foreground.signals.take().map_err(io::Error::from).context("read signals")? {
                match signal {
                    libc::SIGWINCH => relay.iter().for_each(Relay::copy_size),
                    // Orphans of a container in a shared pid namespace are reparented to this subreaper.
                    libc::SIGCHLD => relay::reap_all_but(pid),
                    signal => {
                        forwarded = Some(signal);
                        pass_on(signal, pidfd);
                    }
                }
            }
        }
        // This process does not exit, so it need not wait for the manager.
        if seen.notice && notices.as_ref().is_some_and(|notices| is_notified(notices, pid, log)) {
            notices = None;
        }
        if let Some(relay) = &mut relay {
            // Without a reader of its output the program's terminal is hung up, as when a user closes a terminal
            // window.
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
    let status = clone::wait_status(pid).map_err(io::Error::from).context("wait for the container")?;
    relay::reap_all_but(0);
    Ok(End { status: ExitStatus::from_raw(status), forwarded })
}
