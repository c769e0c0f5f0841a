//! A container in the foreground: its terminal relayed, signals passed on, its end awaited.

use crate::launch::Child;
use crate::sys::relay::{Relay, Signals};
use crate::sys::{clone, process, relay, terminal};
use anyhow::{Context, Result};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// What has to be in place before the container's program starts.
pub(super) struct Foreground {
    signals: Signals,
    /// The caller's terminal, in raw mode until this is dropped.
    raw: Option<terminal::Raw>,
}

impl Foreground {
    /// Holds back signals; with a terminal for the container, the caller's own goes to raw mode.
    pub(super) fn prepare(has_terminal: bool) -> Result<Foreground> {
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
    /// Gives the container's terminal the size of the caller's, if the caller has one.
    pub(super) fn give_size(&self, master: &OwnedFd) {
        relay::copy_size(self.raw.as_ref(), master);
    }
}

/// Attends to the process until it has ended and everything it printed on its terminal has been passed on. Its status as
/// a shell would say it.
pub(super) fn attend(foreground: Foreground, child: Child, master: Option<OwnedFd>) -> Result<u8> {
    let relay = master.map(|master| Relay::between(master, foreground.raw.as_ref())).transpose();
    let mut relay = relay.map_err(io::Error::from).context("relay the terminal")?;
    let pidfd = child.pidfd.as_fd();
    // Orphans that ended before signals were held back told nobody.
    relay::reap_all_but(child.pid);
    loop {
        let seen = relay::wait(foreground.signals.as_fd(), pidfd, relay.as_ref());
        let seen = seen.map_err(io::Error::from).context("wait for the container")?;
        if seen.signal {
            for signal in foreground.signals.take().map_err(io::Error::from).context("read signals")? {
                match signal {
                    libc::SIGWINCH => relay.iter().for_each(Relay::copy_size),
                    // Of a container that shares its PID namespace, orphans come to this subreaper.
                    libc::SIGCHLD => relay::reap_all_but(child.pid),
                    // No message to anybody.
                    libc::SIGURG => (),
                    // ESRCH: it ended in this moment.
                    signal => _ = process::signal(pidfd, signal),
                }
            }
        }
        if let Some(relay) = &mut relay {
            relay.pass(&seen).map_err(io::Error::from).context("relay the terminal")?;
        }
        if seen.ended {
            break;
        }
    }
    if let Some(relay) = &mut relay {
        relay.drain().map_err(io::Error::from).context("relay the terminal")?;
    }
    let status = clone::wait(child.pid).map_err(io::Error::from).context("wait for the container")?;
    relay::reap_all_but(0);
    Ok(status as u8)
}
