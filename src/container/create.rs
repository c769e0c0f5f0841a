//! `create`: a container up to the moment before its program starts.

use super::build::{Build, Building};
use super::{CreateRequest, Root, executable};
use crate::report::Log;
use anyhow::Context;

/// Creates a container.
pub(crate) fn create(root: &Root, request: CreateRequest, log: &Log) -> anyhow::Result<()> {
    let id = request.id.clone();
    let begun = executable::protect(false).and_then(|()| attempt(root, request, log));
    begun.with_context(|| format!("cannot create {id}"))
}

fn attempt(root: &Root, request: CreateRequest, log: &Log) -> anyhow::Result<()> {
    let build = Build::plan(root, request, false, log)?;
    build.check_console(true)?;
    let building = Building::begin(build, root, log)?;
    building.finish_created()
}
