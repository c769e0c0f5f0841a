//! Validates `linux.namespaces`, and settings that need one of them: id mappings and time offsets.

use super::{absolute, ids, text};
use crate::spec::pointer::Pointer;
use crate::spec::problem::Problems;
use oci_spec::runtime::{Linux, LinuxNamespace, LinuxNamespaceType, Spec};

/// The namespaces a container does not share with its caller, as bits of [`LinuxNamespaceType`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Own {
    new: u32,
    joined: u32,
}

pub(super) const IPC: LinuxNamespaceType = LinuxNamespaceType::Ipc;
pub(super) const NETWORK: LinuxNamespaceType = LinuxNamespaceType::Network;
pub(super) const UTS: LinuxNamespaceType = LinuxNamespaceType::Uts;
pub(super) const USER: LinuxNamespaceType = LinuxNamespaceType::User;
const TIME: LinuxNamespaceType = LinuxNamespaceType::Time;

impl Own {
    /// Collects the namespaces listed in `spec`.
    pub(super) fn of(spec: &Spec) -> Self {
        let mut own = Own::default();
        for entry in spec.linux().iter().flat_map(|linux| linux.namespaces().iter().flatten()) {
            match path(entry) {
                Some(_) => own.joined |= entry.typ() as u32,
                None => own.new |= entry.typ() as u32,
            }
        }
        own
    }

    /// Whether the container gets a new namespace of this type or joins one by path.
    pub(super) fn has(self, kind: LinuxNamespaceType) -> bool {
        (self.new | self.joined) & kind as u32 != 0
    }

    /// Whether the container gets a new namespace of this type.
    fn creates(self, kind: LinuxNamespaceType) -> bool {
        self.new & kind as u32 != 0
    }
}

/// The path of a namespace to join. Go callers send the empty string for "no path".
fn path(entry: &LinuxNamespace) -> Option<std::borrow::Cow<'_, str>> {
    entry.path().as_deref().map(text).filter(|path| !path.is_empty())
}

pub(super) fn check(linux: &Linux, own: Own, problems: &mut Problems) {
    let at = Pointer::of("/linux/namespaces");
    let mut seen: Vec<LinuxNamespaceType> = Vec::new();
    for (index, entry) in linux.namespaces().iter().flatten().enumerate() {
        if seen.contains(&entry.typ()) {
            let name = name(entry.typ());
            problems.add(
                at.index(index).key("type"),
                format!("{name:?} is already listed; each type may appear only once"),
            );
        }
        seen.push(entry.typ());
        if let Some(path) = path(entry) {
            absolute(&path, &at.index(index).key("path"), problems);
        }
    }
    for (list, place) in [(linux.uid_mappings(), "/linux/uidMappings"), (linux.gid_mappings(), "/linux/gidMappings")] {
        let list = list.as_deref().unwrap_or_default();
        ids::check(list, &Pointer::of(place), problems);
        if !list.is_empty() && !own.has(USER) {
            problems.add(Pointer::of(place), "needs a user namespace, and none is listed");
        }
        if list.is_empty() && own.creates(USER) {
            problems.add(Pointer::of(place), "is missing; a new user namespace needs at least one mapping");
        }
    }
    time(linux, own, problems);
}

/// Checks `timeOffsets`. Offsets can be written only before the namespace has a process (time_namespaces(7)), so they
/// need a new time namespace.
fn time(linux: &Linux, own: Own, problems: &mut Problems) {
    let at = Pointer::of("/linux/timeOffsets");
    let mut offsets: Vec<_> = linux.time_offsets().iter().flatten().collect();
    offsets.sort_by_key(|(clock, _)| *clock);
    for (clock, offset) in &offsets {
        if !matches!(clock.as_str(), "monotonic" | "boottime") {
            problems.add(at.key(clock), format!("unknown clock {clock:?}; expected one of monotonic, boottime"));
        }
        if let Some(nanosecs) = offset.nanosecs().filter(|nanosecs| *nanosecs >= 1_000_000_000) {
            let what = format!("{nanosecs} is out of range; it must be below 1000000000, a second");
            problems.add(at.key(clock).key("nanosecs"), what);
        }
    }
    if !offsets.is_empty() && !own.creates(TIME) {
        let why = if own.has(TIME) { "the one listed is joined by path" } else { "none is listed" };
        problems.add(at, format!("needs a new time namespace, and {why}"));
    }
}

/// The specification's name of a type. oci-spec prints the kernel's name instead.
fn name(kind: LinuxNamespaceType) -> &'static str {
    match kind {
        LinuxNamespaceType::Mount => "mount",
        LinuxNamespaceType::Cgroup => "cgroup",
        LinuxNamespaceType::Uts => "uts",
        LinuxNamespaceType::Ipc => "ipc",
        LinuxNamespaceType::User => "user",
        LinuxNamespaceType::Pid => "pid",
        LinuxNamespaceType::Network => "network",
        LinuxNamespaceType::Time => "time",
    }
}
