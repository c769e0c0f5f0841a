//! Replays calls outside the container's normal lifecycle: queries, refusals and cleanup, each with its engine's
//! arguments.

use super::wire::{CONTAINERD, ENGINES, Engine, Wire, ended, need};
use crate::harness::bundle::Container;
use crate::harness::call::LIMIT;
use crate::harness::cgroups::BY_SYSTEMD;
use crate::harness::kernel;
use crate::harness::runtime::only_davit;
use crate::harness::runtime::{RUNTIME, runtime_has, runtime_name};
use crate::harness::skip::skip;
use crate::harness::terminal::run_on_terminal;
use crate::harness::trial::{Test, rows, tests};
use nix::{
    sys::{signal::Signal, wait::WaitStatus},
    unistd::Pid,
};
use serde_json::{Value, json};
use std::{
    fs,
    os::unix::{fs::PermissionsExt, net::UnixListener},
};

pub(super) fn tests() -> Vec<Test> {
    let mut all = tests![
        go_runc_lists_containers_and_reads_stats,
        go_runc_receives_pidfds,
        docker_kills_a_paused_container,
        containerd_deletes_a_created_container,
        containerd_cleans_up_after_its_shim,
        containerd_kills_leftovers_in_a_shared_pid_namespace,
        podman_passes_descriptors_with_holes,
        podman_disables_cgroups,
        pid_files_are_replaced_atomically,
        crio_execs_on_a_terminal,
    ];
    all.extend(rows!("globals", GLOBALS, globals));
    all.extend(rows!("kills", KILLS, kills));
    all.extend(rows!("checkpoints", CHECKPOINTS, checkpoints));
    all
}

fn engine(name: &str) -> &'static Engine {
    ENGINES.iter().find(|engine| engine.name == name).unwrap()
}

fn live(engine: &Engine, c: Container) -> (Wire<'_>, i32) {
    need(engine);
    let wire = Wire::new(engine, c);
    wire.call(engine.global, engine.create).run().ok().silent();
    let pid = wire.pid("init.pid");
    wire.plain("start {id}").ok().silent();
    (wire, pid)
}

fn killed(pid: i32) -> bool {
    matches!(ended(pid), WaitStatus::Signaled(_, Signal::SIGKILL, _))
}

/// The engine, and its flags before the verb, in the recorded spelling and order.
const GLOBALS: &[(&str, &str)] = &[
    ("go-runc with its debug option", "--root {state} --debug --log {bundle}/log.json --log-format json"),
    ("go-runc with its rootless option", "--root {state} --log {bundle}/log.json --log-format json --rootless=false"),
    ("podman with a flag for the runtime", "--log-format=json --log {bundle}/oci-log --root={state}"),
    ("one word for each option", "--root={state} --log={bundle}/log --log-format=text --rootless=auto"),
];

fn globals((who, words): &(&str, &str)) {
    if words.contains("--log={") && runtime_name() == "crun" {
        skip("crun has no --rootless");
    }
    let wire = Wire::new(&CONTAINERD, Container::sleeper().up());
    let output = wire.call(words, "state {id}").run().ok();
    let state: Value = serde_json::from_str(&output.out).unwrap_or_else(|_| panic!("{who}: {output:?}"));
    assert_eq!(state["status"], "running");
    assert!(output.err.is_empty() || words.contains("--debug"), "{output:?}");
}

/// The engine, its arguments, and the exit code of a program with a signal handler.
const KILLS: &[(&str, &str, i32)] = &[
    ("containerd", "kill {id} 15", 7),
    ("cri-o", "kill {id} SIGTERM", 7),
    ("cri-o, as an image may spell it", "kill {id} TERM", 7),
    ("buildah", "kill {id}", 7),
    ("podman, where the pid namespace is shared", "kill --all {id} 15", 7),
    ("podman, a real-time signal", "kill {id} 37", 8),
];

fn kills((_, words, code): &(&str, &str, i32)) {
    let script = "trap 'exit 7' TERM; trap 'exit 8' 37; echo ready >/out/ready; while :; do sleep 1000 & wait; done";
    let (wire, pid) = live(&CONTAINERD, Container::sh(script));
    wire.c.wait_out("ready");
    wire.plain(words).ok().silent();
    assert_eq!(ended(pid), WaitStatus::Exited(Pid::from_raw(pid), *code));
}

/// The engine and its arguments. A runtime without checkpoints, or without CRIU, reports that in one line and leaves
/// nothing.
const CHECKPOINTS: &[(&str, &str)] = &[
    (
        "containerd",
        "checkpoint --image-path {bundle}/image --work-path {bundle}/work --tcp-established --empty-ns network {id}",
    ),
    (
        "podman",
        "checkpoint --image-path {bundle}/image --work-path {bundle} --leave-running --tcp-established --file-locks {id}",
    ),
    ("cri-o", "checkpoint --file-locks --image-path {bundle}/image --work-path {bundle} --leave-running {id}"),
    (
        "containerd, restoring",
        "restore --image-path {bundle}/image --work-path {bundle}/work --detach --pid-file {bundle}/restored.pid -no-subreaper --bundle {bundle} {id}",
    ),
];

fn checkpoints((_, words): &(&str, &str)) {
    let finds = |directory: std::path::PathBuf| directory.join("criu").exists();
    if std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).any(finds) {
        skip("CRIU is here: `checkpoint` tests whether checkpoints work");
    }
    let (wire, pid) = live(&CONTAINERD, Container::sleeper());
    let output = wire.plain(words).fails();
    let verb = words.split(' ').next().unwrap();
    assert!(output.out.is_empty() && output.err.lines().count() == 1 && output.err.contains(verb), "{output:?}");
    // containerd shows the last line of its log.
    let last = wire.log().unwrap().lines().last().map(|line| serde_json::from_str::<Value>(line).unwrap());
    assert!(last.is_some_and(|line| line["level"] == "error" && line["msg"].as_str().unwrap().contains(verb)));
    assert!(!wire.file("restored.pid").exists());
    assert_eq!((wire.state()["status"].as_str(), wire.state()["pid"].as_i64()), (Some("running"), Some(pid.into())));
}

fn go_runc_lists_containers_and_reads_stats() {
    let (wire, pid) = live(&CONTAINERD, Container::sleeper());
    let list: Value = serde_json::from_str(&wire.plain("list --format=json").ok().silent().out).unwrap();
    let found = list.as_array().unwrap().iter().find(|one| one["id"] == wire.c.id.as_str()).unwrap();
    assert_eq!((&found["pid"], &found["status"]), (&json!(pid), &json!("running")));
    // crun's `ps` accepts no options of ps(1).
    if runtime_has("ps") && runtime_name() != "crun" {
        let table = wire.plain("ps --format table {id} -eo pid,args").ok().silent().out;
        assert!(table.lines().any(|line| line.split_whitespace().next() == Some(&pid.to_string())), "{table}");
    }
    if runtime_has("events") {
        let event: Value = serde_json::from_str(&wire.plain("events --stats {id}").ok().silent().out).unwrap();
        assert_eq!((&event["type"], &event["id"]), (&json!("stats"), &json!(wire.c.id)));
        assert!(event["data"].is_object(), "{event}");
    }
}

/// Newer versions also request a pidfd of the process. They accept the connection only after the runtime has returned.
fn go_runc_receives_pidfds() {
    only_davit("other runtimes have no --pidfd-socket, or not for exec");
    let wire = Wire::new(&CONTAINERD, Container::sleeper());
    let receive = |verb: &str, pid_file: &str| {
        let socket = wire.file("pidfd.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        wire.call(CONTAINERD.global, &verb.replace("--pid-file", "--pidfd-socket {bundle}/pidfd.sock --pid-file"))
            .run()
            .ok()
            .silent();
        assert!(kernel::readable(&listener, LIMIT), "nobody connected");
        let (_, pidfd) = kernel::receive_fd(&listener.accept().unwrap().0);
        fs::remove_file(socket).unwrap();
        assert!(pidfd.is_some(), "no descriptor of {}", wire.pid(pid_file));
    };
    receive(CONTAINERD.create, "init.pid");
    wire.plain("start {id}").ok().silent();
    receive(CONTAINERD.exec, "exec.pid");
    ended(wire.pid("exec.pid"));
}

/// The daemon kills a paused container and then resumes it. It only logs the output of `resume`.
fn docker_kills_a_paused_container() {
    let (wire, pid) = live(&CONTAINERD, Container::sh("trap '' TERM; while :; do sleep 1000; done"));
    wire.plain("pause {id}").ok().silent();
    wire.plain("kill {id} 9").ok().silent();
    wire.plain("resume {id}");
    assert!(killed(pid));
    assert_eq!(wire.state()["status"], "stopped");
    wire.plain("delete {id}").ok().silent();
}

/// Deleting a task that was created but not started kills the init process. A running container is not deleted.
fn containerd_deletes_a_created_container() {
    let wire = Wire::new(&CONTAINERD, Container::sleeper());
    wire.call(CONTAINERD.global, CONTAINERD.create).run().ok().silent();
    let pid = wire.pid("init.pid");
    wire.plain("delete {id}").ok().silent();
    assert!(killed(pid));
    wire.plain("state {id}").fails().says("does not exist");
    let (wire, _) = live(&CONTAINERD, Container::sleeper());
    wire.plain("delete {id}").fails();
    assert_eq!(wire.state()["status"], "running");
}

/// If the shim dies, another process removes the leftovers. It does not repeat the cgroup driver flag.
fn containerd_cleans_up_after_its_shim() {
    let (wire, pid) = live(&CONTAINERD, Container::sleeper());
    let cgroup = wire.c.cgroup();
    wire.plain("delete --force {id}").ok().silent();
    assert!(killed(pid));
    assert!(*BY_SYSTEMD || !cgroup.exists(), "{} is left", cgroup.display());
    wire.plain("delete --force {id}").ok().silent();
}

/// In a shared pid namespace, the kernel does not kill the other processes when the init process exits. The shim kills
/// them with `kill --all`.
fn containerd_kills_leftovers_in_a_shared_pid_namespace() {
    let c = Container::sh("sleep 1000 & echo $! >/out/ready; exit 3");
    let c = c.edit(|c| crate::harness::bundle::without_namespace(c, "pid"));
    let (wire, pid) = live(&CONTAINERD, c);
    let left: i32 = wire.c.wait_out("ready").trim().parse().unwrap();
    assert_eq!(ended(pid), WaitStatus::Exited(Pid::from_raw(pid), 3));
    assert!(kernel::pidfd(left).is_some(), "the background process has exited");
    wire.plain("kill --all {id} 9").ok().silent();
    assert!(killed(left));
    wire.plain("delete {id}").ok().silent();
}

/// `podman --preserve-fd=4` passes `--preserve-fds 2`, the count of descriptors from 3 to 4, even if descriptor 3 is
/// closed. This applies to create and exec.
fn podman_passes_descriptors_with_holes() {
    if runtime_name() == "runc" {
        skip("runc refuses to preserve a closed descriptor");
    }
    let engine = engine("podman 5");
    need(engine);
    let script =
        "cat <&4 >/out/given; test -e /proc/self/fd/3 || echo closed >>/out/given; echo >/out/ready; sleep 1000";
    let wire = Wire::new(engine, Container::sh(script));
    fs::write(wire.file("given"), "through\n").unwrap();
    let wrapper = wire.file("with-descriptors");
    let text = format!("#!/bin/sh\nexec 3<&- 4<{}\nexec {} \"$@\"\n", wire.file("given").display(), *RUNTIME);
    fs::write(&wrapper, text).unwrap();
    fs::set_permissions(&wrapper, PermissionsExt::from_mode(0o755)).unwrap();
    let call = |verb: &str| {
        let verb = verb.replace("--pid-file", "--preserve-fds 2 --pid-file");
        wire.call_of(wrapper.to_str().unwrap(), engine.global, &verb).run().ok().silent()
    };
    call(engine.create);
    wire.plain("start {id}").ok().silent();
    wire.c.wait_out("ready");
    assert_eq!(fs::read_to_string(wire.c.root("out").join("given")).unwrap(), "through\nclosed\n");
    let mut process = wire.c.config["process"].clone();
    process["args"] = json!(["sh", "-c", "grep -q through <&4 && test ! -e /proc/self/fd/3 && exit 5"]);
    fs::write(wire.file("process.json"), process.to_string()).unwrap();
    call(engine.exec);
    let pid = wire.pid("exec.pid");
    assert_eq!(ended(pid), WaitStatus::Exited(Pid::from_raw(pid), 5));
}

/// Podman passes `--cgroups=disabled` to runtimes that support it, according to containers.conf. The container then
/// stays in Podman's cgroup.
fn podman_disables_cgroups() {
    only_davit("runc has no --cgroup-manager");
    let engine = engine("podman 5");
    let wire = Wire::new(engine, Container::sleeper());
    let mut config = wire.c.config.clone();
    config["linux"]["cgroupsPath"] = json!("");
    fs::write(wire.file("config.json"), config.to_string()).unwrap();
    let global = format!("{} --cgroup-manager disabled", engine.global);
    wire.call(&global, engine.create).run().ok().silent();
    let of = |pid: &str| fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    assert_eq!(of(&wire.pid("init.pid").to_string()), of("self"));
    wire.plain("start {id}").ok().silent();
    wire.plain("delete --force {id}").ok().silent();
}

/// BuildKit reads the pid file every 10 ms and must never see half of it. So the runtime renames a new file to the name
/// and does not write to an existing file.
fn pid_files_are_replaced_atomically() {
    if runtime_name() == "crun" {
        skip("crun writes to the existing file");
    }
    let wire = Wire::new(&CONTAINERD, Container::sleeper());
    let old = wire.file("old.pid");
    fs::write(&old, "4194304").unwrap();
    for name in ["init.pid", "exec.pid"] {
        fs::hard_link(&old, wire.file(name)).unwrap();
    }
    wire.call(CONTAINERD.global, CONTAINERD.create).run().ok().silent();
    wire.plain("start {id}").ok().silent();
    wire.call(CONTAINERD.global, CONTAINERD.exec).run().ok().silent();
    for name in ["init.pid", "exec.pid"] {
        assert_ne!(wire.pid(name), 4_194_304, "{name}");
    }
    assert_eq!(fs::read_to_string(old).unwrap(), "4194304");
    ended(wire.pid("exec.pid"));
}

/// `crictl exec -it`: CRI-O starts the runtime on a terminal, and the runtime opens another one in the container.
fn crio_execs_on_a_terminal() {
    let engine = engine("cri-o");
    let (wire, _) = live(engine, Container::sleeper());
    let mut process = wire.c.config["process"].clone();
    process["terminal"] = json!(true);
    let script = "until test \"$(stty size)\" = '33 77'; do sleep 1; done; echo fitting; exit 5";
    process["args"] = json!(["sh", "-c", script]);
    fs::write(wire.file("process.json"), process.to_string()).unwrap();
    let call = wire.call(engine.plain, "exec --process {bundle}/process.json {id}");
    run_on_terminal(call, None, || LIMIT).finish().exits(5);
}
