//! Docker Compose: a file with two services, a volume, a network, dependence on health.

use super::{
    Check,
    engine::{Engine, fresh},
};
use crate::trial::skip;
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
    command: [sh, -c, 'test -e /data/served && echo seen; exec sleep 1000']
    init: true
    volumes: ['data:/data']
    networks: [inner]
    depends_on: {server: {condition: service_healthy}}
volumes: {data: {}}
networks: {inner: {}}
";

fn compose(e: &Engine) {
    if !e.call(&["compose", "version"]).status.success() {
        skip("docker compose is not installed");
    }
    let dir = e.new_dir();
    let file = format!("{dir}/compose.yaml");
    fs::write(&file, FILE).unwrap();
    let project = fresh("project");
    let call = |words: &[&str]| e.call(&[&["compose", "-p", &project, "-f", &file], words].concat());
    let up = call(&["up", "-d"]);
    let logs = call(&["logs", "client"]);
    let scaled = call(&["up", "-d", "--scale", "client=3"]);
    let running = call(&["ps", "-q", "client"]);
    let down = call(&["down", "-v", "-t", "0"]);
    up.ok();
    assert!(logs.out.contains("seen"), "{logs:?}");
    scaled.ok();
    assert_eq!(running.out.lines().count(), 3, "{running:?}");
    down.ok();
    assert_eq!(call(&["ps", "-a", "-q"]).ok().out, "");
}
