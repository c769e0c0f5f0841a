//! Replays BuildKit's calls: containers in the foreground, with pipes and with terminals.

use super::wire::{CONTAINERD, Engine, Wire};
use crate::harness::bundle::Container;
use crate::harness::call::LIMIT;
use crate::harness::cgroups::only_cgroupfs;
use crate::harness::runtime::only_davit;
use crate::harness::runtime::runtime_has;
use crate::harness::skip::skip;
use crate::harness::terminal::run_on_terminal;
use crate::harness::trial::{Test, tests};
use crate::harness::user::AS_USER;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::json;
use std::fs;

pub(super) fn tests() -> Vec<Test> {
    tests![
        buildkit_runs_in_the_foreground,
        buildkit_keeps_and_deletes,
        buildkit_execs_in_the_foreground,
        buildkit_cancels_a_step,
        buildkit_passes_signals,
        buildkit_has_a_terminal,
    ]
}

const BUILDKIT: Engine = Engine {
    name: "buildkit",
    global: "--log {bundle}/runc-log.json --log-format json",
    plain: "--log {bundle}/runc-log.json --log-format json",
    ..CONTAINERD
};

fn buildkit_runs_in_the_foreground() {
    only_davit("BuildKit names no state directory");
    let wire = Wire::new(&BUILDKIT, Container::sh("cat; echo problem >&2; exit 3"));
    let output = wire.call(BUILDKIT.global, "run --bundle {bundle} {id}").input("through\n").run().exits(3);
    assert_eq!((output.out.as_str(), output.err.as_str()), ("through\n", "problem\n"));
    wire.plain("state {id}").fails().says("does not exist");
}

fn buildkit_keeps_and_deletes() {
    only_davit("BuildKit names no state directory");
    only_cgroupfs("a scope ends with its last process");
    let wire = Wire::new(&BUILDKIT, Container::sh("sh -c 'kill -9 $$'; exit $?"));
    wire.call(BUILDKIT.global, "run --bundle {bundle} --keep {id}").run().exits(137);
    assert!(wire.c.cgroup().join("cgroup.events").exists(), "BuildKit reads statistics from the cgroup now");
    assert_eq!(wire.state()["status"], "stopped");
    wire.plain("delete {id}").ok().silent();
    assert!(!wire.c.cgroup().exists());
}

/// BuildKit's debugger joins a step. Old versions pass no pid file, and do not call `delete` afterwards.
fn buildkit_execs_in_the_foreground() {
    only_davit("BuildKit names no state directory");
    if !runtime_has("exec") {
        skip("this runtime has no exec");
    }
    let wire = Wire::new(&BUILDKIT, Container::sleeper());
    let run = wire.call(BUILDKIT.global, "run --bundle {bundle} --no-pivot --keep {id}").spawn();
    wire.wait_status("running");
    let state = wire.state();
    assert!(state["rootfs"].as_str().is_some_and(|path| fs::exists(format!("{path}/bin")).unwrap()), "{state}");
    for pid_file in ["--pid-file {bundle}/exec.pid", ""] {
        let verb = format!("exec --process {{bundle}}/process.json {pid_file} {{id}}");
        wire.call(BUILDKIT.global, &verb).run().exits(5).silent();
    }
    assert!(wire.pid("exec.pid") > 0);
    wire.plain("kill {id} 9").ok().silent();
    run.finish().exits(137);
    wire.plain("delete {id}").ok().silent();
}

fn buildkit_cancels_a_step() {
    only_davit("BuildKit names no state directory");
    let wire = Wire::new(&BUILDKIT, Container::sh("trap '' TERM INT HUP; while :; do sleep 1000; done"));
    let run = wire.call(BUILDKIT.global, "run --bundle {bundle} --keep {id}").spawn();
    wire.wait_status("running");
    wire.plain("kill {id} 9").ok().silent();
    run.finish().exits(137).silent();
    wire.plain("delete {id}").ok().silent();
    assert!(!wire.c.cgroup().exists());
}

/// BuildKit sends every signal except SIGKILL to the runtime, which must forward it.
fn buildkit_passes_signals() {
    only_davit("BuildKit names no state directory");
    if *AS_USER {
        skip("only a root engine does this");
    }
    let wire = Wire::new(
        &BUILDKIT,
        Container::sh("trap 'exit 4' USR1; echo ready >/out/ready; while :; do sleep 1000 & wait; done"),
    );
    let run = wire.call(BUILDKIT.global, "run --bundle {bundle} --keep {id}").spawn();
    wire.c.wait_out("ready");
    kill(Pid::from_raw(run.pid()), Signal::SIGUSR1).unwrap();
    run.finish().exits(4);
    wire.plain("delete {id}").ok().silent();
}

/// `RUN` and the debugger with a terminal: the runtime relays between its own terminal and one in the container.
fn buildkit_has_a_terminal() {
    only_davit("BuildKit names no state directory");
    let script = "until test \"$(stty size)\" = '44 88'; do echo ready; sleep 1; done; echo fitting; exit 6";
    let c = Container::sh(script).edit(|c| c["process"]["terminal"] = json!(true));
    let wire = Wire::new(&BUILDKIT, c);
    let call = wire.call(BUILDKIT.global, "run --bundle {bundle} --keep {id}");
    run_on_terminal(call, Some((44, 88)), || LIMIT).finish().exits(6);
    wire.plain("delete {id}").ok().silent();
}
