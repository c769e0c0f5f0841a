//! Tests image paths that lead out of the root: mount targets, mount points of kernel file systems, copied files.
//! Races on paths are left to `races`.

use super::{harmless_with, outside, untouched};
use crate::harness::bundle::Container;
use crate::harness::trial::{Test, rows, tests};
use std::{fs, os::unix::fs::symlink};

pub(super) fn tests() -> Vec<Test> {
    let mut all = tests![
        the_root_itself_is_a_link,
        tmpcopyup_follows_no_link,
        no_file_system_covers_procfs_through_a_link,
        cgroup_mount_through_a_link,
        nothing_of_the_host_is_reachable_from_the_root,
    ];
    all.extend(rows!("cve_2019_18837_cve_2024_45310_target", TARGETS, target));
    all.extend(rows!("cve_2019_19921_cve_2023_27561_root_of", KERNEL_ROOTS, root_of));
    all
}

/// (name, the link in the root, its target, the destination of the mount). `HOST` is the directory of the host.
const TARGETS: &[(&str, &str, &str, &str)] = &[
    ("absolute", "m", "HOST", "/m"),
    ("through-parent", "m", "HOST", "/m/sub"),
    ("through-parents", "m", "HOST", "/m/a/b/c"),
    ("dots", "m", "../../../../../../../../../../HOST", "/m"),
    ("dots-to-a-new-name", "m", "../../../../../../../../../../HOST/new", "/m"),
    ("dangling", "m", "HOST/new", "/m"),
    ("dots-in-the-destination", "x", "HOST", "/../../../../../../..HOST/sub"),
    ("self-root", "m", "/proc/self/root/HOST", "/m/sub"),
    ("self-cwd", "m", "/proc/self/cwd/../outside", "/m/sub"),
];

fn target(row: &(&str, &str, &str, &str)) {
    for kind in ["tmpfs", "directory", "file"] {
        let c = Container::sleeper();
        let host = outside(&c);
        let with_host = |text: &str| text.replace("HOST", host.to_str().unwrap());
        symlink(with_host(row.2), c.root(row.1)).unwrap();
        let destination = with_host(row.3);
        let source = c.dir.join("placed");
        let c = match kind {
            "tmpfs" => c.mount(&destination, "tmpfs", "placed", &[]),
            "directory" => {
                fs::create_dir(&source).unwrap();
                c.mount(&destination, "bind", source.to_str().unwrap(), &["bind"])
            }
            _ => {
                fs::write(&source, "source").unwrap();
                c.mount(&destination, "bind", source.to_str().unwrap(), &["bind"])
            }
        };
        harmless_with(&c, "placed", 1);
    }
}

/// A mount point of a kernel file system that is a link to elsewhere in the image: (name, mount point, link target).
/// The image would then control what is written there later or not masked there. CVE-2023-28642 covers both /proc and
/// /sys.
const KERNEL_ROOTS: &[(&str, &str, &str)] = &[
    ("proc", "proc", "elsewhere"),
    ("proc-absolute", "proc", "/elsewhere"),
    ("proc-dangling", "proc", "elsewhere/new"),
    ("proc-a-file", "proc", ""),
    ("sys", "sys", "elsewhere"),
    ("sys-absolute", "sys", "/elsewhere"),
];

fn root_of(row: &(&str, &str, &str)) {
    let c = Container::sleeper();
    outside(&c);
    fs::remove_dir(c.root(row.1)).unwrap();
    fs::create_dir(c.root("elsewhere")).unwrap();
    if row.2.is_empty() {
        fs::write(c.root(row.1), "").unwrap();
    } else {
        symlink(row.2, c.root(row.1)).unwrap();
    }
    let output = c.create().fails();
    assert!(output.err.contains(row.1), "{output:?}");
    c.nothing_left();
    assert_eq!(fs::read_dir(c.root("elsewhere")).unwrap().count(), 0);
}

fn cgroup_mount_through_a_link() {
    let c = Container::sleeper();
    let host = outside(&c);
    symlink(&host, c.root("cg")).unwrap();
    harmless_with(&c.mount("/cg/sub", "cgroup", "cgroup", &["ro"]), &format!("{} ", host.join("sub").display()), 1);
}

fn the_root_itself_is_a_link() {
    let c = Container::sh("echo inside").edit(|c| c["root"]["path"] = serde_json::json!("link"));
    symlink("rootfs", c.dir.join("link")).unwrap();
    // runc refuses the link and crun follows it. Both are safe because the caller owns the bundle.
    let output = c.run();
    assert!(output.code() != 0 || output.out == "inside\n", "{output:?}");
    c.nothing_left();
}

/// A forged /proc: the destination of a file system is a link of the image's to the procfs that was mounted before.
fn no_file_system_covers_procfs_through_a_link() {
    for (leads_to, kind) in [("/proc", "tmpfs"), ("/proc/sys", "tmpfs"), ("/proc/self", "mqueue")] {
        let c = Container::sleeper();
        symlink(leads_to, c.root("m")).unwrap();
        let c = c.mount("/m", kind, "placed", &[]);
        let said = c.create().fails();
        assert!(said.err.contains("/proc"), "{said:?}");
        c.nothing_left();
    }
}

fn tmpcopyup_follows_no_link() {
    let script =
        "cat /m/file /m/sub/file 2>/dev/null | grep -c host; grep -c ' placed ' /proc/self/mountinfo; echo end";
    let c = Container::sh(script);
    let host = outside(&c);
    symlink(&host, c.root("m")).unwrap();
    let c = c.mount("/m", "tmpfs", "placed", &["tmpcopyup"]);
    let output = c.run();
    assert!(output.code() != 0 || output.out == "0\n1\nend\n", "{output:?}");
    untouched(&c);
    let c = Container::sh("cat /m/sub/file 2>/dev/null | grep -c host; echo end");
    let host = outside(&c);
    fs::create_dir(c.root("m")).unwrap();
    symlink(&host, c.root("m/sub")).unwrap();
    let c = c.mount("/m", "tmpfs", "tmpfs", &["tmpcopyup"]);
    assert_eq!(c.prints(), "0\nend\n");
    untouched(&c);
}

fn nothing_of_the_host_is_reachable_from_the_root() {
    let c = Container::sh("");
    let host = outside(&c);
    // A shell may resolve `cd ..` at the root without the kernel, and a mount on the root is above it.
    let script = format!(
        "cd /; cd ../../../..; ls -d ../outside /..{0} /../../..{0} 2>/dev/null; ls -A | grep -c probe; ls -l /proc/1/fd | \
        grep -c outside",
        host.display()
    );
    let c = c.edit(|c| c["process"]["args"] = serde_json::json!(["/bin/sh", "-c", script]));
    let output = c.run();
    assert_eq!(output.out, "1\n0\n", "{output:?}");
}
