//! systemd as the maker of cgroups: a scope for each container, asked for over D-Bus (org.freedesktop.systemd1(5)).
//!
//! A scope is made around a process that exists, so the container's process waits at a gate meanwhile. systemd is told of
//! every limit it has a property for, since it writes the files anew whenever it reads its own again (`systemctl
//! daemon-reload`); which properties those are is the business of `plan::scope`.

mod unit;

use super::{Cgroup, Driver, DriverKind, Layout, Record, Wanted};
use crate::plan::placement::{Place, Scope};
use crate::plan::systemd_scope;
use anyhow::{Context, Result, anyhow, bail};
use std::cell::Cell;

use unit::Manager;
pub(crate) use unit::Unit;

/// The driver that asks systemd.
#[derive(Debug)]
pub(crate) struct Systemd<'a> {
    layout: &'a Layout,
    /// The caller's own systemd is asked, not the host's.
    user: bool,
    /// The connection, once there is one.
    manager: Option<Manager>,
}

impl<'a> Systemd<'a> {
    /// A driver for the systemd of the host, or with `user` for that of the calling user.
    pub(crate) fn new(layout: &'a Layout, user: bool) -> Self {
        Systemd { layout, user, manager: None }
    }

    /// The slice that is asked for, or the default one.
    fn slice<'s>(&self, scope: &'s Scope) -> &'s str {
        scope.slice.as_deref().unwrap_or(if self.user { "user.slice" } else { "system.slice" })
    }

    /// The scope's cgroup, with `pid` in it.
    fn entered(&self, record: &Record, wanted: &Wanted<'_>, pid: i32) -> Result<Cgroup> {
        let there = Cgroup::path_of_process(pid)?;
        let expected = record.path.strip_prefix(self.layout.mount_point()).unwrap_or(&record.path);
        if there.as_os_str().to_string_lossy().ends_with(" (deleted)") {
            bail!("process {pid} did not live to see its scope (possibly OOM-killed: memory limit too low?)");
        }
        if there != expected {
            bail!("process {pid} is in cgroup /{}, not in /{}", there.display(), expected.display());
        }
        let cgroup =
            Cgroup::open(self.layout, record)?.with_context(|| format!("{} is gone", record.path.display()))?;
        // No device program of ours can be there, and one of systemd's must not be replaced.
        let cgroup = Cgroup { fresh: Cell::new(true), ..cgroup };
        // systemd enables the controllers it knows, which are not all there are.
        cgroup.have_controllers(&wanted.resources.needs)?;
        Ok(cgroup)
    }
}

fn scope_of<'a>(wanted: &Wanted<'a>) -> Result<&'a Scope> {
    match wanted.place {
        Place::Scope(scope) => Ok(scope),
        other => Err(anyhow!("{other:?} is no scope of systemd")),
    }
}

impl Driver for Systemd<'_> {
    fn foresee(&mut self, wanted: &Wanted<'_>) -> Result<Record> {
        let scope = scope_of(wanted)?;
        let slice =
            systemd_scope::directory(self.slice(scope)).map_err(|what| anyhow!("/linux/cgroupsPath: {what}"))?;
        let unit = Unit { name: scope.unit.clone(), bus: unit::address(self.user)? };
        let mut manager = Manager::reach(&unit.bus)?;
        manager.means_our_pids()?;
        let base = manager.property("ControlGroup")?;
        let path = self.layout.mount_point().join(base.trim_start_matches('/')).join(slice).join(&scope.unit);
        self.manager = Some(manager);
        let record = Record { driver: DriverKind::Systemd, path, made: true, unit: Some(unit) };
        // Now, while nothing points to it yet: whoever cleans up after us must not end what belongs to somebody else.
        if let Some(cgroup) = Cgroup::open(self.layout, &record)? {
            cgroup.check_fit()?;
        }
        Ok(record)
    }

    /// The process comes first.
    fn prepare(&mut self, _: &Wanted<'_>) -> Result<Option<Cgroup>> {
        Ok(None)
    }

    fn place(&mut self, wanted: &Wanted<'_>, foreseen: &Record, pid: i32) -> Result<Option<Cgroup>> {
        let (Some(unit), Some(mut manager)) = (&foreseen.unit, self.manager.take()) else { return Ok(None) };
        let scope = scope_of(wanted)?;
        let mut properties = systemd_scope::of_limits(wanted.resources);
        properties.extend(scope.properties.iter().cloned());
        // One that systemd refuses to start is not ours to stop: it may be the unit of somebody else.
        let job = manager.start(&unit.name, self.slice(scope), &scope.description, pid, properties)?;
        let started = manager.done(&job).with_context(|| format!("start {}", unit.name));
        let entered = started.and_then(|()| self.entered(foreseen, wanted, pid));
        let Err(error) = entered else { return entered.map(Some) };
        let there = Cgroup::open(self.layout, foreseen);
        match there.and_then(|cgroup| foreseen.stop_unit(cgroup.as_ref())) {
            Ok(()) => Err(error),
            Err(second) => Err(anyhow!("{error:#}; cleaning up: {second:#}")),
        }
    }
}
