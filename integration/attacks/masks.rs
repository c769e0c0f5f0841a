//! Paths that are masked or made read-only, and what the image puts in the way.

use super::{devices::without_dev, harmless, outside};
use crate::{
    bundle::Container,
    trial::{Test, rows, tests},
};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use serde_json::json;
use std::{fs, os::unix::fs::symlink};

pub(super) fn tests() -> Vec<Test> {
    let mut all = tests![a_masked_link_stays_inside, readonly_path_through_a_link_stays_inside];
    all.extend(rows!("cve_2025_31133_null", NULLS, null));
    all
}

/// What stands at /dev/null of the image when a file is to be masked.
type Null = (&'static str, fn(&Container));

const NULLS: &[Null] = &[
    ("link-to-proc", |c| symlink("/proc/sys/kernel/hostname", c.root("dev/null")).unwrap()),
    ("link-to-file", |c| symlink("/etc/passwd", c.root("dev/null")).unwrap()),
    ("link-to-itself", |c| symlink("null", c.root("dev/null")).unwrap()),
    ("fifo", |c| mknod(&c.root("dev/null"), SFlag::S_IFIFO, Mode::from_bits_truncate(0o666), 0).unwrap()),
    ("file", |c| fs::write(c.root("dev/null"), "visible\n").unwrap()),
    ("zero", |c| mknod(&c.root("dev/null"), SFlag::S_IFCHR, Mode::from_bits_truncate(0o666), makedev(1, 5)).unwrap()),
    ("directory", |c| fs::create_dir(c.root("dev/null")).unwrap()),
];

fn null(row: &Null) {
    let c = Container::sh("head -c 10 /secret; echo; stat -c '%F %t:%T' /secret").edit(without_dev).edit(|c| {
        c["linux"]["maskedPaths"] = json!(["/secret"]);
    });
    fs::write(c.root("secret"), "secret\n").unwrap();
    (row.1)(&c);
    let said = c.run();
    assert!(!said.out.contains("secret") && !said.out.contains("visible"), "{said:?}");
    if said.code() == 0 {
        // Masked by the real device, whatever the image has.
        assert_eq!(said.out, "\ncharacter special file 1:3\n", "{said:?}");
    }
    c.nothing_left();
}

fn a_masked_link_stays_inside() {
    let c = Container::sh("cat /etc/passwd | head -c 4; cat /m/file 2>/dev/null; exec sleep 1000");
    let host = outside(&c);
    symlink(&host, c.root("m")).unwrap();
    symlink(host.join("file"), c.root("n")).unwrap();
    let c = c.edit(|c| c["linux"]["maskedPaths"] = json!(["/m", "/n", "/m/file"]));
    harmless(&c);
}

fn readonly_path_through_a_link_stays_inside() {
    let c = Container::sleeper();
    let host = outside(&c);
    symlink(&host, c.root("m")).unwrap();
    let c = c.edit(|c| c["linux"]["readonlyPaths"] = json!(["/m", "/m/file"]));
    harmless(&c);
    fs::write(host.join("file"), "host\n").unwrap();
}
