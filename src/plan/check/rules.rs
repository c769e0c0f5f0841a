//! Tables of rules: how often acts occur and in which order, each with its reason.
//!
//! Leaves applying the rules, and rules that need more than a table, to the parent module.

use crate::plan::act::{Act, Gate};
use crate::plan::landlock::Landlock;
use crate::plan::namespaces::{MOUNT, PID};

/// A set of acts.
type Acts = fn(&Act) -> bool;

/// How often acts of a set occur in a plan.
pub(super) struct Count {
    pub(super) acts: Acts,
    /// Minimum and maximum, for the init process of a container.
    pub(super) create: (usize, usize),
    /// Minimum and maximum, for an additional process.
    pub(super) exec: (usize, usize),
    pub(super) why: &'static str,
}

/// Every act of one set comes before every act of another set.
pub(super) struct Before {
    pub(super) earlier: Acts,
    pub(super) later: Acts,
    pub(super) why: &'static str,
}

/// After the first act of one set, only acts of another set follow.
pub(super) struct After {
    pub(super) once: Acts,
    pub(super) only: Acts,
    pub(super) why: &'static str,
}

const ONCE: (usize, usize) = (1, 1);
const NEVER: (usize, usize) = (0, 0);
const AT_MOST_ONCE: (usize, usize) = (0, 1);

const fn both(acts: Acts, number: (usize, usize), why: &'static str) -> Count {
    Count { acts, create: number, exec: number, why }
}

const fn only_create(acts: Acts, number: (usize, usize), why: &'static str) -> Count {
    Count { acts, create: number, exec: NEVER, why }
}

/// How often acts occur.
#[rustfmt::skip]
pub(super) const COUNT: &[Count] = &[
    both(|a| *a == Act::Execute, ONCE, "one program is executed"),
    both(|a| *a == Act::CloseDescriptors, ONCE, "descriptors leaked by the caller are closed by execve"),
    both(|a| *a == Act::NewSession, ONCE, "the process leads a session of its own"),
    both(|a| *a == Act::ResetInherited, ONCE, "the program starts without the caller's signal dispositions and personality"),
    both(|a| matches!(a, Act::SetUser { .. }), ONCE, "the user is set, even if it is root, because the groups are the caller's"),
    both(|a| matches!(a, Act::SetUmask(_)), ONCE, "the umask is set, because it is 0 until then"),
    both(|a| matches!(a, Act::ChangeDirectory(_)), ONCE, "the working directory is the container's"),
    both(|a| matches!(a, Act::CheckDirectory(_)), ONCE, "the working directory is checked to be inside (CVE-2024-21626)"),
    both(|a| *a == Act::FindProgram, ONCE, "a program that cannot be executed is reported before start"),
    both(|a| matches!(a, Act::AwaitStart(_)), ONCE, "the process waits for its start"),
    both(|a| *a == Act::DetachExe, AT_MOST_ONCE, "the executable is detached from once"),
    both(|a| *a == Act::BecomeRoot, AT_MOST_ONCE, "`BecomeRoot` appears at most once"),
    both(|a| *a == Act::NoNewPrivileges, AT_MOST_ONCE, "no_new_privs is set once"),
    both(|a| matches!(a, Act::LimitBounding(_)), AT_MOST_ONCE, "the bounding set is limited once"),
    both(|a| matches!(a, Act::InstallFilter(_)), AT_MOST_ONCE, "one filter is installed"),
    both(|a| *a == Act::Landlock(Landlock::Restrict), AT_MOST_ONCE, "one Landlock domain is entered"),
    both(|a| matches!(a, Act::OpenTerminal { .. }), AT_MOST_ONCE, "there is one terminal"),
    Count { acts: opens_root, create: ONCE, exec: AT_MOST_ONCE, why: "the root is opened" },
    Count { acts: enters_root, create: ONCE, exec: AT_MOST_ONCE, why: "the root is entered" },
    Count { acts: |a| *a == Act::LeaveGroups, create: NEVER, exec: AT_MOST_ONCE, why: "the caller's groups are dropped at most once" },
    Count { acts: |a| matches!(a, Act::EnterPidNamespace { .. }), create: AT_MOST_ONCE, exec: AT_MOST_ONCE, why: "a pid namespace is entered once" },
    only_create(|a| *a == Act::Await(Gate::Cgroup), AT_MOST_ONCE, "an additional process does not wait for a scope"),
    only_create(|a| *a == Act::Await(Gate::Host), AT_MOST_ONCE, "the process waits for the host side at most once"),
    only_create(|a| *a == Act::CloseHost, ONCE, "host descriptors are closed before paths of the image are resolved"),
    only_create(mounts, (0, usize::MAX), "an additional process mounts nothing"),
    only_create(makes_nodes, (0, usize::MAX), "an additional process makes no devices"),
    only_create(restricts_paths, (0, usize::MAX), "an additional process restricts no paths"),
    only_create(|a| matches!(a, Act::JoinNamespace { .. }), (0, usize::MAX), "an additional process joins all namespaces at once"),
    Count { acts: |a| matches!(a, Act::JoinProcess { .. }), create: NEVER, exec: ONCE, why: "only exec joins a process" },
];

const fn before(earlier: Acts, later: Acts, why: &'static str) -> Before {
    Before { earlier, later, why }
}

/// The order of acts.
#[rustfmt::skip]
pub(super) const BEFORE: &[Before] = &[
    before(|a| *a == Act::CloseDescriptors, runs_hook, "the caller's descriptors must not reach a hook"),
    before(|a| *a == Act::CloseHost, resolves_image_paths, "a path of the image may go through /proc/self/fd (CVE-2024-21626)"),
    before(needs_host_descriptors, |a| *a == Act::CloseHost, "acts that use host descriptors run while these are open"),
    before(|a| *a == Act::CloseDescriptors, |a| matches!(a, Act::PreserveDescriptors(_)), "preserved descriptors would be closed again"),
    before(|a| *a == Act::Await(Gate::Cgroup), is_charged, "work before the process is in its scope is charged to the caller's cgroup"),
    before(|a| *a == Act::Await(Gate::IdMaps), needs_ids, "without id maps the process has the overflow uid and no permissions"),
    before(|a| *a == Act::BecomeRoot, needs_root, "only root of the user namespace has capabilities in it"),
    before(|a| *a == Act::DetachExe, can_be_seen, "the executable is detached from before the container can see this process (CVE-2019-5736)"),
    before(joins_another_kind, joins_mount_namespace, "paths have another meaning in another mount namespace"),
    before(joins_namespace, opens_root, "the root is opened in the container's mount namespace"),
    before(opens_root, joins_process, "the root of a process is opened through the host's procfs, which is closed by joining"),
    before(joins, acts_in_namespace, "acts in a namespace would affect the caller's namespace"),
    before(|a| *a == Act::NewCgroupNamespace, |a| matches!(a, Act::MountCgroup(_)), "a cgroup mount shows the cgroup namespace of the process that mounts it"),
    before(|a| *a == Act::NewSession, opens_terminals, "a terminal opened before setsid would belong to the caller's session"),
    before(|a| matches!(a, Act::SetPropagation(_)), opens_root, "until the propagation is set, mounts appear on the host"),
    before(|a| matches!(a, Act::SetPropagation(_)), mounts, "until the propagation is set, mounts appear on the host"),
    before(opens_root, mounts, "mounts are made in an open root"),
    before(opens_root, makes_nodes, "devices are made in an open root"),
    before(mounts, |a| *a == Act::Await(Gate::Host), "hooks on the host side see the container's mounts"),
    before(makes_nodes, |a| *a == Act::Await(Gate::Host), "hooks on the host side see the container's devices"),
    before(|a| *a == Act::Await(Gate::Host), create_hook, "createRuntime hooks run before createContainer hooks"),
    before(create_hook, enters_root, "createContainer hooks run while the host's paths exist"),
    before(|a| *a == Act::Await(Gate::Host), enters_root, "createRuntime hooks run before pivot_root"),
    before(enters_root, |a| matches!(a, Act::SetRootPropagation(_)), "a shared root cannot be pivoted to"),
    before(enters_root, restricts_paths, "the container's paths are restricted, not the host's"),
    before(enters_root, works_inside, "the container's directories and terminals are inside its root"),
    before(makes_inside, restricts_paths, "files must be made before paths are read-only"),
    before(makes_inside, |a| matches!(a, Act::ChangeDirectory(_)), "the working directory is made before it is entered"),
    before(|a| matches!(a, Act::OpenTerminal { .. }), |a| matches!(a, Act::OwnStandardStreams { .. }), "the user also owns the terminal"),
    before(makes_files, |a| matches!(a, Act::SetUmask(_)), "files are made with their full modes"),
    before(mounts, |a| matches!(a, Act::Landlock(_)), "a process in a Landlock domain may not mount"),
    before(|a| *a == Act::NoNewPrivileges, |a| matches!(a, Act::Landlock(_)), "Landlock without privilege needs no_new_privs"),
    before(|a| matches!(a, Act::Landlock(_)), |a| matches!(a, Act::InstallFilter(_)), "the filter may forbid Landlock's calls"),
    before(|a| *a == Act::NoNewPrivileges, |a| matches!(a, Act::InstallFilter(_)), "installing a filter without privilege needs no_new_privs"),
    before(|a| matches!(a, Act::LimitBounding(_)), |a| matches!(a, Act::SetUser { .. }), "limiting the bounding set needs CAP_SETPCAP, which an unprivileged user does not have"),
    before(|a| matches!(a, Act::SetUser { .. }), |a| matches!(a, Act::SetCapabilities { .. }), "changing ids needs capabilities, and changes them"),
    before(|a| matches!(a, Act::SetUser { .. }), |a| *a == Act::FindProgram, "the program is resolved with the user's rights"),
    before(|a| matches!(a, Act::SetUser { .. }), |a| matches!(a, Act::CheckDirectory(_)), "the user enters a directory that root may not enter"),
    before(|a| matches!(a, Act::ChangeDirectory(_)), |a| *a == Act::FindProgram, "a relative program is resolved from the working directory"),
    before(|a| *a == Act::FindProgram, |a| matches!(a, Act::AwaitStart(_)), "a program that cannot be executed is reported before start"),
    before(|a| matches!(a, Act::AwaitStart(_)), |a| matches!(a, Act::FindHome { .. }), "the image is read after the device program is attached"),
    before(|a| matches!(a, Act::LeaveGroups), joins_process, "the user namespace may deny setgroups after it is joined"),
    before(joins_process, |a| matches!(a, Act::EnterPidNamespace { .. }), "a pid namespace is entered after it was joined"),
    before(joins_pid_namespace, |a| matches!(a, Act::EnterPidNamespace { .. }), "a pid namespace is entered after it was joined"),
    before(create_hook, joins_pid_namespace, "a createContainer hook must not run in the container's pid namespace"),
    before(joins_pid_namespace, |a| *a == Act::CloseHost, "the namespace is joined while its descriptor is open"),
    before(|a| matches!(a, Act::FindProgram), |a| matches!(a, Act::EnterPidNamespace { .. }), "work that does not need the pid namespace is done before entering it"),
    before(|a| matches!(a, Act::EnterPidNamespace { .. }), |a| matches!(a, Act::AwaitStart(_)), "the process that waits for the start is the program's process"),
    before(|a| matches!(a, Act::AwaitStart(_)), start_hook, "startContainer hooks run at start"),
    before(start_hook, |a| matches!(a, Act::PreserveDescriptors(_)), "the program's descriptors must not reach a hook"),
];

/// The acts that may follow others.
pub(super) const AFTER: &[After] = &[
    After {
        once: |a| matches!(a, Act::SetUser { .. }),
        only: |a| {
            is_final(a)
                || finds_program_or_home(a)
                || matches!(a, Act::SetUmask(_) | Act::CheckDirectory(_) | Act::Landlock(_))
        },
        why: "no act that needs privilege follows the change of user",
    },
    After {
        once: |a| matches!(a, Act::SetCapabilities { .. }),
        only: |a| is_final(a) || *a == Act::FindProgram || matches!(a, Act::Landlock(_)),
        why: "no act that needs privilege follows the drop of capabilities",
    },
    After {
        once: |a| matches!(a, Act::AwaitStart(_)),
        only: is_final,
        why: "all preparation is done before the wait for start",
    },
    After {
        once: |a| matches!(a, Act::InstallFilter(_)),
        only: is_final,
        why: "the filter must permit the acts that follow it",
    },
    After { once: |a| *a == Act::Execute, only: |_| false, why: "no act follows execve" },
];

/// Acts that no member of the document requests: those that every process needs, those of flags and of the runtime's
/// own mounts, and those that an additional process needs to join a container.
pub(super) fn has_no_member(act: &Act) -> bool {
    matches!(
        act,
        Act::CloseDescriptors
            | Act::CloseHost
            | Act::LeaveGroups
            | Act::EnterPidNamespace { .. }
            | Act::DetachExe
            | Act::JoinProcess { .. }
            | Act::BecomeRoot
            | Act::NewSession
            | Act::NewSessionKeyring
            | Act::OpenRoot(_)
            | Act::ChangeRoot
            | Act::ResetInherited
            | Act::SetCpuAffinity(_)
            | Act::AwaitStart(_)
            | Act::PreserveDescriptors(_)
            | Act::Bind(_)
    )
}

/// Acts that change the mount table.
pub(super) fn mounts(act: &Act) -> bool {
    matches!(act, Act::Mount(_) | Act::MountCgroup(_) | Act::Bind(_) | Act::Remount { .. })
}

fn makes_nodes(act: &Act) -> bool {
    matches!(act, Act::MakeDevice(_) | Act::BindDevice(..) | Act::MakeLink(_))
}

fn opens_root(act: &Act) -> bool {
    matches!(act, Act::BindRoot { .. } | Act::OpenRoot(_))
}

fn enters_root(act: &Act) -> bool {
    matches!(act, Act::PivotRoot | Act::MoveRoot | Act::ChangeRoot)
}

fn makes_inside(act: &Act) -> bool {
    matches!(act, Act::MakeWorkingDirectory(_) | Act::OpenTerminal { console: true, .. })
}

fn works_inside(act: &Act) -> bool {
    makes_inside(act) || finds_program_or_home(act) || matches!(act, Act::ChangeDirectory(_))
}

fn restricts_paths(act: &Act) -> bool {
    matches!(act, Act::ReadonlyPath(_) | Act::MaskPath(_) | Act::MakeReadonly(_) | Act::ReadonlyRoot)
}

fn makes_files(act: &Act) -> bool {
    mounts(act) || makes_nodes(act) || makes_inside(act) || restricts_paths(act)
}

fn create_hook(act: &Act) -> bool {
    matches!(act, Act::CreateContainerHook(_))
}

fn start_hook(act: &Act) -> bool {
    matches!(act, Act::StartContainerHook(_))
}

fn runs_hook(act: &Act) -> bool {
    create_hook(act) || start_hook(act)
}

fn opens_terminals(act: &Act) -> bool {
    runs_hook(act) || matches!(act, Act::OpenTerminal { .. })
}

/// Joins a namespace that the process itself enters. Only children enter a joined pid namespace.
fn joins_namespace(act: &Act) -> bool {
    matches!(act, Act::JoinNamespace { kind, .. } if *kind != PID)
}

fn joins_pid_namespace(act: &Act) -> bool {
    matches!(act, Act::JoinNamespace { kind: PID, .. })
}

fn joins_process(act: &Act) -> bool {
    matches!(act, Act::JoinProcess { .. })
}

fn joins(act: &Act) -> bool {
    joins_namespace(act) || joins_process(act)
}

fn joins_mount_namespace(act: &Act) -> bool {
    matches!(act, Act::JoinNamespace { kind: MOUNT, .. })
}

fn joins_another_kind(act: &Act) -> bool {
    matches!(act, Act::JoinNamespace { kind, .. } if ![MOUNT, PID].contains(kind))
}

fn acts_in_namespace(act: &Act) -> bool {
    mounts(act)
        || makes_nodes(act)
        || enters_root(act)
        || opens_terminals(act)
        || matches!(act, Act::SetHostname(_) | Act::SetDomainname(_) | Act::SetSysctl { .. } | Act::LoopbackUp)
        || matches!(act, Act::SetPropagation(_) | Act::ChangeDirectory(_) | Act::FindProgram)
}

fn is_charged(act: &Act) -> bool {
    !matches!(act, Act::CloseDescriptors | Act::Await(Gate::Cgroup))
}

fn needs_ids(act: &Act) -> bool {
    !matches!(act, Act::CloseDescriptors | Act::Await(Gate::IdMaps | Gate::Cgroup))
}

fn needs_root(act: &Act) -> bool {
    // These need the host's procfs, so they run before a process joins a container.
    let before_joining =
        matches!(act, Act::SetOomScore(_) | Act::SetLabel { .. } | Act::OpenRoot(_) | Act::LeaveGroups);
    needs_ids(act)
        && *act != Act::ChangeRoot
        && !before_joining
        && !joins(act)
        && !matches!(act, Act::DetachExe | Act::BecomeRoot)
}

fn can_be_seen(act: &Act) -> bool {
    joins(act) || runs_hook(act) || mounts(act) || enters_root(act) || matches!(act, Act::AwaitStart(_))
}

fn resolves_image_paths(act: &Act) -> bool {
    finds_program_or_home(act) || matches!(act, Act::ChangeDirectory(_) | Act::Execute)
}

fn needs_host_descriptors(act: &Act) -> bool {
    let by_procfs = matches!(act, Act::SetOomScore(_) | Act::SetLabel { .. } | Act::SetSysctl { .. });
    by_procfs || mounts(act) || makes_nodes(act) || restricts_paths(act) || enters_root(act) || *act == Act::DetachExe
}

fn finds_program_or_home(act: &Act) -> bool {
    matches!(act, Act::FindProgram | Act::FindHome { .. })
}

/// Acts that may come after the wait for start.
fn is_final(act: &Act) -> bool {
    start_hook(act)
        || matches!(act, Act::AwaitStart(_) | Act::PreserveDescriptors(_) | Act::InstallFilter(_))
        || matches!(
            act,
            Act::SetCapabilities { .. } | Act::EnterPidNamespace { .. } | Act::FindHome { .. } | Act::Execute
        )
}

/// Acts that an unprivileged process could not perform. `exposure` checks the final acts by the rights that they leave.
pub(super) fn needs_rights(act: &Act) -> bool {
    !is_final(act) && *act != Act::FindProgram
}
