//! Compiles `linux.resources` for cgroup v2: an ordered list of writes, the controllers they need, and device rules.
//!
//! Deliberately leaves the writes themselves to `cgroup`: this module is pure, knows no path and opens no file.
//!
//! The configuration uses the settings of cgroup v1. A setting with a v2 equivalent is converted, and one without
//! effect is skipped. A setting that v2 cannot express is a problem that names the v2 alternative (config-linux.md,
//! "Control groups": a setting that cannot be converted must be an error).

mod block_io;
mod cpu;
pub(crate) mod devices;
mod limits;
mod memory;
#[cfg(test)]
mod tests;
mod unified;

use crate::spec::pointer::Pointer;
use crate::spec::problem::Problems;
use oci_spec::runtime::{LinuxResources, Spec};
use std::borrow::Cow;

pub(crate) use devices::DeviceRule;

/// What this module needs to know about the host's cgroups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CgroupFacts {
    /// The controllers of the cgroup v2 hierarchy: `cgroup.controllers` at its mount point.
    pub(crate) controllers: Vec<String>,
    /// The controllers bound to v1 hierarchies of a hybrid host. Used only to explain why a controller is missing.
    pub(crate) v1: Vec<String>,
}

/// Everything that `linux.resources` requests from a cgroup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ResourcePlan {
    /// Writes, in order, made before the process is spawned in the cgroup.
    pub(crate) writes: Vec<Write>,
    /// Writes made once the process is in the cgroup, because they would make the kernel refuse to spawn it there.
    pub(crate) writes_inside: Vec<Write>,
    /// The controllers that the writes need.
    pub(crate) needs: Vec<Need>,
    /// The check before a running container's memory limits are lowered (`memory.checkBeforeUpdate`).
    pub(crate) memory_guard: Option<MemoryGuard>,
    /// Device rules in order. The last match wins, and access that matches no rule is denied. The default devices are
    /// at the end. An update of a running container ignores these rules.
    pub(crate) devices: Vec<DeviceRule>,
}

/// One `write(2)` to one cgroup file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Write {
    /// The setting that requests the write.
    pub(crate) origin: Pointer,
    /// A file name in the cgroup's directory. Never contains a slash.
    pub(crate) file: Cow<'static, str>,
    /// The bytes to write.
    pub(crate) value: String,
    /// What to do if the kernel refuses the write.
    pub(crate) when_refused: Refused,
}

/// What to do if the kernel refuses a [`Write`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Report an error.
    Fail,
    /// Ignore a missing file, because without it the setting is already in force.
    UnlessMissing,
    /// On `EINVAL`, make the next write of the list, then retry this one. The order of `cpu.max.burst` and `cpu.max`
    /// depends on the values in force.
    AgainAfterNext,
    /// If the file is missing or the device's scheduler does not support it, make this write instead.
    Instead {
        /// The other file.
        file: &'static str,
        /// The value in that file's scale.
        value: String,
    },
}

/// A controller that a setting needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Need {
    /// The controller's name in `cgroup.controllers`.
    pub(crate) controller: Cow<'static, str>,
    /// The setting that needs it.
    pub(crate) origin: Pointer,
}

/// Emulates how v1 refuses a memory limit below the current usage. v2 accepts the limit, reclaims and runs the OOM
/// killer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MemoryGuard {
    /// `/linux/resources/memory`.
    pub(crate) origin: Pointer,
    /// The new `memory.max` in bytes; must be above `memory.current`.
    pub(crate) limit: Option<u64>,
    /// The new limit of memory plus swap in bytes; must be above the current usage of both.
    pub(crate) total: Option<u64>,
}

/// Compiles the resources of a whole configuration.
///
/// Without `linux.resources` no limit is set and only the default devices are allowed, because a container without
/// device rules must not reach the host's disks.
pub(crate) fn of(spec: &Spec, host: &CgroupFacts, problems: &mut Problems, warnings: &mut Vec<String>) -> ResourcePlan {
    match spec.linux().as_ref().and_then(|linux| linux.resources().as_ref()) {
        Some(resources) => compile(resources, &Pointer::of("/linux/resources"), host, problems, warnings),
        None => ResourcePlan { devices: devices::defaults(), ..ResourcePlan::default() },
    }
}

/// Compiles `linux.resources`, found at `at` in the document. Adds errors to `problems`, and settings without effect to
/// `warnings`.
pub(crate) fn compile(
    resources: &LinuxResources,
    at: &Pointer,
    host: &CgroupFacts,
    problems: &mut Problems,
    warnings: &mut Vec<String>,
) -> ResourcePlan {
    let mut draft = Draft { plan: ResourcePlan::default(), problems, warnings };
    if let Some(memory) = resources.memory() {
        memory::compile(memory, &at.key("memory"), &mut draft);
    }
    if let Some(cpu) = resources.cpu() {
        cpu::compile(cpu, &at.key("cpu"), &mut draft);
    }
    if let Some(block_io) = resources.block_io() {
        block_io::compile(block_io, &at.key("blockIO"), &mut draft);
    }
    if let Some(limits) = resources.hugepage_limits() {
        limits::hugepages(limits, &at.key("hugepageLimits"), &mut draft);
    }
    if let Some(rdma) = resources.rdma() {
        limits::rdma(rdma, &at.key("rdma"), &mut draft);
    }
    if let Some(network) = resources.network() {
        limits::network(network, &at.key("network"), &mut draft);
    }
    if let Some(pids) = resources.pids() {
        limits::pids(pids, &at.key("pids"), &mut draft);
    }
    // Last, so that it overrides the typed settings above.
    if let Some(unified) = resources.unified() {
        unified::compile(unified, &at.key("unified"), &mut draft);
    }
    let rules = resources.devices().as_deref().unwrap_or_default();
    draft.plan.devices = devices::compile(rules, &at.key("devices"), draft.problems, draft.warnings);
    draft.check_controllers(host);
    draft.plan
}

/// The plan under construction, with the problems and warnings found so far.
struct Draft<'a> {
    plan: ResourcePlan,
    problems: &'a mut Problems,
    warnings: &'a mut Vec<String>,
}

impl Draft<'_> {
    /// Adds a write that must succeed.
    fn write(&mut self, origin: Pointer, file: &'static str, value: String) {
        self.write_or(origin, file, value, Refused::Fail);
    }

    /// Adds a write with its own handling of refusal. Needs the controller in the file's name.
    fn write_or(&mut self, origin: Pointer, file: impl Into<Cow<'static, str>>, value: String, when_refused: Refused) {
        let file = file.into();
        self.need(&file, &origin);
        self.plan.writes.push(Write { origin, file, value, when_refused });
    }

    /// Adds a write that lifts a limit. Needs no controller, because without the controller there is no limit.
    fn lift(&mut self, origin: Pointer, file: &'static str, value: String) {
        self.plan.writes.push(Write { origin, file: file.into(), value, when_refused: Refused::UnlessMissing });
    }

    /// Records that `origin` needs the controller that owns `file`.
    fn need(&mut self, file: &str, origin: &Pointer) {
        let Some(controller) = controller_of(file) else { return };
        if self.plan.needs.iter().any(|need| need.controller == controller && need.origin == *origin) {
            return;
        }
        let controller = Cow::Owned(controller.to_owned());
        self.plan.needs.push(Need { controller, origin: origin.clone() });
    }

    /// Reports a setting that cgroup v2 cannot express. `instead` names the alternative.
    fn unsupported(&mut self, origin: Pointer, instead: &str) {
        self.problems.add(origin, format!("cannot be set on cgroup v2: {instead}"));
    }

    /// Reports every setting whose controller is missing from the host's v2 hierarchy.
    fn check_controllers(&mut self, host: &CgroupFacts) {
        for need in &self.plan.needs {
            let name = need.controller.as_ref();
            if host.controllers.iter().any(|have| have == name) {
                continue;
            }
            // The io controller is called blkio on v1. The other names are the same.
            let v1_name = if name == "io" { "blkio" } else { name };
            let why = match host.v1.iter().any(|have| have == v1_name) {
                true => " (it is on a v1 hierarchy)",
                false => "",
            };
            self.problems.add(need.origin.clone(), format!("this host has no {name} controller on cgroup v2{why}"));
        }
    }
}

/// The controller that a cgroup file belongs to: the part before the first dot. Core files (`cgroup.*`) and pressure
/// files belong to none, because every cgroup has them.
fn controller_of(file: &str) -> Option<&str> {
    let controller = file.split('.').next()?;
    (controller != "cgroup" && !file.ends_with(".pressure")).then_some(controller)
}
