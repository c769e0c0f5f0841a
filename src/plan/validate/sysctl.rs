//! Validates `linux.sysctl`: a container may set only kernel parameters of its own namespaces.

use super::namespaces::{IPC, NETWORK, Own, USER, UTS};
use super::no_nul;
use crate::plan::sysctls::path;
use crate::spec::pointer::Pointer;
use crate::spec::problem::Problems;
use oci_spec::runtime::{Linux, LinuxNamespaceType};
use std::collections::BTreeMap;

/// Parameters below `kernel` that belong to the IPC namespace (ipc_namespaces(7)).
const OF_IPC: [&str; 8] = ["msgmax", "msgmnb", "msgmni", "sem", "shmall", "shmmax", "shmmni", "shm_rmid_forced"];

pub(super) fn check(linux: &Linux, own: Own, problems: &mut Problems) {
    let at = Pointer::of("/linux/sysctl");
    let mut entries: Vec<_> = linux.sysctl().iter().flatten().collect();
    entries.sort();
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for (name, value) in entries {
        let place = at.key(name);
        no_nul(name, &place, problems);
        no_nul(value, &place, problems);
        let Some(path) = path(name) else {
            problems.add(place, format!("{name:?} is not the name of a kernel parameter"));
            continue;
        };
        if let Err(why) = allowed(&path, own) {
            problems.add(place.clone(), why);
        }
        if let Some(other) = seen.insert(path, name) {
            problems.add(place, format!("is the same parameter as {other:?}"));
        }
    }
}

fn allowed(path: &str, own: Own) -> Result<(), String> {
    let needs = |kind: LinuxNamespaceType, name: &str| {
        if own.has(kind) {
            Ok(())
        } else {
            Err(format!("needs a {name} namespace; without one it would change the host"))
        }
    };
    match path.split_once('/') {
        Some(("net", _)) => needs(NETWORK, "network"),
        Some(("user", _)) => needs(USER, "user"),
        Some(("fs", rest)) if rest.starts_with("mqueue/") => needs(IPC, "ipc"),
        Some(("kernel", rest)) if OF_IPC.contains(&rest) => needs(IPC, "ipc"),
        Some(("kernel", "domainname")) => needs(UTS, "uts"),
        Some(("kernel", "hostname")) => Err("is set by hostname, not as a kernel parameter".to_owned()),
        _ => Err("belongs to no namespace; it would change the host".to_owned()),
    }
}
