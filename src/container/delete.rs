//! `delete`: the end of a container's name. What is left of it is killed and removed.

use super::{Container, Id, NO_CONTAINER, Record, Root, Status, hooks};
use crate::container::state::dir::{Dir, Locked};
use crate::report::Log;
use anyhow::{Context, anyhow, bail};
use std::time::Duration;

/// How long a killed process may take to end before that is an error: one in an uninterruptible call can take for ever.
const PATIENCE: Duration = Duration::from_secs(10);

/// Deletes a container that is stopped, or created and not started; with `force` in every status, and then one that does
/// not exist is no error.
///
/// Order: the processes, the cgroup, the state directory, the poststop hooks. Until the directory has gone the work can be
/// taken up again by another `delete`. A poststop hook that fails is a warning (runtime-spec, lifecycle step 13).
pub(crate) fn delete(root: &Root, id: &Id, force: bool, log: &Log) -> anyhow::Result<()> {
    match attempt(root, id, force, log) {
        Err(error) if error.is::<NotStopped>() => Err(error),
        done => done.with_context(|| format!("cannot delete {id}")),
    }
}

/// The refusal, in the words of runc, which engines and people know.
#[derive(Debug)]
struct NotStopped(Id, Status);

impl std::fmt::Display for NotStopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cannot delete container {} that is not stopped: {}", self.0, self.1)
    }
}

impl std::error::Error for NotStopped {}

fn attempt(root: &Root, id: &Id, force: bool, log: &Log) -> anyhow::Result<()> {
    let missing = || if force { Ok(()) } else { Err(anyhow!(NO_CONTAINER)) };
    let Some(dir) = Dir::open(root, id)? else { return missing() };
    if force && let Ok(Some(record)) = dir.peek() {
        // Before the lock, which a `start` that hangs would hold for as long as the first process lives.
        end(&record)?;
    }
    let Some(locked) = dir.lock()? else { return missing() };
    let record = match locked.read() {
        Ok(Some(record)) => record,
        // A creation that was killed before it wrote anything leaves an empty directory.
        Ok(None) if dir.is_empty()? => return locked.remove(),
        Ok(None) if force => {
            let directory = dir.path().display();
            log.warning(&format!(
                "{directory} has no state.json: processes and cgroup of {id} may be left; the directory is removed"
            ));
            return locked.remove();
        }
        Ok(None) => bail!(
            "{} has no state.json: processes and a cgroup may be left; --force removes the directory",
            dir.path().display()
        ),
        // What cannot be read now may be readable the next time, and then nothing of it is lost.
        Err(error) if force && error.downcast_ref::<std::io::Error>().is_none() => {
            let directory = dir.path().display();
            log.warning_of(&error.context(format!("processes and cgroup of {id} may be left; {directory} is removed")));
            return locked.remove();
        }
        Err(error) => return Err(error),
    };
    let container = Container::seen(record, dir.path().to_owned())?;
    log.lap("find the container");
    match container.status {
        Status::Stopped | Status::Created => {}
        _ if force => {}
        status => return Err(NotStopped(id.clone(), status).into()),
    }
    // Only of a creation that was broken off there may be a process yet.
    match container.status {
        Status::Stopped if container.record.creator.is_none() => clear(&container.record, locked, log),
        _ => destroy(&container.record, locked, log),
    }
}

/// Kills and removes everything there is of a container whose lock is held.
pub(super) fn destroy(record: &Record, locked: Locked<'_>, log: &Log) -> anyhow::Result<()> {
    end(record)?;
    log.lap("end the processes");
    clear(record, locked, log)
}

/// As [`destroy`], where the first process has ended.
fn clear(record: &Record, locked: Locked<'_>, log: &Log) -> anyhow::Result<()> {
    let cgroup = record.open_cgroup()?;
    let stopped = record.cgroup.as_ref().map_or(Ok(()), |made| made.stop_unit(cgroup.as_ref()));
    if let Err(error) = stopped {
        // The bus may be gone, and the user's own systemd with its user. One that is there removes an empty cgroup by itself,
        // and would take the scope for alive if we did it.
        log.warning_of(&error);
        cgroup.map_or(Ok(()), |cgroup| cgroup.empty())?;
    } else if let Some(cgroup) = cgroup {
        // Kills what the first process left behind. A cgroup that was there before the container is emptied and stays.
        cgroup.unmake()?;
    }
    record.resctrl.remove()?;
    log.lap("remove the cgroup");
    locked.remove()?;
    log.lap("remove the state");
    hooks::poststop(record, log);
    Ok(())
}

/// Kills the container's processes, as far as they live, and waits for the end of the first.
fn end(record: &Record) -> anyhow::Result<()> {
    let Some(process) = record.init else { return Ok(()) };
    let Some(init) = process.open()? else { return Ok(()) };
    if record.shared_pid_namespace
        && let Some(cgroup) = record.open_cgroup()?
    {
        cgroup.kill()?;
    }
    init.signal(libc::SIGKILL).with_context(|| format!("kill process {}", process.pid))?;
    if !init.ended_within(PATIENCE).with_context(|| format!("wait for process {}", process.pid))? {
        bail!("container init still running: process {} has not ended in {} s", process.pid, PATIENCE.as_secs());
    }
    Ok(())
}
