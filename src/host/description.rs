//! Reads the description of a host from a file, for `davit plan --host` and golden tests. Probes nothing: no path of
//! this machine is read.

use crate::plan::Host;
use crate::plan::resources::CgroupFacts;
use anyhow::{Context, Result, anyhow};
use serde::Deserialize;
use std::path::Path;

/// The members of the file, all optional. The default is a host with every feature and a caller with every privilege.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Description {
    /// Whether the caller has CAP_SYS_ADMIN.
    privileged: bool,
    /// The caller's ids.
    uid: u32,
    gid: u32,
    last_capability: u32,
    /// Names of the caller's permitted capabilities.
    permitted: Option<Vec<String>>,
    can_detach_exe: bool,
    apparmor: bool,
    selinux: bool,
    /// The ABI version of Landlock.
    landlock: u32,
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
            landlock: crate::plan::landlock::NEWEST_ABI,
            controllers: controllers.map(str::to_owned).to_vec(),
            v1_controllers: Vec::new(),
        }
    }
}

/// Reads the description of a host.
pub(crate) fn described(file: &Path) -> Result<Host> {
    let context = || format!("host description {}", file.display());
    let text = std::fs::read(file).with_context(context)?;
    parse(&text).with_context(context)
}

fn parse(text: &[u8]) -> Result<Host> {
    let description: Description = serde_json::from_slice(text)?;
    let mut permitted = u64::MAX;
    if let Some(names) = &description.permitted {
        permitted = 0;
        for name in names {
            let capability = name.parse::<caps::Capability>().map_err(|_| anyhow!("unknown capability {name:?}"))?;
            permitted |= capability.bitmask();
        }
    }
    Ok(Host {
        privileged: description.privileged,
        can_clone_mounts: description.privileged,
        cannot_return: false,
        procfs_takes_pid_namespace: true,
        ids: (description.uid, description.gid),
        setgroups_denied: false,
        last_capability: description.last_capability,
        permitted,
        can_detach_exe: description.can_detach_exe,
        apparmor: description.apparmor,
        selinux: description.selinux,
        landlock: description.landlock,
        root: None,
        namespaces: std::collections::BTreeMap::new(),
        own_namespaces: std::collections::BTreeSet::new(),
        outside_user_namespace: std::collections::BTreeSet::new(),
        cgroup: CgroupFacts { controllers: description.controllers, v1: description.v1_controllers },
    })
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn omitted_members_default_to_available() {
        let host = parse(b"{}").expect("a host");
        assert!(host.privileged && host.can_detach_exe && host.permitted == u64::MAX);
        assert!(host.cgroup.controllers.iter().any(|name| name == "memory"));
        let host = parse(br#"{"privileged": false, "permitted": ["CAP_CHOWN", "CAP_KILL"], "controllers": []}"#);
        let host = host.expect("a host");
        assert_eq!((host.privileged, host.permitted, host.cgroup.controllers.len()), (false, 1 | 1 << 5, 0));
    }

    #[test]
    fn unknown_members_are_errors() {
        for text in [r#"{"kernel": 1}"#, r#"{"permitted": ["CAP_SOON"]}"#, "{", ""] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
