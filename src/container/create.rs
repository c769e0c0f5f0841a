//! `create`: makes a container, up to the moment before its program starts.
//!
//! The parts in the order of their work: `prepare` decides; `pending` makes the container; `host_setup` does the host's
//! part for the container's process; `rollback` removes everything that a failed creation has made.

mod cgroups;
mod host_setup;
mod net_devices;
pub(super) mod pending;
pub(super) mod prepare;
pub(super) mod restored;
mod rollback;

use super::{CreateRequest, Root};
use pending::PendingContainer;
use prepare::Build;

use crate::container::own_executable;
use crate::report::Log;
use anyhow::Context;

/// Creates a container.
pub(crate) fn create(root: &Root, request: CreateRequest, log: &Log) -> anyhow::Result<()> {
    let id = request.id.clone();
    let begun = own_executable::protect(false).and_then(|()| attempt(root, request, log));
    begun.with_context(|| format!("cannot create {id}"))
}

fn attempt(root: &Root, request: CreateRequest, log: &Log) -> anyhow::Result<()> {
    let build = Build::plan(root, request, false, log)?;
    build.check_console(true)?;
    let building = PendingContainer::begin(build, root, log)?;
    building.finish_created()
}
