//! `kill`: sends a signal to a container's first process, or kills all its processes.

use super::{Id, NO_CONTAINER, Record, Root, ended};
use crate::container::state::dir;
use anyhow::{Context, bail};

/// Sends `signal` to the first process, by pidfd, of a container that is created, running or paused (runtime.md,
/// "Kill"). A container that is being created has no final process yet: `delete --force` ends it.
///
/// SIGKILL goes to the whole cgroup if the first process shares its pid namespace, because its end does not end the
/// others. With `all` the rest of the cgroup is killed even if the first process has ended. Takes no lock, so a hanging
/// `start` does not block it.
pub(crate) fn kill(root: &Root, id: &Id, signal: i32, all: bool) -> anyhow::Result<()> {
    attempt(root, id, signal, all).with_context(|| format!("cannot kill {id}"))
}

fn attempt(root: &Root, id: &Id, signal: i32, all: bool) -> anyhow::Result<()> {
    let directory = root.of(id);
    let record = dir::read_record(&directory)?.context(NO_CONTAINER)?;
    // Without a cgroup, a creator records the process before the creation is complete.
    let init = match (record.creator, record.init) {
        (None, Some(init)) => init.open()?,
        _ => None,
    };
    // Where the pid namespace is shared, the first process can end and leave others.
    let leaves_others = signal == libc::SIGKILL && record.shared_pid_namespace && record.creator.is_none();
    if init.is_none() && !all && !(leaves_others && has_processes(&record)?) {
        bail!("container not running");
    }
    if init.is_some() {
        ended::note_signal(&directory, "kill", signal);
    }
    if signal == libc::SIGKILL
        && (all || record.shared_pid_namespace)
        && let Some(cgroup) = record.open_cgroup()?
    {
        cgroup.kill_all()?;
    }
    // After cgroup.kill too, because the first process may have been moved out of the cgroup.
    match &init {
        Some(init) if init.signal(signal).with_context(|| format!("send signal {signal}"))? => Ok(()),
        _ if all || signal == libc::SIGKILL => Ok(()),
        _ => bail!("container not running"),
    }
}

fn has_processes(record: &Record) -> anyhow::Result<bool> {
    Ok(match record.open_cgroup()? {
        Some(cgroup) => cgroup.is_populated()?,
        None => false,
    })
}
