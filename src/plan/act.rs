//! The acts of a container's process between clone3 and execve, with arguments in the form that the kernel takes.
//!
//! An act records the intent. Leaves to `init` how it is performed, and made safe against a hostile tree.

mod source;

use super::landlock::Landlock;
use crate::sys::credentials::Sets;
use crate::sys::mount::Attributes;
use std::ffi::{CStr, CString};
use std::fmt;

pub(crate) use source::Source;

/// A path inside the container's root. A separate type, so that no function of `std::fs` opens it as a host path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InRoot(pub(crate) CString);

impl InRoot {
    /// The path as a C string.
    pub(crate) fn as_c_str(&self) -> &CStr {
        &self.0
    }
}

/// Index into `Plan::passed_fds`, the descriptors the parent opens for the child.
pub(crate) type Slot = usize;

/// A point at which the child waits for the parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Gate {
    /// Opens when uid_map and gid_map are written.
    IdMaps = 1,
    /// Opens when cgroup limits and devices are set, network devices are moved, and prestart and createRuntime hooks
    /// have run.
    Host = 2,
    /// Opens when the resource limits are set that only the parent may raise.
    Limits = 3,
    /// Opens when systemd has moved the process into its scope.
    Cgroup = 4,
}

/// Who lets the child execute the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// `start`, which connects to the child's listening socket.
    Listener,
    /// The parent itself: `run` and `exec`.
    Parent,
}

/// One call of mount_setattr(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// With AT_RECURSIVE.
    pub(crate) recursive: bool,
    /// The attributes to change.
    pub(crate) attributes: Attributes,
}

/// A new file system to mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewMount {
    /// File system type, as in /proc/filesystems.
    pub(crate) kind: CString,
    /// The source, or a name that only appears in mountinfo.
    pub(crate) source: CString,
    /// The mount point.
    pub(crate) target: InRoot,
    /// MS_* of mount(2).
    pub(crate) flags: u64,
    /// Options of the file system, joined by commas.
    pub(crate) data: Option<CString>,
    /// The same options, and those of `flags` that concern the file system, as fsconfig(2) parameters. A parameter
    /// without a value is a flag. `None` if only mount(2) accepts the options.
    pub(crate) parameters: Option<Vec<(CString, Option<CString>)>>,
    /// The pid namespace that a procfs shows, if it differs from that of the mounting process.
    pub(crate) pid_namespace: Option<Slot>,
    /// Further changes of the mount, in order.
    pub(crate) changes: Vec<Change>,
    /// The target must be a directory reached without symbolic links (proc and sysfs; CVE-2019-19921).
    pub(crate) plain_target: bool,
    /// Copy the contents of the covered directory into the new tmpfs.
    pub(crate) copy_up: bool,
    /// Give the new tmpfs the mode of the covered directory.
    pub(crate) keep_mode: bool,
}

/// A bind mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bind {
    /// The source.
    pub(crate) source: Source,
    /// The mount point.
    pub(crate) target: InRoot,
    /// Include all mounts below the source.
    pub(crate) recursive: bool,
    /// Changes of the new mount, in order.
    pub(crate) changes: Vec<Change>,
    /// May be mounted on procfs: the few files that lxcfs provides.
    pub(crate) on_proc: bool,
    /// Replaces /proc itself, so it must be a procfs (CVE-2019-16884).
    pub(crate) must_be_proc: bool,
    /// If the source is a symbolic link, make the same link instead of binding its target.
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
    /// Device number, as makedev(3) returns it.
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
    /// The link's target.
    pub(crate) text: CString,
    /// Make it only if this exists in the container after the mounts.
    pub(crate) if_exists: Option<InRoot>,
    /// Replace an existing file.
    pub(crate) replace: bool,
}

/// A seccomp filter ready for the kernel.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Classic BPF.
    pub(crate) program: Vec<libc::sock_filter>,
    /// SECCOMP_FILTER_FLAG_*.
    pub(crate) flags: u64,
    /// Whether a listener decides some calls.
    pub(crate) notifies: bool,
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Filter({} instructions, flags {:#x})", self.program.len(), self.flags)
    }
}

/// One act of the child. The order of acts in a plan is decided in `order`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Act {
    /// Make /proc/self/exe refer to no file of the host.
    DetachExe,
    /// Wait for the parent.
    Await(Gate),
    /// Join the namespace in the slot: CLONE_NEW* kind, and its path for messages.
    JoinNamespace { kind: u64, slot: Slot, path: CString },
    /// Drop the caller's supplementary groups now, because the user namespace joined next may deny setgroups(2).
    LeaveGroups,
    /// Close host descriptors, and join namespaces of the process whose pidfd is in the slot. If that process has since
    /// moved to another user namespace, the one in the slot `user` is joined. A pid namespace is joined for the next
    /// child only.
    JoinProcess { kinds: u64, slot: Slot, user: Option<Slot> },
    /// Enter the joined pid namespace: clone a sibling there, which leads a session and continues the plan, and exit.
    /// With `terminal`, standard input is the controlling terminal of that session.
    EnterPidNamespace { terminal: bool },
    /// Change to uid 0 and gid 0 of the user namespace.
    BecomeRoot,
    /// Make a time namespace with these lines of offsets, and enter it at once.
    NewTimeNamespace(CString),
    /// Make a cgroup namespace. Its root is the current cgroup of this process.
    NewCgroupNamespace,
    /// Make a session with setsid(2).
    NewSession,
    /// Make a new session keyring.
    NewSessionKeyring,
    /// Bring `lo` up.
    LoopbackUp,
    /// Reset signal dispositions to the defaults, and unblock all signals.
    ResetInherited,
    /// Allow these CPUs. The kernel limits them to those of the cgroup.
    SetCpuAffinity(Vec<u64>),
    /// Write oom_score_adj.
    SetOomScore(CString),
    /// Set the propagation (MS_*) of every inherited mount.
    SetPropagation(u64),
    /// Bind the root file system onto itself and hold it open. `detach` is set if inherited mounts may be peers of the
    /// host's: the new mount and those below get this propagation (MS_PRIVATE or MS_SLAVE). The slot is for a process
    /// that cannot reach `path`.
    BindRoot { path: CString, detach: Option<u64>, passed_fd: Option<Slot> },
    /// Hold the root file system open without a new mount namespace.
    OpenRoot(CString),
    /// Unmount the root file system with everything mounted on it.
    UnmountRoot,
    /// Mount a tmpfs on this host path, which is made if it is missing. Later binds are made in it.
    MountStage(CString),
    /// Mount a new file system.
    Mount(NewMount),
    /// Mount cgroup2, or bind it if a user namespace may not mount it.
    MountCgroup(NewMount),
    /// Make a bind mount.
    Bind(Bind),
    /// Change an existing mount: MS_* and options.
    Remount { target: InRoot, flags: u64, data: Option<CString>, changes: Vec<Change> },
    /// Make a device node or fifo.
    MakeDevice(Device),
    /// Bind the host's node, because a user namespace may not make one.
    BindDevice(Device, CString),
    /// Make a symbolic link.
    MakeLink(Link),
    /// Run createContainer hook N.
    CreateContainerHook(usize),
    /// Enter the root with pivot_root(2).
    PivotRoot,
    /// Enter the root with MS_MOVE and chroot(2).
    MoveRoot,
    /// Enter the root with chroot(2) alone.
    ChangeRoot,
    /// Set the propagation (MS_*) of the container's root.
    SetRootPropagation(u64),
    /// Open a pty of this size (rows, columns) as the standard streams, with `console` also on /dev/console. With
    /// `controlling`, it is the controlling terminal; otherwise `EnterPidNamespace` does that.
    OpenTerminal { size: Option<(u16, u16)>, console: bool, controlling: bool },
    /// Change the owner of the standard streams to the user.
    OwnStandardStreams { uid: u32 },
    /// Set the host name.
    SetHostname(CString),
    /// Set the NIS domain name.
    SetDomainname(CString),
    /// Write a kernel parameter: its file below /proc, and the value.
    SetSysctl { name: CString, value: CString },
    /// Make a path read-only.
    ReadonlyPath(InRoot),
    /// Hide the contents of a path.
    MaskPath(InRoot),
    /// Make a mount read-only that had to be writable until now.
    MakeReadonly(InRoot),
    /// Make the root read-only.
    ReadonlyRoot,
    /// Make the working directory if it does not exist.
    MakeWorkingDirectory(InRoot),
    /// Set the label for the next execve: the file below /proc/self/attr, and its new content.
    SetLabel { file: CString, label: CString },
    /// Set no_new_privs: execve grants no privileges from now on.
    NoNewPrivileges,
    /// Set the scheduling policy.
    SetScheduler(Box<libc::sched_attr>),
    /// Set the I/O priority, as ioprio_set(2) takes it.
    SetIoPriority(u32),
    /// Set the execution domain (personality(2)).
    SetPersonality(u64),
    /// Set the NUMA policy and its nodes.
    SetMemoryPolicy { mode: u32, nodes: Vec<u64> },
    /// Set both values of an RLIMIT_*.
    SetRlimit { resource: u32, name: &'static str, soft: u64, hard: u64 },
    /// Set the umask.
    SetUmask(u32),
    /// Drop every capability that is not in the mask from the bounding set.
    LimitBounding(u64),
    /// Change to the user and keep the permitted capabilities.
    SetUser { uid: u32, gid: u32, groups: Option<Vec<u32>> },
    /// Change to the working directory. If root may not enter it, `CheckDirectory` enters it as the user.
    ChangeDirectory(CString),
    /// Check that the working directory is inside the root.
    CheckDirectory(CString),
    /// Set HOME to the user's directory in the container's /etc/passwd.
    FindHome { uid: u32 },
    /// Resolve the program and check that it can be executed.
    FindProgram,
    /// Report to the parent that the child is ready, and wait for the start.
    AwaitStart(Start),
    /// Run startContainer hook N.
    StartContainerHook(usize),
    /// Set the capability sets, and the ambient set as a mask.
    SetCapabilities { sets: Sets, ambient: u64 },
    /// Mark every descriptor except the standard streams close-on-exec.
    CloseDescriptors,
    /// Close host descriptors before any path of the image is resolved, because such a path can name /proc/self/fd.
    CloseHost,
    /// Clear close-on-exec for these descriptors, so that the program inherits them.
    PreserveDescriptors(Vec<i32>),
    /// Restrict the process with Landlock.
    Landlock(Landlock),
    /// Install a seccomp filter.
    InstallFilter(Filter),
    /// Execute the program.
    Execute,
}

/// The text after the origin in an error: `mount tmpfs on /dev/shm (size=64m)`.
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
            Act::LeaveGroups => f.write_str("drop the caller's supplementary groups"),
            Act::EnterPidNamespace { .. } => f.write_str("enter the pid namespace"),
            Act::BecomeRoot => f.write_str("change to root of the user namespace"),
            Act::NewTimeNamespace(_) => f.write_str("make a time namespace"),
            Act::NewCgroupNamespace => f.write_str("make a cgroup namespace"),
            Act::NewSession => f.write_str("start a session"),
            Act::NewSessionKeyring => f.write_str("make a session keyring"),
            Act::LoopbackUp => f.write_str("bring up the loopback interface"),
            Act::ResetInherited => f.write_str("reset signals, personality flags, timer slack and huge pages"),
            Act::SetCpuAffinity(_) => f.write_str("set the CPU affinity"),
            Act::SetOomScore(score) => write!(f, "set oom_score_adj to {}", text(score)),
            Act::SetPropagation(kind) => write!(f, "make all mounts {}", propagation(*kind)),
            Act::BindRoot { path, .. } => write!(f, "bind {} as root", text(path)),
            Act::OpenRoot(path) => write!(f, "open {} as root", text(path)),
            Act::UnmountRoot => f.write_str("unmount what was mounted to make the mount points"),
            Act::MountStage(path) => write!(f, "mount a stage for bind mounts on {}", text(path)),
            Act::Mount(m) | Act::MountCgroup(m) => {
                write!(f, "mount {} on {}", text(&m.kind), text(&m.target.0))?;
                m.data.as_ref().map_or(Ok(()), |data| write!(f, " ({})", text(data)))
            }
            Act::Bind(b) => {
                write!(f, "bind {} on {}", text(b.source.path()), text(&b.target.0))
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
            Act::OwnStandardStreams { uid } => write!(f, "change the owner of the standard streams to uid {uid}"),
            Act::SetHostname(name) => write!(f, "set hostname to {}", text(name)),
            Act::SetDomainname(name) => write!(f, "set domainname to {}", text(name)),
            Act::SetSysctl { name, value } => write!(f, "write {:?} to /proc/{}", text(value), text(name)),
            Act::MaskPath(path) => write!(f, "mask {}", text(&path.0)),
            Act::ReadonlyPath(path) | Act::MakeReadonly(path) => write!(f, "make {} read-only", text(&path.0)),
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
            Act::CloseHost => f.write_str("close the host's descriptors"),
            Act::PreserveDescriptors(_) => f.write_str("preserve descriptors"),
            Act::Landlock(step) => step.fmt(f),
            Act::InstallFilter(filter) => write!(f, "install seccomp filter of {} instructions", filter.program.len()),
            Act::Execute => f.write_str("execute the program"),
        }
    }
}

/// A kernel string for messages. Bytes that are not UTF-8 are replaced.
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
