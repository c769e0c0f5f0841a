//! Tests masked and read-only paths if the image has links or other files in their place. Races on them are left to
//! `races`.

use super::{devices::without_dev, harmless, outside};
use crate::harness::bundle::Container;
use crate::harness::trial::{Test, rows, tests};
use crate::process::wrapped;
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use serde_json::json;
use std::{
    fs,
    os::unix::fs::{MetadataExt, symlink},
};

pub(super) fn tests() -> Vec<Test> {
    let mut all = tests![
        the_hosts_null_keeps_its_mode,
        a_mask_is_not_the_hosts_null,
        a_masked_link_stays_inside,
        readonly_path_through_a_link_stays_inside
    ];
    all.extend(rows!("cve_2025_31133_null", NULLS, null));
    all
}

/// What the image has at /dev/null when a file is masked: (name, function that creates it).
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
    let output = c.run();
    assert!(!output.out.contains("secret") && !output.out.contains("visible"), "{output:?}");
    if output.code() == 0 {
        // The real null device masks the file, whatever the image has.
        assert_eq!(output.out, "\ncharacter special file 1:3\n", "{output:?}");
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

/// The mode and owner of the host's /dev/null, restored when the test ends.
struct HostNull(fs::Metadata);

impl HostNull {
    fn now() -> Self {
        Self(fs::metadata("/dev/null").unwrap())
    }

    #[track_caller]
    fn is_unchanged(&self) {
        let now = fs::metadata("/dev/null").unwrap();
        let seen = |file: &fs::Metadata| (file.mode(), file.uid(), file.gid());
        assert_eq!(seen(&now), seen(&self.0), "the host's /dev/null was changed");
    }
}

impl Drop for HostNull {
    fn drop(&mut self) {
        fs::set_permissions("/dev/null", self.0.permissions()).unwrap();
        std::os::unix::fs::chown("/dev/null", Some(self.0.uid()), Some(self.0.gid())).unwrap();
    }
}

const CHANGES: &str = "echo x >$0 && echo written; chmod 600 $0; /bin/busybox chown 1:1 $0; true";

/// Tests a mask, and a node that is bound because CAP_MKNOD is missing. One test, because both use the host's
/// /dev/null.
/// The inode of the host's /dev/null would tell the container when others open it (inotify(7)).
fn a_mask_is_not_the_hosts_null() {
    let c = Container::sh("stat -c %d:%i /proc/keys; stat -c %d:%i /dev/null").edit(|c| {
        c["linux"]["maskedPaths"] = json!(["/proc/keys"]);
    });
    let output = c.prints();
    let [mask, own] = output.lines().collect::<Vec<_>>()[..] else { panic!("{output}") };
    assert_eq!(mask, own);
    // Inode numbers of two file systems may be equal, so the device of the file system is compared too.
    let host = fs::metadata("/dev/null").unwrap();
    assert_ne!(mask, format!("{}:{}", host.dev(), host.ino()));
}

fn the_hosts_null_keeps_its_mode() {
    let host = HostNull::now();
    let masked = Container::new(&["/bin/sh", "-c", CHANGES, "/proc/keys"]).edit(|c| {
        c["linux"]["maskedPaths"] = json!(["/proc/keys"]);
    });
    assert_eq!(masked.caps(&["CAP_CHOWN"]).run().ok().out, "written\n");
    host.is_unchanged();
    let bound = Container::new(&["/bin/sh", "-c", CHANGES, "/dev/null"]).caps(&["CAP_CHOWN"]);
    let output = wrapped(&bound, "exec setpriv --bounding-set -mknod \"$@\"", "run").run().ok();
    assert_eq!(output.out, "written\n");
    host.is_unchanged();
}
