//! Tests `linux.cgroupsPath` and `linux.resources` with cgroupfs: the cgroup of the process and the contents of its
//! files. What only systemd does is tested in `systemd.rs`.

use crate::harness::bundle::Container;
use crate::harness::call::Call;
use crate::harness::cgroups::{cgroup_base, cgroup_mount, need_controller, need_file, only_cgroupfs};
use crate::harness::runtime::{RUNTIME, only_davit};
use crate::harness::skip::skip;
use crate::harness::trial::{Test, rows, tests};
use serde_json::{Value, json};
use std::{fs, time::Duration};

pub(crate) fn tests() -> Vec<Test> {
    let mut all = tests![
        the_process_is_in_its_cgroup,
        a_relative_path_is_placed_consistently,
        without_a_path_the_id_names_the_cgroup,
        dots_in_the_path_do_not_escape,
        deep_paths_get_their_controllers,
        no_resources_touch_no_limits,
        a_populated_cgroup_is_refused,
        a_frozen_cgroup_is_refused,
        below_a_threaded_cgroup_the_container_gets_a_threaded_one,
        a_limit_that_a_threaded_cgroup_cannot_have_is_refused,
        a_cgroup_killed_before_is_usable,
        the_runtime_stays_out_of_a_cgroup_killed_before,
        a_caller_in_a_cgroup_killed_before_can_create_and_exec,
        limits_are_set_before_the_hooks,
        memory_limit_kills,
        pids_limit_holds,
        a_reached_pids_limit_is_named,
        the_cgroup_whose_limit_is_reached_is_named,
        too_little_memory_to_start_is_reported,
        an_absent_controller_is_named,
        an_unknown_file_is_named,
        a_refused_value_is_reported_with_its_file,
        io_throttles,
    ];
    all.extend(rows!("limit", LIMITS, limit));
    all.extend(rows!("v1-only", V1_ONLY, v1_only));
    all
}

/// Returns the cgroup path of a process, relative to the cgroup v2 root.
fn cgroup_of(pid: i32) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    text.lines().find_map(|line| line.strip_prefix("0::")).unwrap().to_owned()
}

fn the_process_is_in_its_cgroup() {
    let c = Container::sleeper();
    c.create().ok();
    assert_eq!(cgroup_of(c.pid()), c.cgroup_path());
    c.start().ok();
    assert_eq!(cgroup_of(c.pid()), c.cgroup_path());
    let members = fs::read_to_string(c.cgroup().join("cgroup.procs")).unwrap();
    assert_eq!(members.trim(), c.pid().to_string(), "a process of the runtime is in the container's cgroup");
}

fn removed(c: &Container, path: &str) {
    c.call(&["delete", "--force", &c.id]).run().ok();
    assert!(!cgroup_mount().join(path.trim_start_matches('/')).exists(), "{path} still exists");
}

fn a_relative_path_is_placed_consistently() {
    only_cgroupfs("the path has the form that cgroupfs uses");
    let mut paths = Vec::new();
    for _ in 0..2 {
        let c = Container::sleeper().edit(|c| c["linux"]["cgroupsPath"] = json!("davit-suite-relative/x"));
        c.create().ok();
        let path = cgroup_of(c.pid());
        assert!(path.ends_with("davit-suite-relative/x"), "{path}");
        removed(&c, &path);
        let parent = cgroup_mount().join(path.trim_start_matches('/'));
        fs::remove_dir(parent.parent().unwrap()).ok();
        paths.push(path);
    }
    assert_eq!(paths[0], paths[1]);
}

fn without_a_path_the_id_names_the_cgroup() {
    only_cgroupfs("the path has the form that cgroupfs uses");
    let c = Container::sleeper().edit(|c| {
        c["linux"].as_object_mut().unwrap().remove("cgroupsPath");
    });
    c.create().ok();
    let path = cgroup_of(c.pid());
    assert!(path.contains(&c.id), "{path}");
    assert_ne!(path, cgroup_of(std::process::id().cast_signed()));
    removed(&c, &path);
}

fn dots_in_the_path_do_not_escape() {
    only_cgroupfs("the path has the form that cgroupfs uses");
    let c = Container::sleeper();
    let path = format!("/davit-suite-dots/../../../{}", c.id);
    let c = c.edit(|c| c["linux"]["cgroupsPath"] = json!(path));
    let output = c.create();
    if output.code() == 0 {
        let path = cgroup_of(c.pid());
        assert!(!path.contains(".."), "{path}");
        removed(&c, &path);
    } else {
        assert!(fs::read_dir(c.state_dir()).unwrap().next().is_none());
    }
    let outside = cgroup_mount().parent().unwrap().join(&c.id);
    assert!(!outside.exists(), "{} was created", outside.display());
    fs::remove_dir(cgroup_mount().join("davit-suite-dots")).ok();
}

fn deep_paths_get_their_controllers() {
    only_cgroupfs("the path has the form that cgroupfs uses");
    need_controller("pids");
    let c = Container::sleeper();
    let path = format!("{}-deep/a/b/{}", c.config["linux"]["cgroupsPath"].as_str().unwrap(), c.id);
    let c = c.edit(|c| {
        c["linux"]["cgroupsPath"] = json!(path);
        c["linux"]["resources"]["pids"] = json!({"limit": 33});
    });
    c.create().ok();
    assert_eq!(read(&c, "pids.max"), "33");
    let mut path = c.cgroup();
    drop(c);
    while path.pop() && path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with("davit-suite")) {
        fs::remove_dir(&path).ok();
    }
}

#[track_caller]
fn read(c: &Container, file: &str) -> String {
    let path = c.cgroup().join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).trim().to_owned()
}

/// (name, controller, resources, file, expected content; `|` separates alternatives)
type Limit = (&'static str, &'static str, &'static str, &'static str, &'static str);

const HUGEPAGES: &str = r#"{"hugepageLimits": [{"pageSize": "2MB", "limit": 4194304}]}"#;

const LIMITS: &[Limit] = &[
    ("memory", "memory", r#"{"memory": {"limit": 67108864}}"#, "memory.max", "67108864"),
    ("memory-unlimited", "memory", r#"{"memory": {"limit": -1}}"#, "memory.max", "max"),
    ("memory-reservation", "memory", r#"{"memory": {"reservation": 33554432}}"#, "memory.low", "33554432"),
    ("swap", "memory", r#"{"memory": {"limit": 67108864, "swap": 100663296}}"#, "memory.swap.max", "33554432"),
    ("swap-none", "memory", r#"{"memory": {"limit": 67108864, "swap": 67108864}}"#, "memory.swap.max", "0"),
    ("swap-unlimited", "memory", r#"{"memory": {"limit": 67108864, "swap": -1}}"#, "memory.swap.max", "max"),
    (
        "oom-killer-on",
        "memory",
        r#"{"memory": {"limit": 67108864, "disableOOMKiller": false}}"#,
        "memory.max",
        "67108864",
    ),
    ("shares-default", "cpu", r#"{"cpu": {"shares": 1024}}"#, "cpu.weight", "100"),
    ("shares-least", "cpu", r#"{"cpu": {"shares": 2}}"#, "cpu.weight", "1"),
    ("shares-most", "cpu", r#"{"cpu": {"shares": 262144}}"#, "cpu.weight", "10000"),
    ("shares-half", "cpu", r#"{"cpu": {"shares": 512}}"#, "cpu.weight", "59"),
    ("shares-unset", "cpu", r#"{"cpu": {"shares": 0}}"#, "cpu.weight", "100"),
    ("quota", "cpu", r#"{"cpu": {"quota": 50000, "period": 200000}}"#, "cpu.max", "50000 200000"),
    ("quota-alone", "cpu", r#"{"cpu": {"quota": 50000}}"#, "cpu.max", "50000 100000"),
    ("quota-unlimited", "cpu", r#"{"cpu": {"quota": -1, "period": 50000}}"#, "cpu.max", "max 50000"),
    ("period-alone", "cpu", r#"{"cpu": {"period": 50000}}"#, "cpu.max", "max 50000"),
    ("burst", "cpu", r#"{"cpu": {"quota": 50000, "period": 100000, "burst": 20000}}"#, "cpu.max.burst", "20000"),
    ("idle", "cpu", r#"{"cpu": {"idle": 1}}"#, "cpu.idle", "1"),
    ("cpus", "cpuset", r#"{"cpu": {"cpus": "0"}}"#, "cpuset.cpus", "0"),
    ("mems", "cpuset", r#"{"cpu": {"mems": "0"}}"#, "cpuset.mems", "0"),
    ("pids", "pids", r#"{"pids": {"limit": 20}}"#, "pids.max", "20"),
    ("pids-unlimited", "pids", r#"{"pids": {"limit": -1}}"#, "pids.max", "max"),
    ("pids-zero", "pids", r#"{"pids": {"limit": 0}}"#, "pids.max", "0|1"),
    ("pids-absent", "pids", r#"{"pids": {}}"#, "pids.max", "max"),
    ("io-weight-least", "io", r#"{"blockIO": {"weight": 10}}"#, "io.weight", "default 1"),
    ("io-weight", "io", r#"{"blockIO": {"weight": 500}}"#, "io.weight", "default 4950"),
    ("io-weight-of-bfq", "io", r#"{"blockIO": {"weight": 500}}"#, "io.bfq.weight", "500|default 500"),
    ("io-empty", "io", r#"{"blockIO": {}}"#, "cgroup.freeze", "0"),
    ("hugepages", "hugetlb", HUGEPAGES, "hugetlb.2MB.max", "4194304"),
    ("hugepages-reserved", "hugetlb", HUGEPAGES, "hugetlb.2MB.rsvd.max", "4194304"),
    ("unified", "memory", r#"{"unified": {"memory.high": "33554432"}}"#, "memory.high", "33554432"),
    ("unified-overrides", "pids", r#"{"pids": {"limit": 20}, "unified": {"pids.max": "9"}}"#, "pids.max", "9"),
    ("unified-group-kill", "memory", r#"{"unified": {"memory.oom.group": "1"}}"#, "memory.oom.group", "1"),
    ("unified-core-file", "pids", r#"{"unified": {"cgroup.max.depth": "3"}}"#, "cgroup.max.depth", "3"),
    (
        "unified-two-lines",
        "cpu",
        r#"{"unified": {"cpu.weight": "200", "cpu.max": "10000 50000"}}"#,
        "cpu.max",
        "10000 50000",
    ),
];

fn limit(row: &Limit) {
    if row.0 == "pids-absent" {
        only_cgroupfs("systemd sets default limits for every unit");
    }
    need_file(row.1, row.3);
    let resources: Value = serde_json::from_str(row.2).unwrap();
    let c = Container::sleeper().edit(|c| {
        for (key, value) in resources.as_object().unwrap() {
            c["linux"]["resources"][key] = value.clone();
        }
    });
    c.create().ok();
    if row.3 == "io.weight" && c.cgroup().join("io.bfq.weight").exists() {
        skip("BFQ is loaded, so the weight is in io.bfq.weight");
    }
    let found = read(&c, row.3);
    assert!(row.4.split('|').any(|wanted| wanted == found), "{} is {found:?} instead of {}", row.3, row.4);
}

/// Settings of cgroup v1 that have no file in v2: (name, resources)
const V1_ONLY: &[(&str, &str)] = &[
    ("swappiness", r#"{"memory": {"swappiness": 60}}"#),
    ("kernel", r#"{"memory": {"kernel": 1048576}}"#),
    ("kernel-tcp", r#"{"memory": {"kernelTCP": 1048576}}"#),
    ("disable-oom-killer", r#"{"memory": {"disableOOMKiller": true}}"#),
    ("realtime-runtime", r#"{"cpu": {"realtimeRuntime": 1000}}"#),
    ("realtime-period", r#"{"cpu": {"realtimePeriod": 1000}}"#),
    ("leaf-weight", r#"{"blockIO": {"leafWeight": 100}}"#),
    ("class-id", r#"{"network": {"classID": 1048577}}"#),
    ("priorities", r#"{"network": {"priorities": [{"name": "lo", "priority": 1}]}}"#),
];

fn v1_only(row: &(&str, &str)) {
    let resources: Value = serde_json::from_str(row.1).unwrap();
    let (group, value) = resources.as_object().unwrap().iter().next().unwrap();
    let key = value.as_object().unwrap().keys().next().unwrap().clone();
    let c = Container::sleeper().edit(|c| c["linux"]["resources"][group] = value.clone());
    let output = c.refused("");
    if crate::harness::runtime::runtime_name() == "davit" {
        output.says(&key);
    }
}

fn no_resources_touch_no_limits() {
    only_cgroupfs("systemd sets default limits for every unit");
    need_controller("memory");
    let c = Container::sleeper().edit(|c| {
        c["linux"].as_object_mut().unwrap().remove("resources");
    });
    c.create().ok();
    assert_eq!((read(&c, "memory.max"), read(&c, "pids.max")), ("max".into(), "max".into()));
}

fn a_populated_cgroup_is_refused() {
    let first = Container::sleeper().up();
    let second =
        Container::sleeper().edit(|c| c["linux"]["cgroupsPath"] = first.config["linux"]["cgroupsPath"].clone());
    second.create().fails().says("not empty");
    assert_eq!(first.status(), "running");
    assert!(first.cgroup().is_dir());
    drop(first);
}

fn a_frozen_cgroup_is_refused() {
    only_cgroupfs("systemd creates the cgroup of a unit");
    let c = Container::sleeper();
    fs::create_dir_all(c.cgroup()).unwrap();
    fs::write(c.cgroup().join("cgroup.freeze"), "1").unwrap();
    let create = c.prepare("create", &[]).spawn();
    // Thaws the cgroup in any case; otherwise processes in it could not be cleaned up.
    create.ends_within(Duration::from_secs(5));
    fs::write(c.cgroup().join("cgroup.freeze"), "0").ok();
    create.finish().fails().says("frozen");
    // `create` did not make this cgroup, so it does not remove the cgroup.
    fs::remove_dir(c.cgroup()).ok();
}

/// Linux counts the kills of each cgroup. Since 6.14 it kills a process that is spawned into a cgroup whose count
/// differs from that of the parent's cgroup.
fn need_spawn_into_killed_cgroup(why: &str) {
    only_cgroupfs(why);
    if crate::harness::runtime::runtime_name() == "crun" {
        skip("crun can only spawn into the cgroup, so its result depends on the kernel");
    }
}

/// A cgroup of type "domain threaded"; removed on drop.
struct ThreadedParent(std::path::PathBuf);

impl ThreadedParent {
    fn new(c: &Container) -> ThreadedParent {
        only_cgroupfs("systemd makes no threaded cgroup");
        let parent = ThreadedParent(cgroup_base().join(format!("davit-suite-threaded-{}", c.id)));
        fs::create_dir_all(parent.0.join("thread")).unwrap();
        fs::write(parent.0.join("thread/cgroup.type"), "threaded").unwrap();
        assert_eq!(fs::read_to_string(parent.0.join("cgroup.type")).unwrap(), "domain threaded\n");
        parent
    }

    fn path_of(&self, name: &str) -> Value {
        json!(format!("/{}", self.0.join(name).strip_prefix(cgroup_mount()).unwrap().display()))
    }
}

impl Drop for ThreadedParent {
    fn drop(&mut self) {
        for path in [self.0.join("thread"), self.0.join("a"), self.0.clone()] {
            fs::remove_dir(path).ok();
        }
    }
}

fn below_a_threaded_cgroup_the_container_gets_a_threaded_one() {
    let c = Container::sh("sleep 1000 & echo up >/out/up; wait");
    let parent = ThreadedParent::new(&c);
    let c = c.edit(|c| c["linux"]["cgroupsPath"] = parent.path_of("a/c")).up();
    c.wait_out("up");
    assert_eq!(cgroup_of(c.pid()), c.cgroup_path());
    assert_eq!(read(&c, "cgroup.type"), "threaded");
    let pids: Vec<i32> = serde_json::from_str(&c.call(&["ps", "--format", "json", &c.id]).run().ok().out).unwrap();
    assert!(pids.len() == 2 && pids.contains(&c.pid()), "ps lists {pids:?}");
    let inside = c.call(&["exec", &c.id, "cat", "/proc/self/cgroup"]).run().ok().out;
    assert!(inside.contains("0::/"), "{inside}");
    c.verb("pause").ok();
    assert_eq!(c.status(), "paused");
    c.verb("resume").ok();
    c.call(&["delete", "--force", &c.id]).run().ok();
    assert!(!c.cgroup().exists(), "the cgroup still exists");
}

fn a_limit_that_a_threaded_cgroup_cannot_have_is_refused() {
    need_controller("memory");
    let c = Container::sleeper();
    let parent = ThreadedParent::new(&c);
    let c = c.edit(|c| {
        c["linux"]["cgroupsPath"] = parent.path_of("c");
        c["linux"]["resources"]["memory"] = json!({"limit": 1 << 26});
    });
    let output = c.refused("");
    if crate::harness::runtime::runtime_name() == "davit" {
        output.says("/linux/resources/memory/limit: no memory controller in ").says("its parent cgroup is threaded");
    }
}

fn a_cgroup_killed_before_is_usable() {
    need_spawn_into_killed_cgroup("systemd creates the cgroup");
    let c = Container::sh("grep ^0:: /proc/self/cgroup");
    fs::create_dir_all(c.cgroup()).unwrap();
    fs::write(c.cgroup().join("cgroup.kill"), "1").unwrap();
    assert_eq!(c.run().ok().line(), "0::/", "the container does not see its cgroup as the root");
    fs::remove_dir(c.cgroup()).ok();
}

/// Otherwise a container that controls its cgroup could freeze the runtime.
fn the_runtime_stays_out_of_a_cgroup_killed_before() {
    need_spawn_into_killed_cgroup("systemd creates the cgroup");
    for _ in 0..20 {
        let c = Container::new(&["/bin/true"]);
        c.write();
        fs::create_dir_all(c.cgroup()).unwrap();
        fs::write(c.cgroup().join("cgroup.kill"), "1").unwrap();
        let runtime = c.prepare("run", &[]).spawn();
        let own = runtime.pid().to_string();
        while !runtime.ends_within(Duration::ZERO) {
            let inside = fs::read_to_string(c.cgroup().join("cgroup.procs")).unwrap_or_default();
            assert!(!inside.lines().any(|pid| pid == own), "the runtime is in the container's cgroup");
        }
        runtime.finish().ok();
        fs::remove_dir(c.cgroup()).ok();
    }
}

/// Same case for the cgroup of the caller: `create` and `exec` work, and davit is back in that cgroup before the first
/// hook runs.
fn a_caller_in_a_cgroup_killed_before_can_create_and_exec() {
    need_spawn_into_killed_cgroup("systemd manages the caller's cgroup");
    let hooks = Container::sleeper();
    let seen = hooks.root("out/seen");
    let script = format!("cat /proc/$PPID/cgroup >{}", seen.display());
    let hook = json!([{"path": "/bin/sh", "args": ["sh", "-c", script]}]);
    let c = hooks.edit(|c| c["hooks"] = json!({"createRuntime": hook}));
    c.write();
    let callers = c.cgroup().with_extension("callers");
    fs::create_dir_all(&callers).unwrap();
    fs::write(callers.join("cgroup.kill"), "1").unwrap();
    let script = format!("echo $$ >{}/cgroup.procs; exec \"$@\"", callers.display());
    let within = |words: &[&str]| {
        let state = c.state_dir();
        let fixed = ["sh", "-c", &script, "sh", RUNTIME.as_str(), "--root", state.to_str().unwrap()];
        Call::new(&c.dir, &[&fixed[..], words].concat()).run()
    };
    within(&["create", "--bundle", c.dir.to_str().unwrap(), &c.id]).ok();
    assert_eq!(cgroup_of(c.pid()), c.cgroup_path());
    if crate::harness::runtime::runtime_name() == "davit" {
        let own = fs::read_to_string(seen).unwrap();
        assert!(own.lines().any(|line| line.starts_with("0::") && line.ends_with(".callers")), "{own}");
    }
    c.start().ok();
    within(&["exec", &c.id, "sh", "-c", "exit 7"]).exits(7);
    within(&["delete", "--force", &c.id]).ok();
    fs::remove_dir(&callers).unwrap();
}

fn limits_are_set_before_the_hooks() {
    need_controller("pids");
    let c = Container::sleeper();
    let script = format!("cat {}/pids.max >{}/seen", c.cgroup().display(), c.dir.display());
    let c = c.edit(|c| {
        c["linux"]["resources"]["pids"] = json!({"limit": 44});
        c["hooks"]["createRuntime"] = json!([{"path": "/bin/sh", "args": ["sh", "-c", script]}]);
    });
    c.create().ok();
    assert_eq!(fs::read_to_string(c.dir.join("seen")).unwrap(), "44\n");
}

fn memory_limit_kills() {
    need_controller("memory");
    let c = Container::sh("exec dd if=/dev/zero of=/dev/null bs=200M count=1 2>/dev/null").edit(|c| {
        c["linux"]["resources"]["memory"] = json!({"limit": 50 << 20, "swap": 50 << 20});
    });
    c.run().exits(128 + 9);
}

fn pids_limit_holds() {
    need_controller("pids");
    let c = Container::sh("n=0; while test $n -lt 60; do sleep 1000 & n=$((n+1)); done 2>&1");
    let c = c.edit(|c| c["linux"]["resources"]["pids"] = json!({"limit": 30}));
    let output = c.run();
    assert!(output.out.contains("fork"), "{output:?}");
}

fn a_reached_pids_limit_is_named() {
    need_controller("pids");
    let c = Container::sleeper().edit(|c| c["linux"]["resources"]["pids"] = json!({"limit": 1})).up();
    c.call(&["exec", &c.id, "/bin/true"]).run().fails().says("clone: ").says("pids.max");
}

fn the_cgroup_whose_limit_is_reached_is_named() {
    need_controller("pids");
    only_cgroupfs("the parent is made by the test");
    only_davit("other runtimes do not name it; crun moves the process into its cgroup, where no limit stops it");
    let c = Container::sleeper();
    let parent = cgroup_base().join(format!("davit-suite-full-{}", c.id));
    fs::create_dir_all(&parent).unwrap();
    fs::write(cgroup_base().join("cgroup.subtree_control"), "+pids").unwrap();
    fs::write(parent.join("pids.max"), "0").unwrap();
    let path = format!("/{}/inner/c", parent.strip_prefix(cgroup_mount()).unwrap().display());
    let c = c.edit(|c| c["linux"]["cgroupsPath"] = json!(path));
    let output = c.create().fails();
    fs::write(parent.join("pids.max"), "max").unwrap();
    fs::write(parent.join("cgroup.max.descendants"), "0").unwrap();
    let descendants = c.create().fails();
    c.nothing_left();
    fs::remove_dir(&parent).unwrap();
    let named = parent.display();
    output.says("resource temporarily unavailable").says(&format!("pids.max is reached in {named} (0)"));
    descendants.says(&format!("cgroup.max.descendants or cgroup.max.depth is reached in {named} (0)"));
}

fn too_little_memory_to_start_is_reported() {
    need_controller("memory");
    let c = Container::sleeper().edit(|c| c["linux"]["resources"]["memory"] = json!({"limit": 4096, "swap": 4096}));
    c.refused("OOM");
}

/// (controller, a setting that needs the controller)
const NEEDS: &[(&str, &str)] = &[
    ("cpuset", r#"{"cpu": {"cpus": "0"}}"#),
    ("memory", r#"{"memory": {"limit": 67108864}}"#),
    ("pids", r#"{"pids": {"limit": 10}}"#),
    ("io", r#"{"blockIO": {"weight": 500}}"#),
    ("cpu", r#"{"cpu": {"shares": 512}}"#),
];

fn an_absent_controller_is_named() {
    let known = fs::read_to_string(cgroup_mount().join("cgroup.controllers")).unwrap();
    let absent: Vec<_> = NEEDS.iter().filter(|(name, _)| !known.split_whitespace().any(|one| one == *name)).collect();
    if absent.is_empty() {
        skip("no controller is missing on this host");
    }
    for (name, resources) in absent {
        let resources: Value = serde_json::from_str(resources).unwrap();
        let (group, value) = resources.as_object().unwrap().iter().next().unwrap();
        Container::sleeper().edit(|c| c["linux"]["resources"][group] = value.clone()).refused(name);
    }
}

fn an_unknown_file_is_named() {
    let c = Container::sleeper().edit(|c| c["linux"]["resources"]["unified"] = json!({"pids.nosuchfile": "1"}));
    c.refused("pids.nosuchfile");
    let c = Container::sleeper().edit(|c| c["linux"]["resources"]["unified"] = json!({"nosuch.file": "1"}));
    c.refused("nosuch");
}

fn a_refused_value_is_reported_with_its_file() {
    need_controller("cpu");
    let c = Container::sleeper()
        .edit(|c| c["linux"]["resources"]["cpu"] = json!({"shares": 100}))
        .edit(|c| c["linux"]["resources"]["unified"] = json!({"cpu.max": "some"}));
    let output = c.refused("cpu.max");
    assert!(output.err.to_lowercase().contains("invalid argument"), "{output:?}");
}

fn io_throttles() {
    need_controller("io");
    let Ok(mut device) = fs::read_to_string("/sys/block/loop0/dev") else { skip("there is no block device loop0") };
    device.truncate(device.trim_end().len());
    let (major, minor) = device.split_once(':').unwrap();
    let entry = |rate: u64| json!([{"major": major.parse::<u32>().unwrap(), "minor": minor.parse::<u32>().unwrap(), "rate": rate}]);
    let c = Container::sleeper().edit(|c| {
        c["linux"]["resources"]["blockIO"] = json!({
            "throttleReadBpsDevice": entry(1 << 20), "throttleWriteBpsDevice": entry(2 << 20),
            "throttleReadIOPSDevice": entry(100), "throttleWriteIOPSDevice": entry(200)
        });
    });
    c.create().ok();
    assert_eq!(read(&c, "io.max"), format!("{device} rbps=1048576 wbps=2097152 riops=100 wiops=200"));
}
