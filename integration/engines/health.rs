//! What operators look at: the runtime in `info`, `--init`, health checks, and that a storm of processes leaks nothing.

use super::{
    Check,
    engine::{Engine, IMAGE, LIMIT, cgroup_of, fresh},
};
use crate::{call::runtime_name, trial::skip};
use std::{fs, path::Path};

pub(crate) const CHECKS: &[Check] =
    &[("health", "--init", init), ("health", "health check", check), ("health", "a storm of 100 execs", storm)];
pub(crate) const DOCKER: &[Check] = &[("health", "info shows the runtime and its features", info)];

fn init(e: &Engine) {
    let said = e.sh(&["--init"], "test $$ != 1 && exit 3").exits(3);
    assert!(said.err.is_empty(), "{said:?}");
}

fn check(e: &Engine) {
    let name = fresh("healthy");
    let words = ["run", "-d", "--name", &name, "--network", "none", "--health-cmd", "test -e /tmp/well"];
    let more =
        ["--health-interval", "1s", "--health-retries", "60", IMAGE, "sh", "-c", "touch /tmp/well; exec sleep 1000"];
    e.call(&[&words[..], &more].concat()).ok();
    // Podman's timers are systemd's; without it, somebody has to ask.
    if e.kind == super::engine::Kind::Podman {
        e.call(&["healthcheck", "run", &name]).ok();
    }
    let end = std::time::Instant::now() + crate::call::LIMIT;
    while e.inspect(&name, ".State.Health.Status") != "healthy" {
        assert!(std::time::Instant::now() < end, "never healthy");
    }
    e.call(&["kill", &name]).ok();
    e.call(&["rm", "-f", &name]).ok();
}

/// Processes, mounts and cgroups: what a leak would add to.
fn census(cgroup: &Path) -> (usize, usize, usize) {
    let alive = |pid: &str| fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
    let names = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().into_string().ok());
    let processes = names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()) && alive(name)).count();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap().lines().count();
    let inside = fs::read_dir(cgroup).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_dir()).count();
    (processes, mounts, inside)
}

fn storm(e: &Engine) {
    let up = e.up(&["--init"], "exec sleep 1000");
    let cgroup = cgroup_of(&e.inspect(&up.name, ".State.Pid"));
    e.call(&["exec", &up.name, "true"]).ok();
    let before = census(&cgroup);
    for round in 0..20 {
        let calls: Vec<_> = (0..5).map(|_| e.prepare(&["exec", &up.name, "true"]).spawn()).collect();
        for call in calls {
            let said = call.finish_within(LIMIT);
            assert_eq!(said.code(), 0, "round {round}: {said:?}");
        }
    }
    // Podman's monitors outlive the call by a moment.
    let end = std::time::Instant::now() + crate::call::LIMIT;
    while census(&cgroup) > before {
        assert!(std::time::Instant::now() < end, "before: {before:?}, after: {:?}", census(&cgroup));
    }
}

fn info(e: &Engine) {
    let said = e.call(&["info", "--format", "{{json .Runtimes}} {{.DefaultRuntime}}"]).ok();
    let name = if e.ours { "davit" } else { "runc" };
    assert!(said.out.contains(&format!("\"{name}\"")) && said.line().ends_with(name), "{said:?}");
    if e.ours && runtime_name() != "davit" {
        skip("asks for davit's own features");
    }
    let major = e.call(&["version", "--format", "{{.Server.Version}}"]).ok();
    let major: u32 = major.line().split('.').next().unwrap_or_default().parse().unwrap_or(0);
    if major < 25 {
        skip("this Docker does not ask for features");
    }
    assert!(said.out.contains("org.opencontainers.runtime-spec.features"), "{said:?}");
    let version = e.call(&["info", "--format", "{{json .RuncCommit}}"]).ok();
    assert!(!version.out.contains("N/A"), "{version:?}");
}
