//! Tests the file system logic on a plain directory. Behaviour that needs a kernel (files that appear with a directory,
//! poll events) is tested on a real hierarchy, in the integration suite.

use super::{Cgroup, Cgroupfs, Driver, DriverKind, Layout, Record, Refusal, Wanted};
use crate::cgroup::counters::{Oom, by_device, counters, pressure};
use crate::plan::placement::{Place, Scope};
use crate::plan::resources::{MemoryGuard, Need, Refused, ResourcePlan, Write};
use crate::spec::pointer::Pointer;
use nix::errno::Errno;
use std::fs;
use std::path::{Path, PathBuf};

/// A temporary directory that imitates the hierarchy; removed on drop.
struct StandIn(PathBuf);

impl StandIn {
    fn new(name: &str) -> StandIn {
        let path = std::env::temp_dir().join(format!("davit-cgroup-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a temporary directory");
        StandIn(path)
    }

    /// Creates a directory with files, as the kernel does for a new cgroup.
    fn cgroup(&self, below: &str, files: &[(&str, &str)]) -> &Self {
        let dir = self.0.join(below);
        fs::create_dir_all(&dir).expect(below);
        for (name, content) in files {
            fs::write(dir.join(name), content).expect(name);
        }
        self
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.0.join(file)).expect(file)
    }

    fn layout(&self) -> Layout {
        Layout::at(&self.0, false).expect("a layout")
    }

    fn record(&self, below: &str) -> Record {
        Record { driver: DriverKind::Cgroupfs, path: self.0.join(below), made: true, unit: None }
    }

    fn open(&self, below: &str) -> Cgroup {
        Cgroup::open(&self.layout(), &self.record(below)).expect(below).expect(below)
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn an_oom_kill_is_attributed_to_the_limit_that_was_reached() {
    let place = StandIn::new("oom");
    let hit = |own: u64, all: u64| {
        let events = format!("low 0\nhigh 0\nmax 3\noom {all}\noom_kill 2\noom_group_kill 0\n");
        let local = format!("max 3\noom {own}\noom_kill 0\n");
        let files = [("memory.events", &events[..]), ("memory.events.local", &local[..]), ("memory.max", "4096\n")];
        place.cgroup("c", &files).open("c").oom().expect("is read").expect("has counters")
    };
    let oom = |own, below| Oom { kills: 2, own: Some(own), below, limit: Some(4096) };
    assert_eq!(hit(1, 1), oom(true, true));
    assert_eq!(hit(0, 1), oom(false, true));
    assert_eq!(hit(0, 0), oom(false, false));
    fs::remove_file(place.0.join("c/memory.events.local")).expect("is removed");
    assert_eq!(place.open("c").oom().expect("is read").and_then(|oom| oom.own), None);
    fs::remove_file(place.0.join("c/memory.events")).expect("is removed");
    assert_eq!(place.open("c").oom().expect("is read"), None);
}

const EMPTY: (&str, &str) = ("cgroup.events", "populated 0\nfrozen 0\n");

fn need(controller: &'static str) -> Need {
    Need { controller: controller.into(), origin: Pointer::of("/linux/resources/x") }
}

fn write(file: &'static str, value: &str, when_refused: Refused) -> Write {
    let origin = Pointer::of("/linux/resources/x");
    Write { origin, file: file.into(), value: value.to_owned(), when_refused }
}

#[test]
fn an_existing_empty_cgroup_is_taken_and_remembered_as_not_made() {
    let host = StandIn::new("existing");
    host.cgroup("", &[("cgroup.controllers", "cpu memory\n")]);
    host.cgroup("a/b", &[EMPTY, ("cgroup.controllers", "cpu memory\n")]);
    let cgroup = Cgroup::create(&host.layout(), Path::new("a/b"), &[need("memory")]).expect("create");
    assert!(!cgroup.is_own());
    assert_eq!(cgroup.path(), host.0.join("a/b"));
    let record = Record { made: false, ..host.record("a/b") };
    let json = serde_json::to_string(&record).expect("json");
    assert_eq!(serde_json::from_str::<Record>(&json).expect("record"), record);
}

#[test]
fn a_cgroup_with_processes_or_a_frozen_one_is_refused() {
    let host = StandIn::new("unfit");
    host.cgroup("", &[("cgroup.controllers", "")]);
    host.cgroup("full", &[("cgroup.events", "populated 1\nfrozen 0\n"), ("cgroup.procs", "7\n8\n")]);
    host.cgroup("full/deep", &[("cgroup.procs", "9\n")]);
    host.cgroup("cold", &[("cgroup.events", "populated 0\nfrozen 1\n")]);
    let refused = |below: &str| Cgroup::create(&host.layout(), Path::new(below), &[]).expect_err(below).to_string();
    let path = |below: &str| host.0.join(below).display().to_string();
    let full = format!("container's cgroup is not empty: 3 process(es) found in {}", path("full"));
    assert_eq!(refused("full"), full);
    assert_eq!(refused("cold"), format!("container's cgroup unexpectedly frozen: {}", path("cold")));
}

#[test]
fn a_failing_create_removes_what_it_made_and_nothing_else() {
    let host = StandIn::new("failing");
    host.cgroup("", &[("cgroup.controllers", "")]).cgroup("there", &[]);
    // A plain directory has no cgroup.events, so that the check after the mkdir fails.
    for below in ["x", "there/x", "new/x/y"] {
        let error = Cgroup::create(&host.layout(), Path::new(below), &[]).expect_err(below);
        assert_eq!(Refusal::errno_of(&error), Some(Errno::ENOENT), "{error}");
    }
    let mut left: Vec<_> = fs::read_dir(&host.0).expect("list").map(|e| e.expect("entry").file_name()).collect();
    left.sort();
    assert_eq!(left, ["cgroup.controllers", "there"]);
    assert_eq!(fs::read_dir(host.0.join("there")).expect("list").count(), 0);
}

#[test]
fn controllers_are_enabled_only_where_they_are_missing() {
    let host = StandIn::new("enable");
    let all = ("cgroup.controllers", "cpu memory\n");
    host.cgroup("", &[all, ("cgroup.subtree_control", "cpu memory\n")]);
    host.cgroup("a", &[all, ("cgroup.subtree_control", "cpu\n")]);
    host.cgroup("a/b", &[EMPTY, ("cgroup.controllers", "cpu\n")]);
    // The plain directory ignores the write, so the controller stays missing. That is an error only if it is needed.
    Cgroup::create(&host.layout(), Path::new("a/b"), &[need("cpu")]).expect("memory is not needed");
    assert_eq!(host.read("a/cgroup.subtree_control"), "+memory");
    assert_eq!(host.read("cgroup.subtree_control"), "cpu memory\n");
    let error = Cgroup::create(&host.layout(), Path::new("a/b"), &[need("memory")]).expect_err("memory is needed");
    let path = host.0.join("a/b").display().to_string();
    assert_eq!(error.to_string(), format!("/linux/resources/x: there is no memory controller in {path}"));
}

#[test]
fn no_controller_is_enabled_in_a_cgroup_with_processes() {
    let host = StandIn::new("busy");
    let all = ("cgroup.controllers", "cpu pids\n");
    host.cgroup("", &[all, ("cgroup.subtree_control", "cpu pids\n"), ("cgroup.procs", "1\n")]);
    host.cgroup("a", &[all, ("cgroup.subtree_control", ""), ("cgroup.type", "domain\n"), ("cgroup.procs", "7\n")]);
    host.cgroup("a/b", &[EMPTY, ("cgroup.controllers", ""), ("cgroup.type", "domain\n")]);
    Cgroup::create(&host.layout(), Path::new("a/b"), &[]).expect("nothing is needed");
    let error = Cgroup::create(&host.layout(), Path::new("a/b"), &[need("pids")]).expect_err("pids is needed");
    let text = format!("{error:#}");
    let expected = format!("/linux/resources/x: no pids controller in {}/a/b: write \"+pids\" to ", host.0.display());
    assert!(text.starts_with(&expected) && text.contains("processes in that cgroup"), "{text}");
    assert_eq!(host.read("a/cgroup.subtree_control"), "");

    host.cgroup("a/b", &[("cgroup.type", "domain invalid\n")]);
}

#[test]
fn an_invalid_cgroup_is_made_threaded_and_gets_only_the_controllers_of_one() {
    let host = StandIn::new("threaded");
    let all = ("cgroup.controllers", "cpu memory pids\n");
    let enabled = ("cgroup.subtree_control", "cpu pids\n");
    host.cgroup("", &[all, ("cgroup.subtree_control", "cpu memory pids\n")]);
    host.cgroup("a", &[all, enabled, ("cgroup.type", "domain threaded\n"), ("cgroup.procs", "7\n")]);
    let invalid = ("cgroup.type", "domain invalid\n");
    host.cgroup("a/b", &[("cgroup.controllers", "cpu pids\n"), ("cgroup.subtree_control", ""), invalid]);
    host.cgroup("a/b/c", &[EMPTY, ("cgroup.controllers", "cpu pids\n"), invalid]);
    let error = Cgroup::create(&host.layout(), Path::new("a/b/c"), &[need("memory")]).expect_err("memory is needed");
    let reason = "its parent cgroup is threaded, so it can only have cpu, cpuset, perf_event, pids";
    assert_eq!(
        error.to_string(),
        format!("/linux/resources/x: no memory controller in {}/a/b/c: {reason}", host.0.display())
    );
    assert_eq!(host.read("a/b/c/cgroup.type"), "domain invalid\n", "changed although the creation failed");
    Cgroup::create(&host.layout(), Path::new("a/b/c"), &[need("pids")]).expect("pids is enough");
    for (file, content) in [
        ("a/cgroup.type", "domain threaded\n"),
        ("a/b/cgroup.type", "threaded"),
        ("a/b/c/cgroup.type", "threaded"),
        ("a/b/cgroup.subtree_control", "+cpu +pids"),
    ] {
        // A write to a plain file does not truncate it.
        assert!(host.read(file).starts_with(content), "{file}: {}", host.read(file));
    }
}

#[test]
fn symbolic_links_in_the_hierarchy_are_refused() {
    let host = StandIn::new("link");
    host.cgroup("", &[("cgroup.controllers", "")]).cgroup("victim", &[EMPTY, ("memory.max", "")]);
    std::os::unix::fs::symlink("victim", host.0.join("link")).expect("symlink");
    let error = Cgroup::create(&host.layout(), Path::new("link"), &[]).expect_err("a link as the cgroup");
    assert_eq!(Refusal::errno_of(&error), Some(Errno::ELOOP), "{error}");
    let cgroup = host.cgroup("own", &[EMPTY]).open("own");
    std::os::unix::fs::symlink("../victim/memory.max", host.0.join("own/memory.max")).expect("symlink");
    for file in ["memory.max", "../victim/memory.max"] {
        let error = cgroup.limit(&[write(file, "1", Refused::Fail)]).expect_err(file);
        assert!(matches!(Refusal::errno_of(&error), Some(Errno::ELOOP | Errno::EXDEV)), "{error:#}");
    }
    assert_eq!(host.read("victim/memory.max"), "");
}

#[test]
fn refused_writes_are_handled_as_the_plan_requires() {
    let host = StandIn::new("limit");
    let cgroup = host.cgroup("c", &[("memory.max", ""), ("io.weight", "")]).open("c");
    let instead = Refused::Instead { file: "io.weight", value: "910".to_owned() };
    let writes = [
        write("memory.max", "100", Refused::Fail),
        write("memory.swap.max", "max", Refused::UnlessMissing),
        write("io.bfq.weight", "100", instead),
    ];
    cgroup.limit(&writes).expect("limit");
    assert_eq!((host.read("c/memory.max").as_str(), host.read("c/io.weight").as_str()), ("100", "910"));

    let error = cgroup.limit(&[write("pids.max", "5", Refused::Fail)]).expect_err("no such file");
    let path = host.0.join("c/pids.max").display().to_string();
    let text = format!("/linux/resources/x: write \"5\" to {path}: no such file or directory");
    assert_eq!(format!("{error:#}"), text);
    assert_eq!(Refusal::errno_of(&error), Some(Errno::ENOENT));
}

#[test]
fn the_memory_guard_compares_with_present_use() {
    let host = StandIn::new("guard");
    let cgroup = host.cgroup("c", &[("memory.current", "100\n"), ("memory.swap.current", "20\n")]).open("c");
    let check = |limit, total| {
        let guard = MemoryGuard { origin: Pointer::of("/linux/resources/memory"), limit, total };
        cgroup.check_memory(&guard).map_err(|error| error.to_string())
    };
    assert_eq!(check(Some(101), Some(121)), Ok(()));
    assert_eq!(check(Some(100), None), Err("/linux/resources/memory: rejecting memory limit 100 <= usage 100".into()));
    let both = "/linux/resources/memory: rejecting memory+swap limit 120 <= usage 120";
    assert_eq!(check(None, Some(120)), Err(both.into()));
    let bare = host.cgroup("bare", &[]).open("bare");
    let guard = MemoryGuard { origin: Pointer::default(), limit: Some(1), total: Some(1) };
    bare.check_memory(&guard).expect("a use that cannot be read is no obstacle");
}

#[test]
fn a_cgroup_that_is_gone_is_no_error() {
    let host = StandIn::new("gone");
    let cgroup = host.cgroup("a/c", &[]).open("a/c");
    fs::create_dir_all(host.0.join("a/c/x/y")).expect("cgroups below");
    fs::remove_dir_all(host.0.join("a/c")).expect("remove");
    cgroup.unmake().expect("remove again");
    assert!(!cgroup.is_populated().expect("populated"));
    assert!(!cgroup.is_frozen().expect("frozen"));
    assert_eq!(cgroup.pids().expect("pids"), Vec::<i32>::new());
    let record = host.record("a/c");
    assert!(Cgroup::open(&host.layout(), &record).expect("open").is_none());
    let elsewhere = Record { path: "/nowhere/x".into(), ..record };
    Cgroup::open(&host.layout(), &elsewhere).expect_err("outside of the hierarchy");
}

#[test]
fn only_permission_errors_allow_running_without_a_cgroup() {
    let host = StandIn::new("optional");
    host.cgroup("", &[("cgroup.controllers", "")]);
    let (layout, place) = (host.layout(), Place::BelowMount("plain".into()));
    let mut driver = Cgroupfs::new(&layout);
    let resources = ResourcePlan::default();
    // ENOENT (a plain directory has no cgroup.events) is not a permission error, so `optional` does not matter.
    for optional in [false, true] {
        let wanted = Wanted { place: &place, resources: &resources, optional };
        driver.prepare(&wanted).expect_err("not a cgroup");
    }
    let (slice, unit, description) = (None, "p-n.scope".to_owned(), String::new());
    let scope = Place::Scope(Scope { slice, unit, description, properties: Vec::new() });
    let error = driver.prepare(&Wanted { place: &scope, resources: &resources, optional: true }).expect_err("a scope");
    assert!(error.to_string().contains("only the systemd driver can make"), "{error}");
    assert!(Refusal::is_permission(&Refusal::of("mkdir x", Errno::EACCES)));
    assert!(!Refusal::is_permission(&Refusal::of("mkdir x", Errno::ENOSPC)));
}

#[test]
fn statistics_files_are_parsed() {
    let stat = counters("usage_usec 12\nuser_usec 5\nbad x\n");
    assert_eq!((stat.len(), stat["usage_usec"], stat["user_usec"]), (2, 12, 5));
    let io = by_device("8:0 rbytes=1 wbytes=2\n8:16 rios=3\n");
    assert_eq!((io["8:0"]["wbytes"], io["8:16"]["rios"]), (2, 3));
    let rdma = by_device("mlx4_0 hca_handle=2 hca_object=max\n");
    assert_eq!((rdma["mlx4_0"].get("hca_handle"), rdma["mlx4_0"].get("hca_object")), (Some(&2), None));
    let psi =
        pressure("some avg10=1.50 avg60=0.25 avg300=0.00 total=77\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=5\n");
    assert_eq!((psi.some.average, psi.some.total, psi.full.total), ([1.5, 0.25, 0.0], 77, 5));
}

#[test]
fn statistics_contain_only_enabled_controllers() {
    let host = StandIn::new("measure");
    let files = [
        ("cpu.stat", "usage_usec 9\n"),
        ("memory.current", "4096\n"),
        ("memory.max", "max\n"),
        ("memory.peak", "8192\n"),
        ("memory.events", "oom 2\noom_kill 1\n"),
        ("memory.stat", "anon 5\n"),
        ("hugetlb.2MB.current", "0\n"),
        ("hugetlb.2MB.rsvd.current", "0\n"),
        ("hugetlb.2MB.max", "10\n"),
        ("hugetlb.2MB.events", "max 3\n"),
    ];
    let stats = host.cgroup("c", &files).open("c").measure().expect("measure");
    let memory = stats.memory.expect("memory");
    assert_eq!((memory.current, memory.max, memory.peak, memory.swap_current), (4096, None, Some(8192), None));
    assert_eq!((stats.cpu["usage_usec"], memory.events["oom_kill"], memory.stat["anon"]), (9, 1, 5));
    let sizes: Vec<_> = stats.hugetlb.iter().map(|(size, h)| (size.as_str(), h.max, h.failures)).collect();
    assert_eq!(sizes, [("2MB", Some(10), 3)]);
    assert!(stats.pids.is_none() && stats.io.is_none() && stats.cpu_pressure.is_none() && stats.rdma.is_none());
    assert_eq!(host.open("c").oom_kills().expect("oom"), Some(1));
}

/// A plain file keeps its old tail when a shorter value is written, so all values have the same length.
#[test]
fn a_failed_change_of_limits_is_rolled_back() {
    let host = StandIn::new("undo");
    let files = [
        ("memory.max", "100"),
        ("io.max", "8:0 rbps=7 wbps=max riops=max wiops=max\n"),
        ("io.weight", "default 200\n8:0 300\n"),
        ("pids.max", "10"),
    ];
    host.cgroup("a", &files);
    let cgroup = host.open("a");
    let writes = [
        write("memory.max", "200", Refused::Fail),
        write("io.max", "8:0 rbps=9 wbps=max riops=max wiops=max", Refused::Fail),
        write("io.bfq.weight", "300", Refused::Instead { file: "io.weight", value: "900".to_owned() }),
        write("none", "1", Refused::Fail),
        write("pids.max", "20", Refused::Fail),
    ];
    let before = cgroup.before(writes.iter());
    let error = cgroup.limit(&writes).expect_err("one file is missing");
    assert_eq!(host.read("a/memory.max"), "200");
    let error = format!("{:#}", before.put_back(error));
    assert!(error.ends_with("a/none: no such file or directory"), "{error}");
    assert_eq!(host.read("a/memory.max"), "100");
    assert!(host.read("a/io.max").starts_with("8:0 rbps=7 "));
    assert!(host.read("a/io.weight").starts_with("default 200"));
    assert_eq!(host.read("a/pids.max"), "10");
}

#[test]
fn values_that_cannot_be_restored_are_reported() {
    let host = StandIn::new("stands");
    host.cgroup("a", &[("memory.max", "max"), ("io.max", "")]);
    let cgroup = host.open("a");
    let writes = [write("io.max", "8:0 rbps=9", Refused::Fail), write("memory.max", "2000", Refused::Fail)];
    let before = cgroup.before(writes.iter());
    cgroup.limit(&writes).expect("both are written");
    let error = format!("{:#}", before.put_back(anyhow::anyhow!("refused")));
    let file = host.0.join("a/memory.max").display().to_string();
    assert_eq!(error, format!("refused; and {file} is now \"max0\" instead of \"max\""));
    assert_eq!(
        host.read("a/io.max"),
        "8:0 rbps=max wbps=max riops=max wiops=max",
        "a device without a limit has none again"
    );
}
