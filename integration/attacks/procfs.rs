//! Tests that an image cannot redirect what the runtime writes below /proc (sysctls, labels, scores).
//! Masking of /proc is left to `masks`.

use super::outside;
use crate::harness::bundle::Container;
use crate::harness::trial::{Test, rows};
use nix::sched::{CloneFlags, setns};
use serde_json::json;
use std::{
    fs::{self, File},
    os::unix::fs::symlink,
    thread,
};

pub(super) fn tests() -> Vec<Test> {
    let mut all: Vec<Test> = rows!("cve_2019_16884_volume", VOLUMES, volume).collect();
    all.extend(rows!("cve_2025_52881_redirected", REDIRECTIONS, redirected));
    all
}

/// Destinations of a volume that the image declares. Writes there would end up in the volume.
const VOLUMES: &[(&str, &str)] = &[
    ("proc", "/proc"),
    ("self", "/proc/self"),
    ("attr", "/proc/self/attr"),
    ("thread-attr", "/proc/thread-self/attr"),
    ("sys", "/proc/sys"),
    ("first", "/proc/1"),
];

fn volume(row: &(&str, &str)) {
    let c = Container::sleeper();
    let volume = outside(&c);
    c.mount(row.1, "bind", volume.to_str().unwrap(), &["bind"]).create().fails();
}

/// A link in the image at a mount target that points to /proc: (name, target of the link).
const REDIRECTIONS: &[(&str, &str)] = &[
    ("proc", "/proc"),
    ("proc-up", "../../../proc"),
    ("sys", "/proc/sys"),
    ("ipv4", "/proc/sys/net/ipv4"),
    ("self", "/proc/self"),
    ("attr", "/proc/self/attr"),
    ("thread-attr", "/proc/thread-self/attr"),
    ("first", "/proc/1"),
];

/// Files that a runtime writes to below /proc.
const WRITTEN: &[&str] = &[
    "oom_score_adj",
    "attr/exec",
    "attr/apparmor/exec",
    "exec",
    "sys/net/ipv4/ip_unprivileged_port_start",
    "net/ipv4/ip_unprivileged_port_start",
    "ip_unprivileged_port_start",
];

/// A link redirects a volume to /proc. Sysctls and scores are still set in the real procfs, and nothing is written to
/// the volume, which could contain links to any file (/proc/sysrq-trigger).
fn redirected(row: &(&str, &str)) {
    let c = Container::sleeper().edit(|c| {
        c["linux"]["sysctl"] = json!({"net.ipv4.ip_unprivileged_port_start": "77"});
        c["process"]["oomScoreAdj"] = json!(500);
        c["linux"]["readonlyPaths"] = json!([]);
        c["linux"]["maskedPaths"] = json!([]);
    });
    let fake = c.dir.join("fake");
    let tops = ["", "self", "thread-self", "1"].map(|top| fake.join(top));
    let files: Vec<_> = tops.iter().flat_map(|top| WRITTEN.iter().map(|name| top.join(name))).collect();
    for file in &files {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "fake\n").unwrap();
    }
    symlink(row.1, c.root("vol")).unwrap();
    let c = c.mount("/vol", "bind", fake.to_str().unwrap(), &["rbind"]);
    let output = c.create();
    for file in &files {
        assert_eq!(fs::read_to_string(file).unwrap(), "fake\n", "{} was written to", file.display());
    }
    if output.code() != 0 {
        return c.nothing_left();
    }
    let pid = c.pid();
    assert_eq!(fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).unwrap(), "500\n");
    let namespace = File::open(format!("/proc/{pid}/ns/net")).unwrap();
    let value = thread::spawn(move || {
        setns(namespace, CloneFlags::CLONE_NEWNET).unwrap();
        fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap()
    });
    assert_eq!(value.join().unwrap(), "77\n", "the sysctl went elsewhere");
}
