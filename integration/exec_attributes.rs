//! Tests which attributes an `exec` process takes from the container, where only the kernel shows them, and the pidfds
//! that engines receive. The flags of `exec` are tested in `exec.rs`.

use crate::harness::bundle::{Container, push};
use crate::harness::call::{LIMIT, Output};
use crate::harness::kernel;
use crate::harness::runtime::only_davit;
use crate::harness::skip::skip;
use crate::harness::trial::{Test, tests};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::{
    fs,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::net::UnixListener,
    },
};

pub(crate) fn tests() -> Vec<Test> {
    tests![
        exec_takes_scheduling_and_personality_from_the_container,
        a_process_file_replaces_the_containers_attributes,
        exec_cpu_affinity_is_applied,
        cpus_of_the_caller_are_not_inherited,
        the_user_namespace_is_joined,
        groups_in_a_user_namespace,
        an_apparmor_profile_must_be_there,
        the_pidfd_socket_gets_the_process,
        exec_fails_if_the_pidfd_socket_does_not_answer,
    ]
}

fn exec(c: &Container, flags: &[&str], command: &[&str]) -> Output {
    c.call(&[&["exec"], flags, &[&c.id], command].concat()).run()
}

const ATTRIBUTES: &str =
    "cat /proc/self/personality; grep -s ^policy /proc/self/sched | tr -d ' '; /probe probe syscall ";

/// Returns the personality, the scheduling policy (a constant if the kernel does not show it) and the result of
/// ioprio_get(2), all of the exec process.
fn attributes(c: &Container, flags: &[&str]) -> Vec<String> {
    let script = format!("{ATTRIBUTES}{},1,0", libc::SYS_ioprio_get);
    let output = exec(c, flags, &["sh", "-c", &script]).ok();
    let mut lines: Vec<_> = output.out.lines().map(str::to_owned).collect();
    if lines.len() == 2 {
        lines.insert(1, "policy:3".to_owned());
    }
    lines
}

fn exec_takes_scheduling_and_personality_from_the_container() {
    let c = Container::sleeper().edit(|c| {
        c["process"]["scheduler"] = json!({"policy": "SCHED_BATCH"});
        c["process"]["ioPriority"] = json!({"class": "IOPRIO_CLASS_BE", "priority": 6});
        c["linux"]["personality"] = json!({"domain": "LINUX32"});
    });
    assert_eq!(attributes(&c.up(), &[]), ["00000008", "policy:3", "16390"]);
}

/// A process file replaces `process` of the configuration completely. The personality stays, because it is outside
/// `process`.
fn a_process_file_replaces_the_containers_attributes() {
    let c = Container::sleeper().edit(|c| {
        c["process"]["ioPriority"] = json!({"class": "IOPRIO_CLASS_BE", "priority": 6});
        c["linux"]["personality"] = json!({"domain": "LINUX32"});
    });
    let c = c.up();
    let script = format!("cat /proc/self/personality; umask; /probe probe syscall {},1,0", libc::SYS_ioprio_get);
    let mut process = c.config["process"].clone();
    process["args"] = json!(["/bin/sh", "-c", script]);
    process["ioPriority"] = json!({"class": "IOPRIO_CLASS_IDLE", "priority": 0});
    process["user"]["umask"] = json!(0o077);
    let path = c.dir.join("process.json");
    fs::write(&path, process.to_string()).unwrap();
    let output = c.call(&["exec", "--process", path.to_str().unwrap(), &c.id]).run().ok();
    assert_eq!(output.out, "00000008\n0077\n24576\n");
}

fn need_two_cpus() {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap().trim();
    if list != "0-1" && !list.starts_with("0-") {
        skip(format!("this process may run on the CPUs {list} only"));
    }
}

fn cpus(output: &Output) -> String {
    output.out.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap().trim().to_owned()
}

fn exec_cpu_affinity_is_applied() {
    need_two_cpus();
    // Before Linux 6.2 an active cpuset controller resets the affinity of a process that enters the cgroup.
    let first =
        if kernel::version() < (6, 2) { json!({"initial": "0", "final": "0"}) } else { json!({"initial": "0"}) };
    for (affinity, wanted) in [
        (first, "0"),
        (json!({"initial": "0", "final": "1"}), "1"),
        (json!({"final": "0-1"}), "0-1"),
        (json!({"initial": "1", "final": "0,1"}), "0-1"),
    ] {
        let c = Container::sleeper().edit(|c| c["process"]["execCPUAffinity"] = affinity.clone()).up();
        assert_eq!(cpus(&exec(&c, &[], &["cat", "/proc/self/status"]).ok()), wanted, "{affinity}");
    }
    let c = Container::sleeper().edit(|c| c["process"]["execCPUAffinity"] = json!({"final": "4096-4097"}));
    c.prepare("run", &["-d"]).run();
    let output = exec(&c, &[], &["true"]).fails();
    assert!(!output.err.is_empty());
}

/// An engine pinned to a CPU must not pin its containers.
fn cpus_of_the_caller_are_not_inherited() {
    need_two_cpus();
    let c = Container::sleeper().up();
    let words = ["taskset", "1", &crate::harness::runtime::RUNTIME, "--root"];
    let state = c.state_dir();
    let rest = [state.to_str().unwrap(), "exec", &c.id, "cat", "/proc/self/status"];
    let output = crate::harness::call::Call::new(&c.dir, &[&words[..], &rest[..]].concat()).run().ok();
    assert_ne!(cpus(&output), "0");
}

fn mapped(config: &mut Value) {
    push(&mut config["linux"]["namespaces"], json!({"type": "user"}));
    let map = json!([{"containerID": 0, "hostID": 100_000, "size": 65536}]);
    config["linux"]["uidMappings"] = map.clone();
    config["linux"]["gidMappings"] = map;
}

fn the_user_namespace_is_joined() {
    let c = Container::sleeper().edit(mapped).up();
    let script = "readlink /proc/self/ns/user; id -u; tr -s ' ' </proc/self/uid_map; stat -c %u /proc/self/";
    let output = exec(&c, &[], &["sh", "-c", script]).ok();
    let own = fs::read_link(format!("/proc/{}/ns/user", c.pid())).unwrap();
    assert_eq!(output.out, format!("{}\n0\n 0 100000 65536\n0\n", own.display()));
    // A uid that is not mapped in the user namespace is refused.
    exec(&c, &["--user", "70000"], &["true"]).fails();
    let file = c.dir.join("pid");
    exec(&c, &["-d", "--pid-file", file.to_str().unwrap(), "--user", "7:8"], &["sleep", "1000"]).ok();
    let status = fs::read_to_string(format!("/proc/{}/status", fs::read_to_string(file).unwrap())).unwrap();
    assert!(status.contains("\nUid:\t100007\t") && status.contains("\nGid:\t100008\t"), "{status}");
}

fn groups_in_a_user_namespace() {
    let c = Container::sleeper().edit(mapped).up();
    let output = exec(&c, &["--additional-gids", "5"], &["grep", "^Groups", "/proc/self/status"]).ok();
    assert_eq!(output.line(), "Groups:\t5");
    only_davit("the error texts are specific to davit");
    exec(&c, &["--additional-gids", "70000"], &["true"])
        .exits(255)
        .says("/user/additionalGids/0: 70000 is not mapped in the container's user namespace");
    exec(&c, &["--user", "70000:70001"], &["true"]).exits(255).says("/user/gid").says("70001 is not mapped");
    let c = Container::sleeper().edit(mapped).edit(|c| c["process"]["user"]["uid"] = json!(70000));
    c.refused("/process/user/uid: 70000 is not mapped");
}

fn an_apparmor_profile_must_be_there() {
    only_davit("others ignore the flag if AppArmor is off, or have other error texts");
    let c = Container::sleeper().up();
    let here = fs::read_to_string("/sys/module/apparmor/parameters/enabled").is_ok_and(|text| text.starts_with('Y'));
    let output = exec(&c, &["--apparmor", "no-such-profile"], &["true"]).fails();
    output.exits(255).says(if here { "no-such-profile" } else { "AppArmor" });
    if !here {
        skip("AppArmor is not enabled: only the refusal was tested");
    }
    let output = exec(&c, &["--apparmor", "unconfined"], &["cat", "/proc/self/attr/current"]).ok();
    assert_eq!(output.line(), "unconfined");
}

/// Receives a pidfd; returns the message, the pid and the pidfd.
fn pidfd(listener: &UnixListener) -> (Vec<u8>, String, OwnedFd) {
    assert!(kernel::readable(listener, LIMIT), "nobody connected to the pidfd socket");
    let (stream, _) = listener.accept().unwrap();
    assert!(kernel::readable(&stream, LIMIT));
    let (payload, fd) = kernel::receive_fd(&stream);
    let fd = fd.expect("no descriptor in the message");
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", fd.as_raw_fd())).unwrap();
    let pid = info.lines().find_map(|line| line.strip_prefix("Pid:")).unwrap().trim().to_owned();
    (payload, pid, fd)
}

fn the_pidfd_socket_gets_the_process() {
    let c = Container::sleeper();
    let socket = c.dir.join("pidfd.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let socket = socket.to_str().unwrap();
    c.prepare("create", &["--pidfd-socket", socket]).run().ok();
    let (payload, pid, _) = pidfd(&listener);
    assert_eq!((payload.as_slice(), pid), (&b"standard"[..], c.pid().to_string()));
    c.start().ok();
    let file = c.dir.join("pid");
    let flags = ["-d", "--pidfd-socket", socket, "--pid-file", file.to_str().unwrap()];
    exec(&c, &flags, &["sleep", "1000"]).ok();
    let (payload, pid, fd) = pidfd(&listener);
    assert_eq!((payload.as_slice(), &pid), (&b"setns"[..], &fs::read_to_string(file).unwrap()));
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid.parse().unwrap()), Signal::SIGKILL).unwrap();
    assert!(kernel::readable(&fd, LIMIT), "the file descriptor does not refer to the process");
}

fn exec_fails_if_the_pidfd_socket_does_not_answer() {
    let c = Container::sleeper().up();
    let (socket, file) = (c.dir.join("nobody.sock"), c.dir.join("pid"));
    drop(UnixListener::bind(&socket).unwrap());
    let flags = ["-d", "--pidfd-socket", socket.to_str().unwrap(), "--pid-file", file.to_str().unwrap()];
    exec(&c, &flags, &["sleep", "1000"]).fails();
    assert!(!file.exists(), "conmon takes the file for success");
    let members = || fs::read_to_string(c.cgroup().join("cgroup.procs")).unwrap();
    assert_eq!(members().lines().count(), 1, "the process still runs although its pidfd could not be sent");
}
