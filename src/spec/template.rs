//! Builds the `config.json` that `spec` writes as a starting point: a shell in all the usual namespaces.
//!
//! There is one variant for root and one for unprivileged users. The members have the same order as in other runtimes.

use super::features::indented;
use super::state::OCI_VERSION;
use serde::Serialize;
use serde_json::{Value, json};

/// Who uses the template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Root.
    Root,
    /// An unprivileged user, who maps the container's root to these ids.
    Rootless {
        /// The user's uid.
        uid: u32,
        /// The user's gid.
        gid: u32,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    oci_version: &'static str,
    process: Process,
    root: Value,
    hostname: &'static str,
    mounts: Vec<Mount>,
    linux: Linux,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Process {
    terminal: bool,
    user: User,
    args: [&'static str; 1],
    env: [&'static str; 2],
    cwd: &'static str,
    capabilities: Capabilities,
    rlimits: [Rlimit; 1],
    no_new_privileges: bool,
}

#[derive(Serialize)]
struct User {
    uid: u32,
    gid: u32,
}

#[derive(Serialize)]
struct Capabilities {
    bounding: [&'static str; 3],
    effective: [&'static str; 3],
    permitted: [&'static str; 3],
}

#[derive(Serialize)]
struct Rlimit {
    #[serde(rename = "type")]
    kind: &'static str,
    hard: u64,
    soft: u64,
}

#[derive(Serialize)]
struct Mount {
    destination: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    source: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    options: Vec<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Linux {
    #[serde(skip_serializing_if = "Option::is_none")]
    uid_mappings: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gid_mappings: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resources: Option<Resources>,
    namespaces: Vec<Value>,
    masked_paths: [&'static str; 10],
    readonly_paths: [&'static str; 5],
}

#[derive(Serialize)]
struct Resources {
    devices: [DeviceRule; 1],
}

#[derive(Serialize)]
struct DeviceRule {
    allow: bool,
    access: &'static str,
}

/// The capabilities that a shell needs: to write the audit log, to signal its children, and to bind ports below 1024.
const CAPABILITIES: [&str; 3] = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"];

/// Files that reveal or harm the host, and that no namespace isolates.
const MASKED: [&str; 10] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/sys/firmware",
    "/proc/scsi",
];

/// Files that the container may read but not change.
const READONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// Returns the document, indented by tabs, without a newline at the end.
///
/// # Errors
/// These values cause none, but serde's signature has one.
pub(crate) fn config(caller: Caller) -> serde_json::Result<String> {
    let document = Document {
        oci_version: OCI_VERSION,
        process: Process {
            terminal: true,
            user: User { uid: 0, gid: 0 },
            args: ["sh"],
            env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
            cwd: "/",
            capabilities: Capabilities { bounding: CAPABILITIES, effective: CAPABILITIES, permitted: CAPABILITIES },
            rlimits: [Rlimit { kind: "RLIMIT_NOFILE", hard: 1024, soft: 1024 }],
            no_new_privileges: true,
        },
        root: json!({"path": "rootfs", "readonly": true}),
        hostname: "davit",
        mounts: mounts(caller),
        linux: linux(caller),
    };
    indented(&document, b"\t")
}

fn mounts(caller: Caller) -> Vec<Mount> {
    let mount = |destination, kind, source, options: &[&'static str]| {
        let options = options.to_vec();
        Mount { destination, kind, source, options }
    };
    let mut pts = vec!["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"];
    let sys = match caller {
        Caller::Root => {
            pts.push("gid=5");
            mount("/sys", "sysfs", "sysfs", &["nosuid", "noexec", "nodev", "ro"])
        }
        // The kernel refuses to mount a sysfs for a network namespace of another user, so the host's sysfs is bound.
        // There is no gid=5 for devpts, because the group tty is not mapped.
        Caller::Rootless { .. } => mount("/sys", "none", "/sys", &["rbind", "nosuid", "noexec", "nodev", "ro"]),
    };
    vec![
        mount("/proc", "proc", "proc", &[]),
        mount("/dev", "tmpfs", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
        mount("/dev/pts", "devpts", "devpts", &pts),
        mount("/dev/shm", "tmpfs", "shm", &["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
        mount("/dev/mqueue", "mqueue", "mqueue", &["nosuid", "noexec", "nodev"]),
        sys,
        mount("/sys/fs/cgroup", "cgroup", "cgroup", &["nosuid", "noexec", "nodev", "relatime", "ro"]),
    ]
}

fn linux(caller: Caller) -> Linux {
    let (mut uid_mappings, mut gid_mappings, mut resources) = (None, None, None);
    let mut namespaces = vec!["pid", "ipc", "uts", "mount", "cgroup"];
    match caller {
        Caller::Root => {
            resources = Some(Resources { devices: [DeviceRule { allow: false, access: "rwm" }] });
            namespaces.insert(1, "network");
        }
        Caller::Rootless { uid, gid } => {
            let map = |host: u32| Some(json!([{"containerID": 0, "hostID": host, "size": 1}]));
            (uid_mappings, gid_mappings) = (map(uid), map(gid));
            namespaces.push("user");
        }
    }
    Linux {
        uid_mappings,
        gid_mappings,
        resources,
        namespaces: namespaces.into_iter().map(|kind| json!({"type": kind})).collect(),
        masked_paths: MASKED,
        readonly_paths: READONLY,
    }
}

#[cfg(test)]
mod tests {
    use super::{Caller, config};
    use serde_json::{Value, json};

    fn document(caller: Caller) -> Value {
        serde_json::from_str(&config(caller).expect("JSON")).expect("JSON")
    }

    #[test]
    fn the_root_template_has_a_network_namespace_and_device_rules() {
        let document = document(Caller::Root);
        let kinds: Vec<_> = document["linux"]["namespaces"].as_array().expect("a list").iter().collect();
        assert_eq!(
            kinds,
            [
                &json!({"type": "pid"}),
                &json!({"type": "network"}),
                &json!({"type": "ipc"}),
                &json!({"type": "uts"}),
                &json!({"type": "mount"}),
                &json!({"type": "cgroup"})
            ]
        );
        assert_eq!(document["linux"]["resources"], json!({"devices": [{"allow": false, "access": "rwm"}]}));
        assert_eq!(document["mounts"].as_array().map(Vec::len), Some(7));
        assert_eq!(document["mounts"][2]["options"][5], "gid=5");
        assert_eq!(document["mounts"][5]["type"], "sysfs");
    }

    #[test]
    fn the_rootless_template_has_mappings_and_needs_no_root() {
        let document = document(Caller::Rootless { uid: 1000, gid: 100 });
        assert_eq!(document["linux"]["uidMappings"], json!([{"containerID": 0, "hostID": 1000, "size": 1}]));
        assert_eq!(document["linux"]["gidMappings"], json!([{"containerID": 0, "hostID": 100, "size": 1}]));
        assert_eq!(document["linux"].get("resources"), None);
        let text = document.to_string();
        assert!(!text.contains("network") && !text.contains("gid=5") && text.contains("{\"type\":\"user\"}"));
        assert_eq!(document["mounts"][5]["options"][0], "rbind");
        assert_eq!(document["mounts"].as_array().map(Vec::len), Some(7));
    }

    #[test]
    fn the_template_is_indented_by_tabs() {
        let text = config(Caller::Root).expect("JSON");
        assert!(
            text.starts_with("{\n\t\"ociVersion\": \"1.3.0\",\n\t\"process\": {\n\t\t\"terminal\": true,"),
            "{text}"
        );
    }
}
