//! Building a container, for `create` and `run` alike: everything is decided first (`Build`), then made (`Building`).
//!
//! What a `Building` has made is undone when it is dropped before it stands.

use super::console::{self, Console};
use super::foreground::Foreground;
use super::host_side::Hosting;
use super::net_devices::HandedOver;
use super::process::user_namespace;
use super::{
    CgroupManager, CreateRequest, NewContainer, Process, Record, Root, Rootless, Status, cgroups, files, notify,
};
use crate::cgroup::{self, Cgroup, Layout, Wanted};
use crate::hook::Prepared;
use crate::host;
use crate::init::ContainerHooks;
use crate::launch::{self, Birthplace, Child, Kit};
use crate::plan::namespaces::{PID, USER};
use crate::plan::placement::Place;
use crate::plan::{self, Host, Plan, Request, hooks_of};
use crate::report::{Log, Several, time};
use crate::resctrl;
use crate::spec::load;
use crate::spec::problem::Problems;
use crate::sys::pipe::Meanwhile;
use anyhow::{Context, Result, bail};
use oci_spec::runtime::Spec;
use std::cell::RefCell;
use std::ffi::CString;
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::SystemTime;

/// A container about which everything is decided and of which nothing exists.
pub(super) struct Build {
    pub(super) request: CreateRequest,
    pub(super) spec: Spec,
    pub(super) plan: Plan,
    /// What the state directory keeps of the configuration.
    pub(super) snapshot: Vec<u8>,
    bundle: PathBuf,
    /// Where the cgroup goes; `None` without one.
    place: Option<Place>,
    layout: Option<Layout>,
    runs: bool,
    /// The caller lacks the rights of root.
    pub(super) unprivileged: bool,
    /// The directory of the container's notification socket, if it gets one.
    notify: Option<PathBuf>,
}

impl Build {
    /// Reads the bundle, looks at the host, decides. All problems are told at once.
    pub(super) fn plan(root: &Root, request: CreateRequest, runs: bool, log: &Log) -> Result<Box<Build>> {
        let state = root.of(&request.id);
        Build::plan_for(None, Some(&state), request, runs, log)
    }

    /// As [`Build::plan`], for a host that is described instead of looked at; without a state directory if none will be made.
    pub(super) fn plan_for(
        described: Option<&Host>,
        state: Option<&Path>,
        request: CreateRequest,
        runs: bool,
        log: &Log,
    ) -> Result<Box<Build>> {
        let given = &request.bundle;
        let bundle = fs::canonicalize(given).with_context(|| format!("bundle {}", given.display()))?;
        let file = bundle.join("config.json");
        let bytes = fs::read(&file).with_context(|| format!("read {}", file.display()))?;
        let unprivileged = described.is_none() && is_unprivileged(&request);
        let layout = if described.is_some() { None } else { cgroups::layout(&request, unprivileged)? };
        log.lap("look at the bundle and the cgroups");
        let with_cgroup = described.is_some() || layout.is_some();
        let compile = |spec: &Spec| -> Result<Result<(Plan, Option<Place>), Problems>> {
            let host = match described {
                Some(host) => host.clone(),
                None => host::probe(spec, &bundle, layout.as_ref())?,
            };
            let mut problems = Problems::default();
            let place = cgroups::place(spec, &request, with_cgroup, &mut problems);
            let mut wishes = wishes(&request, &bundle, runs);
            if let Some((bind, entry)) = state.and_then(|state| notify::wishes(spec, state)) {
                wishes.extra_binds.push(bind);
                wishes.environment.push(entry);
            }
            Ok(match plan::compile(spec, &host, &wishes) {
                Ok(plan) => problems.or((plan, place)),
                Err(more) => {
                    problems.append(more);
                    Err(problems)
                }
            })
        };
        let loaded = match load::load(&bytes) {
            Ok(loaded) => loaded,
            Err(rejected) => {
                let more = match rejected.remainder.as_deref().map(&compile).transpose()? {
                    Some(Err(more)) => more,
                    _ => Problems::default(),
                };
                return Err(Several::from(rejected.with(&more)).into());
            }
        };
        log.lap("read config.json");
        let (plan, place) = compile(&loaded.spec)?.map_err(Several::from)?;
        log.lap("look at the host and decide");
        for warning in loaded.warnings.iter().chain(&plan.warnings) {
            log.warning(warning);
        }
        let notify = state.and_then(|state| notify::wishes(&loaded.spec, state)).map(|((source, _), _)| source);
        let snapshot = loaded.snapshot.map_or(bytes, String::into_bytes);
        let spec = loaded.spec;
        Ok(Box::new(Build { spec, plan, snapshot, bundle, place, layout, runs, unprivileged, request, notify }))
    }

    /// Whether the program gets a terminal.
    pub(super) fn has_terminal(&self) -> bool {
        self.spec.process().as_ref().and_then(oci_spec::runtime::Process::terminal).unwrap_or(false)
    }

    /// See [`console::check`].
    pub(super) fn check_console(&self, detached: bool) -> Result<()> {
        console::check(self.has_terminal(), self.request.console_socket.is_some(), detached)
    }

    fn record(&self) -> Result<Record> {
        let root = self.spec.root().as_ref().map(|root| self.bundle.join(root.path())).unwrap_or_default();
        let hooks = self.spec.hooks().as_ref();
        Ok(Record {
            version: super::record::VERSION,
            id: self.request.id.as_str().to_owned(),
            bundle: self.bundle.clone(),
            rootfs: fs::canonicalize(&root).unwrap_or(root),
            init: None,
            creator: Some(Process::this()?),
            created: time::nanoseconds(SystemTime::now()),
            owner: crate::sys::process::effective_uid(),
            annotations: self.spec.annotations().clone().unwrap_or_default().into_iter().collect(),
            shared_pid_namespace: self.plan.namespaces.new & PID == 0,
            user_namespace: None,
            no_new_keyring: self.request.no_new_keyring,
            poststart: hooks_of(hooks.and_then(|h| h.poststart().as_ref())).to_vec(),
            poststop: hooks_of(hooks.and_then(|h| h.poststop().as_ref())).to_vec(),
            cgroup: None,
            resctrl: resctrl::Record::default(),
            steps_after_start: if self.runs { Vec::new() } else { launch::steps_after_start(&self.plan) },
        })
    }

    /// The hooks that the container's process runs, with their state documents.
    fn container_hooks(&self, record: &Record) -> Result<ContainerHooks> {
        let Some(hooks) = self.spec.hooks() else { return Ok(ContainerHooks::default()) };
        let own = files::environment();
        let prepare = |list: Option<&Vec<_>>, environment: &[_]| -> Vec<Prepared> {
            hooks_of(list).iter().map(|hook| Prepared::new(hook, environment)).collect()
        };
        let create_container = prepare(hooks.create_container().as_ref(), &own);
        // De facto, a startContainer hook without an environment gets the program's.
        let start_container = prepare(hooks.start_container().as_ref(), &self.plan.program.environment);
        if create_container.is_empty() && start_container.is_empty() {
            return Ok(ContainerHooks::default());
        }
        let document = |status| super::hooks::state_document(record, status);
        let states = [document(Status::Creating)?, document(Status::Created)?];
        Ok(ContainerHooks { create_container, start_container, states })
    }
}

/// Whether the caller lacks the rights of root.
fn is_unprivileged(request: &CreateRequest) -> bool {
    match request.rootless {
        Rootless::True => true,
        Rootless::False => false,
        Rootless::Auto => crate::sys::process::effective_uid() != 0 || host::in_user_namespace(),
    }
}

fn wishes(request: &CreateRequest, bundle: &Path, runs: bool) -> Request {
    let listen_fds = files::listen_fds();
    let environment = files::listen_environment(listen_fds);
    Request {
        id: request.id.as_str().to_owned(),
        bundle: bundle.to_owned(),
        run: runs,
        scope: request.cgroup_manager == CgroupManager::Systemd,
        no_pivot: request.no_pivot,
        no_new_keyring: request.no_new_keyring,
        preserve_fds: files::inherited_from_three(listen_fds.saturating_add(request.preserve_fds)),
        environment,
        extra_binds: Vec::new(),
    }
}

/// A container in the making.
pub(super) struct Building<'a> {
    /// On the heap, where it need not be moved.
    pub(super) build: Box<Build>,
    pub(super) record: Record,
    pub(super) child: Child,
    pub(super) console: Console,
    cgroup: Option<Rc<Cgroup>>,
    new: NewContainer<'a>,
    log: &'a Log,
}

impl<'a> Building<'a> {
    /// Claims the id, makes the cgroup, launches the process and serves it until it waits for its start.
    pub(super) fn begin(build: Box<Build>, root: &Root, log: &'a Log) -> Result<Building<'a>> {
        let mut record = build.record()?;
        let mut console = Console::connect(build.request.console_socket.as_deref())?;
        let layout = build.layout.clone();
        let mut driver = layout.as_ref().map(|at| cgroups::driver(at, &build.request, build.unprivileged));
        // A container of an ordinary user goes without where it may not have one.
        let (resources, optional) = (&build.plan.resources, build.unprivileged);
        let wanted = build.place.as_ref().map(|place| Wanted { place, resources, optional });
        let mut making = driver.as_deref_mut().zip(wanted.as_ref());
        let (mut new, cgroup) = NewContainer::claim(root, &build.request.id, log, |locked| {
            record.cgroup = making.as_mut().map(|(driver, wanted)| driver.foresee(wanted)).transpose()?;
            locked.write(&record)?;
            log.lap("claim the name");
            making.as_mut().map(|(driver, wanted)| driver.prepare(wanted)).transpose()
        })?;
        let foreseen = record.cgroup.take();
        let mut cgroup = cgroup.flatten().map(Rc::new);
        if let Some(cgroup) = cgroup.clone() {
            record.cgroup = foreseen.clone().map(|foreseen| cgroup::Record { made: cgroup.is_own(), ..foreseen });
            new.unless_deleted("remove the cgroup", move || cgroup.unmake());
        }
        log.lap("make the cgroup");
        build.notify.as_deref().map_or(Ok(()), notify::make_directory)?;
        let listener = (!build.runs).then(|| new.listen_for_start()).transpose()?;
        let path = cgroup.as_ref().map(|cgroup| cgroup.path().display().to_string()).unwrap_or_default();
        let refused = |errno| Err(launch::not_born(&path, errno));
        let again = || may_be_made_again(&new, cgroup.as_deref());
        let kit = Kit {
            birthplace: Birthplace {
                cgroup: cgroup.as_ref().map(|cgroup| cgroup.fd()),
                other: Some(&refused),
                again: Some(&again),
            },
            cgroup_path: record
                .cgroup
                .as_ref()
                .or(foreseen.as_ref().filter(|foreseen| foreseen.unit.is_some()))
                .and_then(|cgroup| CString::new(cgroup.path.clone().into_os_string().into_vec()).ok()),
            listener,
            hooks: build.container_hooks(&record)?,
            timed: log.is_timed(),
            ..Kit::default()
        };
        let mut child = launch::launch(&build.plan, kit)?;
        log.lap("make the process");
        if let (None, Some((driver, wanted)), Some(foreseen)) = (&cgroup, &mut making, foreseen)
            && let Some(placed) = driver.place(wanted, &foreseen, child.pid)?
        {
            let placed = Rc::new(placed);
            (record.cgroup, cgroup) = (Some(foreseen.clone()), Some(Rc::clone(&placed)));
            new.on_failure("remove the scope", move || {
                foreseen.stop_unit(Some(&placed)).and_then(|()| placed.unmake())
            });
        }
        drop(driver);
        if cgroup.is_none() && record.shared_pid_namespace {
            log.warning(SCATTERED);
        }
        record.init = Some(Process { pid: child.pid, start_time: child.start_time });
        record.user_namespace = build.plan.namespaces.own(USER).then(|| user_namespace(child.pid)).flatten();
        if record.cgroup.is_none() {
            // A creator that is killed now leaves a process that only its pid leads to.
            new.write(&record)?;
        }
        let (net_devices, resctrl) = lent_by_the_host(&mut new);
        let mut host = Hosting {
            build: &build,
            record: &record,
            new: &new,
            cgroup: cgroup.as_deref(),
            console: &mut console,
            net_devices,
            resctrl: Rc::clone(&resctrl),
        };
        let ready = host.limit().and_then(|()| child.wait_until_ready(&build.plan, &mut host));
        log.lap("limit the process and serve it until it is ready");
        log.process_steps(child.timings(&build.plan));
        record.resctrl = resctrl.borrow().clone();
        let building = Building { build, record, child, console, cgroup, new, log };
        match ready {
            Ok(()) => Ok(building),
            Err(error) => Err(building.fail(error)),
        }
    }

    /// Takes everything back, and runs the poststop hooks: the lifecycle has been entered (runtime.md, steps 3 to 13).
    fn fail(self, error: anyhow::Error) -> anyhow::Error {
        let error = cgroups::explained(error, self.cgroup.as_deref(), &self.record);
        let Building { record, child, new, log, .. } = self;
        drop(child);
        // Whoever has deleted the container meanwhile has run them.
        if new.undo() {
            super::hooks::poststop(&record, log);
        }
        error
    }

    /// Tells what engines wait for: the pid file and the pidfd.
    fn announce(&mut self) -> Result<()> {
        if let Some(path) = &self.build.request.pidfd_socket {
            files::send_pidfd(path, b"standard", self.child.pidfd.as_fd())?;
        }
        let Some(file) = self.build.request.pid_file.clone() else { return Ok(()) };
        files::write_pid(&file, self.child.pid)?;
        // To engines its presence says that there is a container.
        self.new.on_failure("remove the pid file", move || {
            fs::remove_file(&file).with_context(|| format!("remove {}", file.display()))
        });
        Ok(())
    }

    /// `create` ends: from now on the process waits for `start`.
    pub(super) fn finish_created(mut self) -> Result<()> {
        if let Err(error) = self.hand_over() {
            return Err(self.fail(error));
        }
        self.child.release();
        self.new.keep();
        // As in `Given::close`: the child has its memory from before.
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

    /// `run` goes on: the program is executed, the container runs. Signals go to `foreground`, if they are held back.
    pub(super) fn finish_running(mut self, foreground: Option<&Foreground>) -> Result<Running> {
        if let Err(error) = self.release(foreground) {
            return Err(self.fail(error));
        }
        let Building { build, record, child, console, new, .. } = self;
        std::mem::forget(build);
        new.keep();
        Ok(Running { record, child, console })
    }

    fn release(&mut self, foreground: Option<&Foreground>) -> Result<()> {
        self.announce()?;
        self.record.creator = None;
        self.new.settle()?;
        self.log.lap("write the state");
        self.child.start(&self.build.plan)?;
        self.log.lap("serve the process until its program is executed");
        self.log.process_steps(self.child.timings(&self.build.plan));
        let pidfd = self.child.pidfd.as_fd();
        let attend = || foreground.and_then(|foreground| foreground.forward(pidfd));
        let signals = foreground.map(|foreground| (foreground.as_fd(), &attend as &dyn Fn() -> Option<i32>));
        super::hooks::poststart(&self.record, Meanwhile { ended: None, signals })?;
        self.child.release();
        Ok(())
    }
}

/// Whether the process may be made again that was killed at its birth: not while the container is deleted, which this holds
/// off, nor where memory may have been why.
fn may_be_made_again(new: &NewContainer<'_>, cgroup: Option<&Cgroup>) -> Result<Option<OwnedFd>> {
    if let Some(1..) = cgroup.map_or(Ok(None), Cgroup::oom_kills)? {
        bail!("the memory limit of its cgroup may be too low");
    }
    new.hold().map(Some)
}

/// Where is written down what the host gives the container at its gate, to be taken back if the creation fails.
fn lent_by_the_host(new: &mut NewContainer<'_>) -> (Rc<RefCell<HandedOver>>, Rc<RefCell<resctrl::Record>>) {
    let (devices, groups) = (Rc::<RefCell<HandedOver>>::default(), Rc::<RefCell<resctrl::Record>>::default());
    let (devices_then, groups_then) = (Rc::clone(&devices), Rc::clone(&groups));
    new.on_failure("give the network devices back", move || devices_then.borrow_mut().take_back());
    new.on_failure("remove the resctrl groups", move || groups_then.borrow().remove());
    (devices, groups)
}

/// A container that `run` has started.
pub(super) struct Running {
    pub(super) record: Record,
    pub(super) child: Child,
    pub(super) console: Console,
}

/// Said of a container of which nothing holds all the processes together.
const SCATTERED: &str = "the container has neither a pid namespace nor a cgroup of its own: processes that its first one leaves \
    behind are not killed with it";
