//! Tests what a container can create in a cgroup that is delegated to it: deep trees, odd names, switched-off files.
//! The test creates them itself, as a container with a writable cgroup would. Files that resolve outside of the cgroup
//! are left to `cgroups`.

use crate::harness::bundle::{Container, wait_in};
use crate::harness::cgroups::only_cgroupfs;
use crate::harness::runtime::only_davit;
use crate::harness::skip::skip;
use crate::harness::trial::{Test, tests};
use crate::pause_ps_update::need;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
};

pub(super) fn tests() -> Vec<Test> {
    tests![
        a_deep_tree_of_cgroups_needs_few_descriptors,
        a_cgroup_name_that_is_not_utf8_hides_nothing,
        cgroups_with_the_names_of_files_break_no_statistics,
        events_end_when_pressure_is_switched_off,
    ]
}

/// Cgroups below a container's, from the top down. Removed when dropped, if a runtime has failed to.
struct Made(Vec<PathBuf>);

impl Made {
    fn new(paths: Vec<PathBuf>) -> Self {
        let made = Self(paths);
        made.0.iter().for_each(|path| fs::create_dir(path).unwrap());
        made
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        self.0.iter().rev().for_each(|path| _ = fs::remove_dir(path));
    }
}

/// Moves the process `pid` to `cgroup`.
fn move_to(cgroup: &Path, pid: i32) {
    fs::write(cgroup.join("cgroup.procs"), pid.to_string()).unwrap();
}

/// `ps` and `delete` of a container with 1,400 nested cgroups work with 64 descriptors.
fn a_deep_tree_of_cgroups_needs_few_descriptors() {
    let c = Container::sleeper().up();
    let mut path = c.cgroup();
    let nest = |_| {
        path.push("d");
        path.clone()
    };
    let made = Made::new((0..1400).map(nest).collect());
    let pid = c.pid();
    move_to(made.0.last().unwrap(), pid);
    let few = ["sh", "-c", "ulimit -n 64; exec \"$@\"", "sh"];
    let listed = c.call_by(&few, &["ps", "--format", "json", &c.id]).run().ok();
    assert!(listed.out.contains(&pid.to_string()), "{listed:?}");
    c.call_by(&few, &["delete", "--force", &c.id]).run().ok();
    c.nothing_left();
}

/// The names of cgroups are bytes: a process in one whose name is not UTF-8 is listed, entered and killed.
fn a_cgroup_name_that_is_not_utf8_hides_nothing() {
    let c = Container::sleeper().up();
    let made = Made::new(vec![c.cgroup().join(OsStr::from_bytes(b"odd-\xff\xfe"))]);
    let pid = c.pid();
    move_to(&made.0[0], pid);
    let listed = c.call(&["ps", "--format", "json", &c.id]).run().ok();
    assert!(listed.out.contains(&pid.to_string()), "{listed:?}");
    c.call(&["exec", &c.id, "true"]).run().ok();
    c.call(&["delete", "--force", &c.id]).run().ok();
    c.nothing_left();
}

/// A cgroup can have the name of a file of a controller that is not enabled, or of a page size that does not exist.
fn cgroups_with_the_names_of_files_break_no_statistics() {
    need("events");
    let c = Container::sleeper().up();
    let names = ["hugetlb.x.current", "memory.events", "memory.current", "pids.current", "rdma.current", "io.stat"];
    let free = names.into_iter().map(|name| c.cgroup().join(name)).filter(|path| !path.exists());
    let _made = Made::new(free.collect());
    c.call(&["events", "--stats", &c.id]).run().ok();
    let (reader, writer) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).unwrap();
    let running = c.call(&["events", "--interval", "10ms", &c.id]).stdout(writer);
    let mut first = String::new();
    BufReader::new(File::from(reader)).read_line(&mut first).unwrap();
    assert!(first.contains("stats"), "{first}");
    c.stop();
    running.finish();
}

/// A container that switches its pressure files off ends the watch of each with one line.
fn events_end_when_pressure_is_switched_off() {
    only_davit("runc and crun report no pressure events");
    only_cgroupfs("systemd sets cgroup.pressure itself");
    let c = Container::sleeper().up();
    let switch = c.cgroup().join("cgroup.pressure");
    if !switch.exists() || !c.cgroup().join("cpu.pressure").exists() {
        skip("this kernel has no cgroup.pressure");
    }
    let running = c.call(&["events", "--interval", "100ms", &c.id]).spawn();
    wait_in(&c.dir, "events to watch", || running.text().contains("stats"));
    fs::write(switch, "0").unwrap();
    let lost = || running.text().matches("no more events of").count();
    wait_in(&c.dir, "events to stop watching", || lost() == 3);
    c.stop();
    let output = running.finish().ok();
    let events = output.out.lines().filter(|line| line.contains("\"psi\"")).count();
    assert!(events <= 3, "{output:?}");
}
