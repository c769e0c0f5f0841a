//! Decides what of a container CRIU does not save, because the host has it: bind mounts, the cgroup mount, namespaces
//! that were joined by path. Also refuses configurations that no checkpoint can hold.
//!
//! Leaves to `container` which mounts a container really has.

use super::mounts::{absolute, is_bind};
use super::namespaces::{self, CGROUP, IPC, MOUNT, NETWORK, PID, TIME, USER, UTS};
use crate::spec::pointer::Pointer;
use oci_spec::runtime::{LinuxSeccompAction, Spec};
use std::path::{Path, PathBuf};

/// A mount whose content is the host's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct External {
    /// Its place in the configuration, which is also the key that CRIU knows the mount by. It is unique, unlike its
    /// paths.
    pub(crate) key: String,
    /// Its mount point as configured; links of the image are not resolved.
    pub(crate) target: PathBuf,
    /// Its source on the host; `None` for the container's cgroup.
    pub(crate) source: Option<PathBuf>,
}

/// The mounts of a configuration whose content is the host's, in order.
pub(crate) fn external_mounts(spec: &Spec, bundle: &Path) -> Vec<External> {
    let mut external = Vec::new();
    for (index, mount) in spec.mounts().iter().flatten().enumerate() {
        let key = Pointer::of("/mounts").index(index).to_string();
        let target = absolute(mount.destination());
        let typ = mount.typ().as_deref().unwrap_or_default();
        if is_bind(mount) {
            let source = mount.source().as_deref().map(|source| bundle.join(source));
            external.extend(source.map(|source| External { key, target, source: Some(source) }));
        } else if matches!(typ, "cgroup" | "cgroup2") {
            external.push(External { key, target, source: None });
        }
    }
    external
}

/// What happens to a namespace that the container joins by path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Joined {
    /// CRIU leaves it out, and gets its descriptor for a restore.
    External(&'static str),
    /// The restored processes join it by its path.
    ByPath(&'static str),
}

/// The namespaces that the container joins by path.
pub(crate) fn joined_namespaces(spec: &Spec) -> Vec<(u64, Joined, PathBuf)> {
    let mut all = Vec::new();
    for entry in spec.linux().iter().filter_map(|linux| linux.namespaces().as_ref()).flatten() {
        let kind = namespaces::kind(entry.typ());
        let how = match kind {
            NETWORK => Joined::External("net"),
            PID => Joined::External("pid"),
            IPC => Joined::ByPath("ipc"),
            UTS => Joined::ByPath("uts"),
            TIME => Joined::ByPath("time"),
            _ => continue,
        };
        all.extend(entry.path().clone().map(|path| (kind, how, path)));
    }
    all
}

/// Why a container with this configuration cannot be checkpointed.
pub(crate) fn refusal(spec: &Spec) -> Option<String> {
    let linux = spec.linux().as_ref();
    let list = linux.and_then(|linux| linux.namespaces().as_deref()).unwrap_or_default();
    if !list.iter().any(|entry| namespaces::kind(entry.typ()) == MOUNT) {
        return Some("the container has no mount namespace, so CRIU cannot tell its mounts from the host's".to_owned());
    }
    let refused = list
        .iter()
        .find(|entry| entry.path().is_some() && matches!(namespaces::kind(entry.typ()), MOUNT | USER | CGROUP));
    if let Some(entry) = refused {
        let name = namespaces::name(namespaces::kind(entry.typ()));
        return Some(format!("the container has joined a {name} namespace by path, which CRIU cannot leave out"));
    }
    // CRIU 4.2 saves it, but does not move the restored processes to their cgroup: the container would be lost.
    if list.iter().any(|entry| namespaces::kind(entry.typ()) == USER) {
        return Some("the container has a user namespace, which cannot be restored yet".to_owned());
    }
    let seccomp = linux.and_then(|linux| linux.seccomp().as_ref());
    let notifies = seccomp.is_some_and(|seccomp| {
        let rules = seccomp.syscalls().iter().flatten().map(oci_spec::runtime::LinuxSyscall::action);
        rules.chain([seccomp.default_action()]).any(|action| action == LinuxSeccompAction::ScmpActNotify)
    });
    notifies.then(|| "the seccomp filter has a listener, which CRIU cannot save".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{External, Joined, external_mounts, joined_namespaces, refusal};
    use crate::plan::namespaces::{IPC, NETWORK};
    use oci_spec::runtime::Spec;
    use serde_json::{Value, json};
    use std::path::{Path, PathBuf};

    fn spec(mounts: Value, linux: Value) -> Spec {
        serde_json::from_value(json!({"ociVersion": "1.2.0", "mounts": mounts, "linux": linux})).expect("fits")
    }

    #[test]
    fn binds_and_the_cgroup_are_the_hosts_and_keyed_by_their_place() {
        let spec = spec(
            json!([
                {"destination": "/proc", "type": "proc", "source": "proc"},
                {"destination": "data/../etc", "type": "bind", "source": "volume"},
                {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup"},
                {"destination": "/x", "type": "none", "source": "/y", "options": ["ro", "rbind"]},
                {"destination": "/run", "type": "tmpfs", "source": "tmpfs"},
            ]),
            json!({}),
        );
        let external = |key: &str, target: &str, source: Option<&str>| External {
            key: key.to_owned(),
            target: PathBuf::from(target),
            source: source.map(PathBuf::from),
        };
        assert_eq!(
            external_mounts(&spec, Path::new("/bundle")),
            [
                external("/mounts/1", "/etc", Some("/bundle/volume")),
                external("/mounts/2", "/sys/fs/cgroup", None),
                external("/mounts/3", "/x", Some("/y")),
            ]
        );
    }

    #[test]
    fn joined_namespaces_are_left_out_or_joined_again() {
        let spec = spec(
            json!([]),
            json!({"namespaces": [{"type": "mount"}, {"type": "network", "path": "/n"}, {"type": "ipc", "path": "/i"},
                {"type": "uts"}]}),
        );
        let expected =
            [(NETWORK, Joined::External("net"), "/n".into()), (IPC, Joined::ByPath("ipc"), PathBuf::from("/i"))];
        assert_eq!(joined_namespaces(&spec), expected);
        assert_eq!(refusal(&spec), None);
    }

    #[test]
    fn what_no_checkpoint_can_hold_is_refused() {
        for (linux, words) in [
            (json!({"namespaces": [{"type": "pid"}]}), "no mount namespace"),
            (json!({"namespaces": [{"type": "mount", "path": "/m"}]}), "joined a mount namespace"),
            (json!({"namespaces": [{"type": "mount"}, {"type": "user", "path": "/u"}]}), "joined a user namespace"),
            (json!({"namespaces": [{"type": "mount"}, {"type": "user"}]}), "has a user namespace"),
            (
                json!({"namespaces": [{"type": "mount"}], "seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls":
                    [{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}]}}),
                "listener",
            ),
        ] {
            let refused = refusal(&spec(json!([]), linux)).expect("refused");
            assert!(refused.contains(words), "{refused}");
        }
    }
}
