//! Tests resource limits: in the container, in its cgroup, and in the engine's report.

use super::{Check, engine::Engine, place::cgroup_of, time_limit::until};
use crate::harness::call::Call;
use crate::harness::cgroups::{BY_SYSTEMD, need_controller, need_file};
use crate::harness::skip::skip;
use std::{fs, os::unix::fs::MetadataExt, path::Path};

pub(crate) const CHECKS: &[Check] = &[
    ("limits", "memory", memory),
    ("limits", "OOM is reported", oom),
    ("limits", "cpus", cpus),
    ("limits", "cpuset", cpuset),
    ("limits", "pids", pids),
    ("limits", "io weight", weight),
    ("limits", "io throttle", throttle),
    ("limits", "ulimits", ulimits),
    ("limits", "update while running", update),
    ("limits", "shm size", shm),
];

const IDLE: &str = "while :; do sleep 1000; done";

/// The contents of a file in a running container's cgroup.
fn cgroup_file(e: &Engine, name: &str, file: &str) -> String {
    let path = cgroup_of(&e.inspect(name, ".State.Pid")).join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).trim().to_owned()
}

fn memory(e: &Engine) {
    need_controller("memory");
    let up = e.up(&["-m", "64m", "--memory-reservation", "32m"], IDLE);
    assert_eq!(cgroup_file(e, &up.name, "memory.max"), (64 << 20).to_string());
    assert_eq!(cgroup_file(e, &up.name, "memory.low"), (32 << 20).to_string());
}

fn oom(e: &Engine) {
    // Without the controller, the whole machine would run out of memory.
    need_controller("memory");
    if *BY_SYSTEMD {
        skip(
            "systemd removes the cgroup with its last process, and the engine may come too late, whatever the runtime",
        );
    }
    let up = e.up(&["-m", "16m", "--memory-swap", "16m"], "exec tail /dev/zero");
    assert_eq!(e.wait(&up.name), "137");
    // The engine receives the OOM event and the exit separately.
    until("report of an OOM kill", || e.inspect(&up.name, ".State.OOMKilled") == "true");
}

fn cpus(e: &Engine) {
    need_controller("cpu");
    let up = e.up(&["--cpus", "0.5", "--cpu-shares", "512"], IDLE);
    assert_eq!(cgroup_file(e, &up.name, "cpu.max"), "50000 100000");
    assert!(cgroup_file(e, &up.name, "cpu.weight") != "100");
}

fn cpuset(e: &Engine) {
    need_controller("cpuset");
    let up = e.up(&["--cpuset-cpus", "0"], IDLE);
    assert_eq!(cgroup_file(e, &up.name, "cpuset.cpus"), "0");
    let last = Call::new(Path::new("/run"), &["nproc"]).run().ok().line().parse::<usize>().unwrap() - 1;
    e.call(&["update", "--cpuset-cpus", &last.to_string(), &up.name]).ok();
    assert_eq!(cgroup_file(e, &up.name, "cpuset.cpus"), last.to_string());
}

fn pids(e: &Engine) {
    need_controller("pids");
    let script = "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 1000 & done; echo all";
    let output = e.sh(&["--pids-limit", "8"], script);
    assert!(output.err.contains("fork") && !output.out.contains("all"), "{output:?}");
}

fn weight(e: &Engine) {
    need_file("io", "io.bfq.weight");
    let up = e.up(&["--blkio-weight", "300"], IDLE);
    let weight = || cgroup_file(e, &up.name, "io.bfq.weight").split_whitespace().last().map(str::to_owned);
    assert_eq!(weight().as_deref(), Some("300"));
    e.call(&["update", "--blkio-weight", "500", &up.name]).ok();
    assert_eq!(weight().as_deref(), Some("500"));
}

/// A loop device on a file.
pub(crate) struct Disk(pub(crate) String);

impl Drop for Disk {
    fn drop(&mut self) {
        Call::new(Path::new("/run"), &["losetup", "-d", &self.0]).run().ok();
    }
}

impl Disk {
    /// Skips if the host has no loop devices or no io controller.
    pub(crate) fn new(e: &Engine) -> Self {
        need_file("io", "io.max");
        let file = format!("{}/disk", e.new_dir());
        fs::File::create(&file).unwrap().set_len(1 << 20).unwrap();
        let output = Call::new(Path::new("/run"), &["losetup", "--find", "--show", &file]).run();
        if !output.status.success() {
            skip(format!("no disk can be made of a file here: {}", output.err.trim()));
        }
        Self(output.line().to_owned())
    }

    /// The line of `io.max` with this limit of bytes to read per second and a limit of 100 write operations per second.
    pub(crate) fn throttled(&self, bytes: &str) -> String {
        let number = fs::metadata(&self.0).unwrap().rdev();
        format!("{}:{} rbps={bytes} wbps=max riops=max wiops=100", number >> 8, number & 255)
    }
}

fn throttle(e: &Engine) {
    let disk = Disk::new(e);
    let (read, write) = (format!("{}:1mb", disk.0), format!("{}:100", disk.0));
    let up = e.up(&["--device-read-bps", &read, "--device-write-iops", &write], IDLE);
    assert_eq!(cgroup_file(e, &up.name, "io.max"), disk.throttled("1048576"));
}

/// Tests the two limits that have defaults in engines.
fn ulimits(e: &Engine) {
    let script = "ulimit -Sn; ulimit -Hn; grep '^Max processes' /proc/self/limits";
    let output = e.sh(&["--ulimit", "nofile=123:456", "--ulimit", "nproc=1000:2000"], script).ok();
    assert_eq!(
        output.out.split_whitespace().collect::<Vec<_>>().join(" "),
        "123 456 Max processes 1000 2000 processes"
    );
}

fn update(e: &Engine) {
    for controller in ["memory", "cpu", "pids"] {
        need_controller(controller);
    }
    let up = e.up(&["-m", "64m", "--memory-swap", "64m"], IDLE);
    e.call(&["update", "-m", "128m", "--memory-swap", "128m", &up.name]).ok();
    assert_eq!(cgroup_file(e, &up.name, "memory.max"), (128 << 20).to_string());
    e.call(&["update", "--cpus", "0.25", &up.name]).ok();
    assert_eq!(cgroup_file(e, &up.name, "cpu.max"), "25000 100000");
    assert_eq!(cgroup_file(e, &up.name, "memory.max"), (128 << 20).to_string());
    e.call(&["update", "--pids-limit", "33", &up.name]).ok();
    assert_eq!(cgroup_file(e, &up.name, "pids.max"), "33");
}

fn shm(e: &Engine) {
    let output = e.sh(&["--shm-size", "8m"], "df -k /dev/shm | tail -n 1").ok();
    assert!(output.out.split_whitespace().any(|word| word == "8192"), "{output:?}");
}
