//! The small parts of `linux.resources`: hugepageLimits, rdma, network and pids.

use super::{Draft, Refused};
use crate::spec::pointer::Pointer;
use oci_spec::runtime::{LinuxHugepageLimit, LinuxNetwork, LinuxPids, LinuxRdma};
use std::collections::{BTreeMap, HashMap, HashSet};

/// The fault limit, and the reservation limit where the kernel has it (5.7): mmap then fails where a fault would kill.
pub(super) fn hugepages(limits: &[LinuxHugepageLimit], at: &Pointer, draft: &mut Draft<'_>) {
    let mut seen = HashSet::new();
    for (i, entry) in limits.iter().enumerate() {
        let (at, size) = (at.index(i), entry.page_size());
        if !is_page_size(size) {
            let what = format!("\"{size}\" is no page size such as \"64KB\", \"2MB\" or \"1GB\"");
            draft.problems.add(at.key("pageSize"), what);
            continue;
        }
        if !seen.insert(size) {
            draft.problems.add(at.key("pageSize"), format!("\"{size}\" is in this list twice"));
            continue;
        }
        if entry.limit() < 0 {
            draft.problems.add(at.key("limit"), format!("{} is no size in bytes", entry.limit()));
            continue;
        }
        let value = entry.limit().to_string();
        draft.write_or(at.clone(), format!("hugetlb.{size}.max"), value.clone(), Refused::Fail);
        draft.write_or(at, format!("hugetlb.{size}.rsvd.max"), value, Refused::UnlessMissing);
    }
}

/// `^[1-9][0-9]*[KMG]B$`. The size becomes part of a file name: a slash in it wrote outside of the cgroup in another
/// runtime (GHSA-5g49-rx9x-qfc6).
fn is_page_size(size: &str) -> bool {
    let Some(number) = ["KB", "MB", "GB"].iter().find_map(|unit| size.strip_suffix(unit)) else { return false };
    !number.is_empty() && !number.starts_with('0') && number.bytes().all(|b| b.is_ascii_digit())
}

/// One line per device. The devices are taken by name, so that the plan of a configuration is always the same.
pub(super) fn rdma(devices: &HashMap<String, LinuxRdma>, at: &Pointer, draft: &mut Draft<'_>) {
    for (device, limits) in devices.iter().collect::<BTreeMap<_, _>>() {
        let at = at.key(device);
        if device.is_empty() || device.contains(|c: char| c.is_whitespace() || c.is_control() || c == '/') {
            draft.problems.add(at, format!("\"{}\" is no name of a device", device.escape_debug()));
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

/// net_cls and net_prio have no successor on v2.
pub(super) fn network(network: &LinuxNetwork, at: &Pointer, draft: &mut Draft<'_>) {
    let instead = "match the container's cgroup in nftables (socket cgroupv2) and set mark or priority there";
    if network.class_id().is_some_and(|id| id != 0) {
        draft.cannot(at.key("classID"), instead);
    }
    if network.priorities().as_ref().is_some_and(|list| !list.is_empty()) {
        draft.cannot(at.key("priorities"), instead);
    }
}

/// A negative limit is none. 0 is a limit: nothing more may be started, which would be true of the container's first
/// process too if it were written before that one is inside (the kernel checks at the clone).
pub(super) fn pids(pids: &LinuxPids, at: &Pointer, draft: &mut Draft<'_>) {
    let (origin, file) = (at.key("limit"), "pids.max");
    match pids.limit() {
        ..0 => draft.lift(origin, file, "max".to_owned()),
        // With 0 nothing could ever fork. runc and systemd take it as 1 too.
        0 => draft.write(origin, file, "1".to_owned()),
        limit => draft.write(origin, file, limit.to_string()),
    }
}
