//! Tests that a container process cannot get host descriptors or directories. What the process can see of a joining
//! process in other ways is left to `visible`.

use super::{Attacker, outside};
use crate::harness::bundle::{Container, namespace};
use crate::harness::trial::{Test, rows, tests};
use crate::process::wrapped;
use serde_json::json;
use std::os::unix::fs::symlink;

pub(super) fn tests() -> Vec<Test> {
    let mut all =
        tests![cve_2024_21626_cwd_on_a_leaked_descriptor, cve_2024_21626_a_link_of_the_image_leads_to_a_descriptor,];
    all.extend(rows!("cve_2024_21626_cwd", CWDS, cwd));
    all.extend(rows!("cve_2024_21626_exec_cwd", CWDS, exec_cwd));
    all.extend(rows!("cve_2016_9962_exec", TRACERS, joining));
    // A tracer succeeds here with every runtime; docs/security.md explains why.
    all.extend(rows!("cve_2016_9962_shared_pid_namespace", TRACERS[..2], created_there));
    all
}

/// Working directories given as descriptors.
const CWDS: &[(&str, &str)] = &[
    ("fd-3", "/proc/self/fd/3"),
    ("fd-5", "/proc/self/fd/5"),
    ("fd-6", "/proc/self/fd/6"),
    ("fd-7", "/proc/self/fd/7"),
    ("fd-8", "/proc/self/fd/8"),
    ("fd-9", "/proc/self/fd/9"),
    ("fd-10", "/proc/thread-self/fd/10"),
    ("fd-8-dots", "/proc/self/fd/8/../../.."),
];

/// One of the runtime's own descriptors may refer to a directory inside the root; any other must not be entered. The
/// script always succeeds, so a failure means that the runtime did not enter the directory.
const INSIDE: &str = "test \"$(stat -c %d:%i .)\" = \"$(stat -c %d:%i \"$(readlink /proc/self/cwd)\")\" && echo inside || \
    echo outside";

fn cwd(row: &(&str, &str)) {
    let c = Container::sh(INSIDE).edit(|c| c["process"]["cwd"] = json!(row.1));
    let output = c.run();
    assert!(output.code() != 0 || output.out == "inside\n", "{output:?}");
    c.nothing_left();
}

fn exec_cwd(row: &(&str, &str)) {
    let c = Container::sleeper().up();
    let output = c.call(&["exec", "--cwd", row.1, &c.id, "/bin/sh", "-c", INSIDE]).run();
    assert!(output.code() != 0 || output.out == "inside\n", "{output:?}");
}

fn cve_2024_21626_cwd_on_a_leaked_descriptor() {
    for shell in ["exec 7</", "exec 7</sys/fs/cgroup"] {
        let c = Container::sh("echo running").edit(|c| c["process"]["cwd"] = json!("/proc/self/fd/7"));
        let output = wrapped(&c, &format!("{shell}; exec \"$@\""), "run").run().fails();
        assert!(!output.out.contains("running"), "{output:?}");
        c.nothing_left();
    }
}

fn cve_2024_21626_a_link_of_the_image_leads_to_a_descriptor() {
    let c = Container::sh("echo running").edit(|c| c["process"]["cwd"] = json!("/place"));
    symlink("/proc/self/fd/7/", c.root("place")).unwrap();
    let output = wrapped(&c, "exec 7</; exec \"$@\"", "run").run().fails();
    assert!(!output.out.contains("running"), "{output:?}");
}

/// Capabilities of an attacker that waits for a joining process.
type Tracer = (&'static str, &'static [&'static str]);

const TRACERS: &[Tracer] = &[
    ("plain", &["CAP_KILL"]),
    ("reader", &["CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_SYS_CHROOT"]),
    // Also the capabilities that a process needs before it can exec the program: CAP_CHOWN, CAP_SETGID, CAP_SETUID,
    // CAP_SETPCAP.
    ("tracer", &["CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE", "CAP_CHOWN", "CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP"]),
];

/// Runs an attacker that probes new processes, which `spawn` creates, and checks what it reports.
fn attack_spawned(row: &Tracer, spawn: impl Fn(&Container)) {
    let c = Container::sleeper();
    let host = outside(&c).join("file");
    let c = c.edit(|c| {
        c["process"]["args"] = json!(["/probe", "probe", "reach", host.to_str().unwrap()]);
        // Setting these needs CAP_SYS_RESOURCE.
        c["process"].as_object_mut().unwrap().remove("rlimits");
    });
    let c = c.caps(row.1);
    let attacker = Attacker::new(c);
    for _ in 0..20 {
        spawn(&attacker.0);
    }
    let report = attacker.end();
    let seen = report.lines().find_map(|line| line.strip_prefix("saw ")).map(|number| number.parse::<u32>().unwrap());
    assert!(seen.is_some_and(|seen| seen >= 10), "the attacker saw too few processes: {report}");
    assert!(!report.contains("reached"), "the attacker reached the host: {report}");
    assert!(!report.contains("traced"), "a process with more rights than the container's was traced: {report}");
}

/// A process that joins the container by `exec`.
fn joining(row: &Tracer) {
    attack_spawned(row, |c| {
        c.call(&["exec", &c.id, "/bin/sleep", "0.05"]).run().ok();
    });
}

/// A container that is created in the attacker's pid namespace.
fn created_there(row: &Tracer) {
    attack_spawned(row, |c| {
        let path = format!("/proc/{}/ns/pid", c.pid());
        let victim = Container::new(&["/bin/sleep", "0.05"]).edit(|c| namespace(c, "pid")["path"] = json!(path));
        victim.caps(&[]).run().ok();
    });
}
