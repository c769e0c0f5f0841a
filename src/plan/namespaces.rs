//! Decides which namespaces a container gets: made by clone3, made later, joined by path, or the caller's own.
//!
//! Leaves to `order` when they are joined, and to `launch` how the id maps are written.

use super::sysctls;
use super::{Host, Notes, PassedFd};
use crate::spec::pointer::Pointer;
use crate::spec::problem::Problems;
use oci_spec::runtime::{Linux, LinuxIdMapping, LinuxNamespaceType, Spec};
use std::path::PathBuf;

/// The CLONE_NEW* bit of the mount namespace. The bits are u64 for clone3, because CLONE_NEWTIME overlaps the exit
/// signal of clone.
pub(crate) const MOUNT: u64 = libc::CLONE_NEWNS as u64;
/// PID namespace.
pub(crate) const PID: u64 = libc::CLONE_NEWPID as u64;
/// Network namespace.
pub(crate) const NETWORK: u64 = libc::CLONE_NEWNET as u64;
/// IPC namespace.
pub(crate) const IPC: u64 = libc::CLONE_NEWIPC as u64;
/// UTS namespace.
pub(crate) const UTS: u64 = libc::CLONE_NEWUTS as u64;
/// User namespace.
pub(crate) const USER: u64 = libc::CLONE_NEWUSER as u64;
/// cgroup namespace.
pub(crate) const CGROUP: u64 = libc::CLONE_NEWCGROUP as u64;
/// Time namespace.
pub(crate) const TIME: u64 = libc::CLONE_NEWTIME as u64;

/// OCI's name of each kind, in the order in which namespaces are joined: the user namespace first, because it gives the
/// rights to the others; the mount namespace last, because it changes the meaning of every path.
pub(crate) const KINDS: [(u64, &str); 8] = [
    (USER, "user"),
    (CGROUP, "cgroup"),
    (IPC, "ipc"),
    (NETWORK, "network"),
    (PID, "pid"),
    (TIME, "time"),
    (UTS, "uts"),
    (MOUNT, "mount"),
];

/// OCI's name of a kind.
pub(crate) fn name(kind: u64) -> &'static str {
    KINDS.iter().find(|(bit, _)| *bit == kind).map_or("unknown", |(_, name)| name)
}

/// The CLONE_NEW* bit of an OCI type.
pub(crate) fn kind(typ: LinuxNamespaceType) -> u64 {
    match typ {
        LinuxNamespaceType::Mount => MOUNT,
        LinuxNamespaceType::Cgroup => CGROUP,
        LinuxNamespaceType::Uts => UTS,
        LinuxNamespaceType::Ipc => IPC,
        LinuxNamespaceType::User => USER,
        LinuxNamespaceType::Pid => PID,
        LinuxNamespaceType::Network => NETWORK,
        LinuxNamespaceType::Time => TIME,
    }
}

/// The namespaces of a plan, as sets of CLONE_NEW* bits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Namespaces {
    /// Made new for this container.
    pub(crate) new: u64,
    /// Joined by path.
    pub(crate) joined: u64,
    /// `uid_map` and `gid_map` of a new user namespace.
    pub(crate) maps: Option<Maps>,
    /// The maps that a joined user namespace must have, if the configuration lists them.
    pub(crate) expected_maps: Option<Maps>,
    /// Lines for timens_offsets of a new time namespace.
    pub(crate) time_offsets: Option<String>,
    /// Joined kinds that do not belong to the container's user namespace. Root of that namespace has no rights to them,
    /// so the intermediate process joins them before it joins or makes the user namespace.
    pub(crate) joined_before_user: u64,
    /// The container has no mount namespace, but mounts. They are made in the caller's, below a bind of the root onto
    /// itself, which the parent makes and `delete` removes with all mounts below it.
    pub(crate) mounts_in_callers: bool,
    /// An intermediate process joins namespaces first, for example a user namespace in which the others must be made.
    pub(crate) via_intermediate: bool,
    /// The pid namespace is joined by path and entered last. The process is spawned outside, where no process of a
    /// container sees it, and clones its successor inside after it has dropped its rights (CVE-2016-9962).
    pub(crate) enters_pid_last: bool,
}

/// The text of a user namespace's maps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Maps {
    /// Lines of uid_map: container id, host id, size.
    pub(crate) uids: String,
    /// Lines of gid_map.
    pub(crate) gids: String,
    /// Who writes them.
    pub(crate) writer: Writer,
    /// Host ids of the container's root.
    pub(crate) root: (u32, u32),
}

/// Who may write a user namespace's maps (user_namespaces(7)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Writer {
    /// The runtime, which has the rights to the host ids.
    #[default]
    Privileged,
    /// The runtime, for an unprivileged user: only that user's own ids, and setgroups(2) must be denied first.
    OwnIds,
    /// newuidmap(1) and newgidmap(1), which give an unprivileged user the ids of /etc/subuid and /etc/subgid.
    Programs,
}

impl Namespaces {
    /// Whether processes of containers cannot see the process that is cloned first: it is alone in a new pid namespace,
    /// or outside of the one that its successor joins.
    pub(crate) fn starts_unseen(&self) -> bool {
        self.new & PID != 0 || self.via_intermediate || self.enters_pid_last
    }

    /// Whether the container has its own (new or joined) namespaces of all of `kinds`.
    pub(crate) fn own(&self, kinds: u64) -> bool {
        (self.new | self.joined) & kinds == kinds
    }

    /// Whether mounts can be made in the container's root.
    pub(crate) fn have_mounts(&self) -> bool {
        self.own(MOUNT) || self.mounts_in_callers
    }

    /// Whether an unprivileged user makes the user namespace. Only that user can have processes in it yet, so the child
    /// need not be undumpable. If it were, its parent could not write its maps or its OOM score, or take its seccomp
    /// listener.
    pub(crate) fn made_by_user(&self) -> bool {
        self.maps.as_ref().is_some_and(|maps| maps.writer != Writer::Privileged)
    }

    /// The flags for clone3: all new namespaces, except those that must be made later.
    ///
    /// * The root of a cgroup namespace is the cgroup of the process that makes it, which at the clone is still the
    ///   caller's.
    /// * A time namespace accepts offsets only before the first process enters. So the parent unshares it, or the child
    ///   if an unprivileged user may do so only inside the user namespace.
    pub(crate) fn clone_flags(&self) -> u64 {
        let later = CGROUP | if self.time_offsets.is_some() { TIME } else { 0 };
        self.new & !later
    }
}

/// Compiles `linux.namespaces`. The parent opens joined ones and passes their descriptors.
pub(super) fn compile(spec: &Spec, host: &Host, passed_fds: &mut Vec<PassedFd>, notes: &mut Notes) -> Namespaces {
    let linux = spec.linux().as_ref();
    let mut namespaces = Namespaces::default();
    let at = Pointer::of("/linux/namespaces");
    let mut joins: Vec<(u64, usize, PathBuf)> = Vec::new();
    for (index, entry) in linux.and_then(|l| l.namespaces().as_ref()).into_iter().flatten().enumerate() {
        let kind = kind(entry.typ());
        match entry.path() {
            Some(path) if !path.as_os_str().is_empty() => {
                namespaces.joined |= kind;
                joins.push((kind, index, path.clone()));
            }
            _ => namespaces.new |= kind,
        }
    }
    for (kind, index, path) in joins.iter().filter(|(_, _, path)| host.own_namespaces.contains(path)) {
        let place = at.index(*index).key("path");
        if let Some(what) = changed_in(*kind, spec) {
            let what = format!("{} is the caller's own namespace: {what} would change the host", path.display());
            notes.problems.add(place, what);
        }
    }
    for (kind, index, path) in &joins {
        let place = at.index(*index).key("path");
        match host.namespaces.get(path) {
            Some(Ok(found)) if found == kind => (),
            Some(Ok(found)) => {
                let (is, should) = (name(*found), name(*kind));
                notes.problems.add(place, format!("{} is a {is} namespace, not a {should} namespace", path.display()));
            }
            Some(Err(why)) => notes.problems.add(place, format!("{}: {why}", path.display())),
            None => (),
        }
    }
    joins.sort_by_key(|(kind, ..)| KINDS.iter().position(|(bit, _)| bit == kind));
    // No existing namespace belongs to a user namespace that is yet to be made.
    let before_user = |kind: u64, path: &PathBuf| {
        kind != USER && (namespaces.new & USER != 0 || host.outside_user_namespace.contains(path))
    };
    if host.privileged && namespaces.own(USER) {
        let kinds = joins.iter().filter(|(kind, _, path)| before_user(*kind, path)).map(|(kind, ..)| kind);
        namespaces.joined_before_user = kinds.fold(0, |all, kind| all | kind);
    }
    for (kind, index, path) in joins {
        passed_fds.push(PassedFd::Namespace { origin: at.index(index), kind, path });
    }
    // Inside a user namespace, the process has no rights to a pid namespace that was made outside. Also, procfs must be
    // able to show a pid namespace other than that of the mounting process.
    namespaces.enters_pid_last =
        namespaces.joined & PID != 0 && !namespaces.own(USER) && host.privileged && host.procfs_takes_pid_namespace;
    let parent_joins_pid = namespaces.joined & PID != 0 && !namespaces.enters_pid_last;
    namespaces.via_intermediate = namespaces.joined & USER != 0
        || namespaces.joined_before_user & !PID != 0
        || (parent_joins_pid && host.cannot_return);
    // Root of a user namespace has no rights to the caller's mount namespace.
    namespaces.mounts_in_callers =
        host.privileged && !namespaces.own(USER) && !namespaces.own(MOUNT) && needs_mounts(spec).next().is_some();
    if !host.privileged && !namespaces.own(USER) {
        let what = "rootless container requires user namespaces: without privilege no other namespace can be made";
        notes.problems.add(at, what);
    }
    if let Some(linux) = linux {
        namespaces.maps = (namespaces.new & USER != 0).then(|| maps(linux, host, notes));
        let listed = |list: &Option<Vec<_>>| list.as_ref().is_some_and(|list| !list.is_empty());
        // Engines pass both the path of the namespace and its maps. `launch` checks that they match.
        let expected = namespaces.joined & USER != 0 && (listed(linux.uid_mappings()) || listed(linux.gid_mappings()));
        namespaces.expected_maps = expected.then(|| maps(linux, host, notes));
        namespaces.time_offsets = time_offsets(linux);
        if namespaces.joined_before_user & MOUNT != 0 && namespaces.time_offsets.is_some() {
            // The offsets are written through procfs, and that mount namespace may have any file there.
            let what = "cannot be set with a joined mount namespace that does not belong to the user namespace";
            notes.problems.add(Pointer::of("/linux/timeOffsets"), what);
        }
    }
    namespaces
}

/// Refuses every setting that changes mounts, for a container without its own mount namespace: it would change the
/// host's mounts.
pub(super) fn refuse_mounts(spec: &Spec, problems: &mut Problems) {
    for place in needs_mounts(spec) {
        problems.add(Pointer::of(place), "needs a mount namespace");
    }
}

/// The members that request changes of the mount table.
fn needs_mounts(spec: &Spec) -> impl Iterator<Item = &'static str> {
    let linux = spec.linux().as_ref();
    let asked = [
        ("/mounts", spec.mounts().as_ref().is_some_and(|list| !list.is_empty())),
        ("/root/readonly", spec.root().as_ref().and_then(oci_spec::runtime::Root::readonly).unwrap_or(false)),
        ("/linux/maskedPaths", linux.and_then(|l| l.masked_paths().as_ref()).is_some_and(|list| !list.is_empty())),
        ("/linux/readonlyPaths", linux.and_then(|l| l.readonly_paths().as_ref()).is_some_and(|list| !list.is_empty())),
    ];
    asked.into_iter().filter(|(_, asked)| *asked).map(|(place, _)| place)
}

/// The member that changes something in a joined namespace of this kind, if there is one.
fn changed_in(kind: u64, spec: &Spec) -> Option<&'static str> {
    let given = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    let linux = spec.linux().as_ref()?;
    let sets = |wanted: u64| linux.sysctl().iter().flatten().any(|(name, _)| kind_of_sysctl(name) == wanted);
    match kind {
        MOUNT if spec.mounts().as_ref().is_some_and(|mounts| !mounts.is_empty()) => Some("mounts"),
        UTS if given(spec.hostname()) => Some("hostname"),
        UTS if given(spec.domainname()) => Some("domainname"),
        NETWORK if linux.net_devices().as_ref().is_some_and(|devices| !devices.is_empty()) => Some("netDevices"),
        kind if sets(kind) => Some("sysctl"),
        _ => None,
    }
}

/// The kind of namespace that a kernel parameter belongs to. Which parameters are allowed is for `validate` to decide.
fn kind_of_sysctl(name: &str) -> u64 {
    match sysctls::path(name).as_deref().and_then(|path| path.split_once('/')) {
        Some(("net", _)) => NETWORK,
        Some(("user", _)) => USER,
        Some(("kernel", "domainname")) => UTS,
        _ => IPC,
    }
}

fn maps(linux: &Linux, host: &Host, notes: &mut Notes) -> Maps {
    let mut maps = Maps { writer: writer(linux, host), ..Maps::default() };
    let lists =
        [(linux.uid_mappings(), "/linux/uidMappings", "uid"), (linux.gid_mappings(), "/linux/gidMappings", "gid")];
    for (number, (list, place, what)) in lists.into_iter().enumerate() {
        let list = list.as_deref().unwrap_or_default();
        let mut text = String::new();
        let mut root = None;
        for map in list {
            text.push_str(&format!("{} {} {}\n", map.container_id(), map.host_id(), map.size()));
            if map.container_id() == 0 {
                root = Some(map.host_id());
            }
        }
        let Some(root) = root else {
            if !list.is_empty() {
                notes.problems.add(Pointer::of(place), format!("no mapping for container {what} 0"));
            }
            continue;
        };
        if number == 0 {
            (maps.uids, maps.root.0) = (text, root);
        } else {
            (maps.gids, maps.root.1) = (text, root);
        }
    }
    maps
}

/// Whether these map lines contain the container id `id`.
pub(crate) fn is_mapped(map: &str, id: u32) -> bool {
    map.lines().any(|line| {
        let mut numbers = line.split_ascii_whitespace().map(|number| number.parse().unwrap_or(0));
        let (inside, _, size) = (numbers.next(), numbers.next(), numbers.next());
        id.checked_sub(inside.unwrap_or(u32::MAX)).is_some_and(|offset| offset < size.unwrap_or(0))
    })
}

/// An unprivileged user can map only the own ids without the set-user-ID programs.
fn writer(linux: &Linux, host: &Host) -> Writer {
    let own = |list: &Option<Vec<LinuxIdMapping>>, id: u32| {
        list.as_deref().is_some_and(|list| matches!(list, [only] if only.host_id() == id && only.size() == 1))
    };
    if host.privileged {
        Writer::Privileged
    } else if own(linux.uid_mappings(), host.ids.0) && own(linux.gid_mappings(), host.ids.1) {
        Writer::OwnIds
    } else {
        Writer::Programs
    }
}

fn time_offsets(linux: &Linux) -> Option<String> {
    let offsets = linux.time_offsets().as_ref().filter(|offsets| !offsets.is_empty())?;
    let mut clocks: Vec<_> = offsets.iter().collect();
    clocks.sort_by_key(|(clock, _)| *clock);
    let mut text = String::new();
    for (clock, offset) in clocks {
        let (secs, nanosecs) = (offset.secs().unwrap_or(0), offset.nanosecs().unwrap_or(0));
        text.push_str(&format!("{clock} {secs} {nanosecs}\n"));
    }
    Some(text)
}
