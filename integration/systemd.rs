//! Tests the systemd cgroup driver: lifecycle and properties of a scope, limits across a reload, existing units, a
//! missing bus. A user's own systemd is left to `systemd_user`. Most tests need a host booted with systemd (see
//! hack/systemd).

use crate::harness::bundle::Container;
use crate::harness::call::{Call, LIMIT, Output};
use crate::harness::cgroups::DELEGATED;
use crate::harness::cgroups::{cgroup_mount, need_controller};
use crate::harness::kernel;
use crate::harness::runtime::RUNTIME;
use crate::harness::runtime::only_davit;
use crate::harness::skip::skip;
use crate::harness::trial::{Test, tests};
use crate::harness::unshared::host;
use crate::harness::user::AS_USER;
use crate::harness::user::UID;
use serde_json::{Value, json};
use std::{fs, path::Path, time::Instant};

pub(crate) fn tests() -> Vec<Test> {
    tests![
        a_scope_lives_as_long_as_its_container,
        the_default_scope_is_named_after_the_id,
        limits_survive_a_reload,
        updated_limits_survive_a_reload,
        updated_device_rules_survive_a_reload,
        devices_stay_closed_over_a_reload,
        annotations_become_properties,
        a_failed_unit_is_reset,
        a_failed_scope_is_forgotten_on_delete,
        a_foreign_unit_is_refused_and_kept,
        a_refused_property_leaves_nothing,
        a_container_can_be_deleted_without_its_bus,
        unreachable_systemd_is_reported,
        pids_of_another_namespace_are_refused,
        nested_slices,
    ]
}

pub(crate) fn need_systemd() {
    if !Path::new("/run/systemd/system").is_dir() {
        skip("this host was not booted with systemd");
    }
    let bus = std::env::var_os("XDG_RUNTIME_DIR").map(|directory| Path::new(&directory).join("bus"));
    if *AS_USER && !bus.is_some_and(|bus| bus.exists()) {
        skip("this user's systemd manager is not running");
    }
}

/// A container whose cgroup systemd creates, whatever driver the suite uses.
fn scoped(c: Container) -> Container {
    need_systemd();
    c.edit(|c| {
        let id = c["linux"]["cgroupsPath"].as_str().unwrap().rsplit(['/', ':']).next().unwrap().to_owned();
        c["linux"]["cgroupsPath"] = json!(format!("{}:suite:{id}", slice()));
    })
}

/// The default slice of scopes.
fn slice() -> &'static str {
    if *AS_USER { "user.slice" } else { "system.slice" }
}

/// Runs systemctl for the manager that creates this suite's scopes: the system's, or the user's.
fn systemd(words: &[&str]) -> Result<String, String> {
    let which: &[&str] = if *AS_USER { &["--user"] } else { &["--system"] };
    host(&[&words[..1], which, &words[1..]].concat())
}

fn unit(c: &Container) -> String {
    format!("suite-{}.scope", c.id)
}

fn create(c: &Container) -> Output {
    c.write();
    c.call(&["--systemd-cgroup", "create", "--bundle", c.dir.to_str().unwrap(), &c.id]).run()
}

/// A property of a unit, from `systemctl show`.
fn shown(unit: &str, property: &str) -> String {
    systemd(&["systemctl", "show", "--property", property, "--value", unit]).unwrap().trim().to_owned()
}

/// Waits until systemd has unloaded a unit, which it does when idle.
fn forgotten(unit: &str) {
    let end = Instant::now() + LIMIT;
    while shown(unit, "LoadState") != "not-found" {
        assert!(Instant::now() < end, "{unit} is left: {}", shown(unit, "ActiveState"));
    }
}

fn cgroup(c: &Container) -> std::path::PathBuf {
    let base = if *AS_USER { &DELEGATED[1..] } else { "" };
    cgroup_mount().join(base).join(slice()).join(unit(c))
}

fn file(c: &Container, name: &str) -> String {
    fs::read_to_string(cgroup(c).join(name)).unwrap_or_else(|error| panic!("{name}: {error}")).trim().to_owned()
}

fn a_scope_lives_as_long_as_its_container() {
    let c = scoped(Container::sleeper());
    create(&c).ok().silent();
    let (unit, pid) = (unit(&c), c.pid());
    for (property, value) in
        [("ActiveState", "active"), ("Slice", slice()), ("Delegate", "yes"), ("DefaultDependencies", "no")]
    {
        assert_eq!(shown(&unit, property), value, "{property}");
    }
    for name in ["CPUAccounting", "IOAccounting", "MemoryAccounting", "TasksAccounting"] {
        // Newer versions always count and no longer have this property.
        assert_ne!(shown(&unit, name), "no", "{name}");
    }
    assert!(shown(&unit, "Description").contains(&c.id));
    assert_eq!(file(&c, "cgroup.procs"), pid.to_string(), "the container's process is in the scope, and nothing else");
    c.start().ok();
    let exec = |script: &str| c.call(&["exec", &c.id, "sh", "-c", script]).run().ok();
    assert_eq!(exec("cat /proc/self/cgroup").out, "0::/\n", "its cgroup namespace is rooted there");
    c.verb("pause").ok();
    assert_eq!((c.status().as_str(), file(&c, "cgroup.freeze").as_str()), ("paused", "1"));
    c.verb("resume").ok();
    assert_eq!(c.status(), "running");
    // Without the flag: the state records which driver created the cgroup.
    c.call(&["delete", "--force", &c.id]).run().ok().silent();
    assert!(!cgroup(&c).exists());
    forgotten(&unit);
    kernel::wait_exit(pid, LIMIT);
}

fn the_default_scope_is_named_after_the_id() {
    only_davit("other runtimes use other names");
    let c = scoped(Container::sleeper()).edit(|c| drop(c["linux"].as_object_mut().unwrap().remove("cgroupsPath")));
    create(&c).ok().silent();
    let unit = format!("davit-{}.scope", c.id);
    assert_eq!((shown(&unit, "ActiveState").as_str(), shown(&unit, "Slice").as_str()), ("active", slice()));
    c.call(&["delete", "--force", &c.id]).run().ok();
    forgotten(&unit);
}

/// Resources, and the expected contents of the cgroup files. Uses only controllers that every test machine has.
fn limits() -> (Value, Vec<(&'static str, &'static str)>) {
    for name in ["cpu", "memory", "pids"] {
        need_controller(name);
    }
    let resources = json!({
        "memory": {"limit": 64 << 20, "reservation": 32 << 20},
        "pids": {"limit": 20},
        "cpu": {"shares": 512, "quota": 12_345, "period": 50_000},
        "unified": {"memory.high": "50331648", "memory.min": "1048576"},
        "devices": [{"allow": false, "access": "rwm"}]
    });
    let files = vec![
        ("memory.max", "67108864"),
        ("memory.low", "33554432"),
        ("memory.high", "50331648"),
        ("memory.min", "1048576"),
        ("pids.max", "20"),
        ("cpu.weight", "59"),
        // 24.69 % of a CPU, rounded up to systemd's precision.
        ("cpu.max", "12500 50000"),
    ];
    (resources, files)
}

fn reload() {
    systemd(&["systemctl", "daemon-reload"]).unwrap();
}

fn limits_survive_a_reload() {
    only_davit("other runtimes do not pass all of the limits to systemd");
    need_systemd();
    let (resources, files) = limits();
    let c = scoped(Container::sleeper()).edit(|c| c["linux"]["resources"] = resources);
    create(&c).ok().silent();
    for when in ["when it is created", "after a reload"] {
        for (name, value) in &files {
            assert_eq!(file(&c, name), *value, "{name} {when}");
        }
        reload();
    }
}

fn updated_limits_survive_a_reload() {
    only_davit("other runtimes do not pass all of the limits to systemd");
    let c = scoped(Container::sleeper());
    let (resources, files) = limits();
    create(&c).ok().silent();
    fs::write(c.dir.join("limits.json"), resources.to_string()).unwrap();
    c.call(&["update", "--resources", c.dir.join("limits.json").to_str().unwrap(), &c.id]).run().ok().silent();
    for when in ["when it is updated", "after a reload"] {
        for (name, value) in &files {
            assert_eq!(file(&c, name), *value, "{name} {when}");
        }
        reload();
    }
    assert_eq!(shown(&unit(&c), "TasksMax"), "20");
    c.call(&["update", "--pids-limit", "-1", "--memory", "-1", &c.id]).run().ok().silent();
    reload();
    assert_eq!((file(&c, "pids.max"), file(&c, "memory.max")), ("max".to_owned(), "max".to_owned()));
}

fn updated_device_rules_survive_a_reload() {
    only_davit("other runtimes cannot change the device rules of a running container");
    let node = json!([{"type": "c", "path": "/dev/log2", "major": 1, "minor": 11, "fileMode": 0o666}]);
    let c = scoped(Container::sleeper()).edit(|c| c["linux"]["devices"] = node);
    create(&c).ok();
    c.start().ok();
    let words = ["update", "--device-allow", "c 1:11 w", "--device-deny", "c 1:5 r", &c.id];
    c.call(&words).run().ok().silent();
    let script = "(: >/dev/log2) 2>/dev/null && echo log; (: </dev/zero) 2>/dev/null && echo zero; :";
    for when in ["after the update", "after a reload", "after an update of limits"] {
        let tried = c.call(&["exec", &c.id, "sh", "-c", script]).run().ok();
        assert_eq!(tried.out, "log\n", "{when}");
        if when == "after the update" {
            reload();
        } else {
            c.call(&["update", "--pids-limit", "20", &c.id]).run().ok().silent();
        }
    }
}

fn devices_stay_closed_over_a_reload() {
    let c = scoped(Container::sleeper()).edit(|c| {
        for set in ["bounding", "effective", "permitted"] {
            c["process"]["capabilities"][set].as_array_mut().unwrap().push(json!("CAP_MKNOD"));
        }
    });
    create(&c).ok();
    c.start().ok();
    reload();
    let script = "mknod /tmp/kmem c 1 2; cat /tmp/kmem; echo x >/dev/null && echo null";
    let tried = c.call(&["exec", &c.id, "sh", "-c", script]).run();
    assert_eq!(tried.out, "null\n");
    // No current kernel has this device: if opening it is not denied, the error is that it is missing.
    assert!(tried.err.contains("not permitted"), "{tried:?}");
}

fn annotations_become_properties() {
    let c = scoped(Container::sleeper()).edit(|c| {
        c["annotations"] = json!({
            "org.systemd.property.TimeoutStopSec": "7",
            "org.systemd.property.KillSignal": "int32 10",
            "org.systemd.property.After": "['dbus.service']"
        });
    });
    create(&c).ok().silent();
    let unit = unit(&c);
    assert_eq!((shown(&unit, "TimeoutStopUSec").as_str(), shown(&unit, "KillSignal").as_str()), ("7s", "10"));
    assert!(shown(&unit, "After").contains("dbus.service"));
}

/// Leaves a failed unit with the container's name behind, by a timeout.
fn fail_before(c: &Container) {
    let name = format!("--unit={}", unit(c));
    let words = ["-p", "RuntimeMaxSec=100ms", "-p", "CollectMode=inactive", "sleep", "1000"];
    systemd(&[&["systemd-run", "--scope", "--quiet", &name], &words[..]].concat()).expect_err("it has to be ended");
    assert_eq!(shown(&unit(c), "ActiveState"), "failed");
}

fn a_failed_unit_is_reset() {
    let c = scoped(Container::sleeper());
    fail_before(&c);
    create(&c).ok().silent();
    assert_eq!(shown(&unit(&c), "ActiveState"), "active");
}

fn a_failed_scope_is_forgotten_on_delete() {
    let c = scoped(Container::sleeper()).edit(|c| {
        c["annotations"] = json!({
            "org.systemd.property.CollectMode": "'inactive'", "org.systemd.property.TimeoutStopSec": "0.1"
        });
    });
    create(&c).ok().silent();
    let pid = c.pid();
    // The init process of a pid namespace ignores SIGTERM, so systemd must kill it, and the unit fails.
    systemd(&["systemctl", "stop", &unit(&c)]).ok();
    kernel::wait_exit(pid, LIMIT);
    assert_eq!(shown(&unit(&c), "ActiveState"), "failed");
    c.delete().ok().silent();
    forgotten(&unit(&c));
}

fn a_foreign_unit_is_refused_and_kept() {
    only_davit("the error texts are specific to davit");
    let first = scoped(Container::sleeper());
    create(&first).ok();
    let second =
        scoped(Container::sleeper()).edit(|c| c["linux"]["cgroupsPath"] = first.config["linux"]["cgroupsPath"].clone());
    create(&second).fails().says("container's cgroup is not empty");
    assert_eq!(first.status(), "created");
    assert_eq!(shown(&unit(&first), "ActiveState"), "active");
    assert!(!second.state_dir().join(&second.id).exists());
    drop(first);
}

fn a_refused_property_leaves_nothing() {
    only_davit("the error texts are specific to davit");
    let c = scoped(Container::sleeper())
        .edit(|c| c["annotations"] = json!({"org.systemd.property.NoSuchProperty": "true"}));
    create(&c).fails().says(&format!("start {}: ", unit(&c))).says("NoSuchProperty");
    assert!(!c.state_dir().join(&c.id).exists() && !cgroup(&c).exists());
    forgotten(&unit(&c));
}

fn a_container_can_be_deleted_without_its_bus() {
    only_davit("the state file format is specific to davit");
    let c = scoped(Container::sleeper());
    create(&c).ok();
    let state = c.state_dir().join(&c.id).join("state.json");
    let text = fs::read_to_string(&state).unwrap();
    let bus = if *AS_USER { format!("/run/user/{UID}/bus") } else { "/run/dbus/system_bus_socket".to_owned() };
    let changed = text.replace(&bus, "/run/dbus/gone");
    assert_ne!(text, changed);
    fs::write(&state, changed).unwrap();
    let pid = c.pid();
    c.call(&["delete", "--force", &c.id]).run().ok().says("cannot connect to systemd");
    kernel::wait_exit(pid, LIMIT);
    forgotten(&unit(&c));
    assert!(!cgroup(&c).exists());
}

fn unreachable_systemd_is_reported() {
    only_davit("the error texts are specific to davit");
    let c = Container::sleeper().edit(|c| c["linux"]["cgroupsPath"] = json!("system.slice:suite:nobody"));
    c.write();
    let create = c.call(&["--systemd-cgroup", "create", "--bundle", c.dir.to_str().unwrap(), &c.id]);
    let bus = if *AS_USER { "DBUS_SESSION_BUS_ADDRESS" } else { "DBUS_SYSTEM_BUS_ADDRESS" };
    let output = create.env(bus, "unix:path=/nonexistent/bus").run().fails();
    output.says("--systemd-cgroup: cannot connect to systemd: unix:path=/nonexistent/bus: no such file or directory");
    assert!(!c.state_dir().join(&c.id).exists());
}

/// systemd would interpret a pid of an inner namespace in its own, and move the wrong process.
fn pids_of_another_namespace_are_refused() {
    only_davit("other runtimes pass the wrong process to systemd");
    let c = scoped(Container::sleeper());
    c.write();
    let (state, bundle) = (c.state_dir(), c.dir.clone());
    let (state, bundle) = (state.to_str().unwrap(), bundle.to_str().unwrap());
    let allowed: &[&str] = if *AS_USER { &["--map-root-user"] } else { &[] };
    let words = ["--pid", "--fork", "--mount-proc", RUNTIME.as_str(), "--root", state];
    let words =
        [&["unshare"], allowed, &words[..], &["--systemd-cgroup", "create", "--bundle", bundle, &c.id]].concat();
    let output = Call::new(&c.dir, &words).run().fails();
    output.says("--systemd-cgroup: the bus of systemd is in another pid namespace (it knows this process as ");
    assert_eq!(shown(&unit(&c), "LoadState"), "not-found");
    c.nothing_left();
}

fn nested_slices() {
    let c = scoped(Container::sleeper()).edit(|c| c["linux"]["cgroupsPath"] = json!("suite-a-b.slice:suite:deep"));
    create(&c).ok().silent();
    let path = fs::read_to_string(format!("/proc/{}/cgroup", c.pid())).unwrap();
    let base = if *AS_USER { DELEGATED.as_str() } else { "" };
    assert_eq!(path.trim(), format!("0::{base}/suite.slice/suite-a.slice/suite-a-b.slice/suite-deep.scope"));
    c.call(&["delete", "--force", &c.id]).run().ok().silent();
    forgotten("suite-deep.scope");
}
