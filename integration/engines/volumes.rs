//! Volumes, binds and their propagation, tmpfs, a root that cannot be written.

use super::{Check, engine::Engine, place::fresh};
use nix::mount::{MsFlags, mount, umount};
use std::fs;

pub(crate) const CHECKS: &[Check] = &[
    ("volumes and binds", "a named volume outlives its container", named),
    ("volumes and binds", "two containers share a volume", shared),
    ("volumes and binds", "bind, writable and not", bind),
    ("volumes and binds", "a bind of one file", file),
    ("volumes and binds", "propagation", propagation),
    ("volumes and binds", "propagation to the host", outwards),
    ("volumes and binds", "tmpfs", tmpfs),
    ("volumes and binds", "--read-only", read_only),
];

fn named(e: &Engine) {
    let name = fresh("volume");
    let volume = format!("{name}:/data");
    e.sh(&["-v", &volume], "echo kept >/data/file").ok();
    assert_eq!(e.sh(&["-v", &volume], "cat /data/file").ok().out, "kept\n");
    e.call(&["volume", "rm", &name]).ok();
}

fn shared(e: &Engine) {
    let name = fresh("volume");
    let volume = format!("{name}:/data");
    let up = e.up(&["-v", &volume], "mkfifo /data/pipe; cat /data/pipe; exit 3");
    e.sh(&["-v", &volume], "until test -p /data/pipe; do sleep 1; done; echo through >/data/pipe").ok();
    assert_eq!(e.wait(&up.name), "3");
    assert_eq!(e.call(&["logs", &up.name]).ok().out, "through\n");
    drop(up);
    e.call(&["volume", "rm", &name]).ok();
}

fn bind(e: &Engine) {
    let dir = e.new_dir();
    e.sh(&["-v", &format!("{dir}:/data")], "echo written >/data/file").ok();
    assert_eq!(fs::read_to_string(format!("{dir}/file")).unwrap(), "written\n");
    let said = e.sh(&["-v", &format!("{dir}:/data:ro")], "cat /data/file; echo again >/data/file").fails();
    assert!(said.out == "written\n" && said.err.contains("Read-only file system"), "{said:?}");
}

fn file(e: &Engine) {
    let path = format!("{}/one", e.new_dir());
    fs::write(&path, "one\n").unwrap();
    assert_eq!(e.sh(&["-v", &format!("{path}:/etc/deep/one:ro")], "cat /etc/deep/one").ok().out, "one\n");
}

fn propagation(e: &Engine) {
    let dir = e.new_dir();
    let inner = format!("{dir}/inner");
    mount(Some(dir.as_str()), dir.as_str(), None::<&str>, MsFlags::MS_BIND, None::<&str>).unwrap();
    mount(None::<&str>, dir.as_str(), None::<&str>, MsFlags::MS_SHARED, None::<&str>).unwrap();
    fs::create_dir(&inner).unwrap();
    for (option, seen) in [("rslave", "yes\n"), ("rprivate", "no\n")] {
        let script = "touch /data/ready; until test -e /data/go; do sleep 1; done; test -e /data/inner/new && echo yes || echo no";
        let up = e.up(&["-v", &format!("{dir}:/data:{option}")], script);
        crate::bundle::wait_in(dir.as_ref(), "the container", || fs::exists(format!("{dir}/ready")).unwrap());
        mount(Some("tmpfs"), inner.as_str(), Some("tmpfs"), MsFlags::empty(), None::<&str>).unwrap();
        fs::write(format!("{inner}/new"), "").unwrap();
        fs::write(format!("{dir}/go"), "").unwrap();
        assert_eq!(e.wait(&up.name), "0");
        assert_eq!(e.call(&["logs", &up.name]).ok().out, seen, "{option}");
        umount(inner.as_str()).unwrap();
        for name in ["ready", "go"] {
            fs::remove_file(format!("{dir}/{name}")).unwrap();
        }
    }
    umount(dir.as_str()).unwrap();
}

fn outwards(e: &Engine) {
    outwards_by(e, |dir, script| {
        e.sh(&["--privileged", "-v", &format!("{dir}:/data:rshared")], script).ok();
    });
}

/// A container that has the directory as /data, and may mount, runs the script: what it mounts there is seen here.
pub(crate) fn outwards_by(e: &Engine, run: impl Fn(&str, &str)) {
    let dir = e.new_dir();
    mount(Some(dir.as_str()), dir.as_str(), None::<&str>, MsFlags::MS_BIND, None::<&str>).unwrap();
    mount(None::<&str>, dir.as_str(), None::<&str>, MsFlags::MS_SHARED, None::<&str>).unwrap();
    run(&dir, "mkdir /data/inner && mount -t tmpfs t /data/inner && touch /data/inner/new");
    assert!(fs::exists(format!("{dir}/inner/new")).unwrap(), "the host does not see the mount of the container");
    umount(format!("{dir}/inner").as_str()).unwrap();
    umount(dir.as_str()).unwrap();
}

fn tmpfs(e: &Engine) {
    let said =
        e.sh(&["--tmpfs", "/scratch:size=4m,mode=1777,noexec"], "grep ' /scratch ' /proc/mounts; touch /scratch/x");
    let said = said.ok();
    for word in ["tmpfs", "noexec", "size=4096k"] {
        assert!(said.out.contains(word), "{said:?}");
    }
}

fn read_only(e: &Engine) {
    let said = e.sh(&["--read-only", "--tmpfs", "/scratch"], "touch /scratch/x && touch /x").fails();
    assert!(said.err.contains("/x: Read-only file system"), "{said:?}");
}
