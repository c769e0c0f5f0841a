//! Tests features for operators: the runtime in `info`, `--init`, and health checks. Also checks that many health
//! checks leak nothing.

use super::{
    Check,
    census::Census,
    engine::{Engine, IMAGE, Kind},
    leaks::{STORM, five_at_a_time},
    place::fresh,
    time_limit::until,
};
use crate::harness::call::Call;
use crate::harness::runtime::runtime_name;
use crate::harness::skip::skip;
use std::fs;

pub(crate) const CHECKS: &[Check] = &[
    ("health", "--init", init),
    ("health", "health check", check),
    ("health", "a storm of health checks leaks nothing", storm),
];
pub(crate) const DOCKER: &[Check] = &[("health", "info shows the runtime and its features", info)];
pub(crate) const PODMAN: &[Check] = &[("health", "info shows the runtime", podman_info)];

fn init(e: &Engine) {
    let output = e.sh(&["--init"], "test $$ != 1 && exit 3").exits(3);
    assert!(output.err.is_empty(), "{output:?}");
}

fn check(e: &Engine) {
    let name = fresh("healthy");
    let words = ["run", "-d", "--name", &name, "--network", "none", "--health-cmd", "test -e /tmp/well"];
    let more =
        ["--health-interval", "1s", "--health-retries", "60", IMAGE, "sh", "-c", "touch /tmp/well; exec sleep 1000"];
    e.call(&[&words[..], &more].concat()).ok();
    // Podman uses systemd timers. Without systemd, the test requests the health check.
    if e.kind == Kind::Podman {
        e.call(&["healthcheck", "run", &name]).ok();
    }
    until("health", || e.inspect(&name, ".State.Health.Status") == "healthy");
    e.call(&["kill", &name]).ok();
    e.call(&["rm", "-f", &name]).ok();
}

/// A hundred health checks, which are a process each. Docker's own timer runs them one after the other. Podman has no
/// timer without systemd, so the test requests them, five at a time.
fn storm(e: &Engine) {
    let dir = e.new_dir();
    let volume = format!("{dir}:/out");
    let flags = ["-v", &volume, "--health-cmd", "echo x >>/out/count; test ! -e /out/enough || sleep 1000"];
    let by_request = e.kind == Kind::Podman;
    let interval = if by_request { ["--health-interval", "disable"] } else { ["--health-interval", "10ms"] };
    let up = e.up(&[&flags[..], &interval].concat(), "while :; do sleep 1000; done");
    let count = || fs::read_to_string(format!("{dir}/count")).unwrap_or_default().lines().count();
    let before = Census::take();
    if by_request {
        five_at_a_time(&|| e.prepare(&["healthcheck", "run", &up.name]));
    }
    until("the health checks", || count() >= STORM);
    assert_eq!(e.inspect(&up.name, ".State.Health.Status"), "healthy");
    // The next health check sleeps. No other one starts in the meantime.
    fs::write(format!("{dir}/enough"), "").unwrap();
    until("the end of the health checks", || before.more().iter().all(|thing| thing.contains("sleep 1000")));
}

fn info(e: &Engine) {
    let output = e.call(&["info", "--format", "{{json .Runtimes}} {{.DefaultRuntime}}"]).ok();
    let name = if e.ours { "davit" } else { "runc" };
    assert!(output.out.contains(&format!("\"{name}\"")) && output.line().ends_with(name), "{output:?}");
    if e.ours && runtime_name() != "davit" {
        skip("asks for davit's own features");
    }
    if e.docker_major() < 25 {
        skip("this Docker does not ask for features");
    }
    assert!(output.out.contains("org.opencontainers.runtime-spec.features"), "{output:?}");
    let version = e.call(&["info", "--format", "{{json .RuncCommit}}"]).ok();
    assert!(!version.out.contains("N/A"), "{version:?}");
}

/// `podman info` shows the runtime's path and its complete `--version` output.
fn podman_info(e: &Engine) {
    let output = e.call(&["info", "--format", "{{.Host.OCIRuntime.Path}} {{.Host.OCIRuntime.Version}}"]).ok();
    let version = Call::new(&e.dir(), &[&e.runtime(), "--version"]).run().ok();
    let (path, shown) = output.out.trim().split_once(' ').unwrap_or_default();
    // If /usr/sbin is a link to /usr/bin, both paths are correct.
    assert_eq!(fs::canonicalize(path).unwrap(), fs::canonicalize(e.runtime()).unwrap());
    assert_eq!(shown, version.out.trim());
}
