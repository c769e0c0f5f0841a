//! `run`: create, start, wait, delete.

use super::{Root, RunRequest, delete};
use crate::container::caller::foreground::{self, Foreground};
use crate::container::caller::sd_notify::Notices;
use crate::container::create::pending::{PendingContainer, Running};
use crate::container::create::prepare::Build;
use crate::container::own_executable;
use crate::container::state::dir::Dir;
use crate::report::Log;
use crate::sys::credentials;
use anyhow::{Context, Result};
use std::os::fd::AsFd;

/// Runs a container; the exit status for davit to end with.
pub(crate) fn run(root: &Root, request: RunRequest, log: &Log) -> Result<u8> {
    let id = request.create.id.clone();
    let RunRequest { create, detach, keep, no_subreaper } = request;
    let started = || -> Result<(Running, Option<Foreground>, Option<Notices>)> {
        own_executable::protect(false)?;
        let build = Build::plan(root, create, true, log)?;
        build.check_console(detach)?;
        if !no_subreaper && !detach {
            credentials::subreaper().map_err(std::io::Error::from).context("become a subreaper")?;
        }
        let building = PendingContainer::begin(build, root, log)?;
        let notices = Notices::listen(&root.of(&id))?;
        // Signals are held back from here on, when they have somebody to go to: the process waits for its start, so none is
        // lost, and its pidfd tells its end. Before, they end this process as they end a `create`, whatever a hook does.
        let foreground = (!detach).then(|| Foreground::prepare(building.build.has_terminal())).transpose()?;
        // The program shall find its terminal in the size of the caller's from its first moment.
        if let (Some(foreground), Some(master)) = (&foreground, building.console.peek()) {
            foreground.prepare_terminal(master)?;
        }
        let running = building.finish_running(foreground.as_ref())?;
        Ok((running, foreground, notices))
    };
    let (running, foreground, notices) = started().with_context(|| format!("cannot run {id}"))?;
    let Some(foreground) = foreground else {
        let told = notices.map_or(Ok(()), |notices| notices.wait(running.child.pid, running.child.pidfd.as_fd()));
        return told.map(|()| 0);
    };
    let Running { record, child, console, .. } = running;
    let status = foreground::attend(foreground, child, console.own(), notices, log);
    let status = status.with_context(|| format!("cannot run {id} in the foreground"));
    log.lap("wait for the program's end");
    if !keep
        && let Some(dir) = Dir::open(root, &id)?
        && let Some(locked) = dir.lock()?
    {
        // One that cannot be attended to is not left running either.
        match (delete::destroy(&record, locked, log).with_context(|| format!("cannot delete {id}")), &status) {
            (Err(left), Err(_)) => log.warning_of(&left),
            (deleted, _) => deleted?,
        }
    }
    status
}
