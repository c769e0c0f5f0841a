//! Tests what operators check: the runtime in `info`, `--init`, health checks, and that many short processes leak
//! nothing.

use super::{
    Check,
    bound::until,
    census::Census,
    engine::{Engine, IMAGE, Kind},
    leaks::{STORM, five_at_a_time},
    place::fresh,
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
    if e.kind == Kind::Podman {
        e.call(&["healthcheck", "run", &name]).ok();
    }
    until("health", || e.inspect(&name, ".State.Health.Status") == "healthy");
    e.call(&["kill", &name]).ok();
    e.call(&["rm", "-f", &name]).ok();
}

/// A hundred health checks, each of which the engine makes a process of: by Docker's own timer one after the other, and
/// five at a time by Podman, which has no timer without systemd and is asked.
fn storm(e: &Engine) {
    let dir = e.new_dir();
    let volume = format!("{dir}:/out");
    let flags = ["-v", &volume, "--health-cmd", "echo x >>/out/count; test ! -e /out/enough || sleep 1000"];
    let asked = e.kind == Kind::Podman;
    let interval = if asked { ["--health-interval", "disable"] } else { ["--health-interval", "10ms"] };
    let up = e.up(&[&flags[..], &interval].concat(), "while :; do sleep 1000; done");
    let count = || fs::read_to_string(format!("{dir}/count")).unwrap_or_default().lines().count();
    let before = Census::take();
    if asked {
        five_at_a_time(&|| e.prepare(&["healthcheck", "run", &up.name]));
    }
    until("the health checks", || count() >= STORM);
    assert_eq!(e.inspect(&up.name, ".State.Health.Status"), "healthy");
    // No other begins while this one sleeps: it is the only one there is.
    fs::write(format!("{dir}/enough"), "").unwrap();
    until("the end of the health checks", || before.more().iter().all(|thing| thing.contains("sleep 1000")));
}

fn info(e: &Engine) {
    let said = e.call(&["info", "--format", "{{json .Runtimes}} {{.DefaultRuntime}}"]).ok();
    let name = if e.ours { "davit" } else { "runc" };
    assert!(said.out.contains(&format!("\"{name}\"")) && said.line().ends_with(name), "{said:?}");
    if e.ours && runtime_name() != "davit" {
        skip("asks for davit's own features");
    }
    if e.docker_major() < 25 {
        skip("this Docker does not ask for features");
    }
    assert!(said.out.contains("org.opencontainers.runtime-spec.features"), "{said:?}");
    let version = e.call(&["info", "--format", "{{json .RuncCommit}}"]).ok();
    assert!(!version.out.contains("N/A"), "{version:?}");
}

/// Its path, and all of what it says to `--version`.
fn podman_info(e: &Engine) {
    let said = e.call(&["info", "--format", "{{.Host.OCIRuntime.Path}} {{.Host.OCIRuntime.Version}}"]).ok();
    let version = Call::new(&e.dir(), &[&e.runtime(), "--version"]).run().ok();
    let (path, told) = said.out.trim().split_once(' ').unwrap_or_default();
    // Where /usr/sbin is a link to /usr/bin, either is its path.
    assert_eq!(fs::canonicalize(path).unwrap(), fs::canonicalize(e.runtime()).unwrap());
    assert_eq!(told, version.out.trim());
}
