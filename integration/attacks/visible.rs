//! Tests what a process holds while container processes can see it (CVE-2016-9962 and similar).
//! Host descriptors are left to `descriptors`.

use super::Attacker;
use crate::harness::bundle::{Container, namespace, push};
use crate::harness::call::LIMIT;
use crate::harness::kernel;
use crate::harness::runtime::runtime_name;
use crate::harness::skip::skip;
use crate::harness::trial::{Test, rows, tests};
use crate::process::wrapped;
use crate::userns::mapped;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use serde_json::{Value, json};
use std::{fs, os::unix::fs::PermissionsExt};

pub(super) fn tests() -> Vec<Test> {
    let mut all = tests![
        cve_2016_9962_exec_with_a_filter_holds_nothing_more,
        cve_2016_9962_exec_after_the_first_process_has_unshared_a_user_namespace,
        cve_2016_9962_create_in_a_joined_user_and_pid_namespace,
        cve_2016_9962_create_in_a_joined_pid_namespace,
        a_container_in_a_joined_pid_namespace_is_whole,
        exec_enters_after_the_first_process_has_unshared_namespaces,
        a_start_hook_is_filtered_and_sees_no_rights,
        exec_before_start_sees_no_rights,
        home_does_not_open_a_device_of_the_image,
        groups_of_the_caller_stay_outside,
    ];
    all.extend(rows!("a_start_hook_is_filtered_without", RUNNERS, a_start_hook_is_filtered_although_its_runner_is_not));
    all
}

/// A filter that permits everything but one call, without no_new_privs: installing it needs CAP_SYS_ADMIN.
fn with_filter(config: &mut Value) {
    config["process"]["noNewPrivileges"] = json!(false);
    config["linux"]["seccomp"] = json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["swapon"], "action": "SCMP_ACT_ERRNO"}],
    });
}

/// A container whose process tries to trace every new process in its pid namespace. It reports what it traced or
/// reached.
fn tracer(edit: impl FnOnce(&mut Value)) -> Attacker {
    let c = Container::sleeper().edit(|c| {
        c["process"]["args"] = json!(["/probe", "probe", "reach", "/etc/hostname"]);
        c["process"].as_object_mut().unwrap().remove("rlimits");
        edit(c);
    });
    // Root of a user namespace writes its report there too.
    fs::set_permissions(c.root("out"), fs::Permissions::from_mode(0o777)).unwrap();
    Attacker::new(c.caps(&["CAP_SYS_PTRACE"]))
}

#[track_caller]
fn caught_nothing(attacker: &Attacker) {
    let report = attacker.end();
    let seen = report.lines().find_map(|line| line.strip_prefix("saw ")).map(|number| number.parse::<u32>().unwrap());
    assert!(seen.is_some_and(|seen| seen >= 100), "the attacker saw too little: {report}");
    assert!(!report.contains("traced"), "a process with more rights than the container's was traced: {report}");
    assert!(!report.contains("reached"), "the attacker reached the host: {report}");
}

fn cve_2016_9962_exec_with_a_filter_holds_nothing_more() {
    let attacker = tracer(with_filter);
    for _ in 0..200 {
        attacker.0.call(&["exec", &attacker.0.id, "/bin/true"]).run().ok();
    }
    caught_nothing(&attacker);
}

/// `unshare` execs its command in the same process, so the init process is in a user namespace that it created itself.
fn cve_2016_9962_exec_after_the_first_process_has_unshared_a_user_namespace() {
    let attacker = tracer(|c| {
        let script = "/probe probe reach /etc/hostname & exec /bin/busybox unshare -U sleep 1000";
        c["process"]["args"] = json!(["/bin/sh", "-c", script]);
    });
    for _ in 0..200 {
        attacker.0.call(&["exec", &attacker.0.id, "/bin/true"]).run().ok();
    }
    caught_nothing(&attacker);
}

/// Models a pod with a user namespace and one pid namespace shared by all its containers.
fn cve_2016_9962_create_in_a_joined_user_and_pid_namespace() {
    let attacker = tracer(mapped);
    let pid = attacker.0.pid();
    for _ in 0..200 {
        let victim = Container::new(&["/bin/true"]).edit(|c| {
            mapped(c);
            for kind in ["user", "pid"] {
                namespace(c, kind)["path"] = json!(format!("/proc/{pid}/ns/{kind}"));
            }
            c["process"].as_object_mut().unwrap().remove("rlimits");
        });
        victim.caps(&[]).run().ok();
    }
    caught_nothing(&attacker);
}

/// As in a pod whose containers share their processes. The tracer has the host's CAP_SYS_PTRACE.
fn cve_2016_9962_create_in_a_joined_pid_namespace() {
    need_pidns_option();
    let attacker = tracer(|_| ());
    let pid = attacker.0.pid();
    for _ in 0..200 {
        let victim = Container::new(&["/bin/true"]).edit(|c| {
            namespace(c, "pid")["path"] = json!(format!("/proc/{pid}/ns/pid"));
            c["hooks"] = json!({"createContainer": [{"path": "/bin/true"}]});
            c["process"].as_object_mut().unwrap().remove("rlimits");
        });
        victim.caps(&[]).run().ok();
    }
    caught_nothing(&attacker);
}

/// The whole life of such a container: its procfs is that of the joined namespace, and so is its state.
fn a_container_in_a_joined_pid_namespace_is_whole() {
    let pod = Container::sleeper().up();
    let join = |c: &mut Value| namespace(c, "pid")["path"] = json!(format!("/proc/{}/ns/pid", pod.pid()));
    let c = Container::sh("ps | grep -c sleep; echo $$ >/out/own; cat /proc/self/stat >/out/stat; exec sleep 1000");
    let c = c.edit(join).up();
    let own = c.wait_out("own");
    let stat = c.wait_out("stat");
    assert_ne!(own.trim(), "1");
    assert!(!stat.is_empty(), "procfs shows the process to itself");
    let pid = c.pid();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let ids = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap();
    assert!(ids.ends_with(&format!("\t{}", own.trim())), "the recorded pid is the program's: {ids}");
    assert_eq!(c.call(&["exec", &c.id, "cat", "/proc/1/comm"]).run().ok().out, "sleep\n");
    assert_eq!(c.status(), "running");
    c.kill("KILL").ok();
    kernel::wait_exit(pid, LIMIT);
    assert_eq!((c.status().as_str(), pod.status().as_str()), ("stopped", "running"));
    c.delete().ok();
    c.nothing_left();
}

/// Skips where a procfs of another pid namespace cannot be mounted, so that davit must make the process inside.
fn need_pidns_option() {
    if runtime_name() == "davit" && kernel::version() < (6, 17) {
        skip("before Linux 6.17 a container in a joined pid namespace is made where its neighbours see it");
    }
}

fn exec_enters_after_the_first_process_has_unshared_namespaces() {
    for flags in [&["-U"][..], &["-m"], &["-u"], &["-U", "-m"]] {
        let words = [&["/bin/busybox", "unshare"], flags, &["sleep", "1000"]].concat();
        let c = Container::new(&words).caps(&["CAP_SYS_ADMIN"]).up();
        for _ in 0..2 {
            assert_eq!(c.call(&["exec", &c.id, "/bin/echo", "inside"]).run().ok().out, "inside\n", "{flags:?}");
        }
    }
}

const RIGHTS: &str = "grep -hE '^(CapPrm|CapEff|Seccomp):' /proc/1/status /proc/self/status";

/// Requires that both processes have only CAP_SYS_PTRACE (bit 19) and a seccomp filter.
#[track_caller]
fn without_rights(report: &str) {
    let lines: Vec<_> = report.lines().map(|line| line.split_once(":\t").unwrap()).collect();
    assert_eq!(lines.len(), 6, "{report}");
    for (name, value) in lines {
        match name {
            "Seccomp" => assert_eq!(value, "2", "a process without the filter is visible: {report}"),
            _ => assert_eq!(u64::from_str_radix(value, 16).unwrap(), 1 << 19, "{report}"),
        }
    }
}

fn a_start_hook_is_filtered_and_sees_no_rights() {
    let c = Container::new(&["/bin/true"]).caps(&["CAP_SYS_PTRACE"]).edit(|c| {
        with_filter(c);
        let script = format!("{RIGHTS} > /report");
        let hook = json!({"path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/bin"]});
        c["hooks"] = json!({"startContainer": [hook]});
    });
    c.run().ok();
    without_rights(&fs::read_to_string(c.root("report")).unwrap());
}

fn exec_before_start_sees_no_rights() {
    let c = Container::sleeper().caps(&["CAP_SYS_PTRACE"]).edit(with_filter);
    c.create().ok();
    without_rights(&c.call(&["exec", &c.id, "/bin/sh", "-c", RIGHTS]).run().ok().out);
}

/// HOME comes from the image's /etc/passwd. The runtime opens it only if it is a regular file.
fn home_does_not_open_a_device_of_the_image() {
    let c = Container::new(&["/bin/env"]);
    let node = c.root("etc/passwd");
    _ = fs::remove_file(&node);
    let mode = nix::sys::stat::Mode::from_bits_truncate(0o666);
    nix::sys::stat::mknod(&node, nix::sys::stat::SFlag::S_IFCHR, mode, libc::makedev(1, 5)).unwrap();
    let watch = Inotify::init(InitFlags::IN_NONBLOCK).unwrap();
    watch.add_watch(&node, AddWatchFlags::IN_OPEN).unwrap();
    assert!(c.run().ok().out.contains("HOME=/\n"));
    assert!(watch.read_events().is_err(), "the image's device was opened");
}

/// setgroups(2) is denied in a user namespace whose maps an ordinary user wrote.
fn groups_of_the_caller_stay_outside() {
    let script = "unshare --user --map-root-user sleep 1000 & pid=$!
        until grep -q deny /proc/$pid/setgroups && grep -q 0 /proc/$pid/gid_map; do :; done
        sed -i s,PID,$pid, \"$6/config.json\"; setpriv --groups 6,42 \"$@\"; status=$?; kill $pid; exit $status";
    let c = Container::sh("grep Groups /proc/self/status").edit(|c| {
        push(&mut c["linux"]["namespaces"], json!({"type": "user", "path": "/proc/PID/ns/user"}));
        c["process"].as_object_mut().unwrap().remove("rlimits");
        c["mounts"].as_array_mut().unwrap().retain(|mount| mount["type"] == "proc");
    });
    let output = wrapped(&c, script, "run").run().ok();
    assert_eq!(output.out.trim(), "Groups:", "{output:?}");
}

/// System calls that the runtime makes to run a hook, but the hook itself does not. A filter that blocks one is
/// installed after the hooks, so each hook process gets the filter separately.
const RUNNERS: &[(&str, &str)] = &[("memfd", "memfd_create"), ("poll", "poll"), ("pipe", "pipe2")];

fn a_start_hook_is_filtered_although_its_runner_is_not(row: &(&str, &str)) {
    let c = Container::new(&["/bin/true"]).edit(|c| {
        with_filter(c);
        c["linux"]["seccomp"]["syscalls"][0]["names"] = json!([row.1]);
        let hook = json!({"path": "/bin/sh", "args": ["sh", "-c", "grep Seccomp: /proc/self/status > /report"], "env": ["PATH=/bin"]});
        c["hooks"] = json!({"startContainer": [hook]});
    });
    c.run().ok();
    assert_eq!(fs::read_to_string(c.root("report")).unwrap(), "Seccomp:\t2\n");
}
