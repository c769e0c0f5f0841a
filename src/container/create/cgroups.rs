//! Who makes a container's cgroup and where, as the command line and the configuration have it.

use crate::cgroup::{Cgroupfs, Driver, Layout, Systemd};
use crate::container::{CgroupManager, CreateRequest};
use crate::plan::placement::{self, Place};
use crate::plan::systemd_scope;
use crate::spec::pointer::Pointer;
use crate::spec::problem::Problems;
use anyhow::Result;
use oci_spec::runtime::Spec;

/// The hierarchy, for a container that gets a cgroup. Where an ordinary user sees none, as in a container without one, the
/// container goes without; a limit is then a problem of the configuration's.
pub(crate) fn layout(request: &CreateRequest, rootless: bool) -> Result<Option<Layout>> {
    match request.cgroup_manager {
        CgroupManager::Cgroupfs if rootless => Layout::find(),
        CgroupManager::Cgroupfs | CgroupManager::Systemd => Layout::probe().map(Some),
        CgroupManager::Disabled => Ok(None),
    }
}

/// Where the cgroup goes; none if it is not `wanted`, or if what the configuration says is a problem.
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

/// Who makes it. An ordinary user asks the systemd of the user's own.
pub(crate) fn driver<'a>(layout: &'a Layout, request: &CreateRequest, rootless: bool) -> Box<dyn Driver + 'a> {
    match request.cgroup_manager {
        CgroupManager::Systemd => Box::new(Systemd::new(layout, rootless)),
        CgroupManager::Cgroupfs | CgroupManager::Disabled => Box::new(Cgroupfs::new(layout)),
    }
}
