//! `plan`: compiles the plan of `create` and makes nothing.

use super::{Container, CreateRequest, Id, Root};
use crate::container::create::prepare::Build;
use crate::container::state::dir;
use crate::host;
use crate::plan::Plan;
use crate::plan::difference::{self, Differences, Side};
use crate::report::Log;
use anyhow::{Context, Result};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The plan of a container, for this host and caller, or for a described host.
pub(crate) fn plan(request: CreateRequest, description: Option<&Path>, log: &Log) -> Result<Plan> {
    let bundle = request.bundle.display().to_string();
    let plan = || {
        let described = description.map(host::described).transpose()?;
        Build::plan_for(described.as_ref(), None, None, request, false, log).map(|build| build.plan)
    };
    plan().with_context(|| format!("cannot plan {bundle}"))
}

/// What a plan is compared with.
pub(crate) struct Comparison<'a> {
    /// A bundle, a configuration file for the same bundle, or the name of a container.
    pub(crate) other: &'a OsStr,
    /// Where containers are.
    pub(crate) root: &'a Root,
    /// The names that engines generate do not count.
    pub(crate) ignore_ids: bool,
}

/// Compares the plan of `request` with another one that is compiled for the same host and the same flags.
pub(crate) fn compare(
    request: CreateRequest,
    with: &Comparison<'_>,
    description: Option<&Path>,
    log: &Log,
) -> Result<Differences> {
    let described = description.map(host::described).transpose()?;
    let side = |request: CreateRequest, file: Option<PathBuf>, name: String| -> Result<Side> {
        let build = Build::plan_for(described.as_ref(), None, file.as_deref(), request, false, log);
        let Build { spec, plan, bundle, .. } = *build.with_context(|| format!("cannot plan {name}"))?;
        Ok(Side { name, bundle, spec, plan })
    };
    let other = Path::new(with.other);
    let name = other.display().to_string();
    let old = match (container(with)?, other.is_dir()) {
        (Some(container), _) => {
            let bundle = container.record.bundle.clone();
            let file = dir::config_path(&container.directory);
            side(CreateRequest { bundle, ..request.clone() }, Some(file), format!("container {name}"))?
        }
        (None, true) => side(CreateRequest { bundle: other.to_owned(), ..request.clone() }, None, name)?,
        (None, false) => side(request.clone(), Some(other.to_owned()), name)?,
    };
    let name = request.bundle.display().to_string();
    Ok(difference::between(&old, &side(request, None, name)?, with.ignore_ids))
}

/// The container with this name. A name with a slash is a path, so that both can be meant.
fn container(with: &Comparison<'_>) -> Result<Option<Container>> {
    if with.other.as_bytes().contains(&b'/') {
        return Ok(None);
    }
    match Id::new(&with.other.to_string_lossy()) {
        Ok(id) => Container::find_if_exists(with.root, &id),
        Err(_) => Ok(None),
    }
}
