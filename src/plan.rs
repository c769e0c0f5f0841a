//! Every decision, made before any process, mount or cgroup exists: `compile` turns what the user wrote and what this
//! host is into a `Plan`, or into all problems at once.
//!
//! Pure: calls no kernel, holds no descriptor, is never written to disk. `order` is the boot order and the first file
//! to read.

pub(crate) mod act;
mod annotations;
mod check;
mod masked_paths;
mod devices;
mod filter;
mod hooks;
mod identity;
mod last_steps;
mod mounts;
pub(crate) mod namespaces;
mod net_devices;
pub(crate) mod options;
mod order;
mod outline;
mod parameters;
pub(crate) mod placement;
mod process;
mod propagation;
mod resctrl;
pub(crate) mod resources;
mod steps;
pub(crate) mod systemd_scope;
mod sysctls;
mod validate;

use crate::spec::pointer::Pointer;
use crate::spec::problem::Problems;
use act::Act;
use oci_spec::runtime::{Process, Spec};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CString;
use std::path::{Path, PathBuf};

pub(crate) use hooks::hooks_of;

/// What will happen.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// Which namespaces clone3 makes and which are joined.
    pub(crate) namespaces: namespaces::Namespaces,
    /// Descriptors the parent opens for the child before the clone, in the order of their slots.
    pub(crate) passed_fds: Vec<PassedFd>,
    /// What the child does, first breath to execve.
    pub(crate) init: Vec<Step>,
    /// The program and its surroundings.
    pub(crate) program: Program,
    /// The parent parts from the runtime's executable itself, because the child can be seen from its first moment.
    pub(crate) detach_exe_before_clone: bool,
    /// Resource limits the parent sets at `Gate::Limits`.
    pub(crate) parent_rlimits: Vec<Step>,
    /// What the cgroup is told.
    pub(crate) resources: resources::ResourcePlan,
    /// The resctrl group the container's processes are in.
    pub(crate) resctrl: Option<Resctrl>,
    /// Interfaces of the host that the container gets.
    pub(crate) net_devices: Vec<NetDevice>,
    /// What was noticed and does not stop anything.
    pub(crate) warnings: Vec<String>,
}

/// `linux.intelRdt`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resctrl {
    /// The group: `None` is the root of resctrl.
    pub(crate) group: Option<String>,
    /// The configuration names the group, so it is not this container's to remove.
    pub(crate) shared: bool,
    /// Lines of `l3CacheSchema`, then of `memBwSchema`: a group that exists must agree with them.
    pub(crate) agreed: Vec<String>,
    /// Lines of `schemata`.
    pub(crate) schemata: Vec<String>,
    /// The name of the monitoring group to make, if one is asked for.
    pub(crate) monitor: Option<String>,
}

/// An interface of the host that moves to the container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NetDevice {
    /// Where the configuration asks for it.
    pub(crate) origin: Pointer,
    /// Its name on the host.
    pub(crate) name: String,
    /// Its name in the container, or a template for one (`eth%d`).
    pub(crate) inside: String,
}

/// One step of the child: an act, and the place in the configuration that asks for it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Step {
    /// Where in `config.json`; the section, where no single member asks for the act.
    pub(crate) origin: Pointer,
    /// What.
    pub(crate) act: Act,
}

/// What execve gets.
#[derive(Debug, Clone, Default)]
pub(crate) struct Program {
    /// The argument vector.
    pub(crate) arguments: Vec<CString>,
    /// The environment, duplicates removed, the last one winning.
    pub(crate) environment: Vec<CString>,
    /// Directories searched for a program without a slash.
    pub(crate) search: Vec<CString>,
}

/// Something the parent opens for the child.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum PassedFd {
    /// A namespace file: its kind as CLONE_NEW*, its path.
    Namespace { origin: Pointer, kind: u64, path: PathBuf },
    /// A detached mount.
    Tree { origin: Pointer, source: PathBuf, recursive: bool, id_map: Option<IdMap> },
    /// The pidfd of the process whose namespaces are joined.
    Process,
    /// The user namespace that the container was created with.
    UserNamespace,
}

/// Which ids an idmapped mount shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum IdMap {
    /// As the container's user namespace maps them.
    Container { recursive: bool },
    /// By these maps, as lines for uid_map and gid_map.
    Own { recursive: bool, uids: String, gids: String },
}

/// What the caller asks for, beside the configuration.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    /// The container's name.
    pub(crate) id: String,
    /// Absolute path of the bundle.
    pub(crate) bundle: PathBuf,
    /// Start without waiting for `start`.
    pub(crate) run: bool,
    /// The cgroup is a scope of systemd, which is made around the process when that is there already.
    pub(crate) scope: bool,
    /// `--no-pivot`.
    pub(crate) no_pivot: bool,
    /// `--no-new-keyring`.
    pub(crate) no_new_keyring: bool,
    /// Descriptors above 2 that the program gets, those of `--preserve-fds` and LISTEN_FDS that the caller gave.
    pub(crate) preserve_fds: Vec<i32>,
    /// Environment entries the runtime adds.
    pub(crate) environment: Vec<String>,
    /// Mounts the runtime adds after the configuration's own.
    pub(crate) extra_binds: Vec<(PathBuf, String)>,
}

/// What this host and this caller are, as far as decisions depend on it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Host {
    /// Whether the caller has CAP_SYS_ADMIN.
    pub(crate) privileged: bool,
    /// Whether the caller may clone mounts of its mount namespace for a child that may not: not when that namespace
    /// belongs to an outer user namespace. Looked at only for a container with a user namespace.
    pub(crate) can_clone_mounts: bool,
    /// Whether the caller, once it has entered another pid namespace, may not go back. Looked at only where one is
    /// joined.
    pub(crate) cannot_return: bool,
    /// Whether procfs can be mounted for another pid namespace (its option `pidns`, Linux 6.17). Probed only where one
    /// is joined.
    pub(crate) procfs_takes_pid_namespace: bool,
    /// The caller's effective user and group id.
    pub(crate) ids: (u32, u32),
    /// Whether setgroups(2) is denied in the caller's user namespace, and so in all below it.
    pub(crate) setgroups_denied: bool,
    /// Highest capability number of this kernel.
    pub(crate) last_capability: u32,
    /// What the caller is permitted: nothing else can be granted, except in a user namespace of the container's own.
    pub(crate) permitted: u64,
    /// Whether a process may name another executable as its own.
    pub(crate) can_detach_exe: bool,
    /// Whether AppArmor is on.
    pub(crate) apparmor: bool,
    /// Whether SELinux is on.
    pub(crate) selinux: bool,
    /// Whether the root file system is a directory; the reason when not.
    pub(crate) root: Option<Result<(), String>>,
    /// What each namespace path of the configuration leads to: a CLONE_NEW* kind, or why not.
    pub(crate) namespaces: BTreeMap<PathBuf, Result<u64, String>>,
    /// Those of the paths that lead to a namespace the caller is in itself.
    pub(crate) own_namespaces: BTreeSet<PathBuf>,
    /// The controllers of this host.
    pub(crate) cgroup: resources::CgroupFacts,
}

impl Host {
    /// Whether a process with these namespaces may call setgroups(2): not in a user namespace whose maps an
    /// unprivileged caller writes, because that takes denying it first (user_namespaces(7)).
    fn may_set_groups(&self, namespaces: &namespaces::Namespaces) -> bool {
        let own_ids = |maps: &namespaces::Maps| maps.writer == namespaces::Writer::OwnIds;
        !self.setgroups_denied && !namespaces.maps.as_ref().is_some_and(own_ids)
    }
}

/// Decides everything about a new container.
pub(crate) fn compile(spec: &Spec, host: &Host, request: &Request) -> Result<Plan, Problems> {
    let mut plan = order::create(spec, host, request).and_then(countable)?;
    if request.scope {
        systemd_scope::round_quota(&mut plan.resources);
    }
    checked(&plan);
    Ok(plan)
}

/// Decides everything about another process in the container that `spec` describes.
pub(crate) fn compile_exec(spec: &Spec, process: &Process, host: &Host, exec: &Exec) -> Result<Plan, Problems> {
    order::exec(spec, process, host, exec).inspect(checked)
}

/// A failing child names its step with 16 bits.
fn countable(plan: Plan) -> Result<Plan, Problems> {
    let mut problems = Problems::default();
    if plan.init.len() > usize::from(u16::MAX) {
        let what = format!("asks for {} steps; at most {} are possible", plan.init.len(), u16::MAX);
        problems.add(Pointer::of(""), what);
    }
    problems.or(plan)
}

/// Debug builds hold every plan against the rules; a plan that breaks one is a mistake in `order`.
fn checked(plan: &Plan) {
    debug_assert_eq!(check::breaches(plan), Vec::<String>::new(), "the plan breaks rules of its own");
}

/// The resctrl group of a container with this configuration, if it has one.
pub(crate) fn resctrl_group(spec: &Spec, id: &str) -> Option<Resctrl> {
    resctrl::compile(spec.linux().as_ref(), id)
}

/// The CPUs on which the runtime itself is to be before it enters the container's cgroup, as words of bits
/// (`execCPUAffinity.initial`).
pub(crate) fn initial_cpus(process: &Process) -> Option<Vec<u64>> {
    let list = process.exec_cpu_affinity().as_ref()?.initial().as_deref()?;
    Some(process::bits(list)).filter(|words| !words.is_empty())
}

/// What the caller of exec asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exec {
    /// CLONE_NEW* kinds in which the container's process differs from the caller.
    pub(crate) namespaces: u64,
    /// The container's root, where it has no mount namespace that leads there.
    pub(crate) root: Option<PathBuf>,
    /// The container's process has moved on to another user namespace than the container was created with.
    pub(crate) user_namespace_changed: bool,
    /// Stay in the caller's session keyring.
    pub(crate) no_new_keyring: bool,
    /// Entries added to the environment: socket activation.
    pub(crate) environment: Vec<String>,
    /// Descriptors above 2 that the program gets.
    pub(crate) preserve_fds: Vec<i32>,
}

impl Host {
    /// Where to detach from the executable, as (parent, child). A new PID namespace hides the child until it is done;
    /// in one that is shared the parent does it before the clone, if it has the right.
    fn detach_exe(&self, is_hidden: bool) -> (bool, bool) {
        let in_parent = self.can_detach_exe && !is_hidden && self.privileged;
        (in_parent, self.can_detach_exe && !in_parent)
    }
}

/// Collects what goes wrong and what is worth a word while a plan is made.
#[derive(Default)]
pub(crate) struct Notes {
    pub(crate) problems: Problems,
    pub(crate) warnings: Vec<String>,
}

/// A string as the kernel takes it; a NUL inside is a problem at `at`.
fn c_string(text: impl Into<Vec<u8>>, at: &Pointer, problems: &mut Problems) -> CString {
    CString::new(text).unwrap_or_else(|_| {
        problems.add(at.clone(), "contains a NUL byte");
        CString::default()
    })
}

/// A path as the kernel takes it.
fn c_path(path: &Path, at: &Pointer, problems: &mut Problems) -> CString {
    use std::os::unix::ffi::OsStrExt;
    c_string(path.as_os_str().as_bytes(), at, problems)
}
