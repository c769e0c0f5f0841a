//! Replays the recorded calls of container engines, command by command, without any engine. `engines.rs` tests the real
//! engines.
//!
//! Each call has the engine's standard streams, working directory, environment, pid file, log file and console socket.
//! The tests check what the engine reads from the results. The recorded engines are containerd 1.6 and 2, Docker 20.10
//! and 28, conmon under Podman 4 and 5, Buildah, BuildKit and CRI-O.

mod build;
mod calls;
mod hooked;
mod wire;

use self::wire::{CONTAINERD, ENGINES, Engine, POLITE, Wire, ended, need};
use crate::harness::bundle::{Container, install};
use crate::harness::call::Call;
use crate::harness::cgroups::{cgroup_mount, has_controller};
use crate::harness::runtime::only_davit;
use crate::harness::runtime::{RUNTIME, runtime_has, runtime_name};
use crate::harness::skip::skip;
use crate::harness::trial::{Test, rows, tests};
use nix::sys::wait::WaitStatus;
use serde_json::{Value, json};
use std::fs;

pub(crate) fn tests() -> Vec<Test> {
    let mut all = tests![
        crio_execs_in_the_foreground,
        a_docker_wrapper_script_around_the_runtime_works,
        podman_detects_checkpoint_support,
        an_unknown_option_is_named,
        version_has_one_version,
        features_prints_only_json,
        streams_close_when_create_fails,
        ignored_signals_are_not_inherited,
    ];
    for engine in ENGINES {
        let name = |part: &str| format!("{part}/{}", engine.name);
        all.push(Test::new(module_path!(), &name("life"), || life(engine)));
        all.push(Test::new(module_path!(), &name("refused"), || refused(engine)));
        all.push(Test::new(module_path!(), &name("terminal"), || terminal(engine)));
        if !engine.exec.is_empty() {
            all.push(Test::new(module_path!(), &name("exec-terminal"), || exec_terminal(engine)));
        }
    }
    all.extend(rows!("updates", UPDATES, update));
    all.extend(build::tests());
    all.extend(calls::tests());
    all.extend(hooked::tests());
    all.extend(rows!("texts", TEXTS, text));
    all
}

/// Runs a container from create to delete, and checks everything that the engine reads.
fn life(engine: &Engine) {
    need(engine);
    let wire = Wire::new(engine, Container::sh(POLITE));
    wire.call(engine.global, engine.create).run().ok().silent();
    let pid = wire.pid("init.pid");
    // With Docker's --debug the log may have lines: JSON objects that are not errors.
    for line in wire.log().unwrap_or_default().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert!(line["level"] != "error" && line["time"].is_string(), "{line}");
    }
    let group = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let group = group.lines().find_map(|line| line.strip_prefix("0::")).unwrap().to_owned();
    assert!(group.ends_with(&wire.c.cgroup_path()), "in {group} when create returns");
    assert_eq!(wire.state()["status"], "created");
    wire.plain("start {id}").ok().silent();
    let state = wire.state();
    assert_eq!((&state["status"], &state["pid"]), (&json!("running"), &json!(pid)));
    // Go clients fail if they cannot parse the time.
    assert!(state["created"].as_str().is_none_or(is_rfc3339), "{state}");
    assert_eq!(state["bundle"], wire.c.dir.to_str().unwrap());
    if engine.plain.is_empty() {
        assert!(fs::exists(format!("/run/davit/{}", wire.c.id)).unwrap(), "the state is not below /run/davit");
    }
    wire.c.wait_out("ready");
    operate(&wire, pid);
    wire.plain(engine.kill).ok().silent();
    assert_eq!(ended(pid), WaitStatus::Exited(nix::unistd::Pid::from_raw(pid), 7));
    let state = wire.state();
    assert_eq!((&state["status"], state["pid"].as_i64().unwrap_or(0)), (&json!("stopped"), 0));
    // Engines hide the error of a stop that comes too late: containerd and CRI-O match one of these texts.
    let output = wire.plain(engine.kill).fails();
    let known = ["container not running", "no such process", "process already finished"];
    assert!(known.iter().any(|text| output.err.contains(text)), "{output:?}");
    if !engine.kill_again.is_empty() {
        wire.plain(engine.kill_again).ok().silent();
    }
    wire.plain(engine.delete).ok().silent();
    wire.plain("delete {id}").fails().says("does not exist");
    wire.plain("delete --force {id}").ok().silent();
    assert!(!cgroup_mount().join(group.trim_start_matches('/')).exists());
}

fn is_rfc3339(time: &str) -> bool {
    time.len() >= 20 && time.as_bytes()[10] == b'T' && (time.ends_with('Z') || time.contains('+'))
}

/// Runs the commands for a running container.
fn operate(wire: &Wire<'_>, pid: i32) {
    let engine = wire.engine;
    if !engine.exec.is_empty() && runtime_has("exec") {
        wire.call(engine.global, engine.exec).run().ok().silent();
        let child = wire.pid("exec.pid");
        assert_eq!(ended(child), WaitStatus::Exited(nix::unistd::Pid::from_raw(child), 5));
        fs::remove_file(wire.file("exec.pid")).unwrap();
        let process = fs::read_to_string(wire.file("process.json")).unwrap().replace("\"sh\"", "\"nonexistent\"");
        fs::write(wire.file("process.json"), process).unwrap();
        wire.call(engine.global, engine.exec).run().fails().says("executable file not found in $PATH");
        // containerd shows the last error of the log file, which all calls for a container share.
        if let Some(log) = wire.log() {
            assert!(log.lines().last().unwrap().contains("executable file not found in $PATH"), "{log}");
        }
        assert!(!wire.file("exec.pid").exists(), "a pid file after a failed exec means success to engines");
    }
    if runtime_has("ps") {
        let output = wire.plain("ps --format json {id}").ok().silent();
        let pids: Vec<i32> = serde_json::from_str(&output.out).unwrap();
        assert!(pids.contains(&pid), "{pids:?}");
    }
    if !engine.update.is_empty() && runtime_has("update") {
        wire.plain(engine.update).ok().silent();
        if has_controller("pids") {
            assert_eq!(fs::read_to_string(wire.c.cgroup().join("pids.max")).unwrap(), "55\n");
        }
    }
    wire.plain("pause {id}").ok().silent();
    assert_eq!(wire.state()["status"], "paused");
    wire.plain("resume {id}").ok().silent();
    assert_eq!(wire.state()["status"], "running");
}

/// A failed create writes one line to the log and one to stderr, with the cause, and leaves nothing behind.
fn refused(engine: &Engine) {
    need(engine);
    let wire = Wire::new(engine, Container::new(&["nonexistent"]));
    let output = wire
        .call(engine.global, engine.create)
        .run()
        .fails()
        .says("exec: \"nonexistent\": executable file not found in $PATH");
    assert!(output.err.lines().count() == 1 || engine.global.contains("--debug"), "{output:?}");
    assert!(output.err.len() < 8191 && output.out.is_empty(), "{output:?}");
    if let Some(log) = wire.log() {
        let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let errors: Vec<_> = lines.iter().filter(|line| line["level"] == "error").collect();
        assert_eq!(errors.len(), 1, "{log}");
        assert!(lines.len() == 1 || engine.global.contains("--debug"), "{log}");
        assert!(errors[0]["msg"].as_str().unwrap().contains("executable file not found in $PATH"), "{log}");
        assert!(is_rfc3339(errors[0]["time"].as_str().unwrap()), "{log}");
    }
    wire.plain("state {id}").fails().says("does not exist");
    wire.c.nothing_left();
}

/// Shims receive the terminal before the runtime returns, or only afterwards.
fn terminal(engine: &Engine) {
    need(engine);
    let c = Container::sh("test -t 0 && test -t 2 && exit 3").edit(|c| c["process"]["terminal"] = json!(true));
    let wire = Wire::new(engine, c);
    let _master = wire
        .receive_terminal(&engine.create.replace("--pid-file", "--console-socket {bundle}/console.sock --pid-file"));
    let pid = wire.pid("init.pid");
    wire.plain("start {id}").ok().silent();
    assert_eq!(ended(pid), WaitStatus::Exited(nix::unistd::Pid::from_raw(pid), 3));
}

/// An exec process has a terminal; the container's own process has none.
fn exec_terminal(engine: &Engine) {
    need(engine);
    if !runtime_has("exec") {
        skip("this runtime has no exec");
    }
    let wire = Wire::new(engine, Container::sleeper());
    wire.call(engine.global, engine.create).run().ok().silent();
    wire.plain("start {id}").ok().silent();
    let mut process = wire.c.config["process"].clone();
    process["terminal"] = json!(true);
    process["args"] = json!(["sh", "-c", "test -t 0 && test -t 2 && exit 3"]);
    fs::write(wire.file("process.json"), process.to_string()).unwrap();
    let _master =
        wire.receive_terminal(&engine.exec.replace("--detach", "--detach --console-socket {bundle}/console.sock"));
    let pid = wire.pid("exec.pid");
    assert_eq!(ended(pid), WaitStatus::Exited(nix::unistd::Pid::from_raw(pid), 3));
}

/// (engine and resource, the resources sent, file, expected value). The JSON includes members that request nothing.
const UPDATES: &[(&str, &str, &str, &str)] = &[
    (
        "docker, cpus",
        r#"{"memory":{},"cpu":{"quota":25000,"period":100000},"blockIO":{"weight":0}}"#,
        "cpu.max",
        "25000 100000",
    ),
    (
        "docker, memory",
        r#"{"memory":{"limit":134217728,"swap":134217728},"cpu":{},"blockIO":{"weight":0}}"#,
        "memory.max",
        "134217728",
    ),
    ("podman, pids", r#"{"cpu":{},"memory":{},"pids":{"limit":33},"blockIO":{}}"#, "pids.max", "33"),
    (
        "kubelet",
        r#"{"devices":[{"allow":false,"access":"rwm"}],"memory":{"limit":67108864},"cpu":{"shares":512,"quota":50000,"period":100000},"pids":{"limit":0},"hugepageLimits":[],"unified":{"memory.high":"50331648"}}"#,
        "memory.high",
        "50331648",
    ),
];

fn update((_, resources, file, value): &(&str, &str, &str, &str)) {
    if !runtime_has("update") {
        skip("this runtime has no update");
    }
    crate::harness::cgroups::need_controller(file.split('.').next().unwrap());
    let wire = Wire::new(&CONTAINERD, Container::sleeper().up());
    wire.call(CONTAINERD.plain, CONTAINERD.update).input(resources).run().ok().silent();
    assert_eq!(fs::read_to_string(wire.c.cgroup().join(file)).unwrap().trim(), *value);
}

/// Docker turns `runtimeArgs` into a shell script that is not a subreaper and quotes nothing.
fn a_docker_wrapper_script_around_the_runtime_works() {
    let wire = Wire::new(&CONTAINERD, Container::sh("exit 3"));
    let script = wire.file("davit-debug");
    let draft = wire.file("draft");
    fs::write(&draft, format!("#!/bin/sh\n{} --debug $@\n", *RUNTIME)).unwrap();
    install(&draft, &script);
    let wrapped = |verb| wire.call_of(script.to_str().unwrap(), CONTAINERD.global, verb).run().ok();
    wrapped(CONTAINERD.create);
    let pid = wire.pid("init.pid");
    wrapped("start {id}");
    assert_eq!(ended(pid), WaitStatus::Exited(nix::unistd::Pid::from_raw(pid), 3));
    assert_eq!(wire.state()["status"], "stopped");
    wrapped(CONTAINERD.delete);
}

/// Podman offers `podman container checkpoint` depending on these results.
fn podman_detects_checkpoint_support() {
    let wire = Wire::new(&CONTAINERD, Container::sleeper());
    let output = wire.call("", "checkpoint --help").run();
    assert_eq!(output.status.success(), runtime_has("checkpoint"), "{output:?}");
    let output = wire.call("", "restore --lsm-mount-context").run().fails();
    let wants = output.err.contains("flag needs an argument") || output.err.contains("requires an argument");
    assert_eq!(wants, runtime_has("restore"), "{output:?}");
}

/// (case, program, the text that engines match in the error of a create)
const TEXTS: &[(&str, &str, &str)] = &[
    ("not in PATH", "foo", "exec: \"foo\": executable file not found in $PATH"),
    ("absolute and missing", "/no/such", "exec: \"/no/such\": stat /no/such: no such file or directory"),
    ("not executable", "/etc/passwd", "exec: \"/etc/passwd\": permission denied"),
    ("a directory", "/etc", "exec: \"/etc\": is a directory: permission denied"),
    ("empty", "", "exec: \"\": executable file not found in $PATH"),
];

fn text((_, program, text): &(&str, &str, &str)) {
    only_davit("the texts are the union of what engines match");
    Container::new(&[program]).refused(text);
}

fn crio_execs_in_the_foreground() {
    if !runtime_has("exec") {
        skip("this runtime has no exec");
    }
    let crio = ENGINES.iter().find(|engine| engine.name == "cri-o").unwrap();
    let wire = Wire::new(crio, Container::sleeper().up());
    let pid = wire.c.pid();
    wire.plain("exec --process {bundle}/process.json {id}").exits(5).silent();
    wire.plain("kill {id} KILL").ok().silent();
    assert!(matches!(ended(pid), WaitStatus::Signaled(_, nix::sys::signal::Signal::SIGKILL, _)));
}

fn an_unknown_option_is_named() {
    let wire = Wire::new(&CONTAINERD, Container::sleeper());
    wire.call("--invalidflag", "state {id}").run().fails().says("invalidflag");
}

/// Docker reads the last line that contains `version`; nerdctl and go-runc read the first line.
fn version_has_one_version() {
    let wire = Wire::new(&CONTAINERD, Container::sleeper());
    let output = wire.call("", "--version").run().ok().silent();
    let lines: Vec<_> = output.out.lines().filter(|line| line.contains("version")).collect();
    assert_eq!(lines, [output.out.lines().next().unwrap()]);
    assert_eq!(lines[0].split_whitespace().count(), 3, "{lines:?}");
    for word in ["commit: ", "spec: "] {
        assert!(runtime_name() != "davit" || output.out.lines().any(|line| line.starts_with(word)), "{output:?}");
    }
}

fn features_prints_only_json() {
    let wire = Wire::new(&CONTAINERD, Container::sleeper());
    let output = wire.call("", "features").run().ok().silent();
    let features: Value = serde_json::from_str(&output.out).unwrap();
    assert!(features["ociVersionMin"].is_string() && features["ociVersionMax"].is_string(), "{features}");
    assert!(features["linux"].is_object() && features["mountOptions"].is_array(), "{features}");
}

/// conmon and Buildah read the error until end of file, which needs every process to close the pipe.
fn streams_close_when_create_fails() {
    let c = Container::sh("exit 0").edit(|c| c["process"]["cwd"] = json!("/etc/passwd/below"));
    c.write();
    let (state, bundle) = (c.state_dir(), c.dir.to_str().unwrap());
    let words =
        ["sh", "-c", "\"$@\" 2>&1 | cat; echo closed", "sh", &RUNTIME, "--root", state.to_str().unwrap(), "create"];
    let output = Call::new(&c.dir, &[&words[..], &["--bundle", bundle, &c.id]].concat()).run().ok();
    assert!(output.out.ends_with("closed\n") && output.out.len() > "closed\n".len(), "{output:?}");
    c.nothing_left();
}

/// conmon starts the runtime with SIGPIPE ignored.
fn ignored_signals_are_not_inherited() {
    // Runs no shell, because some shells ignore signals themselves.
    let c = Container::new(&["/bin/grep", "^SigIgn:", "/proc/self/status"]);
    c.write();
    let (state, bundle) = (c.state_dir(), c.dir.to_str().unwrap());
    let words = ["sh", "-c", "trap '' PIPE HUP; exec \"$@\"", "sh", &RUNTIME, "--root", state.to_str().unwrap(), "run"];
    let output = Call::new(&c.dir, &[&words[..], &["--bundle", bundle, &c.id]].concat()).run().ok();
    assert_eq!(output.line(), "SigIgn:\t0000000000000000");
}
