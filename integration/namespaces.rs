//! Tests `linux.namespaces` and the settings inside them: host name, sysctls, loopback device. User namespaces are
//! left to `userns`.

use crate::harness::bundle::{Container, namespace, push, without_namespace};
use crate::harness::skip::skip;
use crate::harness::trial::{Test, rows, tests};
use crate::harness::unshared::apart;
use crate::process::wrapped;
use nix::mount::{MsFlags, mount};
use serde_json::{Value, json};
use std::{fs, path::Path};

pub(crate) fn tests() -> Vec<Test> {
    let mut all = tests![
        the_process_is_the_first_of_its_pid_namespace,
        empty_path_means_a_new_namespace,
        loopback_is_up,
        hostname_and_domainname,
        the_hosts_names_stay,
        hostname_is_set_in_a_joined_namespace,
        cgroup_namespace_hides_the_path,
        without_cgroup_namespace_the_path_is_seen,
        user_namespace_maps_ids,
        time_offsets,
        sysctls_are_set_inside_only,
        sysctls_are_set_where_proc_sys_is_a_mount,
        the_callers_own_namespaces_are_not_changed,
        a_reached_limit_of_namespaces_is_named,
    ];
    all.extend(rows!("new", KINDS, made));
    all.extend(rows!("inherited", INHERITED, inherited));
    all.extend(rows!("joined", JOINED, joined));
    all.extend(rows!("sysctl", SYSCTLS, sysctl));
    all.extend(rows!("sysctl-refused", BAD_SYSCTLS, sysctl_refused));
    all
}

/// (namespace type, its file in /proc/PID/ns)
const KINDS: &[(&str, &str)] =
    &[("pid", "pid"), ("network", "net"), ("ipc", "ipc"), ("uts", "uts"), ("mount", "mnt"), ("cgroup", "cgroup")];
const INHERITED: &[(&str, &str)] =
    &[("pid", "pid"), ("network", "net"), ("ipc", "ipc"), ("uts", "uts"), ("cgroup", "cgroup")];
const JOINED: &[(&str, &str)] =
    &[("pid", "pid"), ("network", "net"), ("ipc", "ipc"), ("uts", "uts"), ("cgroup", "cgroup")];

fn link(pid: &str, file: &str) -> String {
    fs::read_link(format!("/proc/{pid}/ns/{file}")).unwrap().to_str().unwrap().to_owned()
}

fn show(file: &str) -> Container {
    Container::new(&["/bin/readlink", &format!("/proc/self/ns/{file}")])
}

/// The limits of user.max_*_namespaces belong to a user namespace (namespaces(7)), so a new one keeps the host's.
fn a_reached_limit_of_namespaces_is_named() {
    let inner = "echo 0 >/proc/sys/user/max_uts_namespaces && exec \"$@\"";
    let script = format!("exec unshare --user --map-root-user sh -c '{inner}' sh \"$@\"");
    let output = wrapped(&Container::sh("true"), &script, "run").run().fails();
    output.says("no space left on device").says("user.max_*_namespaces");
}

fn made(row: &(&str, &str)) {
    let inside = show(row.1).prints();
    assert!(inside.starts_with(row.1), "{inside}");
    assert_ne!(inside.trim(), link("self", row.1));
}

fn inherited(row: &(&str, &str)) {
    let c = show(row.1).edit(|c| {
        without_namespace(c, row.0);
        if row.0 == "uts" {
            c.as_object_mut().unwrap().remove("hostname");
        }
        if row.0 == "network" {
            // A container without its own network namespace cannot mount a new sysfs.
            c["mounts"].as_array_mut().unwrap().retain(|mount| mount["destination"] != "/sys");
        }
    });
    assert_eq!(c.prints().trim(), link("self", row.1));
}

fn joined(row: &(&str, &str)) {
    let first = Container::sleeper().up();
    let path = format!("/proc/{}/ns/{}", first.pid(), row.1);
    let second = show(row.1).edit(|c| namespace(c, row.0)["path"] = json!(path));
    let inside = second.prints();
    assert_eq!(inside.trim(), link(&first.pid().to_string(), row.1));
    assert_eq!(first.status(), "running");
}

fn the_process_is_the_first_of_its_pid_namespace() {
    assert_eq!(Container::sh("echo $$").prints(), "1\n");
}

fn empty_path_means_a_new_namespace() {
    let c = show("net").edit(|c| namespace(c, "network")["path"] = json!(""));
    assert_ne!(c.prints().trim(), link("self", "net"));
}

fn loopback_is_up() {
    let output = Container::sh("ip address show lo").prints();
    assert!(output.contains("LOOPBACK,UP") && output.contains("127.0.0.1/8"), "{output}");
}

fn hostname_and_domainname() {
    let c = Container::sh("hostname; cat /proc/sys/kernel/domainname");
    let c = c.edit(|c| c["hostname"] = json!("box.example")).edit(|c| c["domainname"] = json!("example.org"));
    assert_eq!(c.prints(), "box.example\nexample.org\n");
}

fn the_hosts_names_stay() {
    let before = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    Container::sh("hostname").edit(|c| c["hostname"] = json!("changed")).run().ok();
    assert_eq!(fs::read_to_string("/proc/sys/kernel/hostname").unwrap(), before);
}

fn hostname_is_set_in_a_joined_namespace() {
    let first = Container::sleeper().up();
    let path = format!("/proc/{}/ns/uts", first.pid());
    let second = Container::sh("hostname").edit(|c| {
        namespace(c, "uts")["path"] = json!(path);
        c["hostname"] = json!("second");
    });
    assert_eq!(second.prints(), "second\n");
}

fn cgroup_namespace_hides_the_path() {
    let output = Container::sh("grep ^0:: /proc/self/cgroup").prints();
    assert_eq!(output, "0::/\n");
}

fn without_cgroup_namespace_the_path_is_seen() {
    let c = Container::sh("grep ^0:: /proc/self/cgroup").edit(|c| without_namespace(c, "cgroup"));
    assert!(c.prints().trim().ends_with(&c.cgroup_path()));
}

fn user_namespace_maps_ids() {
    let c = Container::sh("cat /proc/self/uid_map /proc/self/gid_map; id -u; readlink /proc/self/ns/user").edit(|c| {
        push(&mut c["linux"]["namespaces"], json!({"type": "user"}));
        c["linux"]["uidMappings"] = json!([{"containerID": 0, "hostID": 100_000, "size": 1000}]);
        c["linux"]["gidMappings"] = json!([{"containerID": 0, "hostID": 200_000, "size": 1000}]);
    });
    // The mapped root needs search permission on every parent directory of the container's root.
    let output = c.prints();
    let words: Vec<_> = output.split_whitespace().collect();
    assert_eq!(words[..7], ["0", "100000", "1000", "0", "200000", "1000", "0"]);
    assert_ne!(words[7], link("self", "user"));
}

fn time_offsets() {
    if !Path::new("/proc/self/timens_offsets").exists() {
        skip("this kernel has no time namespaces");
    }
    let c = Container::sh("cat /proc/self/timens_offsets; readlink /proc/self/ns/time").edit(|c| {
        push(&mut c["linux"]["namespaces"], json!({"type": "time"}));
        c["linux"]["timeOffsets"] = json!({"monotonic": {"secs": 1000, "nanosecs": 5}, "boottime": {"secs": 2000}});
    });
    let output = c.prints();
    let words: Vec<_> = output.split_whitespace().collect();
    assert_eq!(words[..6], ["monotonic", "1000", "5", "boottime", "2000", "0"]);
    assert_ne!(words[6], link("self", "time"));
}

/// (key, value)
const SYSCTLS: &[(&str, &str)] = &[
    ("net.ipv4.ip_forward", "1"),
    ("net.ipv4.ping_group_range", "0\t2147483647"),
    ("net/ipv4/ip_unprivileged_port_start", "0"),
    ("net.ipv4.conf.lo.forwarding", "1"),
    ("kernel.msgmax", "4096"),
    ("kernel.shm_rmid_forced", "1"),
    ("kernel.sem", "100\t200\t300\t400"),
    ("fs.mqueue.msg_max", "7"),
];

fn sysctl(row: &(&str, &str)) {
    let path = format!("/proc/sys/{}", row.0.replace('.', "/"));
    if !Path::new(&path).exists() {
        skip(format!("this kernel has no {path}"));
    }
    let c = Container::new(&["/bin/cat", &path]).edit(|c| c["linux"]["sysctl"] = json!({row.0: row.1}));
    assert_eq!(c.prints().trim(), row.1);
}

/// A path to the caller's own namespace is no namespace of the container's.
fn the_callers_own_namespaces_are_not_changed() {
    apart(|| {
        for (kind, file) in [("network", "net"), ("uts", "uts"), ("ipc", "ipc")] {
            let path = fs::canonicalize("/proc/thread-self").unwrap().join("ns").join(file).display().to_string();
            let c = Container::sleeper().edit(|c| {
                namespace(c, kind)["path"] = json!(path);
                c["linux"]["sysctl"] = match kind {
                    "network" => json!({"net.ipv4.ip_default_ttl": "99"}),
                    "ipc" => json!({"kernel.msgmax": "5000"}),
                    _ => json!({}),
                };
                c["hostname"] = if kind == "uts" { json!("changed") } else { json!("") };
            });
            let output = c.create().fails();
            assert!(output.err.contains("/linux/namespaces/"), "{output:?}");
            c.nothing_left();
        }
        assert_ne!(fs::read_to_string("/proc/sys/kernel/hostname").unwrap(), "changed\n");
    });
}

/// As in LXC, in a service with ProtectKernelTunables=, and in any container.
fn sysctls_are_set_where_proc_sys_is_a_mount() {
    apart(|| {
        let (none, bind) = (None::<&str>, MsFlags::MS_BIND);
        mount(Some("/proc/sys"), "/proc/sys", none, bind, none).unwrap();
        mount(none, "/proc/sys", none, bind | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY, none).unwrap();
        let c = Container::sh("cat /proc/sys/net/ipv4/ping_group_range /proc/sys/kernel/msgmax");
        let c = c.edit(|c| c["linux"]["sysctl"] = json!({"net.ipv4.ping_group_range": "0 7", "kernel.msgmax": "5000"}));
        assert_eq!(c.prints().split_whitespace().collect::<Vec<_>>(), ["0", "7", "5000"]);
    });
}

fn sysctls_are_set_inside_only() {
    let path = "/proc/sys/kernel/msgmax";
    let before = fs::read_to_string(path).unwrap();
    Container::sh("exit 0").edit(|c| c["linux"]["sysctl"] = json!({"kernel.msgmax": "5000"})).run().ok();
    assert_eq!(fs::read_to_string(path).unwrap(), before);
}

/// (name, key, namespace to remove first)
const BAD_SYSCTLS: &[(&str, &str, &str)] = &[
    ("not-namespaced", "kernel.panic", ""),
    ("hostname", "kernel.hostname", ""),
    ("no-own-network", "net.ipv4.ip_forward", "network"),
    ("no-own-ipc", "kernel.msgmax", "ipc"),
    ("no-own-ipc-mqueue", "fs.mqueue.msg_max", "ipc"),
    ("file-missing", "net.no.such.file", ""),
    ("dots", "net/../kernel/panic", ""),
    ("value", "net.ipv4.ip_forward", ""),
];

fn sysctl_refused(row: &(&str, &str, &str)) {
    let value = if row.0 == "value" { "a word" } else { "1" };
    let c = Container::sleeper().edit(|c: &mut Value| {
        c["linux"]["sysctl"] = json!({row.1: value});
        if !row.2.is_empty() {
            without_namespace(c, row.2);
            c["mounts"].as_array_mut().unwrap().retain(|mount| mount["destination"] != "/sys");
        }
    });
    let output = c.refused("");
    let named = output.err.contains(row.1) || output.err.contains(&row.1.replace('.', "/"));
    assert!(named, "the error does not contain the sysctl: {output:?}");
}
