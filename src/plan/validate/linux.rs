//! Validates the rest of `linux`: paths, propagation, network devices, memory policy, personality, Intel RDT.

use super::namespaces::{NETWORK, Own};
use super::{no_nul, text};
use crate::plan::number_list;
use crate::spec::pointer::Pointer;
use crate::spec::problem::Problems;
use oci_spec::runtime::{Linux, LinuxIntelRdt, LinuxMemoryPolicy, MemoryPolicyFlagType, MemoryPolicyModeType};
use std::collections::HashSet;

/// The four values of the specification, and the recursive ones that Docker and containerd send.
const PROPAGATIONS: [&str; 8] =
    ["shared", "slave", "private", "unbindable", "rshared", "rslave", "rprivate", "runbindable"];

pub(super) fn check(linux: &Linux, own: Own, problems: &mut Problems) {
    for (member, list) in [("maskedPaths", linux.masked_paths()), ("readonlyPaths", linux.readonly_paths())] {
        for (index, path) in list.iter().flatten().enumerate() {
            let at = Pointer::of("/linux").key(member).index(index);
            no_nul(path, &at, problems);
            if path.is_empty() {
                problems.add(at, "is empty; expected a path in the container");
            }
        }
    }
    if let Some(word) = linux.rootfs_propagation().as_deref().filter(|word| !word.is_empty())
        && !PROPAGATIONS.contains(&word)
    {
        let what = format!("unknown value {word:?}; expected one of {}", PROPAGATIONS.join(", "));
        problems.add(Pointer::of("/linux/rootfsPropagation"), what);
    }
    if let Some(path) = linux.cgroups_path() {
        let (path, at) = (text(path), Pointer::of("/linux/cgroupsPath"));
        no_nul(&path, &at, problems);
        if path.split('/').any(|part| part == "..") {
            problems.add(at, format!("{path} must not contain \"..\""));
        }
    }
    no_nul(linux.mount_label().as_deref().unwrap_or_default(), &Pointer::of("/linux/mountLabel"), problems);
    net_devices(linux, own, problems);
    if let Some(policy) = linux.memory_policy() {
        memory_policy(policy, problems);
    }
    for (index, flag) in linux.personality().iter().flat_map(|p| p.flags().iter().flatten()).enumerate() {
        let what = format!("unknown value {flag:?}; the specification defines no personality flags");
        problems.add(Pointer::of("/linux/personality/flags").index(index), what);
    }
    if let Some(rdt) = linux.intel_rdt() {
        intel_rdt(rdt, problems);
    }
}

fn net_devices(linux: &Linux, own: Own, problems: &mut Problems) {
    let at = Pointer::of("/linux/netDevices");
    let mut devices: Vec<_> = linux.net_devices().iter().flatten().collect();
    devices.sort_by_key(|(name, _)| *name);
    if !devices.is_empty() && !own.has(NETWORK) {
        problems.add(at.clone(), "needs a network namespace to move the devices to");
    }
    let mut seen: HashSet<&str> = HashSet::new();
    for (name, device) in devices {
        let place = at.key(name);
        if !is_interface(name) {
            problems.add(place.clone(), format!("{name:?} cannot be the name of a network interface"));
        }
        let inside = device.name().as_deref().filter(|name| !name.is_empty());
        if let Some(inside) = inside.filter(|name| !is_interface_or_template(name)) {
            let what = format!("{inside:?} cannot be the name of a network interface");
            problems.add(place.key("name"), what);
        }
        let inside = inside.unwrap_or(name);
        // Duplicate templates such as "eth%d" are fine: the kernel makes a new name for each device.
        if !seen.insert(inside) && !inside.contains('%') {
            problems.add(place.key("name"), format!("{inside:?} is already the name of another device"));
        }
    }
}

/// The rules of the kernel's dev_valid_name(): at most IFNAMSIZ - 1 bytes, not `.` or `..`, no slash, colon or space.
fn is_interface(name: &str) -> bool {
    let forbidden = |b: u8| matches!(b, b'/' | b':' | b'\0') || b.is_ascii_whitespace() || b == 0x0b;
    (1..16).contains(&name.len()) && name != "." && name != ".." && !name.bytes().any(forbidden)
}

/// Accepts an interface name, or a name with exactly one `%d`.
fn is_interface_or_template(name: &str) -> bool {
    is_interface(name) && (!name.contains('%') || (name.matches('%').count() == 1 && name.contains("%d")))
}

/// The rules of set_mempolicy(2) for modes, nodes and flags.
fn memory_policy(policy: &LinuxMemoryPolicy, problems: &mut Problems) {
    use MemoryPolicyFlagType::{MpolFNumaBalancing, MpolFRelativeNodes, MpolFStaticNodes};
    use MemoryPolicyModeType::{MpolBind, MpolDefault, MpolLocal, MpolPreferred, MpolPreferredMany};
    let at = Pointer::of("/linux/memoryPolicy");
    let (mode, nodes) = (policy.mode(), policy.nodes().as_deref().unwrap_or_default());
    match mode {
        MpolDefault | MpolLocal if !nodes.is_empty() => {
            problems.add(at.key("nodes"), format!("{mode} takes no nodes"));
        }
        MpolDefault | MpolLocal | MpolPreferred => {}
        mode if nodes.is_empty() => {
            problems.add(at.key("nodes"), format!("is missing; {mode} needs at least one node"))
        }
        _ => {}
    }
    if !nodes.is_empty()
        && let Err(why) = number_list::ranges(nodes)
    {
        problems.add(at.key("nodes"), why);
    }
    let flags = policy.flags().as_deref().unwrap_or_default();
    let has = |flag: MemoryPolicyFlagType| flags.iter().position(|listed| *listed == flag);
    if let (Some(_), Some(index)) = (has(MpolFStaticNodes), has(MpolFRelativeNodes)) {
        problems.add(at.key("flags").index(index), format!("{MpolFRelativeNodes} contradicts {MpolFStaticNodes}"));
    }
    if let Some(index) = has(MpolFNumaBalancing).filter(|_| !matches!(mode, MpolBind | MpolPreferredMany)) {
        let what =
            format!("{MpolFNumaBalancing} is valid only with {MpolBind} and {MpolPreferredMany}, not with {mode}");
        problems.add(at.key("flags").index(index), what);
    }
    let without_nodes = matches!(mode, MpolDefault | MpolLocal) || (mode == MpolPreferred && nodes.is_empty());
    for flag in [MpolFStaticNodes, MpolFRelativeNodes] {
        if let Some(index) = has(flag).filter(|_| without_nodes) {
            problems.add(at.key("flags").index(index), format!("{flag} needs nodes, and {mode} has none"));
        }
    }
}

/// The rules of config-linux.md, "Intel RDT". Names that the resctrl file system reserves cannot be groups.
fn intel_rdt(rdt: &LinuxIntelRdt, problems: &mut Problems) {
    let at = Pointer::of("/linux/intelRdt");
    if let Some(id) = rdt.clos_id().as_deref().filter(|id| !matches!(*id, "" | "/")) {
        let reserved = matches!(id, "." | ".." | "info" | "mon_groups" | "mon_data");
        if reserved || id.contains(['/', '\n', '\0']) {
            problems.add(at.key("closID"), format!("{id:?} cannot be the name of a resctrl group"));
        }
    }
    no_nul(rdt.l3_cache_schema().as_deref().unwrap_or_default(), &at.key("l3CacheSchema"), problems);
    if let Some(schema) = rdt.mem_bw_schema().as_deref().filter(|schema| !schema.is_empty()) {
        if !schema.starts_with("MB:") {
            problems.add(at.key("memBwSchema"), format!("{schema:?} does not start with \"MB:\""));
        }
        one_line(schema, &at.key("memBwSchema"), problems);
    }
    for (index, line) in rdt.schemata().iter().flatten().enumerate() {
        one_line(line, &at.key("schemata").index(index), problems);
    }
}

fn one_line(line: &str, at: &Pointer, problems: &mut Problems) {
    no_nul(line, at, problems);
    if line.contains('\n') {
        problems.add(at.clone(), format!("{line:?} has more than one line"));
    }
}
