//! Does the host's part while a container's first process builds its root: limits, devices, ownership, hooks.

use crate::cgroup::Cgroup;
use crate::container::caller::console::Console;
use crate::container::caller::seccomp_agent;
use crate::container::create::net_devices::HandedOver;
use crate::container::create::prepare::Build;
use crate::container::create::rollback::Rollback;
use crate::container::{Process, Record, Status, device_program, hooks};
use crate::launch::{self, HostSide};
use crate::plan::namespaces::{CGROUP, USER};
use crate::plan::resources::Write;
use crate::report::Log;
use crate::resctrl::{self, Resctrl};
use anyhow::{Context, Result, bail};
use std::cell::RefCell;
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

/// The host's part of one creation.
pub(crate) struct HostSetup<'a> {
    pub(crate) build: &'a Build,
    pub(crate) record: &'a Record,
    pub(crate) new: &'a Rollback<'a>,
    pub(crate) cgroup: Option<&'a Cgroup>,
    pub(crate) console: &'a mut Console,
    pub(crate) log: &'a Log,
    /// The moved network devices, for the rollback.
    pub(crate) net_devices: Rc<RefCell<HandedOver>>,
    /// The resctrl groups made, for the record and the rollback.
    pub(crate) resctrl: Rc<RefCell<resctrl::Record>>,
}

impl HostSetup<'_> {
    /// Sets limits and device rules, while the process makes its mounts.
    pub(crate) fn limit(&self) -> Result<()> {
        let Some(cgroup) = self.cgroup else { return Ok(()) };
        let resources = &self.build.plan.resources;
        cgroup.limit(&resources.writes)?;
        self.log_writes(&resources.writes);
        let program = device_program::of(&resources.devices).context("/linux/resources/devices")?;
        if !program.grants_all {
            match cgroup.attach_devices(&program.instructions) {
                // The kernel refuses the program without privilege. The permissions of the host's device nodes still
                // apply.
                Err(error) if self.build.unprivileged && crate::cgroup::Refusal::is_permission(&error) => (),
                other => other.context("/linux/resources/devices")?,
            }
        }
        Ok(())
    }

    fn log_writes(&self, writes: &[Write]) {
        for Write { origin, file, value, .. } in writes {
            self.log.debug(|| format!("cgroup: {origin}: wrote {:?} to {file}", value.trim_end()));
        }
    }

    /// Gives the cgroup to the container's user, if the container has its own cgroup namespace and a writable cgroup
    /// mount (config-linux.md, "Cgroup ownership").
    fn delegate(&self, pid: i32) -> Result<()> {
        let (Some(cgroup), Some(process)) = (self.cgroup, self.build.spec.process()) else { return Ok(()) };
        let writable = self.build.spec.mounts().iter().flatten().any(|mount| {
            let cgroup = matches!(mount.typ().as_deref(), Some("cgroup" | "cgroup2"));
            let readonly = mount.options().iter().flatten().any(|option| option == "ro");
            cgroup && !readonly && mount.destination() == std::path::Path::new("/sys/fs/cgroup")
        });
        if !writable || self.build.plan.namespaces.new & CGROUP == 0 {
            return Ok(());
        }
        // root owns it already. A user without an id on the host is refused when the process changes to it.
        let Some(uid) = launch::host_uid(pid, process.user().uid())?.filter(|uid| *uid != 0) else { return Ok(()) };
        match cgroup.delegate(uid, None) {
            Err(error) if self.build.unprivileged && crate::cgroup::Refusal::is_permission(&error) => Ok(()),
            other => other,
        }
    }

    /// As [`HostSetup::limit`], unless a container is to be restored. That one is limited when its processes exist,
    /// because CRIU works in the cgroup too.
    pub(super) fn limit_before_restore(&self) -> Result<()> {
        if self.build.restores { Ok(()) } else { self.limit() }
    }

    /// Puts the process into its resctrl group.
    fn resctrl(&self, pid: i32) -> Result<()> {
        let Some(wanted) = &self.build.plan.resctrl else { return Ok(()) };
        Resctrl::find()?.enter(wanted, pid, &mut self.resctrl.borrow_mut())
    }

    /// Writes the score of a process in a user namespace, which only its parent may do.
    fn score(&self, pid: i32) -> Result<()> {
        let score = self.build.spec.process().as_ref().and_then(oci_spec::runtime::Process::oom_score_adj);
        let Some(score) = score.filter(|_| self.build.plan.namespaces.own(USER)) else { return Ok(()) };
        let file = format!("/proc/{pid}/oom_score_adj");
        fs::write(&file, score.to_string()).with_context(|| format!("/process/oomScoreAdj: write {score} to {file}"))
    }
}

impl HostSetup<'_> {
    /// Sets the limits that need a process in the cgroup, and gives the cgroup to the container's user.
    pub(super) fn limit_inside(&self, pid: i32) -> Result<()> {
        if let Some(cgroup) = self.cgroup {
            cgroup.limit(&self.build.plan.resources.writes_inside)?;
            self.log_writes(&self.build.plan.resources.writes_inside);
        }
        self.delegate(pid)?;
        self.resctrl(pid)
    }

    /// Moves network devices into the container, and runs the hooks of the runtime namespace.
    pub(super) fn devices_and_hooks(&self, pid: i32) -> Result<()> {
        let plan = &self.build.plan;
        let is_joined = plan.namespaces.joined & libc::CLONE_NEWNET as u64 != 0;
        self.net_devices.borrow_mut().hand_over(&plan.net_devices, pid, is_joined)?;
        hooks::before_pivot(self.build.spec.hooks().as_ref(), self.record, pid, self.log)
    }
}

impl HostSide for HostSetup<'_> {
    fn at_host_gate(&mut self, pid: i32) -> Result<()> {
        if self.build.restores {
            return Ok(());
        }
        self.limit_inside(pid)?;
        self.score(pid)?;
        self.devices_and_hooks(pid)
    }

    fn while_it_works(&mut self, (pid, start_time): (i32, u64)) -> Result<()> {
        if start_time == 0 && !fs::exists(format!("/proc/{pid}")).unwrap_or(true) {
            bail!(
                "/proc hides process {pid} from the user who creates it: the container could not be told from another \
                 process later. Mount /proc without hidepid, or give the user its group (gid=)"
            );
        }
        let (resctrl, init) = (self.resctrl.borrow().clone(), Some(Process { pid, start_time }));
        self.new.prepare(&Record { creator: None, init, resctrl, ..self.record.clone() }, &self.build.snapshot)
    }

    fn terminal(&mut self, master: OwnedFd) -> Result<()> {
        self.console.take(master)
    }

    fn listener(&mut self, listener: OwnedFd, pid: i32) -> Result<()> {
        seccomp_agent::hand_over(&self.build.spec, self.record, Status::Creating, pid, listener.as_fd())
    }
}
