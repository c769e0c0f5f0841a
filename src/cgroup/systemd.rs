//! Has systemd create a scope for each container, over D-Bus (org.freedesktop.systemd1(5)).
//!
//! `plan::systemd_scope` decides which properties are set; `dbus` speaks the protocol. A scope needs an existing
//! process, so the container's process waits at a gate. Every limit that has a property is also set as that property,
//! because systemd rewrites the cgroup files whenever it reloads its configuration (`systemctl daemon-reload`).

mod unit;

use super::{Cgroup, Driver, DriverKind, Layout, Record, Wanted};
use crate::plan::placement::{Place, Scope};
use crate::plan::systemd_scope;
use anyhow::{Context, Result, anyhow, bail};
use std::cell::Cell;

use unit::Manager;
pub(crate) use unit::Unit;

/// The driver that has systemd create the cgroup.
#[derive(Debug)]
pub(crate) struct Systemd<'a> {
    layout: &'a Layout,
    /// Use the calling user's systemd instead of the host's.
    user: bool,
    /// The connection, once it is open.
    manager: Option<Manager>,
}

impl<'a> Systemd<'a> {
    /// Returns a driver for the host's systemd, or with `user` for the calling user's.
    pub(crate) fn new(layout: &'a Layout, user: bool) -> Self {
        Systemd { layout, user, manager: None }
    }

    /// The requested slice, or the default.
    fn slice<'s>(&self, scope: &'s Scope) -> &'s str {
        scope.slice.as_deref().unwrap_or(if self.user { "user.slice" } else { "system.slice" })
    }

    /// Opens the scope's cgroup, after checking that `pid` is in it.
    fn entered(&self, record: &Record, wanted: &Wanted<'_>, pid: i32) -> Result<Cgroup> {
        let there = Cgroup::path_of_process(pid)?;
        let expected = record.path.strip_prefix(self.layout.mount_point()).unwrap_or(&record.path);
        if there.as_os_str().to_string_lossy().ends_with(" (deleted)") {
            bail!("process {pid} exited before systemd created its scope (possibly OOM-killed: memory limit too low?)");
        }
        if there != expected {
            bail!("process {pid} is in cgroup /{}, not in /{}", there.display(), expected.display());
        }
        let cgroup =
            Cgroup::open(self.layout, record)?.with_context(|| format!("{} is gone", record.path.display()))?;
        // A new scope has no device program of ours, and systemd's own program must not be replaced.
        let cgroup = Cgroup { fresh: Cell::new(true), ..cgroup };
        // systemd enables only the controllers it knows, so enable the others here.
        cgroup.have_controllers(&wanted.resources.needs)?;
        Ok(cgroup)
    }
}

fn scope_of<'a>(wanted: &Wanted<'a>) -> Result<&'a Scope> {
    match wanted.place {
        Place::Scope(scope) => Ok(scope),
        other => Err(anyhow!("{other:?}: not a systemd scope")),
    }
}

impl Driver for Systemd<'_> {
    fn planned_record(&mut self, wanted: &Wanted<'_>) -> Result<Record> {
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
        // Check before the record is saved: a later cleanup must not stop a unit that belongs to someone else.
        if let Some(cgroup) = Cgroup::open(self.layout, &record)? {
            cgroup.check_fit()?;
        }
        Ok(record)
    }

    /// Does nothing: systemd needs an existing process.
    fn prepare(&mut self, _: &Wanted<'_>) -> Result<Option<Cgroup>> {
        Ok(None)
    }

    fn place(&mut self, wanted: &Wanted<'_>, planned: &Record, pid: i32) -> Result<Option<Cgroup>> {
        let (Some(unit), Some(mut manager)) = (&planned.unit, self.manager.take()) else { return Ok(None) };
        let scope = scope_of(wanted)?;
        let mut properties = systemd_scope::of_limits(wanted.resources);
        properties.extend(scope.properties.iter().cloned());
        // If systemd refuses to start the unit, do not stop it: it may belong to someone else.
        let job = manager.start(&unit.name, self.slice(scope), &scope.description, pid, properties)?;
        let started = manager.done(&job).with_context(|| format!("start {}", unit.name));
        let entered = started.and_then(|()| self.entered(planned, wanted, pid));
        let Err(error) = entered else { return entered.map(Some) };
        let there = Cgroup::open(self.layout, planned);
        match there.and_then(|cgroup| planned.stop_unit(cgroup.as_ref())) {
            Ok(()) => Err(error),
            Err(second) => Err(anyhow!("{error:#}; cleaning up: {second:#}")),
        }
    }
}
