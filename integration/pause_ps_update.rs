//! Tests pause, resume, ps and update in every status. Limits at creation are left to `cgroup`.

use crate::harness::bundle::{Container, wait_in};
use crate::harness::cgroups::need_controller;
use crate::harness::runtime::only_davit;
use crate::harness::runtime::runtime_has;
use crate::harness::skip::skip;
use crate::harness::trial::{Test, rows, tests};
use serde_json::json;
use std::fs;

pub(crate) fn tests() -> Vec<Test> {
    let mut all = tests![
        pause_freezes_and_resume_thaws,
        a_paused_container_can_be_killed,
        delete_force_of_a_paused_container,
        start_of_a_paused_container,
        ps_lists_host_pids,
        ps_table_takes_options,
        update_ignores_devices,
        update_from_a_file,
        update_keeps_unlisted_values,
        an_update_that_fails_changes_nothing,
        update_of_intel_rdt_needs_a_group,
    ];
    all.extend(rows!("verb", VERBS, verb));
    all.extend(rows!("update", UPDATES, update));
    all
}

pub(crate) fn need(verb: &str) {
    if !runtime_has(verb) {
        skip(format!("the runtime has no subcommand {verb}"));
    }
}

/// Returns a container in this status: gone, created, running, paused or stopped.
pub(crate) fn in_status(status: &str) -> Container {
    let c = Container::sleeper();
    if status == "gone" {
        return c;
    }
    c.create().ok();
    if status != "created" {
        c.start().ok();
    }
    match status {
        "paused" => {
            need("pause");
            c.verb("pause").ok();
        }
        "stopped" => c.stop(),
        _ => {}
    }
    assert_eq!(c.status(), status);
    c
}

fn pause_freezes_and_resume_thaws() {
    need("pause");
    let c = in_status("running");
    c.verb("pause").ok().silent();
    assert_eq!(c.status(), "paused");
    let events = fs::read_to_string(c.cgroup().join("cgroup.events")).unwrap();
    assert!(events.contains("frozen 1"), "pause returned before the cgroup was frozen: {events}");
    c.verb("resume").ok().silent();
    assert_eq!(c.status(), "running");
    let events = fs::read_to_string(c.cgroup().join("cgroup.events")).unwrap();
    assert!(events.contains("frozen 0"), "{events}");
}

fn a_paused_container_can_be_killed() {
    let c = in_status("paused");
    c.stop();
    assert_eq!(c.status(), "stopped");
}

fn delete_force_of_a_paused_container() {
    let c = in_status("paused");
    c.delete().fails();
    c.call(&["delete", "--force", &c.id]).run().ok();
    c.nothing_left();
}

fn start_of_a_paused_container() {
    in_status("paused").start().fails();
}

/// (subcommand and status, arguments, exit code, text)
type Verb = (&'static str, &'static [&'static str], i32, &'static str);

const VERBS: &[Verb] = &[
    ("pause gone", &["pause", "ID"], 1, "does not exist"),
    ("pause created", &["pause", "ID"], 0, ""),
    ("pause paused", &["pause", "ID"], 1, ""),
    ("pause stopped", &["pause", "ID"], 1, ""),
    ("resume gone", &["resume", "ID"], 1, "does not exist"),
    ("resume running", &["resume", "ID"], 1, ""),
    ("resume stopped", &["resume", "ID"], 1, ""),
    ("ps gone", &["ps", "ID"], 1, "does not exist"),
    ("ps stopped", &["ps", "--format", "json", "ID"], 0, ""),
    ("ps paused", &["ps", "--format", "json", "ID"], 0, ""),
    ("update gone", &["update", "--pids-limit", "9", "ID"], 1, "does not exist"),
    ("update stopped", &["update", "--pids-limit", "9", "ID"], 1, ""),
    ("update created", &["update", "--pids-limit", "9", "ID"], 0, ""),
    ("update paused", &["update", "--pids-limit", "9", "ID"], 0, ""),
    ("events gone", &["events", "--stats", "ID"], 1, "does not exist"),
    ("events stopped", &["events", "--stats", "ID"], 1, ""),
    ("kill paused", &["kill", "ID", "KILL"], 0, ""),
    ("delete paused", &["delete", "ID"], 1, "not stopped"),
];

fn verb(row: &Verb) {
    let (verb, status) = row.0.split_once(' ').unwrap();
    need(verb);
    if verb == "update" {
        need_controller("pids");
    }
    let c = in_status(status);
    let words: Vec<_> = row.1.iter().map(|word| if *word == "ID" { c.id.as_str() } else { word }).collect();
    c.call(&words).run().exits(row.2).says(row.3);
    if row.2 != 0 && status != "gone" {
        assert_eq!(c.status(), status, "a refused call must have no effect");
    }
}

fn ps_lists_host_pids() {
    need("ps");
    let c = Container::sh("sleep 1000 & echo >/out/ready; wait").up();
    c.wait_out("ready");
    let members = || fs::read_to_string(c.cgroup().join("cgroup.procs")).unwrap();
    wait_in(&c.root("out"), "the second process", || members().lines().count() == 2);
    let output = c.call(&["ps", "--format", "json", &c.id]).run().ok().silent();
    let mut listed: Vec<i32> = serde_json::from_str(&output.out).unwrap();
    listed.sort_unstable();
    let text = members();
    let mut wanted: Vec<i32> = text.lines().map(|pid| pid.parse().unwrap()).collect();
    wanted.sort_unstable();
    assert_eq!(listed, wanted);
    let table = c.verb("ps").ok();
    assert!(table.out.contains("PID") && table.out.contains(&c.pid().to_string()), "{table:?}");
}

fn ps_table_takes_options() {
    need("ps");
    let c = in_status("running");
    // Without -e, ps(1) lists only the processes of its own terminal.
    let output = c.call(&["ps", &c.id, "-eo", "pid,comm"]).run().ok();
    assert!(output.out.contains("sleep"), "{output:?}");
}

/// (name, controller, flags, file, content)
type Update = (&'static str, &'static str, &'static [&'static str], &'static str, &'static str);

const UPDATES: &[Update] = &[
    ("memory", "memory", &["--memory", "64m"], "memory.max", "67108864"),
    ("memory-bytes", "memory", &["--memory", "67108864"], "memory.max", "67108864"),
    ("memory-unlimited", "memory", &["--memory=-1"], "memory.max", "max"),
    ("reservation", "memory", &["--memory-reservation", "32m"], "memory.low", "33554432"),
    ("pids", "pids", &["--pids-limit", "11"], "pids.max", "11"),
    ("shares", "cpu", &["--cpu-share", "512"], "cpu.weight", "59"),
    ("quota", "cpu", &["--cpu-quota", "20000", "--cpu-period", "50000"], "cpu.max", "20000 50000"),
    ("idle", "cpu", &["--cpu-idle", "1"], "cpu.idle", "1"),
    ("cpus", "cpuset", &["--cpuset-cpus", "0"], "cpuset.cpus", "0"),
];

fn file(c: &Container, name: &str) -> String {
    fs::read_to_string(c.cgroup().join(name)).unwrap().trim().to_owned()
}

fn update(row: &Update) {
    need("update");
    need_controller(row.1);
    let c = in_status("running");
    let mut words = vec!["update"];
    words.extend(row.2);
    words.push(&c.id);
    c.call(&words).run().ok().silent();
    assert_eq!(file(&c, row.3), row.4);
}

fn update_ignores_devices() {
    need("update");
    need_controller("pids");
    let c = Container::sh(
        "cat /dev/zero | head -c 1 | wc -c >/out/before; read x </out/go; head -c 1 /dev/zero | wc -c >/out/after",
    );
    nix::unistd::mkfifo(&c.root("out/go"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let c = c.up();
    c.wait_out("before");
    let resources = json!({"pids": {"limit": 21}, "devices": [{"allow": false, "access": "rwm"}]});
    c.call(&["update", "--resources", "-", &c.id]).input(&resources.to_string()).run().ok();
    assert_eq!(file(&c, "pids.max"), "21");
    fs::write(c.root("out/go"), "\n").unwrap();
    assert_eq!(c.wait_out("after"), "1\n");
}

fn update_from_a_file() {
    need("update");
    need_controller("pids");
    let c = in_status("running");
    let path = c.dir.join("resources.json");
    fs::write(&path, json!({"pids": {"limit": 31}}).to_string()).unwrap();
    c.call(&["update", "--resources", path.to_str().unwrap(), &c.id]).run().ok();
    assert_eq!(file(&c, "pids.max"), "31");
}

fn update_keeps_unlisted_values() {
    need("update");
    need_controller("memory");
    let c = Container::sleeper().edit(|c| {
        c["linux"]["resources"]["memory"] = json!({"limit": 64 << 20});
        c["linux"]["resources"]["pids"] = json!({"limit": 40});
    });
    let c = c.up();
    c.call(&["update", "--pids-limit", "41", &c.id]).run().ok();
    assert_eq!((file(&c, "pids.max").as_str(), file(&c, "memory.max").as_str()), ("41", "67108864"));
}

/// The kernel rejects the last of several limits.
fn an_update_that_fails_changes_nothing() {
    need("update");
    need_controller("memory");
    need_controller("cpu");
    need_controller("io");
    let c = Container::sleeper().edit(|c| {
        c["linux"]["resources"]["memory"] = json!({"limit": 64 << 20, "reservation": 32 << 20});
        c["linux"]["resources"]["pids"] = json!({"limit": 40});
        c["linux"]["resources"]["cpu"] = json!({"shares": 512, "quota": 50_000, "period": 100_000});
    });
    let c = c.up();
    let files = ["memory.max", "memory.low", "memory.swap.max", "pids.max", "cpu.weight", "cpu.max", "memory.high"];
    let all = || files.map(|name| fs::read_to_string(c.cgroup().join(name)).unwrap_or_default());
    let state = || fs::read(c.state_dir().join(&c.id).join("state.json")).unwrap_or_default();
    let (before, record) = (all(), state());
    let resources = json!({
        "memory": {"limit": 32 << 20, "reservation": 16 << 20}, "pids": {"limit": 20},
        "cpu": {"shares": 1024, "quota": 20_000, "period": 50_000}, "unified": {"memory.high": "bogus"}
    });
    c.call(&["update", "--resources", "-", &c.id]).input(&resources.to_string()).run().fails().says("memory.high");
    assert_eq!(all(), before);
    assert_eq!(state(), record);
    // The same update without the invalid limit succeeds, so only that limit caused the failure.
    let mut resources = resources;
    resources.as_object_mut().unwrap().remove("unified");
    c.call(&["update", "--resources", "-", &c.id]).input(&resources.to_string()).run().ok();
    assert_eq!((file(&c, "pids.max").as_str(), file(&c, "cpu.max").as_str()), ("20", "20000 50000"));
}

fn update_of_intel_rdt_needs_a_group() {
    only_davit("the error texts are specific to davit");
    let c = in_status("running");
    let output = c.call(&["update", "--l3-cache-schema", "L3:0=f", &c.id]).run().exits(1);
    let here = fs::read_to_string("/proc/self/mountinfo").unwrap().contains(" - resctrl ");
    output.says(if here { "has no resctrl group" } else { "no resctrl file system is mounted on this host" });
    c.call(&["update", "--mem-bw-schema", "L3:0=f", &c.id]).run().exits(1).says("is not a schema for MB");
}
