//! Tests cgroup file names that resolve outside the container's cgroup, and host cgroups that a container could write
//! to. Which names are rejected, and how, is left to `bad_input`.

use crate::harness::bundle::{Container, push, without_namespace};
use crate::harness::cgroups::{cgroup_base, cgroup_mount};
use crate::harness::trial::{Test, rows, tests};
use serde_json::{Value, json};
use std::{
    fs,
    os::unix::fs::chown,
    path::{Path, PathBuf},
};

pub(super) fn tests() -> Vec<Test> {
    let mut all = tests![a_cgroup_mount_never_shows_the_hosts_hierarchy];
    all.extend(rows!("ghsa_5g49_create", NAMES, at_create));
    all.extend(rows!("ghsa_5g49_update", NAMES, at_update));
    all.extend(rows!("cve_2023_25809_host_cgroups", HOST_CGROUPS, host_cgroups));
    all
}

/// A cgroup that does not belong to the container; removed when dropped.
struct Foreign(PathBuf);

impl Foreign {
    fn new(id: &str) -> Self {
        let path = cgroup_base().join(format!("davit-suite-foreign-{id}"));
        fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        fs::remove_dir(&self.0).ok();
    }
}

/// Resources whose names are paths, built from the relative path from the container's cgroup to a foreign cgroup.
type Name = (&'static str, fn(&str) -> Value);

const NAMES: &[Name] = &[
    ("unified", |victim| json!({"unified": {(format!("{victim}/cgroup.max.depth")): "7"}})),
    ("unified-through-here", |victim| json!({"unified": {(format!("./{victim}/cgroup.max.depth")): "7"}})),
    ("unified-absolute", |victim| {
        let name = victim.rsplit('/').next().unwrap();
        json!({"unified": {cgroup_base().join(name).join("cgroup.max.depth").to_str().unwrap(): "7"}})
    }),
    ("unified-parent", |_| json!({"unified": {"../cgroup.max.depth": "7"}})),
    ("unified-below", |_| json!({"unified": {"sub/cgroup.max.depth": "7"}})),
    ("unified-dots", |_| json!({"unified": {"..": "7"}})),
    // A runtime that normalises the path before opening it resolves this to `pids.max` of the victim.
    ("hugetlb", |victim| json!({"hugepageLimits": [{"pageSize": format!("/../{victim}/pids"), "limit": 7}]})),
    (
        "hugetlb-dots",
        |victim| json!({"hugepageLimits": [{"pageSize": format!("/../{victim}/cgroup.max.depth\0"), "limit": 7}]}),
    ),
    ("hugetlb-size", |_| json!({"hugepageLimits": [{"pageSize": "2MB/../../x", "limit": 0}]})),
];

/// The relative path from a container's cgroup to another cgroup below the mount.
fn relative_path(c: &Container, to: &Path) -> String {
    let depth = c.cgroup().strip_prefix(cgroup_mount()).unwrap().components().count();
    format!("{}{}", "../".repeat(depth), to.file_name().unwrap().to_str().unwrap())
}

/// Requires that no limit of the foreign cgroup, or of the container's parent cgroup, has the value that the rows
/// write.
fn not_written_to(c: &Container, foreign: &Foreign) {
    let cgroup = c.cgroup();
    for path in [&foreign.0, cgroup.parent().unwrap()] {
        for name in ["cgroup.max.depth", "pids.max"] {
            let limit = fs::read_to_string(path.join(name)).unwrap_or_default();
            assert_ne!(limit, "7\n", "a foreign cgroup was written to: {} {name}", path.display());
        }
    }
}

fn at_create(row: &Name) {
    let c = Container::sleeper();
    let foreign = Foreign::new(&c.id);
    let resources = row.1(&relative_path(&c, &foreign.0));
    let c = c.edit(|c| c["linux"]["resources"] = resources);
    // The call may fail or ignore the name. `bad_input` tests which.
    c.create();
    not_written_to(&c, &foreign);
}

fn at_update(row: &Name) {
    let c = Container::sleeper().up();
    let foreign = Foreign::new(&c.id);
    let resources = row.1(&relative_path(&c, &foreign.0));
    c.call(&["update", "--resources", "-", &c.id]).input(&resources.to_string()).run();
    not_written_to(&c, &foreign);
}

/// A cgroup mount in a container that has the host's cgroup namespace shows the container's own cgroup alone, read-only.
fn a_cgroup_mount_never_shows_the_hosts_hierarchy() {
    let script = "test -e /sys/fs/cgroup/$0 && echo seen; mkdir /sys/fs/cgroup/evil 2>/dev/null && echo made; echo end";
    let c = Container::sleeper();
    let foreign = Foreign::new(&c.id);
    let name = foreign.0.file_name().unwrap().to_str().unwrap().to_owned();
    let c = c.edit(|c| {
        c["process"]["args"] = json!(["/bin/sh", "-c", script, name]);
        without_namespace(c, "cgroup");
    });
    let mount = json!({"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["rw"]});
    let c = c.edit(|c| {
        let mounts = c["mounts"].as_array_mut().unwrap();
        mounts.retain(|mount| mount["destination"] != "/sys/fs/cgroup");
        mounts.push(mount);
    });
    assert_eq!(c.prints(), "end\n");
}

/// Ways in which a container without a cgroup namespace gets the host's cgroups: (name, the mounts of /sys).
type HostCgroups = (&'static str, fn() -> Value);

const HOST_CGROUPS: &[HostCgroups] = &[
    ("mount", || json!([{"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["rw"]}])),
    ("sysfs", || json!([{"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["ro"]}])),
    ("sysfs-and-mount", || {
        json!([{"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["ro"]},
                  {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["ro"]}])
    }),
];

/// A container with neither a cgroup namespace nor a network namespace cannot write to a cgroup that its user may write
/// to, as systemd delegates them.
fn host_cgroups(row: &HostCgroups) {
    let script = "find /sys/fs/cgroup -name \"$0\" | while read -r found; do
        mkdir \"$found/evil\" && echo made; echo 0 >\"$found/cgroup.procs\" && echo moved; done; echo end";
    let c = Container::sleeper();
    // Creating these needs privileges that a container of this user does not have.
    fs::create_dir_all(c.root("sys/fs/cgroup")).unwrap();
    let foreign = Foreign::new(&c.id);
    for name in ["", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"] {
        chown(foreign.0.join(name), Some(100_000), Some(100_000)).unwrap();
    }
    let name = foreign.0.file_name().unwrap().to_str().unwrap().to_owned();
    let c = c.edit(|c| {
        c["process"]["args"] = json!(["/bin/sh", "-c", script, name]);
        push(&mut c["linux"]["namespaces"], json!({"type": "user"}));
        let map = json!([{"containerID": 0, "hostID": 100_000, "size": 65536}]);
        c["linux"]["uidMappings"] = map.clone();
        c["linux"]["gidMappings"] = map;
        without_namespace(c, "cgroup");
        without_namespace(c, "network");
        let mounts = c["mounts"].as_array_mut().unwrap();
        mounts.retain(|mount| !mount["destination"].as_str().unwrap().starts_with("/sys"));
        mounts.extend(row.1().as_array().unwrap().iter().cloned());
    });
    let output = c.run();
    let made = foreign.0.join("evil");
    let was_made = made.exists();
    fs::remove_dir(&made).ok();
    assert!(!was_made && !output.out.contains("moved"), "the container can write to host cgroups: {output:?}");
}
