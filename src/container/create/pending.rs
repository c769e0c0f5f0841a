//! Makes a container for `create` and `run`: from the claim of its id until its program may start.
//!
//! `prepare` has decided everything before. What this makes is rolled back unless it is committed (`rollback`).

use crate::cgroup::{self, Cgroup, Wanted};
use crate::container::caller::console::Console;
use crate::container::caller::foreground::Foreground;
use crate::container::caller::{pid_file, pidfd_socket, sd_notify};
use crate::container::create::cgroups;
use crate::container::create::host_setup::HostSetup;
use crate::container::create::net_devices::HandedOver;
use crate::container::create::prepare::Build;
use crate::container::create::rollback::Rollback;
use crate::container::state::process::user_namespace;
use crate::container::{Process, Record, Root};
use crate::container::{oom, root_mount};
use crate::launch::{self, CgroupPlacement, Child, LaunchInputs};
use crate::plan::namespaces::USER;
use crate::report::Log;
use crate::resctrl;
use crate::sys::pipe::Meanwhile;
use anyhow::{Context, Result, bail};
use std::cell::RefCell;
use std::ffi::CString;
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::rc::Rc;

/// A container that is being created.
pub(crate) struct PendingContainer<'a> {
    /// Boxed, because it is large and passed on several times.
    pub(crate) build: Box<Build>,
    pub(crate) record: Record,
    pub(crate) child: Child,
    pub(crate) console: Console,
    pub(super) cgroup: Option<Rc<Cgroup>>,
    pub(super) new: Rollback<'a>,
    pub(super) log: &'a Log,
    /// The moved network devices and the resctrl groups made so far, which the rollback gives back.
    pub(super) net_devices: Rc<RefCell<HandedOver>>,
    pub(super) resctrl: Rc<RefCell<resctrl::Record>>,
}

impl<'a> PendingContainer<'a> {
    /// Claims the id, makes the cgroup, launches the process, and serves it until it waits for its start.
    pub(crate) fn begin(build: Box<Build>, root: &Root, log: &'a Log) -> Result<PendingContainer<'a>> {
        let mut record = build.record()?;
        let mut console = Console::connect(build.request.console_socket.as_deref())?;
        let layout = build.layout.clone();
        let mut driver = layout.as_ref().map(|at| cgroups::driver(at, &build.request, build.unprivileged));
        // An unprivileged user's container has no cgroup where the user may not make one.
        let (resources, optional) = (&build.plan.resources, build.unprivileged);
        let wanted = build.place.as_ref().map(|place| Wanted { place, resources, optional });
        let root_mount = prepare_root_mount(&build, &mut record)?;
        let mut making = driver.as_deref_mut().zip(wanted.as_ref());
        let (mut new, cgroup) = Rollback::claim(root, &build.request.id, log, |locked| {
            record.cgroup = making.as_mut().map(|(driver, wanted)| driver.planned_record(wanted)).transpose()?;
            locked.write(&record)?;
            log.lap("claim the name");
            making.as_mut().map(|(driver, wanted)| driver.prepare(wanted)).transpose()
        })?;
        let planned = record.cgroup.take();
        let mut cgroup = cgroup.flatten().map(Rc::new);
        if let Some(cgroup) = cgroup.clone() {
            record.cgroup = planned.clone().map(|planned| cgroup::Record { made: cgroup.is_own(), ..planned });
            new.unless_deleted("remove the cgroup", move || cgroup.unmake());
        }
        log.lap("make the cgroup");
        root_mount.map_or(Ok(()), |detached| attach_root_mount(&detached, &record.rootfs, &mut new))?;
        build.notify.as_deref().map_or(Ok(()), sd_notify::make_directory)?;
        let listener = (!build.runs).then(|| new.listen_for_start()).transpose()?;
        let path = cgroup.as_ref().map(|cgroup| cgroup.path().display().to_string()).unwrap_or_default();
        let refused = |errno| Err(launch::spawn_refused(&path, errno));
        let again = || may_be_made_again(&new, cgroup.as_deref());
        let inputs = LaunchInputs {
            placement: CgroupPlacement {
                cgroup: cgroup.as_ref().map(|cgroup| cgroup.fd()),
                other: Some(&refused),
                again: Some(&again),
            },
            cgroup_path: record
                .cgroup
                .as_ref()
                .or(planned.as_ref().filter(|planned| planned.unit.is_some()))
                .and_then(|cgroup| CString::new(cgroup.path.clone().into_os_string().into_vec()).ok()),
            listener,
            hooks: build.container_hooks(&record)?,
            timed: log.is_timed(),
            ..LaunchInputs::default()
        };
        let mut child = launch::launch(&build.plan, inputs)?;
        log.lap("make the process");
        if let (None, Some((driver, wanted)), Some(planned)) = (&cgroup, &mut making, planned)
            && let Some(placed) = driver.place(wanted, &planned, child.pid)?
        {
            let placed = Rc::new(placed);
            (record.cgroup, cgroup) = (Some(planned.clone()), Some(Rc::clone(&placed)));
            new.on_failure("remove the scope", move || planned.stop_unit(Some(&placed)).and_then(|()| placed.unmake()));
        }
        drop(driver);
        warn_if_scattered(cgroup.as_deref(), &record, log);
        record.init = Some(process_of(&child));
        record.user_namespace = build.plan.namespaces.own(USER).then(|| user_namespace(child.pid)).flatten();
        if record.cgroup.is_none() {
            // If this process is killed now, only the recorded pid leads to the container's process.
            new.write(&record)?;
        }
        let (net_devices, resctrl) = passed_by_the_host(&mut new);
        let mut host = HostSetup {
            build: &build,
            record: &record,
            new: &new,
            cgroup: cgroup.as_deref(),
            console: &mut console,
            log,
            net_devices: Rc::clone(&net_devices),
            resctrl: Rc::clone(&resctrl),
        };
        let ready = host.limit_before_restore().and_then(|()| child.wait_until_ready(&build.plan, &mut host));
        log.process_steps(child.timings(&build.plan));
        log.lap("limit the process and serve it until it is ready");
        record.resctrl = resctrl.borrow().clone();
        // The process that entered a joined pid namespace replaces the one that was made.
        record.init = Some(process_of(&child));
        let building = PendingContainer { build, record, child, console, cgroup, new, log, net_devices, resctrl };
        match ready {
            Ok(()) => Ok(building),
            Err(error) => Err(building.fail(error)),
        }
    }

    /// Rolls back and runs the poststop hooks, because the lifecycle has begun (runtime.md, steps 3 to 13).
    pub(super) fn fail(self, error: anyhow::Error) -> anyhow::Error {
        let error = oom::explain_init(error, self.cgroup.as_deref(), &self.record);
        let PendingContainer { record, child, new, log, .. } = self;
        drop(child);
        // If another process has deleted the container meanwhile, it has run them.
        if new.undo() {
            crate::container::hooks::poststop(&record, log);
        }
        error
    }

    /// Writes the pid file and sends the pidfd, which engines wait for.
    fn announce(&mut self) -> Result<()> {
        if let Some(path) = &self.build.request.pidfd_socket {
            pidfd_socket::send(path, b"standard", self.child.pidfd.as_fd())?;
        }
        let Some(file) = self.build.request.pid_file.clone() else { return Ok(()) };
        if pid_file::write(&file, self.child.pid)? {
            // To engines the file means that the container exists.
            self.new.on_failure("remove the pid file", move || {
                fs::remove_file(&file).with_context(|| format!("remove {}", file.display()))
            });
        }
        Ok(())
    }

    /// Completes `create`: the process waits for `start` from now on.
    pub(crate) fn finish_created(mut self) -> Result<()> {
        if let Err(error) = self.hand_over() {
            return Err(self.fail(error));
        }
        self.child.release();
        self.new.keep();
        // Not freed, as in `ChildInputs::close`: freeing would write to pages that the child shares.
        std::mem::forget(self.build);
        self.log.lap("write the state");
        Ok(())
    }

    fn hand_over(&mut self) -> Result<()> {
        self.announce()?;
        self.record.creator = None;
        self.new.settle()?;
        self.child.go_on()
    }

    /// Continues `run`: the program is executed. Blocked signals are handled by `foreground`.
    pub(crate) fn finish_running(mut self, foreground: Option<&Foreground>) -> Result<Running> {
        if let Err(error) = self.release(foreground) {
            return Err(self.fail(error));
        }
        let PendingContainer { build, record, child, console, new, .. } = self;
        std::mem::forget(build);
        new.keep();
        Ok(Running { record, child, console })
    }

    fn release(&mut self, foreground: Option<&Foreground>) -> Result<()> {
        self.announce()?;
        self.record.creator = None;
        self.new.settle()?;
        self.log.lap("write the state");
        let started = self.child.start(&self.build.plan);
        self.log.process_steps(self.child.timings(&self.build.plan));
        started?;
        self.log.lap("serve the process until its program is executed");
        let pidfd = self.child.pidfd.as_fd();
        let attend = || foreground.and_then(|foreground| foreground.forward(pidfd));
        let signals = foreground.map(|foreground| (foreground.as_fd(), &attend as &dyn Fn() -> Option<i32>));
        crate::container::hooks::poststart(&self.record, Meanwhile { ended: None, signals }, self.log)?;
        self.child.release();
        Ok(())
    }
}

/// Clones the root for a container whose mounts are in the caller's mount namespace, and records the mount.
fn prepare_root_mount(build: &Build, record: &mut Record) -> Result<Option<root_mount::Detached>> {
    if !build.plan.namespaces.mounts_in_callers {
        return Ok(None);
    }
    let detached = root_mount::Detached::of(&record.rootfs)?;
    record.root_mount = Some(detached.id);
    Ok(Some(detached))
}

/// Attaches the clone, after the record has been written.
fn attach_root_mount(detached: &root_mount::Detached, rootfs: &Path, new: &mut Rollback<'_>) -> Result<()> {
    let (path, id) = (rootfs.to_owned(), detached.id);
    new.unless_deleted("unmount the root", move || root_mount::remove(&path, id));
    detached.attach(rootfs)
}

/// Whether to retry a clone that was killed immediately. Blocks a deletion meanwhile. Not if the container may be out
/// of memory.
fn may_be_made_again(new: &Rollback<'_>, cgroup: Option<&Cgroup>) -> Result<Option<OwnedFd>> {
    if oom::has_killed(cgroup)? {
        bail!("the memory limit of its cgroup may be too low");
    }
    new.hold().map(Some)
}

/// Registers the rollback of network devices and resctrl groups, which are assigned at the host gate.
fn passed_by_the_host(new: &mut Rollback<'_>) -> (Rc<RefCell<HandedOver>>, Rc<RefCell<resctrl::Record>>) {
    let (devices, groups) = (Rc::<RefCell<HandedOver>>::default(), Rc::<RefCell<resctrl::Record>>::default());
    let (devices_then, groups_then) = (Rc::clone(&devices), Rc::clone(&groups));
    new.on_failure("give the network devices back", move || devices_then.borrow_mut().take_back());
    new.on_failure("remove the resctrl groups", move || groups_then.borrow().remove());
    (devices, groups)
}

/// A container that `run` has started.
pub(crate) struct Running {
    pub(crate) record: Record,
    pub(crate) child: Child,
    pub(crate) console: Console,
}

fn process_of(child: &Child) -> Process {
    Process { pid: child.pid, start_time: child.start_time }
}

/// Warns about a container without a pid namespace and cgroup, whose processes cannot be found together.
fn warn_if_scattered(cgroup: Option<&Cgroup>, record: &Record, log: &Log) {
    if cgroup.is_none() && record.shared_pid_namespace {
        log.warning(
            "the container has neither a pid namespace nor a cgroup of its own: processes that its first one leaves behind are \
             not killed with it",
        );
    }
}
