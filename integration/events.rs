//! Tests `events`: usage statistics in runc's format, and notifications such as OOM kills at the time they happen.
//! `pause_ps_update.rs` tests the other commands for running containers.

use crate::harness::bundle::{Container, wait_in};
use crate::harness::call::{Output, Running};
use crate::harness::cgroups::{need_controller, only_cgroupfs};
use crate::harness::kernel;
use crate::harness::runtime::only_davit;
use crate::harness::skip::skip;
use crate::harness::trial::{Test, tests};
use crate::pause_ps_update::{in_status, need};
use serde_json::{Value, json};
use std::{
    fs::{self, File},
    io::Write,
    path::Path,
    time::Duration,
};

pub(crate) fn tests() -> Vec<Test> {
    tests![
        stats_report_the_usage,
        stats_have_the_members_of_runc,
        stats_come_at_their_interval,
        an_oom_kill_is_reported_while_the_container_runs,
        an_oom_kill_of_the_first_process_is_reported_before_the_end,
        cpu_pressure_is_reported,
        events_end_with_the_container,
        events_of_a_paused_container,
        intervals_are_durations_above_zero,
    ]
}

/// Parses each line of the output as one JSON document.
fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn kinds(text: &str) -> Vec<String> {
    lines(text).iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
}

/// Watches the container with an interval so long that no `stats` event occurs.
fn watch(c: &Container) -> Running {
    c.call(&["events", "--interval", "1h", &c.id]).spawn()
}

fn stats(c: &Container) -> Value {
    let output = c.call(&["events", "--stats", &c.id]).run().ok();
    let mut all = lines(&output.out);
    assert_eq!(all.len(), 1, "{output:?}");
    all.remove(0)
}

/// Returns a container that runs the script for each line written to the returned file.
fn on_request(script: &str, memory: u64) -> (Container, File) {
    let c = Container::sh(&format!("while read x; do {script}; done </out/go"));
    let fifo = c.root("out/go");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let limits = json!({"limit": memory, "swap": memory});
    let c = c.edit(|c| c["linux"]["resources"]["memory"] = limits).up();
    // Opened for reading as well, so that the open does not block until a reader exists.
    let requests = File::options().read(true).write(true).open(fifo).unwrap();
    (c, requests)
}

fn stats_report_the_usage() {
    need("events");
    need_controller("memory");
    // Runs long enough to be counted by a kernel that measures CPU time in ticks.
    let c = Container::sh("i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; echo >/out/ready; exec sleep 1000");
    let c = c.edit(|c| c["linux"]["resources"]["memory"] = json!({"limit": 64 << 20})).up();
    c.wait_out("ready");
    let event = stats(&c);
    assert_eq!((event["type"].as_str(), event["id"].as_str()), (Some("stats"), Some(c.id.as_str())));
    assert_eq!(event.pointer("/data/memory/usage/limit"), Some(&json!(64 << 20)));
    assert_eq!(event.pointer("/data/pids/current"), Some(&json!(1)));
    assert!(event.pointer("/data/cpu/usage/total").and_then(Value::as_u64).is_some_and(|total| total > 0), "{event}");
}

/// The members of a `stats` event, as paths. A member with `?` may be absent.
const MEMBERS: &str = "
    blkio ?blkio/ioServiceBytesRecursive ?blkio/ioServicedRecursive ?blkio/psi
    cpu ?cpu/psi cpu/throttling ?cpu/throttling/periods ?cpu/throttling/throttledPeriods ?cpu/throttling/throttledTime
    cpu/usage cpu/usage/kernel cpu/usage/total cpu/usage/user
    cpuset cpuset/cpu_exclusive cpuset/mem_exclusive cpuset/mem_hardwall cpuset/memory_migrate cpuset/memory_pressure
    cpuset/memory_spread_page cpuset/memory_spread_slab cpuset/sched_load_balance cpuset/sched_relax_domain_level
    hugetlb intel_rdt
    memory ?memory/cache memory/kernel memory/kernel/failcnt memory/kernel/limit memory/kernelTCP
    memory/kernelTCP/failcnt memory/kernelTCP/limit ?memory/psi memory/raw memory/swap memory/swap/failcnt
    memory/swap/limit ?memory/swap/usage memory/usage memory/usage/failcnt memory/usage/limit ?memory/usage/max
    memory/usage/usage network_interfaces pids pids/current pids/limit";

fn members(value: &Value, at: &str, found: &mut Vec<String>) {
    for (name, member) in value.as_object().into_iter().flatten() {
        let path = format!("{at}{name}");
        // Members below these come from a kernel file, or are keyed by page size.
        if !["memory/raw", "hugetlb"].contains(&path.as_str()) && !path.ends_with("/psi") {
            members(member, &format!("{path}/"), found);
        }
        found.push(path);
    }
}

fn stats_have_the_members_of_runc() {
    need("events");
    need_controller("memory");
    need_controller("pids");
    let c = Container::sh("i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; echo >/out/ready; exec sleep 1000");
    let c = c.edit(|c| {
        c["linux"]["resources"]["memory"] = json!({"limit": 64 << 20});
        c["linux"]["resources"]["pids"] = json!({"limit": 40});
    });
    let c = c.up();
    c.wait_out("ready");
    let event = stats(&c);
    let mut found = Vec::new();
    members(&event["data"], "", &mut found);
    for wanted in MEMBERS.split_whitespace().filter(|name| !name.starts_with('?')) {
        assert!(found.iter().any(|name| name == wanted), "{wanted} is missing: {event}");
    }
    for name in &found {
        let known = MEMBERS.split_whitespace().any(|known| known.trim_start_matches('?') == name);
        assert!(known, "{name} is not a member in runc: {event}");
    }
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let stat = fs::read_to_string(c.cgroup().join("memory.stat")).unwrap();
    let mut names: Vec<_> = stat.lines().map(|line| line.split(' ').next().unwrap().to_owned()).collect();
    names.sort();
    assert_eq!(keys(&event["data"]["memory"]["raw"]), names);
    for (resource, section) in [("cpu", "cpu"), ("memory", "memory"), ("io", "blkio")] {
        let measured = fs::read(c.cgroup().join(format!("{resource}.pressure"))).is_ok();
        let psi = event["data"][section].get("psi");
        assert_eq!(psi.is_some(), measured, "{resource}: {event}");
        for line in psi.into_iter().flat_map(|psi| [&psi["some"], &psi["full"]]) {
            assert_eq!(keys(line), ["avg10", "avg300", "avg60", "total"], "{event}");
        }
    }
}

fn stats_come_at_their_interval() {
    need("events");
    let c = in_status("running");
    let events = c.call(&["events", "--interval", "10ms", &c.id]).spawn();
    wait_in(&c.dir, "three events", || events.text().lines().count() >= 3);
    assert!(kinds(events.text().rsplit_once('\n').unwrap().0).iter().all(|kind| kind == "stats"));
}

/// The next `stats` is an hour away, so the event comes from a kernel notification and not from polling.
fn an_oom_kill_is_reported_while_the_container_runs() {
    need("events");
    need_controller("memory");
    let (c, mut requests) = on_request("tail /dev/zero", 16 << 20);
    let events = watch(&c);
    // An OOM kill before the watch is set up is not reported; a later one is.
    while !events.text().contains("\"oom\"") {
        assert!(!events.ends_within(Duration::ZERO), "{:?}", events.finish());
        let before = oom_kills(&c);
        requests.write_all(b"go\n").unwrap();
        wait_in(&c.cgroup(), "the OOM kill", || oom_kills(&c) > before);
        wait_briefly_for(&c.dir, || events.text().contains("\"oom\""));
    }
    assert_eq!(c.status(), "running");
    let kinds = kinds(events.text().rsplit_once('\n').unwrap().0);
    assert!(!kinds.iter().any(|kind| kind == "stats"), "{kinds:?}");
    if crate::harness::runtime::runtime_name() == "davit" {
        // Pressure events may come at any time.
        let first = kinds.iter().find(|kind| *kind != "psi");
        assert_eq!(first.unwrap(), "memory", "no memory event before the kill: {kinds:?}");
    }
}

fn oom_kills(c: &Container) -> u64 {
    let text = fs::read_to_string(c.cgroup().join("memory.events")).unwrap();
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")).unwrap().parse().unwrap()
}

/// Waits until `done`, or until nothing happens for 500 ms.
fn wait_briefly_for(dir: &Path, done: impl Fn() -> bool) {
    let watch = nix::sys::inotify::Inotify::init(nix::sys::inotify::InitFlags::IN_CLOEXEC).unwrap();
    watch.add_watch(dir, nix::sys::inotify::AddWatchFlags::IN_MODIFY).unwrap();
    while !done() && kernel::readable(&watch, Duration::from_millis(500)) {
        watch.read_events().unwrap();
    }
}

fn an_oom_kill_of_the_first_process_is_reported_before_the_end() {
    only_cgroupfs("systemd removes the scope and its kill count at once");
    only_davit("`events` of other runtimes does not exit with the container");
    need_controller("memory");
    let c = Container::sh("read x </out/go; exec tail /dev/zero");
    nix::unistd::mkfifo(&c.root("out/go"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let c = c.edit(|c| c["linux"]["resources"]["memory"] = json!({"limit": 16 << 20, "swap": 16 << 20})).up();
    let events = c.call(&["events", "--interval", "10ms", &c.id]).spawn();
    wait_in(&c.dir, "the watch", || events.text().contains("stats"));
    fs::write(c.root("out/go"), "\n").unwrap();
    let output: Output = events.finish().ok();
    // The killed process may still request memory, which the kernel counts, so more events may follow.
    let events = kinds(&output.out);
    assert_eq!(events.iter().filter(|kind| *kind == "oom").count(), 1, "{output:?}");
    let memory = lines(&output.out).into_iter().rfind(|event| event["type"] == "memory");
    assert_eq!(memory.unwrap()["data"]["oom_kill"], 1, "{output:?}");
}

fn cpu_pressure_is_reported() {
    only_davit("no other runtime has this event");
    if !Path::new("/proc/pressure/cpu").exists() {
        skip("this kernel does not measure pressure");
    }
    // Two processes compete for one CPU, so one of them always waits.
    let busy = "busybox taskset 1 sh -c 'while :; do :; done'";
    let c = Container::sh(&format!("{busy} & {busy} & wait")).up();
    let events = watch(&c);
    wait_in(&c.dir, "the event", || events.text().contains("\"psi\""));
    c.stop();
    let output = events.finish().ok();
    let event = lines(&output.out).into_iter().find(|event| event["data"]["resource"] == "cpu");
    let event = event.unwrap_or_else(|| panic!("{output:?}"));
    assert_eq!((event["type"].as_str(), event["id"].as_str()), (Some("psi"), Some(c.id.as_str())));
    assert!(event.pointer("/data/psi/some/total").and_then(Value::as_u64).is_some_and(|total| total > 0), "{event}");
}

fn events_end_with_the_container() {
    only_davit("`events` of other runtimes does not exit with the container");
    let c = in_status("running");
    let events = c.call(&["events", "--interval", "10ms", &c.id]).spawn();
    wait_in(&c.dir, "the watch", || events.text().contains("stats"));
    c.call(&["delete", "--force", &c.id]).run().ok().silent();
    events.finish().ok().silent();
}

fn events_of_a_paused_container() {
    need("events");
    let c = in_status("paused");
    assert_eq!(stats(&c)["type"], "stats");
    assert_eq!(c.status(), "paused");
}

fn intervals_are_durations_above_zero() {
    need("events");
    let c = in_status("running");
    for bad in ["0", "0s", "-1s", "5", "soon"] {
        let output = c.call(&["events", &format!("--interval={bad}"), &c.id]).run().fails();
        assert!(output.out.is_empty() || crate::harness::runtime::runtime_name() != "davit", "{output:?}");
    }
}
