//! Compiles the small parts of `linux.resources`: hugepageLimits, rdma, network and pids.

use super::{Draft, Refused};
use crate::spec::pointer::Pointer;
use oci_spec::runtime::{LinuxHugepageLimit, LinuxNetwork, LinuxPids, LinuxRdma};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Writes the fault limit, and the reservation limit if the kernel has it (5.7). With the reservation limit mmap fails,
/// where a fault would kill the process.
pub(super) fn hugepages(limits: &[LinuxHugepageLimit], at: &Pointer, draft: &mut Draft<'_>) {
    let mut seen = HashSet::new();
    for (i, entry) in limits.iter().enumerate() {
        let (at, size) = (at.index(i), entry.page_size());
        if !is_page_size(size) {
            let what = format!("\"{size}\" is not a page size such as \"64KB\", \"2MB\" or \"1GB\"");
            draft.problems.add(at.key("pageSize"), what);
            continue;
        }
        if !seen.insert(size) {
            draft.problems.add(at.key("pageSize"), format!("\"{size}\" is listed twice"));
            continue;
        }
        if entry.limit() < 0 {
            draft.problems.add(at.key("limit"), format!("{} is not a size in bytes", entry.limit()));
            continue;
        }
        let value = entry.limit().to_string();
        draft.write_or(at.clone(), format!("hugetlb.{size}.max"), value.clone(), Refused::Fail);
        draft.write_or(at, format!("hugetlb.{size}.rsvd.max"), value, Refused::UnlessMissing);
    }
}

/// Checks for `^[1-9][0-9]*[KMG]B$`. The size becomes part of a file name, and in another runtime a slash in it caused
/// writes outside of the cgroup (GHSA-5g49-rx9x-qfc6).
fn is_page_size(size: &str) -> bool {
    let Some(number) = ["KB", "MB", "GB"].iter().find_map(|unit| size.strip_suffix(unit)) else { return false };
    !number.is_empty() && !number.starts_with('0') && number.bytes().all(|b| b.is_ascii_digit())
}

/// Writes one line per device, sorted by name, so that the plan of a configuration is always the same.
pub(super) fn rdma(devices: &HashMap<String, LinuxRdma>, at: &Pointer, draft: &mut Draft<'_>) {
    for (device, limits) in devices.iter().collect::<BTreeMap<_, _>>() {
        let at = at.key(device);
        if device.is_empty() || device.contains(|c: char| c.is_whitespace() || c.is_control() || c == '/') {
            draft.problems.add(at, format!("\"{}\" is not a device name", device.escape_debug()));
            continue;
        }
        let mut value = device.clone();
        for (key, limit) in [("hca_handle", limits.hca_handles()), ("hca_object", limits.hca_objects())] {
            if let Some(limit) = limit {
                value.push_str(&format!(" {key}={limit}"));
            }
        }
        if value.len() == device.len() {
            draft.problems.add(at, "has neither hcaHandles nor hcaObjects");
        } else {
            draft.write(at, "rdma.max", value);
        }
    }
}

/// Reports both settings, because net_cls and net_prio have no successor on v2.
pub(super) fn network(network: &LinuxNetwork, at: &Pointer, draft: &mut Draft<'_>) {
    let instead = "match the container's cgroup in nftables (socket cgroupv2) and set mark or priority there";
    if network.class_id().is_some_and(|id| id != 0) {
        draft.unsupported(at.key("classID"), instead);
    }
    if network.priorities().as_ref().is_some_and(|list| !list.is_empty()) {
        draft.unsupported(at.key("priorities"), instead);
    }
}

/// Writes `pids.max`. A negative limit means unlimited. A limit of 0, written before the clone, would refuse even the
/// container's first process, because the kernel checks at the clone.
pub(super) fn pids(pids: &LinuxPids, at: &Pointer, draft: &mut Draft<'_>) {
    let (origin, file) = (at.key("limit"), "pids.max");
    match pids.limit() {
        ..0 => draft.lift(origin, file, "max".to_owned()),
        // With 0 no process could ever fork. runc and systemd also use 1 for 0.
        0 => draft.write(origin, file, "1".to_owned()),
        limit => draft.write(origin, file, limit.to_string()),
    }
}
