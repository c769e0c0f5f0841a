//! `plan`: what `create` would do, decided and not done.

use super::CreateRequest;
use super::build::Build;
use crate::plan::Plan;
use crate::report::Log;
use anyhow::Context;

/// The plan of a container, for this host and this caller. Makes nothing.
pub(crate) fn plan(request: CreateRequest, log: &Log) -> anyhow::Result<Plan> {
    let bundle = request.bundle.display().to_string();
    Build::plan(request, false, log).map(|build| build.plan).with_context(|| format!("cannot plan {bundle}"))
}
