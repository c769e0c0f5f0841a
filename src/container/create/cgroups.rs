//! Selects what makes a container's cgroup, and where, from the command line and the configuration.

use crate::cgroup::{Cgroupfs, Driver, Layout, Systemd};
use crate::container::{CgroupManager, CreateRequest};
use crate::plan::placement::{self, Place};
use crate::plan::systemd_scope;
use crate::spec::pointer::Pointer;
use crate::spec::problem::Problems;
use anyhow::Result;
use oci_spec::runtime::Spec;

/// The hierarchy for a container that gets a cgroup. `None` if an unprivileged user has none, for example inside a
/// container. A configured limit is then a problem.
pub(crate) fn layout(request: &CreateRequest, rootless: bool) -> Result<Option<Layout>> {
    match request.cgroup_manager {
        CgroupManager::Cgroupfs if rootless => Layout::find(),
        CgroupManager::Cgroupfs | CgroupManager::Systemd => Layout::probe().map(Some),
        CgroupManager::Disabled => Ok(None),
    }
}

/// The place of the cgroup. `None` if it is not `wanted`, or if the configuration has a problem there.
pub(crate) fn place(spec: &Spec, request: &CreateRequest, wanted: bool, problems: &mut Problems) -> Option<Place> {
    let path = spec.linux().as_ref().and_then(|linux| linux.cgroups_path().as_deref());
    let at = Pointer::of("/linux/cgroupsPath");
    let driver = match request.cgroup_manager {
        CgroupManager::Systemd => placement::Driver::Systemd,
        CgroupManager::Cgroupfs | CgroupManager::Disabled => placement::Driver::Cgroupfs,
    };
    let mut place = wanted.then(|| placement::compile(path, request.id.as_str(), driver, &at, problems)).flatten();
    if let Some(Place::Scope(scope)) = &mut place {
        scope.properties = systemd_scope::of_annotations(spec.annotations().as_ref(), problems);
    }
    place
}

/// What makes the cgroup. An unprivileged user uses the user's systemd.
pub(crate) fn driver<'a>(layout: &'a Layout, request: &CreateRequest, rootless: bool) -> Box<dyn Driver + 'a> {
    match request.cgroup_manager {
        CgroupManager::Systemd => Box::new(Systemd::new(layout, rootless)),
        CgroupManager::Cgroupfs | CgroupManager::Disabled => Box::new(Cgroupfs::new(layout)),
    }
}
