//! `plan`: compiles the plan of `create` and makes nothing.

use super::CreateRequest;
use crate::container::create::prepare::Build;
use crate::host;
use crate::plan::Plan;
use crate::report::Log;
use anyhow::Context;
use std::path::Path;

/// The plan of a container, for this host and caller, or for a described host.
pub(crate) fn plan(request: CreateRequest, description: Option<&Path>, log: &Log) -> anyhow::Result<Plan> {
    let bundle = request.bundle.display().to_string();
    let plan = || {
        let described = description.map(host::described).transpose()?;
        Build::plan_for(described.as_ref(), None, request, false, log).map(|build| build.plan)
    };
    plan().with_context(|| format!("cannot plan {bundle}"))
}
