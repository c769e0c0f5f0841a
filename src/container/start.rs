//! `start`: lets the first process of a created container execute its program.

use super::{Container, Id, NO_CONTAINER, Process, Record, Root, START, Status, hooks};
use crate::channel::{Channel, Message};
use crate::container::caller::sd_notify::Notices;
use crate::container::state::dir::Dir;
use crate::launch::{after_start, message};
use crate::report::Log;
use crate::sys::pipe::Meanwhile;
use crate::sys::{Errno, socket};
use anyhow::{Context, Result, anyhow, bail};
use std::fs;
use std::os::fd::AsFd;
use std::time::Duration;

/// How long to wait for the end of a failed process.
const PATIENCE: Duration = Duration::from_secs(10);

/// Starts a created container. Returns when the program has been executed and the poststart hooks have run.
pub(crate) fn start(root: &Root, id: &Id, log: &Log) -> Result<()> {
    attempt(root, id, log).with_context(|| format!("cannot start {id}"))
}

fn attempt(root: &Root, id: &Id, log: &Log) -> Result<()> {
    let dir = Dir::open(root, id)?.context(NO_CONTAINER)?;
    let locked = dir.lock()?.context(NO_CONTAINER)?;
    let record = locked.read()?.context(NO_CONTAINER)?;
    let container = Container::seen(record, dir.path().to_owned())?;
    match container.status {
        Status::Created => (),
        Status::Creating => bail!("cannot start a container that is being created"),
        Status::Running => bail!("cannot start an already running container"),
        Status::Paused => bail!("cannot start a container in the paused state"),
        Status::Stopped => bail!("cannot start a container that has stopped"),
    }
    log.lap("find the container");
    let notices = Notices::listen(dir.path())?;
    // Before the start, so that a failure does not leave a running container.
    let watched = match &notices {
        Some(_) => container.record.init.map(Process::open).transpose()?.flatten(),
        None => None,
    };
    let socket = socket::connect_to(&dir.short_path(START)).map_err(|errno| match errno {
        Errno::ECONNREFUSED => anyhow!("cannot start a container that has stopped"),
        errno => anyhow!(std::io::Error::from(errno)).context("connect to the container's process"),
    })?;
    // From here on the container counts as running. If this process is killed now, the container's process notices it
    // and exits.
    let file = dir.path().join(START);
    fs::remove_file(&file).with_context(|| format!("remove {}", file.display()))?;
    if let Err(error) = release(&Channel::over(socket), &container.record) {
        // The process has usually ended. If the connection failed, it must not continue, and the status must be stopped
        // when this command returns.
        if let Some(init) = container.record.init.map(Process::open).transpose()?.flatten() {
            init.signal(libc::SIGKILL).context("kill the container's process")?;
            init.ended_within(PATIENCE).context("wait for the container's process")?;
        }
        return Err(error);
    }
    log.lap("give the word, and wait until the program is executed");
    if let Err(error) = hooks::poststart(&container.record, Meanwhile::default(), log) {
        super::delete::destroy(&container.record, locked, log).context("destroy the container")?;
        return Err(error);
    }
    // Without the lock, because the program may take long and other commands must work meanwhile.
    drop(locked);
    match (notices, watched) {
        (Some(notices), Some(init)) => notices.wait(container.pid(), init.as_fd()),
        _ => Ok(()),
    }
}

/// Sends the start message, and waits until the program is executed.
fn release(channel: &Channel, record: &Record) -> Result<()> {
    match channel.go() {
        Ok(()) => (),
        Err(Errno::EPIPE) => bail!("cannot start a container that has stopped"),
        Err(errno) => return Err(std::io::Error::from(errno)).context("send to the container's process"),
    }
    let mut executing = false;
    loop {
        match message::next(channel, || record.init.map_or(0, |init| init.pid))? {
            Message::Executing => executing = true,
            Message::Closed if executing => return Ok(()),
            Message::Closed => bail!("the container's process ended before it executed the program"),
            Message::Failed(failure) => return Err(after_start(&record.steps_after_start, &failure)),
            other => bail!("unexpected message from the container's process: {other:?}"),
        }
    }
}
