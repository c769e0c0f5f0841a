//! `resume`: thaws a paused container.

use super::{Container, Id, Root, Status, pause};
use anyhow::{Context, bail};

/// Thaws a paused container, and waits until its processes run.
pub(crate) fn resume(root: &Root, id: &Id) -> anyhow::Result<()> {
    attempt(root, id).with_context(|| format!("cannot resume {id}"))
}

fn attempt(root: &Root, id: &Id) -> anyhow::Result<()> {
    let container = Container::find(root, id)?;
    match container.status {
        Status::Paused => pause::own_cgroup(&container)?.thaw(),
        Status::Stopped => bail!("container not running"),
        status => bail!("container not paused: {status}"),
    }
}
