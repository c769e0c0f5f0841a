//! Tests the container lifecycle: run, stop, kill, restart, remove, pause, and the exit codes.

use super::{
    Check,
    engine::{Engine, IMAGE, Kind},
    place::cgroup_of,
    time_limit::until,
};
use crate::harness::call::Call;
use crate::harness::runtime::runtime_name;
use std::{fs, path::Path};

pub(crate) const CHECKS: &[Check] = &[
    ("life cycle", "exit codes", exit_codes),
    ("life cycle", "programs that cannot run", cannot_run),
    ("life cycle", "stop lets the program end", stop_gracefully),
    ("life cycle", "stop kills after the grace", stop_kills),
    ("life cycle", "kill -s", kill_signal),
    ("life cycle", "start again", start_again),
    ("life cycle", "restart", restart),
    ("life cycle", "--restart on-failure:2", restart_policy),
    ("life cycle", "rm -f leaves nothing", remove),
    ("pause", "pause and unpause", pause),
    ("pause", "kill while paused", kill_paused),
    ("pause", "top", top),
    ("pause", "stats", stats),
];

const STUBBORN: &str = "trap '' TERM; while :; do sleep 1000; done";
const POLITE: &str = "trap 'exit 7' TERM; trap 'exit 9' USR1; echo ready; while :; do sleep 1000 & wait; done";

fn exit_codes(e: &Engine) {
    for code in [0, 1, 42, 255] {
        e.sh(&[], &format!("exit {code}")).exits(code);
    }
    e.sh(&["--init"], "kill -9 $$").exits(137);
    e.call(&["run", "--no-such-flag", IMAGE]).exits(125);
}

fn cannot_run(e: &Engine) {
    let run = ["run", "--rm", "--network", "none", IMAGE];
    for (program, code) in [("nonexistent", 127), ("/bin/nonexistent", 127), ("/etc/passwd", 126), ("/etc", 126)] {
        e.call(&[&run[..], &[program]].concat()).exits(code);
    }
}

/// Waits until the container's log contains this text.
fn wait_log(e: &Engine, name: &str, text: &str) {
    until(&format!("{text} in the log of {name}"), || e.call(&["logs", name]).ok().out.contains(text));
}

fn stop_gracefully(e: &Engine) {
    let up = e.up(&[], POLITE);
    wait_log(e, &up.name, "ready");
    e.call(&["stop", "-t", "60", &up.name]).ok();
    assert_eq!(e.wait(&up.name), "7");
}

fn stop_kills(e: &Engine) {
    let up = e.up(&[], STUBBORN);
    e.call(&["stop", "-t", "1", &up.name]).ok();
    assert_eq!(e.wait(&up.name), "137");
}

fn kill_signal(e: &Engine) {
    let up = e.up(&[], POLITE);
    wait_log(e, &up.name, "ready");
    e.call(&["kill", "-s", "USR1", &up.name]).ok();
    assert_eq!(e.wait(&up.name), "9");
    e.call(&["kill", &up.name]).fails();
}

fn start_again(e: &Engine) {
    let up = e.up(&[], "echo x >>/count; wc -l </count; sleep 1000");
    e.call(&["kill", &up.name]).ok();
    assert_eq!(e.wait(&up.name), "137");
    e.call(&["start", &up.name]).ok();
    assert_eq!(e.inspect(&up.name, ".State.Status"), "running");
    wait_log(e, &up.name, "2");
}

fn restart(e: &Engine) {
    let up = e.up(&[], STUBBORN);
    let before = e.inspect(&up.name, ".State.Pid");
    e.call(&["restart", "-t", "0", &up.name]).ok();
    let after = e.inspect(&up.name, ".State.Pid");
    assert!(before != after && after != "0", "{before} then {after}");
}

fn restart_policy(e: &Engine) {
    let dir = e.new_dir();
    let volume = format!("{dir}:/out");
    let up = e.up(&["--restart", "on-failure:2", "-v", &volume], "echo x >>/out/count; exit 1");
    let count = || fs::read_to_string(Path::new(&dir).join("count")).unwrap_or_default().lines().count();
    until("two restarts", || e.inspect(&up.name, ".RestartCount") == "2" && count() == 3);
    assert_eq!(e.wait(&up.name), "1");
    assert_eq!((count(), e.inspect(&up.name, ".RestartCount").as_str()), (3, "2"));
}

fn remove(e: &Engine) {
    let up = e.up(&[], STUBBORN);
    let pid = e.inspect(&up.name, ".State.Pid");
    let id = e.inspect(&up.name, ".Id");
    let cgroup = cgroup_of(&pid);
    assert!(cgroup.exists());
    // docs/engines.md documents how to see which runtime a container has.
    let root = match e.kind {
        Kind::Docker => e.file("exec/runtime-runc/moby"),
        _ => format!("/run/{}", if e.ours { runtime_name() } else { "runc" }),
    };
    let output = Call::new(&e.dir(), &[&e.runtime(), "--root", &root, "list", "-q"]).run().ok();
    assert!(output.out.lines().any(|one| one == id), "{id}: {output:?}");
    drop(up);
    assert!(!cgroup.exists(), "the cgroup {} is still there", cgroup.display());
    assert!(!e.call(&["ps", "-a", "--no-trunc"]).ok().out.contains(&id));
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(&id), "a mount is left: {mounts}");
    for place in
        [format!("/run/davit/{id}"), format!("/run/runc/{id}"), e.file(&format!("exec/runtime-runc/moby/{id}"))]
    {
        assert!(!Path::new(&place).exists(), "{place} is left");
    }
}

fn pause(e: &Engine) {
    let up = e.up(&[], STUBBORN);
    let cgroup = cgroup_of(&e.inspect(&up.name, ".State.Pid"));
    let frozen = || fs::read_to_string(cgroup.join("cgroup.events")).unwrap().contains("frozen 1");
    e.call(&["pause", &up.name]).ok();
    assert!(frozen());
    assert_eq!(e.inspect(&up.name, ".State.Status"), "paused");
    e.call(&["exec", &up.name, "true"]).fails();
    e.call(&["unpause", &up.name]).ok();
    assert!(!frozen());
    assert_eq!(e.inspect(&up.name, ".State.Status"), "running");
}

fn kill_paused(e: &Engine) {
    let up = e.up(&[], STUBBORN);
    e.call(&["pause", &up.name]).ok();
    // Podman refuses to signal a paused container, but removes it.
    if e.kind == Kind::Podman {
        e.call(&["rm", "-f", "-t", "0", &up.name]).ok();
        e.call(&["inspect", &up.name]).fails();
    } else {
        e.call(&["kill", &up.name]).ok();
        assert_eq!(e.wait(&up.name), "137");
    }
}

fn top(e: &Engine) {
    let up = e.up(&[], "sleep 1234 & sleep 1234");
    let output = e.call(&["top", &up.name]).ok();
    assert!(output.out.matches("sleep 1234").count() >= 2, "{output:?}");
}

fn stats(e: &Engine) {
    crate::harness::cgroups::need_controller("memory");
    let up = e.up(&["-m", "64m"], STUBBORN);
    let output = e.call(&["stats", "--no-stream", &up.name]).ok();
    assert!(
        output.out.contains(&up.name) && (output.out.contains("64MiB") || output.out.contains("67.11MB")),
        "{output:?}"
    );
}
