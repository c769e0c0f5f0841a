//! Probes the kernel and the caller and returns the results as `plan::Host`. Decides nothing; probes only what the
//! given configuration depends on.

mod description;

use crate::cgroup::Layout;
use crate::plan::Host;
use crate::plan::resources::CgroupFacts;
use crate::report::errno_words;
use crate::sys::credentials::{self, LAST_CAPABILITY};
use crate::sys::{Errno, beneath, executable, landlock, mount, namespace, path, process};
use anyhow::{Context, Result, bail};
use oci_spec::runtime::{LinuxNamespace, LinuxNamespaceType, Process, Spec};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CString;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

pub(crate) use description::described;

/// The oldest supported kernel: the newest interface that nothing works without is cgroup.kill.
const OLDEST: (u32, u32) = (5, 14);

/// Probes the host for a container to be created from `bundle`.
pub(crate) fn probe(spec: &Spec, bundle: &Path, layout: Option<&Layout>) -> Result<Host> {
    let mut host = caller(spec.process().as_ref())?;
    let mount_label = spec.linux().as_ref().and_then(|linux| linux.mount_label().as_deref()).unwrap_or_default();
    host.selinux = host.selinux || (!mount_label.is_empty() && has_selinux());
    if let Some(root) = spec.root() {
        host.root = Some(is_directory(&bundle.join(root.path())));
    }
    for entry in spec.linux().as_ref().and_then(|linux| linux.namespaces().as_ref()).into_iter().flatten() {
        if let Some(path) = entry.path().as_ref().filter(|path| path.is_absolute()) {
            let found = namespace_kind(path);
            if let Ok(kind) = found
                && is_callers_own(path, kind)
            {
                host.own_namespaces.insert(path.clone());
            }
            host.namespaces.insert(path.clone(), found);
        }
    }
    let namespaces = spec.linux().as_ref().and_then(|linux| linux.namespaces().as_deref()).unwrap_or_default();
    let user = namespaces.iter().find(|entry| entry.typ() == LinuxNamespaceType::User);
    if let Some(user) = user.and_then(|entry| entry.path().as_deref()).filter(|path| path.is_absolute()) {
        let outside = host.namespaces.keys().filter(|path| path.as_path() != user && is_outside(path, user));
        host.outside_user_namespace = outside.cloned().collect();
    }
    if host.privileged && namespaces.iter().any(|entry| entry.typ() == LinuxNamespaceType::User) {
        host.can_clone_mounts = mount::clone_tree_following_links(c"/", true).is_ok();
    }
    let joins_pid = |entry: &LinuxNamespace| entry.typ() == LinuxNamespaceType::Pid && entry.path().is_some();
    host.cannot_return = host.privileged && namespaces.iter().any(joins_pid) && cannot_return()?;
    host.procfs_takes_pid_namespace =
        host.privileged && namespaces.iter().any(joins_pid) && mount::procfs_takes_pid_namespace();
    host.landlock = landlock_abi(spec);
    host.cgroup = match layout {
        Some(layout) => layout.facts()?,
        None => CgroupFacts::default(),
    };
    Ok(host)
}

/// Probes the host for a process to be added to a container.
pub(crate) fn probe_for_exec(spec: &Spec, process: &Process) -> Result<Host> {
    let mut host = caller(Some(process))?;
    host.landlock = landlock_abi(spec);
    // Before it joins, the process has its caller's privileges; an unprivileged one runs from a copy instead.
    host.can_detach_exe &= host.privileged;
    Ok(host)
}

/// Whether the caller, being root of a user namespace that does not own its pid namespace, cannot return to the latter.
fn cannot_return() -> Result<bool> {
    if !in_user_namespace() {
        return Ok(false);
    }
    let own = path::open_following_links(c"/proc/self/ns/pid", libc::O_RDONLY).context("open the own namespace")?;
    Ok(namespace::setns(own.as_fd(), crate::plan::namespaces::PID).is_err())
}

/// Whether setgroups(2) is denied in the user namespace of the process `pid`.
pub(crate) fn denies_setgroups(pid: i32) -> bool {
    starts_with(&format!("/proc/{pid}/setgroups"), "deny")
}

fn caller(process: Option<&Process>) -> Result<Host> {
    check_kernel()?;
    let labelled = |label: Option<&String>| label.is_some_and(|label| !label.is_empty());
    let apparmor = labelled(process.and_then(|p| p.apparmor_profile().as_ref()));
    let selinux = labelled(process.and_then(|p| p.selinux_label().as_ref()));
    let sets = credentials::capabilities().context("capget")?;
    Ok(Host {
        can_clone_mounts: false,
        cannot_return: false,
        procfs_takes_pid_namespace: false,
        privileged: sets.effective & credentials::SYS_ADMIN != 0,
        ids: (process::effective_uid(), process::effective_gid()),
        setgroups_denied: starts_with("/proc/self/setgroups", "deny"),
        last_capability: LAST_CAPABILITY,
        permitted: sets.permitted,
        can_detach_exe: executable::can_detach_exe(),
        apparmor: apparmor && starts_with("/sys/module/apparmor/parameters/enabled", "Y"),
        selinux: selinux && has_selinux(),
        landlock: 0,
        root: None,
        namespaces: BTreeMap::new(),
        own_namespaces: BTreeSet::new(),
        outside_user_namespace: BTreeSet::new(),
        cgroup: CgroupFacts::default(),
    })
}

/// The ABI version of Landlock, if the container uses it.
fn landlock_abi(spec: &Spec) -> u32 {
    crate::plan::landlock::requested(spec).map_or(0, |_| landlock::abi())
}

fn has_selinux() -> bool {
    path::exists(c"/sys/fs/selinux/enforce")
}

/// Refuses a kernel that is too old with a clear error, instead of a later ENOSYS.
fn check_kernel() -> Result<()> {
    let release = nix::sys::utsname::uname().context("uname")?.release().to_string_lossy().into_owned();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().unwrap_or(0));
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if version < OLDEST {
        bail!("this kernel is Linux {release}; davit needs {}.{} or newer", OLDEST.0, OLDEST.1);
    }
    Ok(())
}

/// Whether the caller is not in the initial user namespace, which maps every id to itself.
pub(crate) fn in_user_namespace() -> bool {
    let map = beneath::read_pseudo_file("/proc/self/uid_map");
    map.is_ok_and(|map| !map.split_whitespace().eq(["0", "0", "4294967295"]))
}

fn starts_with(file: &str, text: &str) -> bool {
    beneath::read_pseudo_file(file).is_ok_and(|content| content.starts_with(text))
}

fn is_directory(path: &Path) -> Result<(), String> {
    let c_path = CString::new(path.as_os_str().as_bytes()).map_err(|_| "contains a NUL byte".to_owned())?;
    path::open_following_links(&c_path, libc::O_PATH | libc::O_DIRECTORY).map(drop).map_err(errno_words)
}

fn namespace_kind(path: &Path) -> Result<u64, String> {
    let words = |errno: Errno| match errno {
        Errno::ENOTTY => "not a namespace".to_owned(),
        errno => errno_words(errno),
    };
    let c_path = CString::new(path.as_os_str().as_bytes()).map_err(|_| "contains a NUL byte".to_owned())?;
    let file = path::open_following_links(&c_path, libc::O_RDONLY).map_err(words)?;
    namespace::kind_of(file.as_fd()).map_err(words)
}

/// Whether a namespace belongs neither to the user namespace `user` nor to one below it.
fn is_outside(path: &Path, user: &Path) -> bool {
    let open = |path: &Path| {
        let c_path = CString::new(path.as_os_str().as_bytes()).map_err(|_| Errno::EINVAL)?;
        path::open_following_links(&c_path, libc::O_RDONLY)
    };
    let Ok(wanted) = open(user).and_then(|user| namespace::number(user.as_fd())) else { return false };
    let Ok(file) = open(path) else { return false };
    let mut owner = namespace::owner(file.as_fd());
    // Ends with EPERM above the caller's own user namespace.
    while let Ok(user) = owner {
        if namespace::number(user.as_fd()) == Ok(wanted) {
            return false;
        }
        owner = namespace::parent(user.as_fd());
    }
    true
}

/// Whether a path refers to the namespace that this process is in.
fn is_callers_own(path: &Path, kind: u64) -> bool {
    let file = match crate::plan::namespaces::name(kind) {
        "mount" => "mnt",
        "network" => "net",
        other => other,
    };
    let identity = |path: &Path| std::fs::metadata(path).map(|data| (data.dev(), data.ino())).ok();
    let own = identity(&Path::new("/proc/self/ns").join(file));
    own.is_some() && own == identity(path)
}
