//! `pause`: freezes all processes of a container.

use super::{Container, Id, Root, Status};
use crate::cgroup::Cgroup;
use anyhow::{Context, bail};

/// Freezes a created or running container, and waits until its processes have stopped.
pub(crate) fn pause(root: &Root, id: &Id) -> anyhow::Result<()> {
    attempt(root, id).with_context(|| format!("cannot pause {id}"))
}

fn attempt(root: &Root, id: &Id) -> anyhow::Result<()> {
    let container = Container::find(root, id)?;
    match container.status {
        Status::Created | Status::Running => own_cgroup(&container)?.freeze(),
        Status::Paused => bail!("container already paused"),
        Status::Creating => bail!("container is still being created"),
        Status::Stopped => bail!("container not running"),
    }
}

/// The cgroup of a living container. Without a cgroup it can be neither frozen nor thawed.
pub(super) fn own_cgroup(container: &Container) -> anyhow::Result<Cgroup> {
    container.record.open_cgroup()?.context("the container has no cgroup of its own")
}
