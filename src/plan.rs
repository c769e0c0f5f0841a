//! Makes every decision before any process, mount or cgroup exists: `compile` turns a configuration and facts about
//! this host into a `Plan`, or reports all problems at once.
//!
//! Pure: makes no system calls and holds no file descriptors, and a plan is never written to disk. Start reading at
//! `order`, which decides the order of all steps.

pub(crate) mod act;
mod annotations;
mod check;
pub(crate) mod checkpoint;
pub(crate) mod criu;
mod devices;
pub(crate) mod difference;
mod filter;
mod hooks;
mod identity;
mod last_steps;
mod masked_paths;
mod mounts;
pub(crate) mod landlock;
pub(crate) mod namespaces;
mod net_devices;
mod number_list;
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

/// All decisions about a new container, or about an additional process.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// The namespaces that clone3 creates, and those that are joined.
    pub(crate) namespaces: namespaces::Namespaces,
    /// Descriptors the parent opens for the child before the clone, in the order of their slots.
    pub(crate) passed_fds: Vec<PassedFd>,
    /// The namespaces that the intermediate process joins, in order, if there is such a process.
    pub(crate) intermediate: Vec<Step>,
    /// The steps of the child, from the clone to execve.
    pub(crate) init: Vec<Step>,
    /// The program, its arguments and its environment.
    pub(crate) program: Program,
    /// Whether the parent replaces its own /proc/self/exe before the clone, because containers can see the child from
    /// the clone on.
    pub(crate) detach_exe_before_clone: bool,
    /// Resource limits the parent sets at `Gate::Limits`.
    pub(crate) parent_rlimits: Vec<Step>,
    /// The limits and device rules of the cgroup.
    pub(crate) resources: resources::ResourcePlan,
    /// The resctrl group of the container's processes.
    pub(crate) resctrl: Option<Resctrl>,
    /// Network interfaces of the host that move into the container.
    pub(crate) net_devices: Vec<NetDevice>,
    /// Warnings: observations that do not prevent the container from running.
    pub(crate) warnings: Vec<String>,
}

/// `linux.intelRdt`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resctrl {
    /// The group. `None` is the root of resctrl.
    pub(crate) group: Option<String>,
    /// The configuration names the group, so the runtime does not remove it.
    pub(crate) shared: bool,
    /// Lines of `l3CacheSchema`, then of `memBwSchema`. An existing group must have the same values.
    pub(crate) agreed: Vec<String>,
    /// Lines of `schemata`.
    pub(crate) schemata: Vec<String>,
    /// The name of the monitoring group to make, if the configuration requests one.
    pub(crate) monitor: Option<String>,
}

/// A network interface of the host that moves into the container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NetDevice {
    /// The member of the configuration that requests it.
    pub(crate) origin: Pointer,
    /// Its name on the host.
    pub(crate) name: String,
    /// Its name in the container, or a template for a name (`eth%d`).
    pub(crate) inside: String,
}

/// One step of the child: an act, and the place in the configuration that requests it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Step {
    /// The member of `config.json` that requests the act, or the section if no single member does.
    pub(crate) origin: Pointer,
    /// The act.
    pub(crate) act: Act,
}

/// The arguments of execve.
#[derive(Debug, Clone, Default)]
pub(crate) struct Program {
    /// The argument vector.
    pub(crate) arguments: Vec<CString>,
    /// The environment, without duplicates: the last entry of a name counts.
    pub(crate) environment: Vec<CString>,
    /// Directories searched for a program without a slash.
    pub(crate) search: Vec<CString>,
}

/// A file descriptor that the parent opens for the child.
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

/// The id mapping of an idmapped mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum IdMap {
    /// The mapping of the container's user namespace.
    Container { recursive: bool },
    /// A mapping of its own, as lines of uid_map and gid_map.
    Own { recursive: bool, uids: String, gids: String },
}

/// The caller's request, besides the configuration.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    /// The container id.
    pub(crate) id: String,
    /// Absolute path of the bundle.
    pub(crate) bundle: PathBuf,
    /// Start without waiting for `start`.
    pub(crate) run: bool,
    /// The cgroup is a systemd scope, which systemd creates after the process exists.
    pub(crate) scope: bool,
    /// `--no-pivot`.
    pub(crate) no_pivot: bool,
    /// `--no-new-keyring`.
    pub(crate) no_new_keyring: bool,
    /// Descriptors above 2 that the program inherits: those of `--preserve-fds` and LISTEN_FDS.
    pub(crate) preserve_fds: Vec<i32>,
    /// Environment entries the runtime adds.
    pub(crate) environment: Vec<String>,
    /// Mounts the runtime adds after the configuration's own.
    pub(crate) extra_binds: Vec<(PathBuf, String)>,
}

/// Facts about this host and the caller that decisions depend on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Host {
    /// Whether the caller has CAP_SYS_ADMIN.
    pub(crate) privileged: bool,
    /// Whether the caller may clone mounts of its mount namespace for a child that may not. It may not if that
    /// namespace belongs to an outer user namespace. Probed only for a container with a user namespace.
    pub(crate) can_clone_mounts: bool,
    /// Whether the caller cannot return to its own pid namespace after it has entered another one. Probed only if one
    /// is joined.
    pub(crate) cannot_return: bool,
    /// Whether procfs can be mounted for another pid namespace (its option `pidns`, Linux 6.17). Probed only if one is
    /// joined.
    pub(crate) procfs_takes_pid_namespace: bool,
    /// The caller's effective user and group id.
    pub(crate) ids: (u32, u32),
    /// Whether setgroups(2) is denied in the caller's user namespace, and so in its descendants.
    pub(crate) setgroups_denied: bool,
    /// Highest capability number of this kernel.
    pub(crate) last_capability: u32,
    /// The caller's permitted capabilities. Others can be granted only in the container's own user namespace.
    pub(crate) permitted: u64,
    /// Whether a process can replace its /proc/self/exe.
    pub(crate) can_detach_exe: bool,
    /// Whether AppArmor is enabled.
    pub(crate) apparmor: bool,
    /// Whether SELinux is enabled.
    pub(crate) selinux: bool,
    /// The ABI version of Landlock; 0 without it. Probed only for a container with the annotation.
    pub(crate) landlock: u32,
    /// Whether the root file system is a directory, or the reason why not.
    pub(crate) root: Option<Result<(), String>>,
    /// The kind (CLONE_NEW*) of the namespace at each path of the configuration, or the reason why there is none.
    pub(crate) namespaces: BTreeMap<PathBuf, Result<u64, String>>,
    /// The paths of namespaces that the caller itself is in.
    pub(crate) own_namespaces: BTreeSet<PathBuf>,
    /// Those of the paths that lead to a namespace outside of the joined user namespace and those below it.
    pub(crate) outside_user_namespace: BTreeSet<PathBuf>,
    /// The controllers of this host.
    pub(crate) cgroup: resources::CgroupFacts,
}

impl Host {
    /// Whether a process with these namespaces may call setgroups(2). It may not if an unprivileged caller writes the
    /// maps of its user namespace, because the caller must deny setgroups(2) first (user_namespaces(7)).
    fn may_set_groups(&self, namespaces: &namespaces::Namespaces) -> bool {
        let own_ids = |maps: &namespaces::Maps| maps.writer == namespaces::Writer::OwnIds;
        !self.setgroups_denied && !namespaces.maps.as_ref().is_some_and(own_ids)
    }
}

/// Compiles the plan of a new container.
pub(crate) fn compile(spec: &Spec, host: &Host, request: &Request) -> Result<Plan, Problems> {
    let mut plan = order::create(spec, host, request).and_then(countable)?;
    if request.scope {
        systemd_scope::round_quota(&mut plan.resources);
    }
    checked(&plan);
    Ok(plan)
}

/// Compiles the plan of an additional process in the container that `spec` describes.
pub(crate) fn compile_exec(spec: &Spec, process: &Process, host: &Host, exec: &Exec) -> Result<Plan, Problems> {
    order::exec(spec, process, host, exec).inspect(checked)
}

/// Refuses a plan with too many steps: a failing child reports the number of its step in 16 bits.
fn countable(plan: Plan) -> Result<Plan, Problems> {
    let mut problems = Problems::default();
    if plan.init.len() > usize::from(u16::MAX) {
        let what = format!("needs {} steps; the maximum is {}", plan.init.len(), u16::MAX);
        problems.add(Pointer::of(""), what);
    }
    problems.or(plan)
}

/// Checks the rules for every plan in debug builds. A broken rule is a bug in `order`.
fn checked(plan: &Plan) {
    debug_assert_eq!(check::breaches(plan), Vec::<String>::new(), "the plan breaks rules of its own");
}

/// Whether the program of this configuration has a seccomp filter.
pub(crate) fn has_filter(spec: &Spec) -> bool {
    spec.linux().as_ref().is_some_and(|linux| linux.seccomp().is_some())
}

/// The resctrl group of a container with this configuration, if it has one.
pub(crate) fn resctrl_group(spec: &Spec, id: &str) -> Option<Resctrl> {
    resctrl::compile(spec.linux().as_ref(), id)
}

/// The CPUs on which the runtime itself runs until it enters the container's cgroup (`execCPUAffinity.initial`), as a
/// bit mask.
pub(crate) fn initial_cpus(process: &Process) -> Option<Vec<u64>> {
    let list = process.exec_cpu_affinity().as_ref()?.initial().as_deref()?;
    Some(number_list::bits(list)).filter(|words| !words.is_empty())
}

/// The request of an `exec` caller.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exec {
    /// CLONE_NEW* kinds in which the container's process differs from the caller.
    pub(crate) namespaces: u64,
    /// The container's root, if the container has no mount namespace with that root.
    pub(crate) root: Option<PathBuf>,
    /// The container's process has moved to another user namespace since the container was created.
    pub(crate) user_namespace_changed: bool,
    /// Stay in the caller's session keyring.
    pub(crate) no_new_keyring: bool,
    /// Entries added to the environment: socket activation.
    pub(crate) environment: Vec<String>,
    /// Descriptors above 2 that the program inherits.
    pub(crate) preserve_fds: Vec<i32>,
}

impl Host {
    /// Which process detaches from the executable, as (parent, child). A new pid namespace hides the child until it has
    /// done so. In a shared one, the parent detaches before the clone if it is privileged.
    fn detach_exe(&self, is_hidden: bool) -> (bool, bool) {
        let in_parent = self.can_detach_exe && !is_hidden && self.privileged;
        (in_parent, self.can_detach_exe && !in_parent)
    }
}

/// Collects problems and warnings while a plan is compiled.
#[derive(Default)]
pub(crate) struct Notes {
    pub(crate) problems: Problems,
    pub(crate) warnings: Vec<String>,
}

/// Converts a string for the kernel. A NUL byte is a problem at `at`.
fn c_string(text: impl Into<Vec<u8>>, at: &Pointer, problems: &mut Problems) -> CString {
    CString::new(text).unwrap_or_else(|_| {
        problems.add(at.clone(), "contains a NUL byte");
        CString::default()
    })
}

/// Converts a path for the kernel.
fn c_path(path: &Path, at: &Pointer, problems: &mut Problems) -> CString {
    use std::os::unix::ffi::OsStrExt;
    c_string(path.as_os_str().as_bytes(), at, problems)
}
