//! Writes the features document, which lists what the runtime supports, for engines to check (features.md,
//! features-linux.md).
//!
//! Deliberately contains no lists: the caller passes the tables that the code uses, so document and code cannot differ.

use serde::Serialize;
use std::collections::BTreeMap;

/// What the runtime supports, as lists from the tables that the code uses.
#[derive(Clone, Debug, Default)]
pub(crate) struct Supported<'a> {
    /// Generic mount options, without options of specific file systems.
    pub(crate) mount_options: &'a [&'a str],
    /// Types of `linux.namespaces`.
    pub(crate) namespaces: &'a [&'a str],
    /// Names of capabilities.
    pub(crate) capabilities: &'a [&'a str],
    /// cgroup managers.
    pub(crate) cgroup: Cgroup,
    /// Seccomp filters.
    pub(crate) seccomp: Seccomp<'a>,
    /// Whether `process.apparmorProfile` is honoured where the kernel has AppArmor.
    pub(crate) apparmor: bool,
    /// Whether `process.selinuxLabel` and `linux.mountLabel` are honoured where the kernel has SELinux.
    pub(crate) selinux: bool,
    /// Parts of `linux.intelRdt`.
    pub(crate) intel_rdt: IntelRdt,
    /// Modes and flags of `linux.memoryPolicy`.
    pub(crate) memory_policy: MemoryPolicy<'a>,
    /// Whether mounts can map ids.
    pub(crate) idmap: bool,
    /// Whether `linux.netDevices` is honoured.
    pub(crate) net_devices: bool,
    /// Whether checkpoint and restore are supported.
    pub(crate) checkpoint: bool,
    /// The runtime's own version.
    pub(crate) version: &'a str,
    /// The commit it was built from. Omitted if empty.
    pub(crate) commit: &'a str,
    /// Annotations that change the runtime's behaviour. One that ends in "." is a prefix.
    pub(crate) unsafe_annotations: &'a [&'a str],
}

/// `linux.cgroup`.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Cgroup {
    pub(crate) v1: bool,
    pub(crate) v2: bool,
    pub(crate) systemd: bool,
    pub(crate) systemd_user: bool,
    pub(crate) rdma: bool,
}

/// `linux.seccomp`.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Seccomp<'a> {
    pub(crate) enabled: bool,
    pub(crate) actions: &'a [&'a str],
    pub(crate) operators: &'a [&'a str],
    pub(crate) archs: &'a [&'a str],
    /// Flags the runtime recognises.
    pub(crate) known_flags: &'a [&'a str],
    /// The known flags that work on this kernel.
    pub(crate) supported_flags: &'a [&'a str],
}

/// `linux.intelRdt`.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct IntelRdt {
    pub(crate) enabled: bool,
    pub(crate) schemata: bool,
    pub(crate) monitoring: bool,
}

/// `linux.memoryPolicy`.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct MemoryPolicy<'a> {
    pub(crate) modes: &'a [&'a str],
    pub(crate) flags: &'a [&'a str],
}

/// The six arrays of `hooks`.
pub(crate) const HOOKS: [&str; 6] =
    ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    oci_version_min: &'a str,
    oci_version_max: &'a str,
    hooks: &'a [&'a str],
    mount_options: &'a [&'a str],
    linux: Linux<'a>,
    annotations: BTreeMap<&'a str, &'a str>,
    potentially_unsafe_config_annotations: &'a [&'a str],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Linux<'a> {
    namespaces: &'a [&'a str],
    capabilities: &'a [&'a str],
    cgroup: Cgroup,
    seccomp: Seccomp<'a>,
    apparmor: Enabled,
    selinux: Enabled,
    intel_rdt: IntelRdt,
    memory_policy: MemoryPolicy<'a>,
    mount_extensions: MountExtensions,
    net_devices: Enabled,
}

#[derive(Serialize)]
struct Enabled {
    enabled: bool,
}

#[derive(Serialize)]
struct MountExtensions {
    idmap: Enabled,
}

/// Returns the document, indented by four spaces.
///
/// # Errors
/// These values cause none, but serde's signature has one.
pub(crate) fn document(supported: &Supported<'_>) -> serde_json::Result<String> {
    let flag = |on: bool| if on { "true" } else { "false" };
    let mut annotations = BTreeMap::from([
        ("io.github.davit.version", supported.version),
        ("io.github.davit.commit", supported.commit),
        ("io.github.davit.checkpoint.enabled", flag(supported.checkpoint)),
        ("io.github.davit.landlock.enabled", flag(true)),
        // The name that programs know from runc.
        ("org.opencontainers.runc.checkpoint.enabled", flag(supported.checkpoint)),
    ]);
    annotations.retain(|_, value| !value.is_empty());
    let document = Document {
        oci_version_min: "1.0.0",
        oci_version_max: super::state::OCI_VERSION,
        hooks: &HOOKS,
        mount_options: supported.mount_options,
        linux: Linux {
            namespaces: supported.namespaces,
            capabilities: supported.capabilities,
            cgroup: supported.cgroup,
            seccomp: supported.seccomp,
            apparmor: Enabled { enabled: supported.apparmor },
            selinux: Enabled { enabled: supported.selinux },
            intel_rdt: supported.intel_rdt,
            memory_policy: supported.memory_policy,
            mount_extensions: MountExtensions { idmap: Enabled { enabled: supported.idmap } },
            net_devices: Enabled { enabled: supported.net_devices },
        },
        annotations,
        potentially_unsafe_config_annotations: supported.unsafe_annotations,
    };
    indented(&document, b"    ")
}

/// Returns JSON indented by `indent`, without a newline at the end.
pub(super) fn indented<T: Serialize>(document: &T, indent: &[u8]) -> serde_json::Result<String> {
    let mut text = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(indent);
    document.serialize(&mut serde_json::Serializer::with_formatter(&mut text, formatter))?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::{Cgroup, IntelRdt, MemoryPolicy, Seccomp, Supported, document};
    use crate::spec::shape::enums;
    use oci_spec::runtime::Features;
    use serde_json::{Value, json};

    fn supported() -> Supported<'static> {
        Supported {
            mount_options: &["bind", "ro"],
            namespaces: &enums::NAMESPACES,
            capabilities: &enums::CAPABILITIES,
            cgroup: Cgroup { v2: true, ..Cgroup::default() },
            seccomp: Seccomp {
                enabled: true,
                actions: &enums::SECCOMP_ACTIONS,
                operators: &enums::SECCOMP_OPERATORS,
                archs: &enums::SECCOMP_ARCHITECTURES,
                known_flags: &enums::SECCOMP_FLAGS,
                supported_flags: &enums::SECCOMP_FLAGS[..1],
            },
            intel_rdt: IntelRdt { enabled: true, schemata: true, monitoring: false },
            memory_policy: MemoryPolicy { modes: &enums::MEMORY_MODES, flags: &enums::MEMORY_FLAGS },
            idmap: true,
            version: "1.2.3",
            unsafe_annotations: &["bundle", "org.systemd.property."],
            ..Supported::default()
        }
    }

    fn parsed() -> Value {
        serde_json::from_str(&document(&supported()).expect("JSON")).expect("JSON")
    }

    #[test]
    fn the_document_has_every_member_of_runtime_spec_1_3() {
        let document = parsed();
        for place in [
            "/ociVersionMin",
            "/ociVersionMax",
            "/hooks/5",
            "/mountOptions/1",
            "/annotations",
            "/potentiallyUnsafeConfigAnnotations/1",
            "/linux/namespaces/7",
            "/linux/capabilities/40",
            "/linux/cgroup/v1",
            "/linux/cgroup/v2",
            "/linux/cgroup/systemd",
            "/linux/cgroup/systemdUser",
            "/linux/cgroup/rdma",
            "/linux/seccomp/enabled",
            "/linux/seccomp/actions/8",
            "/linux/seccomp/operators/6",
            "/linux/seccomp/archs/22",
            "/linux/seccomp/knownFlags/3",
            "/linux/seccomp/supportedFlags/0",
            "/linux/apparmor/enabled",
            "/linux/selinux/enabled",
            "/linux/intelRdt/enabled",
            "/linux/intelRdt/schemata",
            "/linux/intelRdt/monitoring",
            "/linux/memoryPolicy/modes/6",
            "/linux/memoryPolicy/flags/2",
            "/linux/mountExtensions/idmap/enabled",
            "/linux/netDevices/enabled",
        ] {
            assert!(document.pointer(place).is_some_and(|value| !value.is_null()), "{place}");
        }
        assert_eq!(document["ociVersionMin"], "1.0.0");
        assert_eq!(document["ociVersionMax"], "1.3.0");
        assert_eq!(document["linux"]["cgroup"]["v2"], true);
        assert_eq!(document["linux"]["netDevices"]["enabled"], false);
    }

    #[test]
    fn oci_spec_reads_the_features_document() {
        let features: Features = serde_json::from_value(parsed()).expect("fits");
        assert_eq!(features.mount_options().as_ref().map(Vec::len), Some(2));
    }

    #[test]
    fn an_unknown_commit_is_omitted_and_indentation_is_four_spaces() {
        assert_eq!(
            parsed()["annotations"],
            json!({
                "io.github.davit.version": "1.2.3",
                "io.github.davit.checkpoint.enabled": "false",
                "io.github.davit.landlock.enabled": "true",
                "org.opencontainers.runc.checkpoint.enabled": "false",
            })
        );
        assert!(document(&supported()).expect("JSON").starts_with("{\n    \"ociVersionMin\": \"1.0.0\",\n"));
    }
}
