//! `delete`: kills what is left of a container and removes it.

use super::{Container, Id, NO_CONTAINER, Record, Root, Status, ended, hooks, root_mount};
use crate::container::state::dir::{Dir, Locked};
use crate::report::Log;
use anyhow::{Context, anyhow, bail};
use std::time::Duration;

/// How long to wait for the end of a killed process. A process in an uninterruptible call may never end.
const PATIENCE: Duration = Duration::from_secs(10);

/// Deletes a stopped container, or one that was created and not started. With `force` the status does not matter, and a
/// container that does not exist is no error.
///
/// The order is: processes, cgroup, state directory, poststop hooks. Another `delete` can continue an interrupted one,
/// as long as the directory exists. A failing poststop hook causes a warning (runtime-spec, lifecycle step 13).
pub(crate) fn delete(root: &Root, id: &Id, force: bool, log: &Log) -> anyhow::Result<()> {
    match attempt(root, id, force, log) {
        Err(error) if error.is::<NotStopped>() => Err(error),
        done => done.with_context(|| format!("cannot delete {id}")),
    }
}

/// Error for a container that is not stopped. The text is that of runc, which engines and users know.
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
        // Before the lock, because a hanging `start` holds it as long as the first process lives.
        ended::note_signal(dir.path(), "delete --force", libc::SIGKILL);
        end(&record)?;
    }
    let Some(locked) = dir.lock()? else { return missing() };
    let record = match locked.read() {
        Ok(Some(record)) => record,
        // A killed creation that has written nothing leaves an empty directory.
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
        // A record that cannot be read now may be readable the next time, so it is kept.
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
    // Only an interrupted creation can have left a process.
    match container.status {
        Status::Stopped if container.record.creator.is_none() => clear(&container.record, locked, log),
        _ => destroy(&container.record, locked, log),
    }
}

/// Kills and removes everything of a container. The caller holds its lock.
pub(super) fn destroy(record: &Record, locked: Locked<'_>, log: &Log) -> anyhow::Result<()> {
    end(record)?;
    log.lap("end the processes");
    clear(record, locked, log)
}

/// As [`destroy`], for a container whose first process has ended.
fn clear(record: &Record, locked: Locked<'_>, log: &Log) -> anyhow::Result<()> {
    let cgroup = record.open_cgroup()?;
    let stopped = record.cgroup.as_ref().map_or(Ok(()), |made| made.stop_unit(cgroup.as_ref()));
    if let Err(error) = stopped {
        // The bus may be gone, as a user's systemd is after logout. A running systemd removes an empty cgroup itself,
        // and would consider the scope alive if davit removed the cgroup.
        log.warning_of(&error);
        cgroup.map_or(Ok(()), |cgroup| cgroup.empty())?;
    } else if let Some(cgroup) = cgroup {
        // Kills the processes that the first one left behind. A cgroup that existed before the container is emptied and
        // kept.
        cgroup.unmake()?;
    }
    record.root_mount.map_or(Ok(()), |id| root_mount::remove(&record.rootfs, id))?;
    record.resctrl.remove()?;
    log.lap("remove the cgroup");
    locked.remove()?;
    log.lap("remove the state");
    hooks::poststop(record, log);
    Ok(())
}

/// Kills the container's living processes, and waits for the end of the first one.
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
