//! Decides everything about a container before anything of it exists, for `create`, `run` and `plan`.
//!
//! Reads the bundle, probes the host and compiles the plan. Makes nothing: `pending` does.

use crate::cgroup::Layout;
use crate::container::caller::console::{self};
use crate::container::caller::{self, listen_fds, sd_notify};
use crate::container::create::cgroups;
use crate::container::{CgroupManager, CreateRequest, Process, Record, Root, Rootless, Status};
use crate::hook::Prepared;
use crate::host;
use crate::init::ContainerHooks;
use crate::launch::{self};
use crate::plan::namespaces::PID;
use crate::plan::placement::Place;
use crate::plan::{self, Host, Plan, Request, hooks_of};
use crate::report::{Log, ProblemReport, time};
use crate::resctrl;
use crate::spec::load;
use crate::spec::problem::Problems;
use anyhow::{Context, Result};
use oci_spec::runtime::Spec;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A decided container of which nothing exists yet.
pub(crate) struct Build {
    pub(crate) request: CreateRequest,
    pub(crate) spec: Spec,
    pub(crate) plan: Plan,
    /// The configuration as it is kept in the state directory.
    pub(crate) snapshot: Vec<u8>,
    pub(crate) bundle: PathBuf,
    /// The place of the cgroup; `None` without one.
    pub(super) place: Option<Place>,
    pub(super) layout: Option<Layout>,
    pub(super) runs: bool,
    /// Whether CRIU makes the processes.
    pub(crate) restores: bool,
    /// Whether the caller lacks root's privileges.
    pub(crate) unprivileged: bool,
    /// The directory of the container's notification socket, if it gets one.
    pub(super) notify: Option<PathBuf>,
}

impl Build {
    /// Reads the bundle, probes the host and compiles the plan. Reports all problems at once.
    pub(crate) fn plan(root: &Root, request: CreateRequest, runs: bool, log: &Log) -> Result<Box<Build>> {
        let state = root.of(&request.id);
        Build::plan_for(None, Some(&state), None, request, runs, log)
    }

    /// As [`Build::plan`], for a described host instead of a probed one; without a state directory if none will be
    /// made; with another file instead of the bundle's `config.json`.
    pub(crate) fn plan_for(
        described: Option<&Host>,
        state: Option<&Path>,
        file: Option<&Path>,
        request: CreateRequest,
        runs: bool,
        log: &Log,
    ) -> Result<Box<Build>> {
        let given = &request.bundle;
        let bundle = fs::canonicalize(given).with_context(|| format!("bundle {}", given.display()))?;
        let file = file.map_or_else(|| bundle.join("config.json"), Path::to_owned);
        let bytes = fs::read(&file).with_context(|| format!("read {}", file.display()))?;
        let unprivileged = described.is_none() && is_unprivileged(&request);
        let layout = if described.is_some() { None } else { cgroups::layout(&request, unprivileged)? };
        log.lap("read the bundle and probe the cgroups");
        let with_cgroup = described.is_some() || layout.is_some();
        let compile = |spec: &Spec| -> Result<Result<(Plan, Option<Place>), Problems>> {
            let host = match described {
                Some(host) => host.clone(),
                None => host::probe(spec, &bundle, layout.as_ref())?,
            };
            log.debug(|| format!("found: {host:?}"));
            let mut problems = Problems::default();
            let place = cgroups::place(spec, &request, with_cgroup, &mut problems);
            let mut overrides = overrides(&request, &bundle, runs);
            if let Some((bind, entry)) = state.and_then(|state| sd_notify::overrides(spec, state)) {
                overrides.extra_binds.push(bind);
                overrides.environment.push(entry);
            }
            Ok(match plan::compile(spec, &host, &overrides) {
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
                return Err(ProblemReport::from(rejected.with(&more)).into());
            }
        };
        log.lap("read config.json");
        let (mut plan, place) = compile(&loaded.spec)?.map_err(ProblemReport::from)?;
        log.lap("probe the host and compile the plan");
        if log.is_debug() {
            plan.outline().decisions().for_each(|decision| log.debug(|| format!("decided: {decision}")));
        }
        plan.warnings.splice(0..0, loaded.warnings);
        for warning in &plan.warnings {
            log.warning(warning);
        }
        let notify = state.and_then(|state| sd_notify::overrides(&loaded.spec, state)).map(|((source, _), _)| source);
        let snapshot = loaded.snapshot.map_or(bytes, String::into_bytes);
        let spec = loaded.spec;
        Ok(Box::new(Build {
            spec,
            plan,
            snapshot,
            bundle,
            place,
            layout,
            runs,
            restores: false,
            unprivileged,
            request,
            notify,
        }))
    }

    /// Whether the program gets a terminal.
    pub(crate) fn has_terminal(&self) -> bool {
        self.spec.process().as_ref().and_then(oci_spec::runtime::Process::terminal).unwrap_or(false)
    }

    /// See [`console::check`].
    pub(crate) fn check_console(&self, detached: bool) -> Result<()> {
        console::check(self.has_terminal(), self.request.console_socket.is_some(), detached)
    }

    /// The path of the root file system on the host.
    pub(crate) fn rootfs(&self) -> PathBuf {
        let root = self.spec.root().as_ref().map(|root| self.bundle.join(root.path())).unwrap_or_default();
        fs::canonicalize(&root).unwrap_or(root)
    }

    pub(super) fn record(&self) -> Result<Record> {
        let rootfs = self.rootfs();
        let hooks = self.spec.hooks().as_ref();
        Ok(Record {
            version: crate::container::state::record::VERSION,
            id: self.request.id.as_str().to_owned(),
            bundle: self.bundle.clone(),
            rootfs,
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
            root_mount: None,
            steps_after_start: if self.runs { Vec::new() } else { launch::steps_after_start(&self.plan) },
        })
    }

    /// The hooks that the container's process runs, with their state documents.
    pub(super) fn container_hooks(&self, record: &Record) -> Result<ContainerHooks> {
        let Some(hooks) = self.spec.hooks() else { return Ok(ContainerHooks::default()) };
        let own = caller::environment();
        let prepare = |list: Option<&Vec<_>>, environment: &[_]| -> Vec<Prepared> {
            hooks_of(list).iter().map(|hook| Prepared::new(hook, environment)).collect()
        };
        // These hooks run before pivot_root, so the bundle's path exists.
        let create_container = prepare(hooks.create_container().as_ref(), &own);
        let create_container: Vec<_> =
            create_container.into_iter().map(|hook| hook.in_directory(&self.bundle)).collect();
        // A startContainer hook without an environment gets the program's: runc does so, and users rely on it.
        let start_container = prepare(hooks.start_container().as_ref(), &self.plan.program.environment);
        if create_container.is_empty() && start_container.is_empty() {
            return Ok(ContainerHooks::default());
        }
        let document = |status| crate::container::hooks::state_document(record, status);
        let states = [document(Status::Creating)?, document(Status::Created)?];
        Ok(ContainerHooks { create_container, start_container, states })
    }
}

/// Whether the caller lacks root's privileges.
fn is_unprivileged(request: &CreateRequest) -> bool {
    match request.rootless {
        Rootless::True => true,
        Rootless::False => false,
        Rootless::Auto => crate::sys::process::effective_uid() != 0 || host::in_user_namespace(),
    }
}

fn overrides(request: &CreateRequest, bundle: &Path, runs: bool) -> Request {
    let listen_fds = listen_fds::listen_fds();
    let environment = listen_fds::listen_environment(listen_fds);
    Request {
        id: request.id.as_str().to_owned(),
        bundle: bundle.to_owned(),
        run: runs,
        scope: request.cgroup_manager == CgroupManager::Systemd,
        no_pivot: request.no_pivot,
        no_new_keyring: request.no_new_keyring,
        preserve_fds: listen_fds::inherited_from_three(listen_fds.saturating_add(request.preserve_fds)),
        environment,
        extra_binds: Vec::new(),
    }
}
