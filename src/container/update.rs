//! `update`: changes the limits and the device rules of an existing container.

mod devices;

pub(crate) use devices::DeviceChange;

use super::{Container, Id, Root, Status, pause};
use crate::cgroup::{Cgroup, Layout};
use crate::container::state::dir;
use crate::plan::resources::ResourcePlan;
use crate::plan::{self, resources, systemd_scope};
use crate::report::Log;
use crate::resctrl::{Resctrl, Shares};
use crate::spec::load;
use crate::spec::pointer::Pointer;
use crate::spec::problem::Problems;
use anyhow::{Context, Result, bail};
use oci_spec::runtime::LinuxResources;

/// New limits for a container.
pub(crate) struct Change {
    /// Limits of its cgroup, as `linux.resources` JSON.
    pub(crate) resources: Vec<u8>,
    /// Schemata lines of its resctrl group.
    pub(crate) schemata: Vec<String>,
    /// Its device rules.
    pub(crate) devices: DeviceChange,
}

/// Sets the given limits and keeps all others. If one cannot be set, all are restored.
pub(crate) fn update(root: &Root, id: &Id, change: &Change, log: &Log) -> Result<()> {
    attempt(root, id, change, log).with_context(|| format!("cannot update {id}"))
}

fn attempt(root: &Root, id: &Id, change: &Change, log: &Log) -> Result<()> {
    let container = Container::find(root, id)?;
    match container.status {
        Status::Created | Status::Running | Status::Paused => (),
        Status::Creating => bail!("container is still being created"),
        Status::Stopped => bail!("container not running"),
    }
    let in_resources = |problems: Problems| problems.of("resources");
    let mut resources = load::load_resources(&change.resources).map_err(in_resources)?;
    let listed = resources.devices().clone();
    resources.set_devices(None);
    let groups = match change.schemata.is_empty() {
        true => None,
        false => Some((Resctrl::find()?, group(&container)?)),
    };
    let cgroup = pause::own_cgroup(&container)?;
    complete(&mut resources, &cgroup)?;
    let facts = Layout::probe()?.facts()?;
    let (mut problems, mut warnings) = (Problems::default(), Vec::new());
    let plan = resources::compile(&resources, &Pointer::of(""), &facts, &mut problems, &mut warnings);
    let mut plan = problems.or(plan).map_err(in_resources)?;
    warnings.iter().for_each(|warning| log.warning(warning));
    if let Some(guard) = &plan.memory_guard {
        cgroup.check_memory(guard)?;
    }
    let unit = container.record.cgroup.as_ref().and_then(|made| made.unit.as_ref());
    if unit.is_some() {
        systemd_scope::round_quota(&mut plan);
    }
    cgroup.have_controllers(&plan.needs)?;
    let devices = devices::prepare(&container, &change.devices, listed, &cgroup, log)?;
    let shares = groups.as_ref().map(|(resctrl, group)| resctrl.shares(group)).transpose()?;
    let shared = shares.as_ref().map(|shares| (shares, &change.schemata[..]));
    make(&cgroup, &plan, shared, || {
        unit.map_or(Ok(()), |unit| unit.set(systemd_scope::of_limits(&plan)))?;
        // Last: the kernel has accepted the program, so that only a full disk is left to fail.
        devices.map_or(Ok(()), |devices| devices.apply(&cgroup))
    })
}

/// Writes to the cgroup, then the shares of cache and bandwidth, then informs systemd. systemd comes last, because its
/// properties cannot be read back for a rollback. If one of them fails, the earlier ones are restored.
fn make(
    cgroup: &Cgroup,
    plan: &ResourcePlan,
    shared: Option<(&Shares<'_>, &[String])>,
    tell: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let before = cgroup.before(plan.writes.iter().chain(&plan.writes_inside));
    let limited = cgroup.limit(&plan.writes).and_then(|()| cgroup.limit(&plan.writes_inside));
    let made =
        limited.and_then(|()| shared.map_or(Ok(()), |(shares, lines)| shares.change(lines))).and_then(|()| tell());
    made.map_err(|error| {
        let error = match shared {
            Some((shares, _)) => shares.put_back(error),
            None => error,
        };
        before.put_back(error)
    })
}

/// The resctrl group of the container.
fn group(container: &Container) -> Result<plan::Resctrl> {
    let spec = dir::read_config(&container.directory)?;
    plan::resctrl_group(&spec, &container.record.id)
        .context("the container has no resctrl group: its configuration has no linux.intelRdt")
}

/// Two limits are pairs for the kernel: quota and period, memory and swap. A missing half is taken from the current
/// value.
fn complete(resources: &mut LinuxResources, cgroup: &Cgroup) -> Result<()> {
    if let Some(cpu) = resources.cpu() {
        let (quota, period) = (cpu.quota().filter(|n| *n != 0), cpu.period().filter(|n| *n != 0));
        if quota.is_some() != period.is_some()
            && let Some((old_quota, old_period)) = cgroup.bandwidth()?
        {
            let mut cpu = cpu.clone();
            cpu.set_quota(quota.or(Some(old_quota.map_or(-1, u64::cast_signed))));
            cpu.set_period(period.or(Some(old_period)));
            resources.set_cpu(Some(cpu));
        }
    }
    if let Some(memory) = resources.memory() {
        let is_set = |value: Option<i64>| value.is_some_and(|n| n != 0);
        if is_set(memory.swap()) && !is_set(memory.limit()) {
            let mut memory = *memory;
            memory.set_limit(Some(cgroup.memory_limit()?.map_or(-1, u64::cast_signed)));
            resources.set_memory(Some(memory));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
