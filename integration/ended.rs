//! Tests what davit reports about the end of a container: in `state`, as the last event, and as a warning of a
//! foreground `run`. No other runtime reports it.

use crate::harness::bundle::{Container, wait_in};
use crate::harness::call::LIMIT;
use crate::harness::cgroups::{need_controller, only_cgroupfs};
use crate::harness::runtime::only_davit;
use crate::harness::trial::{Test, tests};
use serde_json::{Value, json};

pub(crate) fn tests() -> Vec<Test> {
    tests![
        an_exit_status_is_in_the_state_and_no_warning,
        a_kill_names_its_signal_and_its_command,
        an_oom_kill_names_its_limit,
        a_kill_by_a_filter_is_recognised,
        a_forwarded_signal_needs_no_explanation,
        the_last_event_is_the_exit,
        a_running_container_has_no_end,
    ]
}

/// The annotation of the state.
fn ended(c: &Container) -> Option<String> {
    c.state().pointer("/annotations/io.davit.ended").and_then(Value::as_str).map(str::to_owned)
}

fn an_exit_status_is_in_the_state_and_no_warning() {
    only_davit("other runtimes do not explain an end");
    let c = Container::sh("exit 3");
    c.prepare("run", &["--keep"]).run().exits(3).silent();
    assert_eq!(ended(&c).as_deref(), Some("exited with status 3"));
}

fn a_kill_names_its_signal_and_its_command() {
    only_davit("other runtimes do not explain an end");
    let c = Container::sh("echo >/out/up; exec sleep 100");
    let run = c.prepare("run", &["--keep"]).spawn();
    c.wait_out("up");
    c.kill("KILL").ok();
    let output = run.finish_within(LIMIT).exits(128 + 9);
    assert_eq!(output.err, format!("warning: {}: killed by SIGKILL, which davit kill sent\n", c.id));
    assert_eq!(ended(&c).as_deref(), Some("killed by SIGKILL, which davit kill sent"));

    // The status of a container in the background goes to another process: davit reports what it has done itself.
    let c = Container::sleeper().up();
    c.stop();
    let text = ended(&c).unwrap();
    let known = ["davit kill sent SIGKILL; only the parent", "killed by SIGKILL, which davit kill sent"];
    assert!(known.iter().any(|known| text.starts_with(known)), "{text}");
}

fn an_oom_kill_names_its_limit() {
    only_davit("other runtimes do not explain an end");
    only_cgroupfs("systemd removes the scope and its kill count at once");
    need_controller("memory");
    let c = Container::sh("exec tail /dev/zero");
    let c = c.edit(|c| c["linux"]["resources"]["memory"] = json!({"limit": 16 << 20, "swap": 16 << 20}));
    let output = c.prepare("run", &["--keep"]).run().exits(128 + 9);
    let text =
        "killed by SIGKILL; the OOM killer killed a process of the container at its memory limit of 16777216 bytes";
    assert_eq!(output.err, format!("warning: {}: {text}\n", c.id));
    assert_eq!(ended(&c).as_deref(), Some(text));
}

fn a_kill_by_a_filter_is_recognised() {
    only_davit("other runtimes do not explain an end");
    let rule = json!({"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_KILL_PROCESS"});
    let c = Container::sh("exec mkdir /out/x").edit(|c| {
        c["linux"]["seccomp"] = json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]});
    });
    let output = c.prepare("run", &["--keep"]).run().exits(128 + 31);
    let text = "killed by SIGSYS, the signal of a seccomp filter; the kernel logs the system call (audit type 1326)";
    assert_eq!(output.err, format!("warning: {}: {text}\n", c.id));
    assert_eq!(ended(&c).as_deref(), Some(text));
}

fn a_forwarded_signal_needs_no_explanation() {
    only_davit("other runtimes do not explain an end");
    // Only a handler lets a signal reach the first process of a pid namespace.
    let c = Container::sh("echo >/out/up; sleep 100").edit(|c| {
        crate::harness::bundle::without_namespace(c, "pid");
    });
    let run = c.prepare("run", &["--keep"]).spawn();
    c.wait_out("up");
    let pid = nix::unistd::Pid::from_raw(run.pid());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    run.finish_within(LIMIT).exits(128 + 15).silent();
    assert_eq!(ended(&c).as_deref(), Some("killed by SIGTERM"));
}

fn the_last_event_is_the_exit() {
    only_davit("other runtimes do not explain an end");
    let c = Container::sleeper().up();
    let events = c.call(&["events", "--interval", "10ms", &c.id]).spawn();
    wait_in(&c.dir, "the watch", || events.text().contains("stats"));
    c.stop();
    let output = events.finish().ok();
    let last: Value = serde_json::from_str(output.out.lines().last().unwrap()).unwrap();
    assert_eq!((&last["type"], &last["id"]), (&json!("exit"), &json!(c.id)), "{output:?}");
    let reason = last["data"]["reason"].as_str().unwrap();
    assert!(reason.contains("SIGKILL") && reason.contains("davit kill"), "{reason}");
    // Without the status only what davit did itself is reported.
    assert_eq!(last["data"].get("signal").is_none(), reason.starts_with("davit kill sent"), "{last}");
    assert!(last["data"].get("status").is_none(), "{last}");
}

fn a_running_container_has_no_end() {
    only_davit("other runtimes do not explain an end");
    let c = Container::sh("trap : USR1; while :; do sleep 1; done").up();
    c.kill("USR1").ok();
    assert_eq!(ended(&c), None);
}
