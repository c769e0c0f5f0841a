//! Tests process attributes that only kernel files or system calls show: LSM labels, scheduling, I/O priority, NUMA
//! policy, execution domain. Attributes of processes that `exec` adds are in `exec_attributes.rs`.

use crate::harness::bundle::Container;
use crate::harness::runtime::only_davit;
use crate::harness::skip::skip;
use crate::harness::trial::{Test, rows, tests};
use serde_json::{Value, json};
use std::{fs, path::Path};

pub(crate) fn tests() -> Vec<Test> {
    let mut all = tests![apparmor_profile, labels_without_selinux, memory_policy, personality];
    all.extend(rows!("scheduler", SCHEDULERS, scheduler));
    all.extend(rows!("io-priority", IO_PRIORITIES, io_priority));
    all
}

/// With AppArmor enabled, the process runs under the profile, and a profile that is not loaded is an error. Without
/// AppArmor, every profile is an error.
fn apparmor_profile() {
    only_davit("runc and crun ignore the profile if AppArmor is not enabled");
    let profile = |name: &str| {
        Container::new(&["/bin/cat", "/proc/self/attr/current"]).edit(|c| c["process"]["apparmorProfile"] = json!(name))
    };
    let enabled = fs::read_to_string("/sys/module/apparmor/parameters/enabled").is_ok_and(|text| text.starts_with('Y'));
    if enabled {
        assert_eq!(profile("unconfined").prints(), "unconfined\n");
        profile("davit-suite-no-such-profile").refused("/process/apparmorProfile");
    } else {
        profile("unconfined").refused("/process/apparmorProfile: \"unconfined\" needs AppArmor, which is not enabled");
    }
}

fn labels_without_selinux() {
    only_davit("crun ignores the label, runc has another error text");
    if Path::new("/sys/fs/selinux/enforce").exists() {
        skip("this host has SELinux");
    }
    let label = "system_u:object_r:container_file_t:s0";
    let c = Container::sleeper().edit(|c| c["process"]["selinuxLabel"] = json!(label));
    c.refused("/process/selinuxLabel");
    let c = Container::sleeper().edit(|c| c["linux"]["mountLabel"] = json!(label));
    c.refused("/linux/mountLabel").says("SELinux, which is not enabled");
}

/// (policy, its number, nice, kernel priority: 120 + nice, or -1 for SCHED_DEADLINE)
const SCHEDULERS: &[(&str, &str, i32, i32)] = &[
    ("SCHED_OTHER", "0", -5, 115),
    ("SCHED_BATCH", "3", 5, 125),
    ("SCHED_IDLE", "5", 0, 120),
    ("SCHED_DEADLINE", "6", 0, -1),
];

fn scheduler(row: &(&str, &str, i32, i32)) {
    if !Path::new("/proc/self/sched").exists() {
        skip("this kernel has no /proc/PID/sched (CONFIG_SCHED_DEBUG)");
    }
    let mut asked = json!({"policy": row.0});
    if row.2 != 0 {
        asked["nice"] = json!(row.2);
    }
    if row.0 == "SCHED_DEADLINE" {
        asked["runtime"] = json!(1_000_000);
        asked["deadline"] = json!(5_000_000);
        asked["period"] = json!(10_000_000);
    }
    let c = Container::new(&["/bin/cat", "/proc/self/sched"]).edit(|c| c["process"]["scheduler"] = asked);
    let output = c.run();
    if row.0 == "SCHED_DEADLINE" && output.err.contains("peration not permitted") {
        skip("this host admits no deadline task");
    }
    let value = |name: &str| {
        let line = output.out.lines().find(|line| line.split(':').next().unwrap().trim() == name);
        line.and_then(|line| line.split(':').nth(1)).map(|value| value.trim().to_owned())
    };
    assert_eq!((value("policy"), value("prio")), (Some(row.1.to_owned()), Some(row.3.to_string())), "{}", output.err);
}

/// (name, class, priority, the kernel's number)
const IO_PRIORITIES: &[(&str, &str, i32, i64)] =
    &[("best-effort", "IOPRIO_CLASS_BE", 6, 2 << 13 | 6), ("idle", "IOPRIO_CLASS_IDLE", 0, 3 << 13)];

fn io_priority(row: &(&str, &str, i32, i64)) {
    // ioprio_get(IOPRIO_WHO_PROCESS, this process)
    let call = format!("{},1,0", libc::SYS_ioprio_get);
    let asked = json!({"class": row.1, "priority": row.2});
    let c = Container::probe(&["syscall", &call]).edit(|c| c["process"]["ioPriority"] = asked);
    assert_eq!(c.prints().trim(), row.3.to_string());
}

fn memory_policy() {
    if !Path::new("/proc/self/numa_maps").exists() {
        skip("this kernel knows no NUMA policies");
    }
    let with = |policy: Value| {
        Container::new(&["/bin/head", "-n", "1", "/proc/self/numa_maps"]).edit(|c| c["linux"]["memoryPolicy"] = policy)
    };
    let output = with(json!({"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]})).prints();
    assert!(output.contains(" bind=static:0 "), "{output}");
    let output = with(json!({"mode": "MPOL_INTERLEAVE", "nodes": "0"})).prints();
    assert!(output.contains(" interleave:0 "), "{output}");
    with(json!({"mode": "MPOL_BIND", "nodes": "1000"})).create().fails();
}

fn personality() {
    let c =
        Container::sh("cat /proc/self/personality").edit(|c| c["linux"]["personality"] = json!({"domain": "LINUX32"}));
    assert_eq!(c.prints(), "00000008\n");
}
