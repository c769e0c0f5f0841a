//! Tests devices and terminals whose paths the image redirects with links, or occupies with other files.
//! Device rules without an attack are left to `devices`.

use super::{harmless, outside, untouched};
use crate::harness::bundle::Container;
use crate::harness::call::Output;
use crate::harness::trial::{Test, rows, tests};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use serde_json::{Value, json};
use std::{
    fs,
    os::unix::{fs::symlink, net::UnixListener},
};

pub(super) fn tests() -> Vec<Test> {
    let mut all = tests![
        cve_2026_41579_cve_2026_47766_dev_is_a_link,
        device_path_through_a_link,
        ghsa_g54h_a_device_that_no_rule_names_is_denied,
    ];
    all.extend(rows!("cve_2025_52565_console", CONSOLES, console));
    all.extend(rows!("cve_2025_52565_ptmx", MULTIPLEXERS, multiplexer));
    all.extend(rows!("cve_2026_41579_ptmx", DEV_PTMX, dev_ptmx));
    all
}

/// Uses the image's own /dev, with nothing mounted on it or below it.
pub(super) fn without_dev(c: &mut Value) {
    c["mounts"].as_array_mut().unwrap().retain(|mount| !mount["destination"].as_str().unwrap().starts_with("/dev"));
}

/// Devices and links are created where the link /dev points, inside the root.
fn cve_2026_41579_cve_2026_47766_dev_is_a_link() {
    let c = Container::sleeper().edit(without_dev);
    let host = outside(&c);
    fs::remove_dir(c.root("dev")).unwrap();
    symlink(&host, c.root("dev")).unwrap();
    harmless(&c);
    let c = Container::sleeper();
    let host = outside(&c);
    fs::remove_dir(c.root("dev")).unwrap();
    symlink(format!("../../../../../../../..{}", host.display()), c.root("dev")).unwrap();
    harmless(&c);
}

fn device_path_through_a_link() {
    let c = Container::sleeper().edit(|c| {
        c["linux"]["devices"] = json!([
            {"type": "c", "path": "/l/node", "major": 1, "minor": 3, "fileMode": 0o777, "uid": 1000, "gid": 1000},
            {"type": "p", "path": "/l/deep/er/pipe"}
        ]);
    });
    let host = outside(&c);
    symlink(&host, c.root("l")).unwrap();
    harmless(&c);
}

/// The rules only allow. Everything else is denied even without a deny rule.
fn ghsa_g54h_a_device_that_no_rule_names_is_denied() {
    let script = "mknod /tmp/kmsg c 1 11 && head -c 1 /tmp/kmsg 2>&1; mknod /tmp/disk b 8 0 && head -c 1 /tmp/disk 2>&1; \
        echo end";
    let c = Container::sh(script).caps(&["CAP_MKNOD"]).edit(|c| {
        c["linux"]["resources"]["devices"] =
            json!([{"allow": true, "type": "c", "access": "m"}, {"allow": true, "type": "b", "access": "m"}]);
    });
    let output = c.run().ok();
    assert_eq!(output.out.matches("Operation not permitted").count(), 2, "{output:?}");
}

fn terminal(c: &Container) -> (UnixListener, Output) {
    let path = c.dir.join("console.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let output = c.prepare("create", &["--console-socket", path.to_str().unwrap()]).run();
    (listener, output)
}

/// What occupies a needed path in the image: (name, function that creates it and gets the host's directory).
type Occupied = (&'static str, fn(&Container, &str));

fn node(c: &Container, name: &str, kind: SFlag, major: u64, minor: u64) {
    mknod(&c.root(name), kind, Mode::from_bits_truncate(0o666), makedev(major, minor)).unwrap();
}

const CONSOLES: &[Occupied] = &[
    ("link", |c, host| symlink(format!("{host}/file"), c.root("dev/console")).unwrap()),
    ("link-to-nothing", |c, host| symlink(format!("{host}/new"), c.root("dev/console")).unwrap()),
    ("link-up", |c, host| symlink(format!("../../../../../../..{host}/file"), c.root("dev/console")).unwrap()),
    // Stands in for /proc/sysrq-trigger, which not every kernel has.
    ("link-to-proc", |c, _| symlink("/proc/uptime", c.root("dev/console")).unwrap()),
    ("directory", |c, _| fs::create_dir(c.root("dev/console")).unwrap()),
    ("fifo", |c, _| node(c, "dev/console", SFlag::S_IFIFO, 0, 0)),
];

/// The terminal is mounted on whatever the image has at /dev/console.
fn console(row: &Occupied) {
    let c = Container::sh("echo text >/dev/console; exec sleep 1000").edit(without_dev);
    let c = c.edit(|c| c["process"]["terminal"] = json!(true));
    let c = c.mount("/dev/pts", "devpts", "devpts", &["newinstance", "ptmxmode=0666"]);
    let host = outside(&c);
    row.1(&c, host.to_str().unwrap());
    let (_listener, output) = terminal(&c);
    untouched(&c);
    if output.code() == 0 {
        c.start();
        untouched(&c);
        // The terminal covers nothing in the container's /proc.
        let mounts = fs::read_to_string(format!("/proc/{}/mountinfo", c.pid())).unwrap();
        assert!(!mounts.contains(" /proc/uptime "), "the terminal is on /proc: {mounts}");
    } else {
        c.nothing_left();
    }
}

const MULTIPLEXERS: &[Occupied] = &[
    ("link", |c, host| symlink(format!("{host}/file"), c.root("dev/pts/ptmx")).unwrap()),
    ("file", |c, _| fs::write(c.root("dev/pts/ptmx"), "").unwrap()),
    ("fifo", |c, _| node(c, "dev/pts/ptmx", SFlag::S_IFIFO, 0, 0)),
    // The right device numbers, but not on devpts: the kernel would look for a devpts next to it.
    ("device", |c, _| node(c, "dev/pts/ptmx", SFlag::S_IFCHR, 5, 2)),
    ("null", |c, _| node(c, "dev/pts/ptmx", SFlag::S_IFCHR, 1, 3)),
    ("tty", |c, _| node(c, "dev/pts/ptmx", SFlag::S_IFCHR, 5, 0)),
];

/// The image provides /dev/pts/ptmx and there is no devpts: a terminal would be the host's, or there is none.
fn multiplexer(row: &Occupied) {
    let c = Container::sh("echo text").edit(without_dev).edit(|c| c["process"]["terminal"] = json!(true));
    let host = outside(&c);
    fs::create_dir(c.root("dev/pts")).unwrap();
    row.1(&c, host.to_str().unwrap());
    symlink("pts/ptmx", c.root("dev/ptmx")).unwrap();
    let (_listener, output) = terminal(&c);
    output.fails();
    untouched(&c);
    c.nothing_left();
}

const DEV_PTMX: &[Occupied] = &[
    ("link", |c, host| symlink(format!("{host}/file"), c.root("dev/ptmx")).unwrap()),
    ("directory", |c, _| fs::create_dir(c.root("dev/ptmx")).unwrap()),
    ("dev-is-a-link", |c, host| {
        fs::remove_dir(c.root("dev")).unwrap();
        fs::write(format!("{host}/ptmx"), "host's").unwrap();
        symlink(format!("../../../../../../..{host}"), c.root("dev")).unwrap();
    }),
];

/// The runtime removes /dev/ptmx before replacing it. It must do so in the image, never where the image's link points.
fn dev_ptmx(row: &Occupied) {
    let c = Container::sleeper().edit(without_dev);
    let host = outside(&c);
    row.1(&c, host.to_str().unwrap());
    let c = c.edit(|c| c["process"]["terminal"] = json!(true));
    let before: Vec<_> = fs::read_dir(&host).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    let (_listener, output) = terminal(&c);
    let names: Vec<_> = fs::read_dir(&host).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, before, "the host's directory was changed: {output:?}");
    assert_eq!(fs::read_to_string(host.join("file")).unwrap(), "host\n");
}
