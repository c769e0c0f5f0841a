//! The rules about how often and in which order acts come, as tables: what, and why.

use crate::plan::act::{Act, Gate};
use crate::plan::namespaces::{MOUNT, PID};

/// A set of acts.
type Acts = fn(&Act) -> bool;

/// How often acts of a set occur in a plan.
pub(super) struct Count {
    pub(super) acts: Acts,
    /// Least and most, for the first process of a container.
    pub(super) create: (usize, usize),
    /// Least and most, for a process that is added.
    pub(super) exec: (usize, usize),
    pub(super) why: &'static str,
}

/// Every act of one set comes before every act of another.
pub(super) struct Before {
    pub(super) earlier: Acts,
    pub(super) later: Acts,
    pub(super) why: &'static str,
}

/// From the first act of one set on, only acts of another follow.
pub(super) struct After {
    pub(super) once: Acts,
    pub(super) only: Acts,
    pub(super) why: &'static str,
}

const ONCE: (usize, usize) = (1, 1);
const NEVER: (usize, usize) = (0, 0);
const PERHAPS: (usize, usize) = (0, 1);

const fn both(acts: Acts, number: (usize, usize), why: &'static str) -> Count {
    Count { acts, create: number, exec: number, why }
}

const fn of_create(acts: Acts, number: (usize, usize), why: &'static str) -> Count {
    Count { acts, create: number, exec: NEVER, why }
}

/// How often.
#[rustfmt::skip]
pub(super) const COUNT: &[Count] = &[
    both(|a| *a == Act::Execute, ONCE, "one program is executed"),
    both(|a| *a == Act::CloseDescriptors, ONCE, "what the caller leaked is closed by execve"),
    both(|a| *a == Act::NewSession, ONCE, "the process leads a session of its own"),
    both(|a| *a == Act::ResetSignals, ONCE, "the program finds signals as the kernel makes them"),
    both(|a| matches!(a, Act::SetUser { .. }), ONCE, "the user is set, even where it is root: the groups are the caller's"),
    both(|a| matches!(a, Act::SetUmask(_)), ONCE, "the umask is set: until then it is 0"),
    both(|a| matches!(a, Act::ChangeDirectory(_)), ONCE, "the working directory is the container's"),
    both(|a| matches!(a, Act::CheckDirectory(_)), ONCE, "the working directory is proven to be inside (CVE-2024-21626)"),
    both(|a| *a == Act::FindProgram, ONCE, "a program that cannot be executed is told before start"),
    both(|a| matches!(a, Act::AwaitStart(_)), ONCE, "the word to start is waited for"),
    both(|a| *a == Act::DetachExe, PERHAPS, "the executable is parted from once"),
    both(|a| *a == Act::BecomeRoot, PERHAPS, "root of a user namespace is become once"),
    both(|a| *a == Act::NoNewPrivileges, PERHAPS, "no_new_privs is set once"),
    both(|a| matches!(a, Act::LimitBounding(_)), PERHAPS, "the bounding set is limited once"),
    both(|a| matches!(a, Act::InstallFilter(_)), PERHAPS, "one filter is installed"),
    both(|a| matches!(a, Act::OpenTerminal { .. }), PERHAPS, "there is one terminal"),
    Count { acts: takes_root, create: ONCE, exec: PERHAPS, why: "a root is held" },
    Count { acts: enters_root, create: ONCE, exec: PERHAPS, why: "the root is entered" },
    Count { acts: |a| *a == Act::LeaveGroups, create: NEVER, exec: PERHAPS, why: "groups are given up once" },
    Count { acts: |a| matches!(a, Act::EnterPidNamespace { .. }), create: PERHAPS, exec: PERHAPS, why: "a pid namespace is entered once" },
    of_create(|a| *a == Act::Await(Gate::Cgroup), PERHAPS, "a process that is added finds its cgroup"),
    of_create(|a| *a == Act::Await(Gate::Host), PERHAPS, "the host's side is waited for once"),
    of_create(|a| *a == Act::CloseHost, ONCE, "nothing leads to the host when the image's paths are followed"),
    of_create(mounts, (0, usize::MAX), "a process that is added mounts nothing"),
    of_create(makes_nodes, (0, usize::MAX), "a process that is added makes no devices"),
    of_create(closes_paths, (0, usize::MAX), "a process that is added finds paths closed"),
    of_create(|a| matches!(a, Act::JoinNamespace { .. }), (0, usize::MAX), "a process that is added joins all at once"),
    Count { acts: |a| matches!(a, Act::JoinProcess { .. }), create: NEVER, exec: ONCE, why: "a process is joined by exec" },
];

const fn before(earlier: Acts, later: Acts, why: &'static str) -> Before {
    Before { earlier, later, why }
}

/// In which order.
#[rustfmt::skip]
pub(super) const BEFORE: &[Before] = &[
    before(|a| *a == Act::CloseDescriptors, runs_hook, "descriptors of the caller's must not reach a hook"),
    before(|a| *a == Act::CloseHost, follows_paths_of_the_image, "a path of the image's may lead through /proc/self/fd (CVE-2024-21626)"),
    before(needs_the_host, |a| *a == Act::CloseHost, "what is done by descriptors of the host's is done while they are open"),
    before(|a| *a == Act::CloseDescriptors, |a| matches!(a, Act::PreserveDescriptors(_)), "what is preserved would be closed again"),
    before(|a| *a == Act::Await(Gate::Cgroup), counts_in_a_cgroup, "what is done before the scope is there counts in the caller's cgroup"),
    before(|a| *a == Act::Await(Gate::IdMaps), needs_ids, "without id maps this process is nobody and may do nothing"),
    before(|a| *a == Act::BecomeRoot, needs_root, "only root of the user namespace has its capabilities"),
    before(|a| *a == Act::DetachExe, can_be_seen, "the executable is parted from before the container can see this process (CVE-2019-5736)"),
    before(joins_another_kind, joins_mount_namespace, "in another mount namespace paths mean something else"),
    before(joins_namespace, takes_root, "the root is found in the container's mount namespace"),
    before(takes_root, joins_process, "the root of a process is found in the host's procfs, which is closed by joining"),
    before(joins, acts_in_namespace, "what is done in a namespace would be done in the caller's"),
    before(|a| *a == Act::NewCgroupNamespace, |a| matches!(a, Act::MountCgroup(_)), "a cgroup mount shows what is below its maker's namespace"),
    before(|a| *a == Act::NewSession, opens_terminals, "a terminal opened without a session of our own would be the caller's to control"),
    before(|a| matches!(a, Act::SetPropagation(_)), takes_root, "until the propagation is set, mounts appear on the host"),
    before(|a| matches!(a, Act::SetPropagation(_)), mounts, "until the propagation is set, mounts appear on the host"),
    before(takes_root, mounts, "mounts are made in a root that is held"),
    before(takes_root, makes_nodes, "devices are made in a root that is held"),
    before(mounts, |a| *a == Act::Await(Gate::Host), "hooks on the host's side see the container's mounts"),
    before(makes_nodes, |a| *a == Act::Await(Gate::Host), "hooks on the host's side see the container's devices"),
    before(|a| *a == Act::Await(Gate::Host), create_hook, "createRuntime hooks come before createContainer hooks"),
    before(create_hook, enters_root, "createContainer hooks run where the host's paths still are"),
    before(|a| *a == Act::Await(Gate::Host), enters_root, "createRuntime hooks run before pivot_root"),
    before(enters_root, |a| matches!(a, Act::SetRootPropagation(_)), "a shared root cannot be pivoted to"),
    before(enters_root, closes_paths, "what is closed is the container's, not the host's"),
    before(enters_root, works_inside, "directories and terminals of the container's are inside its root"),
    before(makes_inside, closes_paths, "nothing can be made where everything is read-only"),
    before(makes_inside, |a| matches!(a, Act::ChangeDirectory(_)), "the working directory is made before it is entered"),
    before(|a| matches!(a, Act::OpenTerminal { .. }), |a| matches!(a, Act::OwnStandardStreams { .. }), "the terminal is given to the user too"),
    before(makes_files, |a| matches!(a, Act::SetUmask(_)), "modes of what is made are given in full"),
    before(|a| *a == Act::NoNewPrivileges, |a| matches!(a, Act::InstallFilter(_)), "a filter without privilege takes no_new_privs"),
    before(|a| matches!(a, Act::LimitBounding(_)), |a| matches!(a, Act::SetUser { .. }), "limiting the bounding set takes CAP_SETPCAP, which an ordinary user has no more"),
    before(|a| matches!(a, Act::SetUser { .. }), |a| matches!(a, Act::SetCapabilities { .. }), "changing ids takes capabilities, and changes them"),
    before(|a| matches!(a, Act::SetUser { .. }), |a| *a == Act::FindProgram, "the program is found with the user's rights"),
    before(|a| matches!(a, Act::SetUser { .. }), |a| matches!(a, Act::CheckDirectory(_)), "a directory that root may not enter is entered by the user"),
    before(|a| matches!(a, Act::ChangeDirectory(_)), |a| *a == Act::FindProgram, "a relative program is found from the working directory"),
    before(|a| *a == Act::FindProgram, |a| matches!(a, Act::AwaitStart(_)), "a program that cannot be executed is told before start"),
    before(|a| matches!(a, Act::AwaitStart(_)), |a| matches!(a, Act::FindHome { .. }), "the image is read behind the device program, which is attached by then"),
    before(|a| matches!(a, Act::LeaveGroups), joins_process, "the user namespace to come may deny setgroups"),
    before(joins_process, |a| matches!(a, Act::EnterPidNamespace { .. }), "a pid namespace is entered after it was joined"),
    before(joins_pid_namespace, |a| matches!(a, Act::EnterPidNamespace { .. }), "a pid namespace is entered after it was joined"),
    before(create_hook, joins_pid_namespace, "a hook of the host's is not seen in the container's pid namespace"),
    before(joins_pid_namespace, |a| *a == Act::CloseHost, "the namespace is joined while its descriptor is open"),
    before(|a| matches!(a, Act::FindProgram), |a| matches!(a, Act::EnterPidNamespace { .. }), "only what cannot be done before is done in sight of the container"),
    before(|a| matches!(a, Act::EnterPidNamespace { .. }), |a| matches!(a, Act::AwaitStart(_)), "who waits for the start is the program's process"),
    before(|a| matches!(a, Act::AwaitStart(_)), start_hook, "startContainer hooks belong to start"),
    before(start_hook, |a| matches!(a, Act::PreserveDescriptors(_)), "descriptors for the program must not reach a hook"),
];

/// What may follow.
pub(super) const AFTER: &[After] = &[
    After {
        once: |a| matches!(a, Act::SetUser { .. }),
        only: |a| is_last_word(a) || finds(a) || matches!(a, Act::SetUmask(_) | Act::CheckDirectory(_)),
        why: "nothing that takes privilege comes after the change of user",
    },
    After {
        once: |a| matches!(a, Act::SetCapabilities { .. }),
        only: |a| is_last_word(a) || *a == Act::FindProgram,
        why: "nothing that takes privilege comes after capabilities are given up",
    },
    After {
        once: |a| matches!(a, Act::AwaitStart(_)),
        only: is_last_word,
        why: "all that can be prepared is done before the wait for start",
    },
    After {
        once: |a| matches!(a, Act::InstallFilter(_)),
        only: is_last_word,
        why: "whatever follows the filter must be allowed by it",
    },
    After { once: |a| *a == Act::Execute, only: |_| false, why: "nothing comes after execve" },
];

/// Acts that stand for no member of the document: what every process needs, what flags and the runtime's own mounts add,
/// and what a process that is added takes from the one it joins.
pub(super) fn asked_for_by_nobody(act: &Act) -> bool {
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
            | Act::ResetSignals
            | Act::SetCpuAffinity(_)
            | Act::AwaitStart(_)
            | Act::PreserveDescriptors(_)
            | Act::Bind(_)
    )
}

/// Acts that put something into the mount table.
pub(super) fn mounts(act: &Act) -> bool {
    matches!(act, Act::Mount(_) | Act::MountCgroup(_) | Act::Bind(_) | Act::Remount { .. })
}

fn makes_nodes(act: &Act) -> bool {
    matches!(act, Act::MakeDevice(_) | Act::BindDevice(..) | Act::MakeLink(_))
}

fn takes_root(act: &Act) -> bool {
    matches!(act, Act::BindRoot { .. } | Act::OpenRoot(_))
}

fn enters_root(act: &Act) -> bool {
    matches!(act, Act::PivotRoot | Act::MoveRoot | Act::ChangeRoot)
}

fn makes_inside(act: &Act) -> bool {
    matches!(act, Act::MakeWorkingDirectory(_) | Act::OpenTerminal { console: true, .. })
}

fn works_inside(act: &Act) -> bool {
    makes_inside(act) || finds(act) || matches!(act, Act::ChangeDirectory(_))
}

fn closes_paths(act: &Act) -> bool {
    matches!(act, Act::ReadonlyPath(_) | Act::MaskPath(_) | Act::MakeReadonly(_) | Act::ReadonlyRoot)
}

fn makes_files(act: &Act) -> bool {
    mounts(act) || makes_nodes(act) || makes_inside(act) || closes_paths(act)
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

/// A namespace that the process itself enters: a pid namespace is entered by its children.
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

fn counts_in_a_cgroup(act: &Act) -> bool {
    !matches!(act, Act::CloseDescriptors | Act::Await(Gate::Cgroup))
}

fn needs_ids(act: &Act) -> bool {
    !matches!(act, Act::CloseDescriptors | Act::Await(Gate::IdMaps | Gate::Cgroup))
}

fn needs_root(act: &Act) -> bool {
    // Before a process joins a container, it does what takes the host's procfs.
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

fn follows_paths_of_the_image(act: &Act) -> bool {
    finds(act) || matches!(act, Act::ChangeDirectory(_) | Act::Execute)
}

fn needs_the_host(act: &Act) -> bool {
    let by_procfs = matches!(act, Act::SetOomScore(_) | Act::SetLabel { .. } | Act::SetSysctl { .. });
    by_procfs || mounts(act) || makes_nodes(act) || closes_paths(act) || enters_root(act) || *act == Act::DetachExe
}

fn finds(act: &Act) -> bool {
    matches!(act, Act::FindProgram | Act::FindHome { .. })
}

/// From the word to start on.
fn is_last_word(act: &Act) -> bool {
    start_hook(act)
        || matches!(act, Act::AwaitStart(_) | Act::PreserveDescriptors(_) | Act::InstallFilter(_))
        || matches!(
            act,
            Act::SetCapabilities { .. } | Act::EnterPidNamespace { .. } | Act::FindHome { .. } | Act::Execute
        )
}

/// Acts that an ordinary program could not perform. Those of the last words are judged by what they leave.
pub(super) fn takes_rights(act: &Act) -> bool {
    !is_last_word(act) && *act != Act::FindProgram
}
