//! Compiles `mounts[]`: one act for each entry, in the order of the configuration.

use super::act::{Act, Bind, Change, InRoot, NewMount, Slot, Source};
use super::annotations;
use super::namespaces::{self, Namespaces, PID, USER};
use super::options::{Options, read};
use super::parameters;
use super::{Host, IdMap, Notes, PassedFd, Request, Step, c_path, c_string};
use crate::spec::pointer::Pointer;
use crate::sys::mount::Attributes;
use oci_spec::runtime::{LinuxIdMapping, Mount, Spec};
use std::path::{Component, Path, PathBuf};

/// Files below /proc that a bind mount may cover: those that lxcfs provides, and two settings that programs read. Other
/// mounts there could hide or forge the kernel's reports, and attackers have used them to escape (CVE-2019-16884,
/// CVE-2025-52881).
const ON_PROC: [&str; 10] = [
    "/proc/cpuinfo",
    "/proc/diskstats",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/swaps",
    "/proc/uptime",
    "/proc/loadavg",
    "/proc/slabinfo",
    "/proc/sys/kernel/ns_last_pid",
    "/proc/sys/crypto/fips_enabled",
];

/// Whether a bind mount may cover this path below /proc.
pub(super) fn may_cover_on_proc(path: &Path) -> bool {
    ON_PROC.iter().any(|allowed| path == Path::new(allowed))
}

/// The steps of all mounts, and the steps that make some of them read-only at the end.
#[derive(Default)]
pub(super) struct Mounts {
    /// In the order of the configuration.
    pub(super) steps: Vec<Step>,
    /// Steps that make a tmpfs read-only. They come last, because the setup writes to the tmpfs before.
    pub(super) readonly: Vec<Step>,
    /// `/dev` is a bind mount, so no default devices are made in it.
    pub(super) dev_is_bound: bool,
}

struct Compiler<'a> {
    spec: &'a Spec,
    host: &'a Host,
    request: &'a Request,
    namespaces: &'a Namespaces,
    passed_fds: &'a mut Vec<PassedFd>,
    notes: &'a mut Notes,
    /// The destinations of the entries so far.
    made: Vec<PathBuf>,
    /// The problem about the mount label is already reported.
    label_is_refused: bool,
}

/// Compiles `mounts[]`.
pub(super) fn compile(
    spec: &Spec,
    host: &Host,
    request: &Request,
    namespaces: &Namespaces,
    passed_fds: &mut Vec<PassedFd>,
    notes: &mut Notes,
) -> Mounts {
    let mut mounts = Mounts::default();
    let mut compiler =
        Compiler { spec, host, request, namespaces, passed_fds, notes, made: Vec::new(), label_is_refused: false };
    for (index, mount) in spec.mounts().iter().flatten().enumerate() {
        compiler.entry(mount, Pointer::of("/mounts").index(index), &mut mounts);
    }
    for (source, destination) in &request.extra_binds {
        let origin = Pointer::of("");
        let text = c_path(source, &origin, &mut compiler.notes.problems);
        let source = if compiler.namespaces.own(USER) && compiler.host.privileged {
            let (origin, source) = (origin.clone(), source.clone());
            compiler.passed_fds.push(PassedFd::Tree { origin, source, recursive: false, id_map: None });
            Source::Reachable(compiler.passed_fds.len() - 1, text)
        } else {
            Source::Path(text)
        };
        let target = InRoot(c_string(destination.as_str(), &origin, &mut compiler.notes.problems));
        let set = libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_NOEXEC;
        let changes = vec![Change { recursive: false, attributes: Attributes { set, clear: 0, propagation: 0 } }];
        let act = Act::Bind(Bind {
            source,
            target,
            recursive: false,
            changes,
            on_proc: false,
            must_be_proc: false,
            copy_symlink: false,
        });
        mounts.steps.push(Step { origin, act });
    }
    mounts
}

impl Compiler<'_> {
    fn entry(&mut self, mount: &Mount, origin: Pointer, mounts: &mut Mounts) {
        let options = read(mount.options().as_deref().unwrap_or_default());
        let destination = absolute(mount.destination());
        let target = InRoot(c_path(&destination, &origin.key("destination"), &mut self.notes.problems));
        let typ = mount.typ().as_deref().unwrap_or_default();
        if options.remount {
            mounts.steps.push(self.remount(options, target, origin));
        } else if options.bind || typ == "bind" {
            mounts.dev_is_bound |= destination == Path::new("/dev");
            let act = self.bind(mount, options, target, &destination, &origin);
            mounts.steps.extend(act.map(|act| Step { origin, act }));
        } else {
            let (act, readonly) = self.new_mount(mount, options, target, &origin);
            mounts.steps.push(Step { origin: origin.clone(), act });
            mounts.readonly.extend(readonly.map(|act| Step { origin, act }));
        }
        self.made.push(destination);
    }

    fn remount(&mut self, options: Options, target: InRoot, origin: Pointer) -> Step {
        let changes = changes_of(&options);
        let data = self.data(&options, &origin);
        let flags = if options.bind { options.flags | libc::MS_BIND } else { options.flags };
        Step { origin, act: Act::Remount { target, flags, data, changes } }
    }

    fn bind(&mut self, mount: &Mount, options: Options, target: InRoot, path: &Path, origin: &Pointer) -> Option<Act> {
        let recursive = options.recursive_bind || !options.bind;
        for (number, word) in mount.options().iter().flatten().enumerate() {
            if options.data.contains(word) {
                let what = format!(
                    "{word:?} is no option of a mount; bind mounts cannot have any filesystem-specific options"
                );
                self.notes.problems.add(origin.key("options").index(number), what);
            }
        }
        let place = origin.key("source");
        let Some(source) = mount.source().as_ref().filter(|source| !source.as_os_str().is_empty()) else {
            self.notes.problems.add(place, "is missing; a bind mount needs one");
            return None;
        };
        let source = if source.is_absolute() { source.clone() } else { self.request.bundle.join(source) };
        let text = c_path(&source, &place, &mut self.notes.problems);
        let id_map = self.id_map(mount, &options, origin);
        let (mapped, slot) = (id_map.is_some(), self.passed_fds.len());
        let source = if let Some(inside) = self.on_earlier_mount(&source) {
            Source::InRoot(InRoot(c_path(&inside, &place, &mut self.notes.problems)), id_map)
        } else if mapped || (self.namespaces.own(USER) && self.host.can_clone_mounts) {
            self.passed_fds.push(PassedFd::Tree { origin: origin.clone(), source, recursive, id_map });
            if mapped { Source::PassedFd(slot, text) } else { Source::Reachable(slot, text) }
        } else {
            Source::Path(text)
        };
        let on_proc = may_cover_on_proc(path);
        let must_be_proc = path == Path::new("/proc");
        let (changes, copy_symlink) = (changes_of(&options), options.copy_symlink);
        Some(Act::Bind(Bind { source, target, recursive, changes, on_proc, must_be_proc, copy_symlink }))
    }

    /// The path inside the container of a source that is on or above the mount of an earlier entry.
    fn on_earlier_mount(&self, source: &Path) -> Option<PathBuf> {
        let root = self.request.bundle.join(self.spec.root().as_ref()?.path());
        let inside = absolute(Path::new("/").join(absolute(source).strip_prefix(absolute(&root)).ok()?).as_path());
        self.made.iter().any(|made| inside.starts_with(made) || made.starts_with(&inside)).then_some(inside)
    }

    fn id_map(&mut self, mount: &Mount, options: &Options, origin: &Pointer) -> Option<IdMap> {
        let (uids, gids) = (mount.uid_mappings().as_deref(), mount.gid_mappings().as_deref());
        let recursive = options.id_map.unwrap_or(false);
        let asked = options.id_map.is_some() || uids.or(gids).is_some_and(|list| !list.is_empty());
        if asked && !self.host.privileged {
            let what = "the ids of a mount cannot be mapped in a rootless container";
            self.notes.problems.add(origin.clone(), what);
        }
        match (uids.filter(|list| !list.is_empty()), gids.filter(|list| !list.is_empty())) {
            (Some(uids), Some(gids)) => Some(IdMap::Own { recursive, uids: lines(uids), gids: lines(gids) }),
            _ if options.id_map.is_none() => None,
            // `validate::mounts` reports an incomplete pair.
            (Some(_), None) | (None, Some(_)) => None,
            _ if self.namespaces.own(USER) => Some(IdMap::Container { recursive }),
            _ => {
                let what = "idmap without mappings needs a user namespace to take them from";
                self.notes.problems.add(origin.key("options"), what);
                None
            }
        }
    }

    /// A file system mounted in a user namespace accepts only ids mapped there. The kernel's error is only EINVAL.
    fn refuse_unmapped_owners(&mut self, mount: &Mount, options: &Options, origin: &Pointer) {
        let Some(maps) = &self.namespaces.maps else { return };
        for (number, word) in mount.options().iter().flatten().enumerate() {
            let Some((name @ ("uid" | "gid"), id)) = word.split_once('=') else { continue };
            let map = if name == "uid" { &maps.uids } else { &maps.gids };
            let Ok(id) = id.parse() else { continue };
            if options.data.contains(word) && !namespaces::is_mapped(map, id) {
                let hint = if mount.typ().as_deref() == Some("devpts") {
                    "; leave it out, and terminals belong to the group of their user (davit spec --rootless)"
                } else {
                    ""
                };
                let what = format!("{word}: the container's user namespace does not map {name} {id}{hint}");
                self.notes.problems.add(origin.key("options").index(number), what);
            }
        }
    }

    fn new_mount(&mut self, mount: &Mount, options: Options, target: InRoot, origin: &Pointer) -> (Act, Option<Act>) {
        let typ = mount.typ().as_deref().unwrap_or_default();
        if typ.is_empty() {
            self.notes.problems.add(origin.key("type"), "is missing; only a bind mount needs none");
        }
        self.refuse_unmapped_owners(mount, &options, origin);
        let cgroup = matches!(typ, "cgroup" | "cgroup2");
        let tmpfs = typ == "tmpfs";
        let kind = if cgroup { "cgroup2" } else { typ };
        let mut flags = options.flags;
        let mut readonly = None;
        if tmpfs && flags & libc::MS_RDONLY != 0 {
            flags &= !libc::MS_RDONLY;
            readonly = Some(Act::MakeReadonly(target.clone()));
        }
        let place = origin.key("source");
        let source = mount.source().as_deref().unwrap_or(Path::new(kind));
        let data = self.data_with_label(&options, kind, origin);
        let new = NewMount {
            kind: c_string(kind, &origin.key("type"), &mut self.notes.problems),
            source: c_path(source, &place, &mut self.notes.problems),
            target,
            flags,
            parameters: parameters::of(flags, source, data.as_deref()),
            data,
            pid_namespace: self.pid_namespace().filter(|_| typ == "proc"),
            changes: options.changes.clone(),
            plain_target: matches!(typ, "proc" | "sysfs"),
            copy_up: options.copy_up && tmpfs,
            keep_mode: tmpfs && !options.data.iter().any(|option| option.starts_with("mode=")),
        };
        (if cgroup { Act::MountCgroup(new) } else { Act::Mount(new) }, readonly)
    }

    /// The slot of a joined pid namespace that the process enters after the mounts.
    fn pid_namespace(&self) -> Option<Slot> {
        let is_pid = |fd: &PassedFd| matches!(fd, PassedFd::Namespace { kind: PID, .. });
        self.passed_fds.iter().position(is_pid).filter(|_| self.namespaces.enters_pid_last)
    }

    fn data(&mut self, options: &Options, origin: &Pointer) -> Option<std::ffi::CString> {
        let joined = options.data.join(",");
        (!joined.is_empty()).then(|| c_string(joined, &origin.key("options"), &mut self.notes.problems))
    }

    fn data_with_label(&mut self, options: &Options, kind: &str, origin: &Pointer) -> Option<std::ffi::CString> {
        let label = self.spec.linux().as_ref().and_then(|linux| linux.mount_label().as_deref()).unwrap_or_default();
        if !label.is_empty() && !self.host.selinux && !self.label_is_refused {
            let what = format!("{label:?} needs SELinux, which is not enabled on this host");
            self.notes.problems.add(Pointer::of("/linux/mountLabel"), what);
            self.label_is_refused = true;
        }
        let labelled = !label.is_empty() && !matches!(kind, "proc" | "sysfs" | "mqueue" | "cgroup2");
        if !labelled || options.data.iter().any(|option| option.starts_with("context=")) {
            return self.data(options, origin);
        }
        let mut options = options.clone();
        options.data.push(format!("{}=\"{label}\"", annotations::mount_context(self.spec)));
        self.data(&options, origin)
    }
}

/// The attributes of the plain options as the first change, then the listed changes.
fn changes_of(options: &Options) -> Vec<Change> {
    let mut changes = Vec::with_capacity(options.changes.len() + 1);
    if !options.attributes.is_empty() {
        changes.push(Change { recursive: false, attributes: options.attributes });
    }
    for change in &options.changes {
        // One call can set attributes and one propagation type.
        match changes.last_mut() {
            Some(last) if last.attributes.propagation == 0 && last.recursive == change.recursive => {
                let attributes = &mut last.attributes;
                attributes.set = attributes.set & !change.attributes.clear | change.attributes.set;
                attributes.clear = attributes.clear & !change.attributes.set | change.attributes.clear;
                attributes.propagation = change.attributes.propagation;
            }
            _ => changes.push(*change),
        }
    }
    changes
}

fn lines(maps: &[LinuxIdMapping]) -> String {
    maps.iter().map(|map| format!("{} {} {}\n", map.container_id(), map.host_id(), map.size())).collect()
}

/// Whether a mount is a bind mount.
pub(super) fn is_bind(mount: &Mount) -> bool {
    let options = read(mount.options().as_deref().unwrap_or_default());
    !options.remount && (options.bind || mount.typ().as_deref() == Some("bind"))
}

/// A destination as an absolute path without `.`. A relative destination is relative to "/" (config.md, "Mounts").
pub(super) fn absolute(path: &Path) -> PathBuf {
    let mut clean = PathBuf::from("/");
    for part in path.components() {
        match part {
            Component::Normal(name) => clean.push(name),
            Component::ParentDir => {
                clean.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => (),
        }
    }
    clean
}
