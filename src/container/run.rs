//! `run`: create, start, wait, delete.

use super::{Id, Record, Root, RunRequest, delete, ended};
use crate::container::caller::console::Console;
use crate::container::caller::foreground::{self, End, Foreground};
use crate::container::caller::sd_notify::Notices;
use crate::container::create::pending::{PendingContainer, Running};
use crate::container::create::prepare::Build;
use crate::container::own_executable;
use crate::container::state::dir::Dir;
use crate::report::Log;
use crate::sys::credentials;
use anyhow::{Context, Result};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

/// Runs a container. Returns the exit status for davit.
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
        // From here on signals are blocked, because there is a process to forward them to. It waits for its start, so
        // no signal is lost, and its pidfd reports its end. Before, signals end this process as they end `create`, even
        // while a hook runs.
        let foreground = (!detach).then(|| Foreground::prepare(building.build.has_terminal())).transpose()?;
        // Before the program starts, so that it never sees another terminal size than the caller's.
        if let (Some(foreground), Some(master)) = (&foreground, building.console.peek()) {
            foreground.prepare_terminal(master)?;
        }
        let running = building.finish_running(foreground.as_ref())?;
        Ok((running, foreground, notices))
    };
    let (running, foreground, notices) = started().with_context(|| format!("cannot run {id}"))?;
    let Running { record, child, console, .. } = running;
    let process = (child.pid, child.pidfd.as_fd());
    attend(root, &id, Attended { record, process, console }, foreground, notices, keep, log)
}

/// A container in the foreground.
pub(super) struct Attended<'a> {
    pub(super) record: Record,
    /// The pid and the pidfd of its first process, a child of this process.
    pub(super) process: (i32, BorrowedFd<'a>),
    pub(super) console: Console,
}

/// Waits until the container has ended, or without a foreground until it has reported that it is ready. Deletes a
/// container that has ended, unless it is to be kept.
pub(super) fn attend(
    root: &Root,
    id: &Id,
    attended: Attended<'_>,
    foreground: Option<Foreground>,
    notices: Option<Notices>,
    keep: bool,
    log: &Log,
) -> Result<u8> {
    let Attended { record, process, console } = attended;
    let Some(foreground) = foreground else {
        let notified = notices.map_or(Ok(()), |notices| notices.wait(process.0, process.1));
        return notified.map(|()| 0);
    };
    let end = foreground::attend(foreground, process, console.own(), notices, log);
    let end = end.with_context(|| format!("cannot run {id} in the foreground"));
    log.lap("wait for the program's end");
    if let Ok(end) = &end {
        explain(end, &record, &root.of(id), log);
        if keep {
            ended::note_status(&root.of(id), end.status);
        }
    }
    if !keep
        && let Some(dir) = Dir::open(root, id)?
        && let Some(locked) = dir.lock()?
    {
        // The container is deleted even if the foreground failed, so that it does not stay behind.
        match (delete::destroy(&record, locked, log).with_context(|| format!("cannot delete {id}")), &end) {
            (Err(left), Err(_)) => log.warning_of(&left),
            (deleted, _) => deleted?,
        }
    }
    end.map(|end| end.code())
}

/// Warns about an end that neither the program nor the caller chose: by a signal that this process did not forward, or
/// with a process that the OOM killer has ended.
fn explain(end: &End, record: &Record, directory: &Path, log: &Log) {
    let ended = ended::of(record, directory, Some(end.status));
    let unexpected = ended.signal().is_some_and(|signal| end.forwarded != Some(signal));
    if unexpected || ended.has_oom_kills() {
        log.warning(&format!("{}: {ended}", record.id));
    }
}
