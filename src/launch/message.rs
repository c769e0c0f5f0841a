//! Waits for the messages of the container's process. Others may see that process, and stop it: the wait then ends.
//! A process that is frozen, or waits for a hook, a seccomp agent or a file system, is waited for without a limit.

use crate::channel::{Channel, Message};
use crate::sys::{socket, stat::Stat};
use anyhow::{Context, Result, bail};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

/// Interval at which the state of a silent process is read. A process that is stopped at two of them is given up.
const INTERVAL: Duration = Duration::from_secs(5);

/// Watches a silent process.
pub(crate) struct Patience {
    due: Instant,
    was_stopped: bool,
}

impl Patience {
    pub(crate) fn new() -> Self {
        Patience { due: Instant::now() + INTERVAL, was_stopped: false }
    }

    /// Fails if a signal or a tracer keeps the process stopped. Reads its state only once in each interval.
    pub(crate) fn check(&mut self, pid: libc::pid_t) -> Result<()> {
        if Instant::now() < self.due {
            return Ok(());
        }
        self.due += INTERVAL;
        let is_stopped = Stat::read(Path::new("/proc"), pid).ok().flatten().is_some_and(|stat| stat.is_stopped());
        if is_stopped && self.was_stopped {
            bail!("the container's process {pid} does not answer: another process has stopped or traces it");
        }
        self.was_stopped = is_stopped;
        Ok(())
    }
}

/// The next message on `channel`. `pid` returns the process that is to send it.
///
/// # Errors
///
/// Fails if a signal or a tracer keeps the process stopped.
pub(crate) fn next(channel: &Channel, pid: impl Fn() -> libc::pid_t) -> Result<Message> {
    let context = "receive from the container's process";
    let mut patience = Patience::new();
    while !socket::ready_within(channel.as_fd(), INTERVAL).context(context)? {
        patience.check(pid())?;
    }
    channel.next().context(context)
}
