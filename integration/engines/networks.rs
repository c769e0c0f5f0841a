//! Tests networks. Skips checks that need NAT tables if the kernel has none.

use super::{
    Check,
    engine::{Engine, IMAGE, Kind},
    place::{fresh, need_nat},
};

pub(crate) const CHECKS: &[Check] = &[
    ("networks", "none", none),
    ("networks", "host", host),
    ("networks", "bridge: an own address, reached by another", bridge),
    ("networks", "names on an own bridge", names),
    ("networks", "a published port on loopback", published),
    ("networks", "--network container:", joined),
];

fn none(e: &Engine) {
    assert_eq!(e.sh(&[], "ls /sys/class/net").ok().out, "lo\n");
}

fn host(e: &Engine) {
    let own = std::fs::read_link("/proc/self/ns/net").unwrap();
    let words = ["run", "--rm", "--network", "host", IMAGE, "readlink", "/proc/self/ns/net"];
    assert_eq!(e.call(&words).ok().line(), own.to_str().unwrap());
}

/// The name of the engine's default network.
fn default_bridge(e: &Engine) -> &'static str {
    if e.kind == Kind::Podman {
        need_nat();
        "podman"
    } else {
        "bridge"
    }
}

const SERVER: &str = "echo hello >/tmp/index.html; exec httpd -f -p 80 -h /tmp";
/// Repeats the request until the server answers. The server may still be starting, and Docker's proxy accepts
/// connections before the server does.
const ASK: &str = "until wget -q -O - http://$SERVER/ | grep .; do sleep 1; done";

fn bridge(e: &Engine) {
    let network = default_bridge(e);
    let up = e.up_on(&["--network", network], SERVER);
    let address = e.inspect(&up.name, &format!("(index .NetworkSettings.Networks \"{network}\").IPAddress"));
    let server = format!("SERVER={address}");
    let words = ["run", "--rm", "--network", network, "-e", &server, IMAGE, "sh", "-c", ASK];
    assert_eq!(e.call(&words).ok().out, "hello\n");
}

fn names(e: &Engine) {
    need_nat();
    let network = fresh("net");
    e.call(&["network", "create", &network]).ok();
    let up = e.up_on(&["--network", &network], SERVER);
    let server = format!("SERVER={}", up.name);
    let words = ["run", "--rm", "--network", &network, "-e", &server, IMAGE, "sh", "-c", ASK];
    assert_eq!(e.call(&words).ok().out, "hello\n");
    drop(up);
    e.call(&["network", "rm", &network]).ok();
}

fn published(e: &Engine) {
    need_nat();
    let up = e.up_on(&["--network", default_bridge(e), "-p", "127.0.0.1:8099:80"], SERVER);
    let words = ["run", "--rm", "--network", "host", "-e", "SERVER=127.0.0.1:8099", IMAGE, "sh", "-c", ASK];
    assert_eq!(e.call(&words).ok().out, "hello\n");
    drop(up);
}

fn joined(e: &Engine) {
    let up = e.up(&[], SERVER);
    let network = format!("container:{}", up.name);
    let words = ["run", "--rm", "--network", &network, "-e", "SERVER=127.0.0.1", IMAGE, "sh", "-c", ASK];
    assert_eq!(e.call(&words).ok().out, "hello\n");
}
