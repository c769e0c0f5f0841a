//! Tests Docker Compose: a file with two services, a volume, a network, and a dependency on a health check.

use super::{
    Check,
    engine::Engine,
    place::{fresh, has_nat, which},
    time_limit::until,
};
use crate::harness::skip::skip;
use std::fs;

pub(crate) const CHECKS: &[Check] = &[("compose", "two services, healthy, scaled, down", compose)];

const FILE: &str = "services:
  server:
    image: localhost/bb:latest
    command: [sh, -c, 'touch /data/served; exec sleep 1000']
    init: true
    volumes: ['data:/data']
    networks: [inner]
    healthcheck: {test: [CMD, test, -e, /data/served], interval: 1s, retries: 60}
  client:
    image: localhost/bb:latest
    command: [sh, -c, 'test -e /data/served && echo seen; ASK; exec sleep 1000']
    init: true
    volumes: ['data:/data']
    networks: [inner]
    depends_on: {server: {condition: service_healthy}}
volumes: {data: {}}
networks: {inner: {}}
";

fn compose(e: &Engine) {
    let plugin = e.call(&["compose", "version"]).status.success();
    if !plugin && which("docker-compose").is_none() {
        skip("neither docker compose nor docker-compose is installed");
    }
    let dir = e.new_dir();
    let file = format!("{dir}/compose.yaml");
    // Containers find each other by name only if the kernel has NAT tables.
    let ask = if has_nat() { "ping -c 1 server && echo found" } else { "true" };
    fs::write(&file, FILE.replace("ASK", ask)).unwrap();
    let project = fresh("project");
    let call = |words: &[&str]| {
        let words = [&["-p", &project, "-f", &file], words].concat();
        if plugin { e.call(&[&["compose"], &words[..]].concat()) } else { e.standalone(&words) }
    };
    let up = call(&["up", "-d"]);
    let expected = if has_nat() { "found" } else { "seen" };
    until("output of the client", || !up.status.success() || call(&["logs", "client"]).out.contains(expected));
    let scaled = call(&["up", "-d", "--scale", "client=3"]);
    let running = call(&["ps", "-q", "client"]);
    let down = call(&["down", "-v", "-t", "0"]);
    up.ok();
    scaled.ok();
    assert_eq!(running.out.lines().count(), 3, "{running:?}");
    down.ok();
    assert_eq!(call(&["ps", "-a", "-q"]).ok().out, "");
}
