//! What `linux.resources` means on cgroup v2: an ordered list of writes, the controllers they need, and the device rules.
//!
//! The configuration speaks the language of cgroup v1. What has an equal on v2 is converted, what changes nothing is
//! passed over, and what v2 cannot express is a problem that names the way to say it there (config-linux.md,
//! "Control groups": a setting that cannot be converted must be an error). This module is pure: it knows no path, opens
//! no file, and leaves it to `cgroup` to perform the writes.

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

/// What the compiler must know of this host's cgroups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CgroupFacts {
    /// The controllers of the cgroup v2 hierarchy: `cgroup.controllers` at its mount point.
    pub(crate) controllers: Vec<String>,
    /// The controllers bound to v1 hierarchies of a hybrid host; only used to explain why one is missing.
    pub(crate) v1: Vec<String>,
}

/// All that `linux.resources` asks of a cgroup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ResourcePlan {
    /// Writes in the order in which they are to be made, before the process is born in the cgroup.
    pub(crate) writes: Vec<Write>,
    /// Writes that would keep the process from being born there, so they wait until it is inside.
    pub(crate) writes_inside: Vec<Write>,
    /// The controllers without which the writes mean nothing.
    pub(crate) needs: Vec<Need>,
    /// What must hold before a running container's memory limits are lowered (`memory.checkBeforeUpdate`).
    pub(crate) memory_guard: Option<MemoryGuard>,
    /// Device rules in order, the last match wins, what none matches is denied. The default devices are at the end.
    /// An update of a running container passes these by.
    pub(crate) devices: Vec<DeviceRule>,
}

/// One `write(2)` to one cgroup file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Write {
    /// The setting that asks for it.
    pub(crate) origin: Pointer,
    /// A file name in the cgroup's directory; never has a slash.
    pub(crate) file: Cow<'static, str>,
    /// The bytes to write.
    pub(crate) value: String,
    /// What a refusal by the kernel means.
    pub(crate) when_refused: Refused,
}

/// What to do when the kernel refuses a [`Write`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It is an error.
    Fail,
    /// A missing file is no error: without it the setting is in force already.
    UnlessMissing,
    /// `EINVAL` is no error yet: make the next write of the list, then this one again. The order of `cpu.max.burst` and
    /// `cpu.max` depends on the values that are in force.
    AgainAfterNext,
    /// When the file is missing (or the device's scheduler does not know it), make this write instead.
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
    /// The controller's name as in `cgroup.controllers`.
    pub(crate) controller: Cow<'static, str>,
    /// The setting that needs it.
    pub(crate) origin: Pointer,
}

/// The v1 manner of refusing a memory limit below present use, which v2 answers with reclaim and the OOM killer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MemoryGuard {
    /// `/linux/resources/memory`.
    pub(crate) origin: Pointer,
    /// The new `memory.max` in bytes; must be above `memory.current`.
    pub(crate) limit: Option<u64>,
    /// The new limit of memory and swap together in bytes; must be above the sum of both uses.
    pub(crate) total: Option<u64>,
}

/// What a whole configuration asks of its container's cgroup.
///
/// Without `linux.resources` no limit is touched, and only the default devices may be used: a container that was given no
/// list must not reach the host's disks.
pub(crate) fn of(spec: &Spec, host: &CgroupFacts, problems: &mut Problems, warnings: &mut Vec<String>) -> ResourcePlan {
    match spec.linux().as_ref().and_then(|linux| linux.resources().as_ref()) {
        Some(resources) => compile(resources, &Pointer::of("/linux/resources"), host, problems, warnings),
        None => ResourcePlan { devices: devices::defaults(), ..ResourcePlan::default() },
    }
}

/// Compiles `linux.resources`, found at `at` in the document. Everything wrong is added to `problems`, everything that
/// will have no effect to `warnings`.
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
    // Last, so that it overrides what the typed settings above have written.
    if let Some(unified) = resources.unified() {
        unified::compile(unified, &at.key("unified"), &mut draft);
    }
    let rules = resources.devices().as_deref().unwrap_or_default();
    draft.plan.devices = devices::compile(rules, &at.key("devices"), draft.problems, draft.warnings);
    draft.check_controllers(host);
    draft.plan
}

/// A plan being made, and where what is noticed on the way goes.
struct Draft<'a> {
    plan: ResourcePlan,
    problems: &'a mut Problems,
    warnings: &'a mut Vec<String>,
}

impl Draft<'_> {
    /// A write that must succeed.
    fn write(&mut self, origin: Pointer, file: &'static str, value: String) {
        self.write_or(origin, file, value, Refused::Fail);
    }

    /// A write with its own meaning of refusal. Needs the controller that the file is named after.
    fn write_or(&mut self, origin: Pointer, file: impl Into<Cow<'static, str>>, value: String, when_refused: Refused) {
        let file = file.into();
        self.need(&file, &origin);
        self.plan.writes.push(Write { origin, file, value, when_refused });
    }

    /// A write that lifts a limit. It asks for no controller: where the controller is absent there is no limit.
    fn lift(&mut self, origin: Pointer, file: &'static str, value: String) {
        self.plan.writes.push(Write { origin, file: file.into(), value, when_refused: Refused::UnlessMissing });
    }

    /// Remembers that `origin` needs the controller that owns `file`.
    fn need(&mut self, file: &str, origin: &Pointer) {
        let Some(controller) = controller_of(file) else { return };
        if self.plan.needs.iter().any(|need| need.controller == controller && need.origin == *origin) {
            return;
        }
        let controller = Cow::Owned(controller.to_owned());
        self.plan.needs.push(Need { controller, origin: origin.clone() });
    }

    /// A setting that cgroup v2 cannot express; `instead` says what can be used.
    fn cannot(&mut self, origin: Pointer, instead: &str) {
        self.problems.add(origin, format!("cannot be set on cgroup v2: {instead}"));
    }

    /// Every setting whose controller this host does not have on v2 is a problem.
    fn check_controllers(&mut self, host: &CgroupFacts) {
        for need in &self.plan.needs {
            let name = need.controller.as_ref();
            if host.controllers.iter().any(|have| have == name) {
                continue;
            }
            // The io controller is called blkio on v1; the others kept their names.
            let v1_name = if name == "io" { "blkio" } else { name };
            let why = match host.v1.iter().any(|have| have == v1_name) {
                true => " (it is on a v1 hierarchy)",
                false => "",
            };
            self.problems.add(need.origin.clone(), format!("this host has no {name} controller on cgroup v2{why}"));
        }
    }
}

/// The controller that a cgroup file belongs to: the word before the first dot. Files of the core (`cgroup.*`) and the
/// pressure files, which every cgroup has, belong to none.
fn controller_of(file: &str) -> Option<&str> {
    let controller = file.split('.').next()?;
    (controller != "cgroup" && !file.ends_with(".pressure")).then_some(controller)
}
