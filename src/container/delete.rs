//! `delete`: the end of a container's name. What is left of it is killed and removed.

use super::dir::{Dir, Locked};
use super::{Container, Id, Record, Root, Status};
use crate::report::Log;
use anyhow::{Context, bail};
use std::time::Duration;

/// How long a killed process may take to end before that is an error: one in an uninterruptible call can take for ever.
const PATIENCE: Duration = Duration::from_secs(10);

/// Deletes a container that is stopped, or created and not started; with `force` in every status, and then one that does
/// not exist is no error.
///
/// Order: the processes, the cgroup, the state directory, the poststop hooks. Until the directory has gone the work can be
/// taken up again by another `delete`. A poststop hook that fails is a warning (runtime-spec, lifecycle step 13).
pub(crate) fn delete(root: &Root, id: &Id, force: bool, log: &Log) -> anyhow::Result<()> {
    let told = || format!("cannot delete {id}");
    let Some(dir) = Dir::open(root, id).with_context(told)? else {
        return if force { Ok(()) } else { Err(anyhow::anyhow!("container does not exist")).with_context(told) };
    };
    if force && let Some(container) = Container::seek(root, id).with_context(told)? {
        // Before the lock, which a hung `start` would hold for as long as its init lives.
        end(&container.record).with_context(told)?;
    }
    let Some(locked) = dir.lock().with_context(told)? else {
        return if force { Ok(()) } else { Err(anyhow::anyhow!("container does not exist")).with_context(told) };
    };
    let Some(record) = locked.read().with_context(told)? else {
        // A creation that was killed before it wrote anything leaves an empty directory.
        return locked.remove().with_context(told);
    };
    let container = Container::seen(record, dir.path().to_owned()).with_context(told)?;
    match container.status {
        Status::Stopped | Status::Created => {}
        _ if force => {}
        status => bail!("cannot delete container {id} that is not stopped: {status}"),
    }
    destroy(container.record, locked, log).with_context(told)
}

/// Kills and removes everything there is of a container.
fn destroy(record: Record, locked: Locked<'_>, log: &Log) -> anyhow::Result<()> {
    end(&record)?;
    locked.remove()?;
    let _ = log;
    Ok(())
}

/// Kills the container's first process, if it lives, and waits for its end.
fn end(record: &Record) -> anyhow::Result<()> {
    let Some(init) = record.init else { return Ok(()) };
    let Some(handle) = init.open()? else { return Ok(()) };
    handle.signal(libc::SIGKILL).with_context(|| format!("kill process {}", init.pid))?;
    if !handle.ended_within(PATIENCE).with_context(|| format!("wait for process {}", init.pid))? {
        bail!("container init still running: process {} has not ended in {} s", init.pid, PATIENCE.as_secs());
    }
    Ok(())
}
