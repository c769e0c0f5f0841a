//! A host as a file describes it, in place of the one at hand: what `davit plan --host` plans for, and what golden tests
//! compare with. Finds out nothing: no path of this machine is looked at.

use crate::plan::Host;
use crate::plan::resources::CgroupFacts;
use anyhow::{Context, Result, anyhow};
use serde::Deserialize;
use std::path::Path;

/// The members of the file, all optional. Without any it is a host that has everything, and a caller who may everything.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Description {
    /// Whether the caller has CAP_SYS_ADMIN.
    privileged: bool,
    /// The caller's ids.
    uid: u32,
    gid: u32,
    last_capability: u32,
    /// What the caller is permitted, by names.
    permitted: Option<Vec<String>>,
    can_detach_exe: bool,
    apparmor: bool,
    selinux: bool,
    /// Controllers of cgroup v2.
    controllers: Vec<String>,
    /// Controllers bound to cgroup v1.
    v1_controllers: Vec<String>,
}

impl Default for Description {
    fn default() -> Self {
        let controllers = ["cpuset", "cpu", "io", "memory", "hugetlb", "pids", "rdma"];
        Description {
            privileged: true,
            uid: 0,
            gid: 0,
            last_capability: crate::sys::credentials::LAST_CAPABILITY,
            permitted: None,
            can_detach_exe: true,
            apparmor: true,
            selinux: true,
            controllers: controllers.map(str::to_owned).to_vec(),
            v1_controllers: Vec::new(),
        }
    }
}

/// Reads the description of a host.
pub(crate) fn described(file: &Path) -> Result<Host> {
    let told = || format!("host description {}", file.display());
    let text = std::fs::read(file).with_context(told)?;
    parse(&text).with_context(told)
}

fn parse(text: &[u8]) -> Result<Host> {
    let told: Description = serde_json::from_slice(text)?;
    let mut permitted = u64::MAX;
    if let Some(names) = &told.permitted {
        permitted = 0;
        for name in names {
            let capability = name.parse::<caps::Capability>().map_err(|_| anyhow!("unknown capability {name:?}"))?;
            permitted |= capability.bitmask();
        }
    }
    Ok(Host {
        privileged: told.privileged,
        can_clone_mounts: told.privileged,
        cannot_return: false,
        procfs_takes_pid_namespace: true,
        ids: (told.uid, told.gid),
        setgroups_denied: false,
        last_capability: told.last_capability,
        permitted,
        can_detach_exe: told.can_detach_exe,
        apparmor: told.apparmor,
        selinux: told.selinux,
        root: None,
        namespaces: std::collections::BTreeMap::new(),
        own_namespaces: std::collections::BTreeSet::new(),
        cgroup: CgroupFacts { controllers: told.controllers, v1: told.v1_controllers },
    })
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn what_is_not_told_is_there() {
        let host = parse(b"{}").expect("a host");
        assert!(host.privileged && host.can_detach_exe && host.permitted == u64::MAX);
        assert!(host.cgroup.controllers.iter().any(|name| name == "memory"));
        let host = parse(br#"{"privileged": false, "permitted": ["CAP_CHOWN", "CAP_KILL"], "controllers": []}"#);
        let host = host.expect("a host");
        assert_eq!((host.privileged, host.permitted, host.cgroup.controllers.len()), (false, 1 | 1 << 5, 0));
    }

    #[test]
    fn a_word_that_is_not_known_is_an_error() {
        for text in [r#"{"kernel": 1}"#, r#"{"permitted": ["CAP_SOON"]}"#, "{", ""] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
