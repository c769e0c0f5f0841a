//! The vocabulary of what a container's first process does between clone3 and execve: one word of OCI's or the kernel's
//! per act, with everything it needs already in the form the kernel takes.
//!
//! An act records intent. Keeping it safe against a hostile tree is the business of `init`, which performs it.

use crate::sys::credentials::Sets;
use crate::sys::mount::Attributes;
use std::ffi::{CStr, CString};
use std::fmt;

/// A path inside the container's root. No function of `std::fs` takes it, so it cannot be opened as a path of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InRoot(pub(crate) CString);

impl InRoot {
    /// The path as the kernel takes it.
    pub(crate) fn as_c_str(&self) -> &CStr {
        &self.0
    }
}

/// Index into `Plan::passed_fds`, the descriptors the parent opens for the child.
pub(crate) type Slot = usize;

/// A point at which the child waits until the parent has done its part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Gate {
    /// uid_map and gid_map are written.
    IdMaps = 1,
    /// Limits and devices of the cgroup are set, network devices moved; prestart and createRuntime hooks have run.
    Host = 2,
    /// Resource limits that only the parent may raise are set.
    Limits = 3,
    /// systemd has put the process into its scope.
    Cgroup = 4,
}

/// How the child learns that it may execute the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// `start` will connect to the listener the child inherited.
    Listener,
    /// The parent that made the child says so itself: `run` and `exec`.
    Parent,
}

/// One call of mount_setattr(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// With AT_RECURSIVE.
    pub(crate) recursive: bool,
    /// What changes.
    pub(crate) attributes: Attributes,
}

/// A new file system to mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewMount {
    /// File system type, as in /proc/filesystems.
    pub(crate) kind: CString,
    /// What the mount is made of, or a name that only shows in mountinfo.
    pub(crate) source: CString,
    /// Where.
    pub(crate) target: InRoot,
    /// MS_* of mount(2).
    pub(crate) flags: u64,
    /// Options for the file system, joined by commas.
    pub(crate) data: Option<CString>,
    /// The same, and what of `flags` is the file system's, as parameters of fsconfig(2); a flag if there is no value. `None` if
    /// only mount(2) takes them.
    pub(crate) parameters: Option<Vec<(CString, Option<CString>)>>,
    /// The pid namespace that a procfs shows, if not that of the process that mounts it.
    pub(crate) pid_namespace: Option<Slot>,
    /// Further changes of the mount, in order.
    pub(crate) changes: Vec<Change>,
    /// The target must be a directory reached through no symbolic link (proc and sysfs; CVE-2019-19921).
    pub(crate) plain_target: bool,
    /// Copy the directory that is about to be covered into the new tmpfs.
    pub(crate) copy_up: bool,
    /// Give the new tmpfs the mode of the directory it covers.
    pub(crate) keep_mode: bool,
}

/// Where a bind mount comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A path of the host.
    Path(CString),
    /// A path of the host, or where this process may not go there, the detached mount in the slot. The path comes first:
    /// of what it leads to, a user namespace keeps the restrictions the host has put on the mount (mount_namespaces(7),
    /// "locked"), which the parent's copy would be free of.
    Reachable(Slot, CString),
    /// A detached mount the parent prepared, because this process may not map its ids itself.
    PassedFd(Slot, CString),
}

/// A bind mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bind {
    /// What.
    pub(crate) source: Source,
    /// Where.
    pub(crate) target: InRoot,
    /// With all mounts below the source.
    pub(crate) recursive: bool,
    /// Changes of the new mount, in order.
    pub(crate) changes: Vec<Change>,
    /// May be mounted on a file of procfs (the few that lxcfs provides).
    pub(crate) on_proc: bool,
    /// Stands for /proc itself, so it must be a procfs (CVE-2019-16884).
    pub(crate) must_be_proc: bool,
    /// Where the source is a symbolic link, make the same link instead of binding what it leads to.
    pub(crate) copy_symlink: bool,
}

/// A device node or fifo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Device {
    /// The directory it is made in.
    pub(crate) directory: InRoot,
    /// Its name there.
    pub(crate) name: CString,
    /// S_IFCHR, S_IFBLK or S_IFIFO.
    pub(crate) kind: u32,
    /// Device number as makedev(3) makes it.
    pub(crate) number: u64,
    /// Permission bits.
    pub(crate) mode: u32,
    /// Owner inside the container.
    pub(crate) uid: u32,
    /// Group inside the container.
    pub(crate) gid: u32,
}

/// A symbolic link to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// The directory it is made in.
    pub(crate) directory: InRoot,
    /// Its name there.
    pub(crate) name: CString,
    /// What it says.
    pub(crate) text: CString,
    /// Make it only if this exists in the container after the mounts.
    pub(crate) if_exists: Option<InRoot>,
    /// Replace what is there already.
    pub(crate) replace: bool,
}

/// A seccomp filter ready for the kernel.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Classic BPF.
    pub(crate) program: Vec<libc::sock_filter>,
    /// SECCOMP_FILTER_FLAG_*.
    pub(crate) flags: u64,
    /// Some calls are answered by a listener.
    pub(crate) notifies: bool,
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Filter({} instructions, flags {:#x})", self.program.len(), self.flags)
    }
}

/// One act of the child. The order of a plan's acts is decided in `order`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Act {
    /// Make /proc/self/exe stand for nothing of the host's.
    DetachExe,
    /// Wait for the parent.
    Await(Gate),
    /// Join the namespace in the slot: CLONE_NEW* kind, and its path for people.
    JoinNamespace { kind: u64, slot: Slot, path: CString },
    /// Give up the caller's supplementary groups, where the user namespace to come may deny setgroups(2).
    LeaveGroups,
    /// Close whatever leads back to the host, and join namespaces of the process whose pidfd is in the slot. Its user namespace
    /// is the one in the other slot where the process has moved on to another. A pid namespace is joined for the next child only.
    JoinProcess { kinds: u64, slot: Slot, user: Option<Slot> },
    /// Enter the pid namespace that was joined: clone a sibling there, which leads a session and goes on with the plan, while
    /// this process ends. With `terminal`, standard input becomes the controlling terminal of that session.
    EnterPidNamespace { terminal: bool },
    /// Become uid 0 and gid 0 of the user namespace.
    BecomeRoot,
    /// A time namespace with these lines of offsets, entered at once.
    NewTimeNamespace(CString),
    /// A cgroup namespace rooted at the cgroup this process is in.
    NewCgroupNamespace,
    /// Lead a session.
    NewSession,
    /// A session keyring of this name.
    NewSessionKeyring,
    /// Bring `lo` up.
    LoopbackUp,
    /// Default signal dispositions, nothing blocked.
    ResetSignals,
    /// Allow all CPUs the cgroup allows, or just these.
    SetCpuAffinity(Vec<u64>),
    /// Write oom_score_adj.
    SetOomScore(CString),
    /// Propagation (MS_*) of every inherited mount.
    SetPropagation(u64),
    /// Bind the root file system onto itself and hold it open. Where the inherited mounts may be peers of the host's, the
    /// new one and those below become MS_PRIVATE or MS_SLAVE. The slot has it for a process that may not go there.
    BindRoot { path: CString, detach: Option<u64>, passed_fd: Option<Slot> },
    /// Hold the root file system open without a mount namespace of our own.
    OpenRoot(CString),
    /// Mount a new file system.
    Mount(NewMount),
    /// Mount cgroup2, or bind it where a user namespace may not.
    MountCgroup(NewMount),
    /// Bind something of the host's.
    Bind(Bind),
    /// Change an existing mount: MS_* and options.
    Remount { target: InRoot, flags: u64, data: Option<CString>, changes: Vec<Change> },
    /// Make a node.
    MakeDevice(Device),
    /// Bind the host's node, where a user namespace may not make one.
    BindDevice(Device, CString),
    /// Make a symbolic link.
    MakeLink(Link),
    /// Run createContainer hook N.
    CreateContainerHook(usize),
    /// Enter the root by pivot_root(2).
    PivotRoot,
    /// Enter the root by MS_MOVE and chroot(2).
    MoveRoot,
    /// Enter the root by chroot(2) alone.
    ChangeRoot,
    /// Propagation (MS_*) of the container's root.
    SetRootPropagation(u64),
    /// A pty as standard input, output and error, of this size (rows, columns); on /dev/console too for create. It becomes the
    /// controlling terminal here unless `EnterPidNamespace` does that.
    OpenTerminal { size: Option<(u16, u16)>, console: bool, controlling: bool },
    /// Give the inherited standard descriptors to the user.
    OwnStandardStreams { uid: u32 },
    /// Set the host name.
    SetHostname(CString),
    /// Set the NIS domain name.
    SetDomainname(CString),
    /// Write a kernel parameter: its file below /proc, and what is written.
    SetSysctl { name: CString, value: CString },
    /// Make a path read-only.
    ReadonlyPath(InRoot),
    /// Make a path unreadable.
    MaskPath(InRoot),
    /// Make a mount read-only that had to be written to until now.
    MakeReadonly(InRoot),
    /// Make the root read-only.
    ReadonlyRoot,
    /// Make the working directory if it does not exist.
    MakeWorkingDirectory(InRoot),
    /// Label for the next execve: file below /proc/self/attr, and what is written.
    SetLabel { file: CString, label: CString },
    /// No execve grants a privilege.
    NoNewPrivileges,
    /// Scheduling policy.
    SetScheduler(Box<libc::sched_attr>),
    /// I/O priority as ioprio_set(2) takes it.
    SetIoPriority(u32),
    /// Execution domain.
    SetPersonality(u64),
    /// NUMA policy and nodes.
    SetMemoryPolicy { mode: u32, nodes: Vec<u64> },
    /// RLIMIT_* and its two values.
    SetRlimit { resource: u32, name: &'static str, soft: u64, hard: u64 },
    /// Permission bits that new files do not get.
    SetUmask(u32),
    /// Drop every capability that is not in the mask from the bounding set.
    LimitBounding(u64),
    /// Change to the user, keeping permitted capabilities.
    SetUser { uid: u32, gid: u32, groups: Option<Vec<u32>> },
    /// Change to the working directory; one that root may not enter is entered by the user.
    ChangeDirectory(CString),
    /// Prove that the working directory lies inside the root.
    CheckDirectory(CString),
    /// Set HOME to the user's directory in the container's /etc/passwd.
    FindHome { uid: u32 },
    /// Resolve the program and prove that it can be executed.
    FindProgram,
    /// Tell the parent that all is prepared, and wait for the word to start.
    AwaitStart(Start),
    /// Run startContainer hook N.
    StartContainerHook(usize),
    /// The final capability sets; ambient ones as a mask.
    SetCapabilities { sets: Sets, ambient: u64 },
    /// Mark every descriptor but the standard ones to be closed by execve.
    CloseDescriptors,
    /// Closes what leads to the host, before anything is looked for by a path of the image's choosing: /proc/self/fd is one.
    CloseHost,
    /// Let the program have these descriptors after all.
    PreserveDescriptors(Vec<i32>),
    /// Install a seccomp filter.
    InstallFilter(Filter),
    /// Execute the program.
    Execute,
}

/// The words that follow the origin in an error: `mount tmpfs on /dev/shm (size=64m)`.
impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Act::DetachExe => f.write_str("detach from the runtime's own executable"),
            Act::Await(Gate::IdMaps) => f.write_str("wait for the id maps"),
            Act::Await(Gate::Host) => f.write_str("wait for the host side and its hooks"),
            Act::Await(Gate::Limits) => f.write_str("wait for the resource limits"),
            Act::Await(Gate::Cgroup) => f.write_str("wait for the scope"),
            Act::JoinNamespace { path, .. } => write!(f, "join namespace {}", text(path)),
            Act::JoinProcess { .. } => f.write_str("join the container's namespaces"),
            Act::LeaveGroups => f.write_str("give up the caller's supplementary groups"),
            Act::EnterPidNamespace { .. } => f.write_str("enter the pid namespace"),
            Act::BecomeRoot => f.write_str("become root of the user namespace"),
            Act::NewTimeNamespace(_) => f.write_str("make a time namespace"),
            Act::NewCgroupNamespace => f.write_str("make a cgroup namespace"),
            Act::NewSession => f.write_str("start a session"),
            Act::NewSessionKeyring => f.write_str("make a session keyring"),
            Act::LoopbackUp => f.write_str("bring up the loopback interface"),
            Act::ResetSignals => f.write_str("reset signals"),
            Act::SetCpuAffinity(_) => f.write_str("set the CPU affinity"),
            Act::SetOomScore(score) => write!(f, "set oom_score_adj to {}", text(score)),
            Act::SetPropagation(kind) => write!(f, "make all mounts {}", propagation(*kind)),
            Act::BindRoot { path, .. } => write!(f, "bind {} as root", text(path)),
            Act::OpenRoot(path) => write!(f, "open {} as root", text(path)),
            Act::Mount(m) | Act::MountCgroup(m) => {
                write!(f, "mount {} on {}", text(&m.kind), text(&m.target.0))?;
                m.data.as_ref().map_or(Ok(()), |data| write!(f, " ({})", text(data)))
            }
            Act::Bind(b) => {
                let (Source::Path(source) | Source::Reachable(_, source) | Source::PassedFd(_, source)) = &b.source;
                write!(f, "bind {} on {}", text(source), text(&b.target.0))
            }
            Act::Remount { target, .. } => write!(f, "remount {}", text(&target.0)),
            Act::MakeDevice(d) => write!(f, "make device {}", joined(&d.directory, &d.name)),
            Act::BindDevice(d, host) => write!(f, "bind device {} on {}", text(host), joined(&d.directory, &d.name)),
            Act::MakeLink(l) => write!(f, "make link {} to {}", joined(&l.directory, &l.name), text(&l.text)),
            Act::CreateContainerHook(n) => write!(f, "run createContainer hook #{n}"),
            Act::PivotRoot => f.write_str("pivot_root"),
            Act::MoveRoot => f.write_str("move the root mount to /"),
            Act::ChangeRoot => f.write_str("chroot"),
            Act::SetRootPropagation(kind) => write!(f, "make the root {}", propagation(*kind)),
            Act::OpenTerminal { .. } => f.write_str("open a terminal"),
            Act::OwnStandardStreams { uid } => write!(f, "give the standard streams to uid {uid}"),
            Act::SetHostname(name) => write!(f, "set hostname to {}", text(name)),
            Act::SetDomainname(name) => write!(f, "set domainname to {}", text(name)),
            Act::SetSysctl { name, value } => write!(f, "write {:?} to /proc/{}", text(value), text(name)),
            Act::ReadonlyPath(path) => write!(f, "make {} read-only", text(&path.0)),
            Act::MaskPath(path) => write!(f, "mask {}", text(&path.0)),
            Act::MakeReadonly(path) => write!(f, "make {} read-only", text(&path.0)),
            Act::ReadonlyRoot => f.write_str("make the root read-only"),
            Act::MakeWorkingDirectory(path) => write!(f, "make directory {}", text(&path.0)),
            Act::SetLabel { file, label } => write!(f, "write {:?} to `/proc/self/attr/{}`", text(label), text(file)),
            Act::NoNewPrivileges => f.write_str("set no_new_privs"),
            Act::SetScheduler(a) => write!(f, "set scheduling policy {}", a.sched_policy),
            Act::SetIoPriority(value) => write!(f, "set I/O priority class {} level {}", value >> 13, value & 0x1fff),
            Act::SetPersonality(domain) => write!(f, "set personality {domain:#x}"),
            Act::SetMemoryPolicy { mode, .. } => write!(f, "set memory policy {mode:#x}"),
            Act::SetRlimit { name, soft, hard, .. } => write!(f, "set {name} to soft {soft} hard {hard}"),
            Act::SetUmask(mask) => write!(f, "set umask {mask:04o}"),
            Act::LimitBounding(_) => f.write_str("limit the bounding capability set"),
            Act::SetUser { uid, gid, .. } => write!(f, "change to uid {uid} gid {gid}"),
            Act::ChangeDirectory(path) => write!(f, "change to directory {}", text(path)),
            Act::CheckDirectory(path) => write!(f, "check that directory {} is inside the container", text(path)),
            Act::FindHome { uid } => write!(f, "find the home directory of uid {uid}"),
            Act::FindProgram => f.write_str("find the program"),
            Act::AwaitStart(_) => f.write_str("wait for start"),
            Act::StartContainerHook(n) => write!(f, "run startContainer hook #{n}"),
            Act::SetCapabilities { .. } => f.write_str("set capabilities"),
            Act::CloseDescriptors => f.write_str("mark descriptors close-on-exec"),
            Act::CloseHost => f.write_str("close what leads to the host"),
            Act::PreserveDescriptors(_) => f.write_str("preserve descriptors"),
            Act::InstallFilter(filter) => write!(f, "install seccomp filter of {} instructions", filter.program.len()),
            Act::Execute => f.write_str("execute the program"),
        }
    }
}

/// A kernel string for people; bytes that are not UTF-8 are replaced.
pub(crate) fn text(string: &CStr) -> std::borrow::Cow<'_, str> {
    string.to_string_lossy()
}

fn joined(directory: &InRoot, name: &CStr) -> String {
    format!("{}/{}", text(&directory.0).trim_end_matches('/'), text(name))
}

fn propagation(flags: u64) -> &'static str {
    match flags & !libc::MS_REC {
        libc::MS_SHARED => "shared",
        libc::MS_SLAVE => "slave",
        libc::MS_UNBINDABLE => "unbindable",
        _ => "private",
    }
}
