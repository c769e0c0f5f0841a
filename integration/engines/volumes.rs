//! Tests volumes, bind mounts and their propagation, tmpfs, and a read-only root.

use super::{Check, engine::Engine, place::fresh};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
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
    let output = e.sh(&["-v", &format!("{dir}:/data:ro")], "cat /data/file; echo again >/data/file").fails();
    assert!(output.out == "written\n" && output.err.contains("Read-only file system"), "{output:?}");
}

fn file(e: &Engine) {
    let path = format!("{}/one", e.new_dir());
    fs::write(&path, "one\n").unwrap();
    assert_eq!(e.sh(&["-v", &format!("{path}:/etc/deep/one:ro")], "cat /etc/deep/one").ok().out, "one\n");
}

/// A directory with shared propagation. Dropping it unmounts the directory and the mounts inside.
pub(crate) struct SharedDir(pub(crate) String);

impl Drop for SharedDir {
    fn drop(&mut self) {
        if let Err(errno) = umount2(self.0.as_str(), MntFlags::MNT_DETACH) {
            eprintln!("integration: unmounting {}: {errno}", self.0);
        }
    }
}

impl SharedDir {
    pub(crate) fn new(e: &Engine) -> Self {
        let dir = e.new_dir();
        mount(Some(dir.as_str()), dir.as_str(), None::<&str>, MsFlags::MS_BIND, None::<&str>).unwrap();
        mount(None::<&str>, dir.as_str(), None::<&str>, MsFlags::MS_SHARED, None::<&str>).unwrap();
        fs::create_dir(format!("{dir}/inner")).unwrap();
        Self(dir)
    }

    /// Mounts a file system with a file `new` on `inner`.
    pub(crate) fn mount_inside(&self) {
        let inner = format!("{}/inner", self.0);
        mount(Some("tmpfs"), inner.as_str(), Some("tmpfs"), MsFlags::empty(), None::<&str>).unwrap();
        fs::write(format!("{inner}/new"), "").unwrap();
    }
}

fn propagation(e: &Engine) {
    for (option, seen) in [("rslave", 0), ("rprivate", 1)] {
        let dir = SharedDir::new(e);
        let up = e.up(&["-v", &format!("{}:/data:{option}", dir.0)], "while :; do sleep 1000; done");
        dir.mount_inside();
        e.call(&["exec", &up.name, "test", "-e", "/data/inner/new"]).exits(seen);
    }
}

fn outwards(e: &Engine) {
    let dir = SharedDir::new(e);
    let script = "mount -t tmpfs t /data/inner && touch /data/inner/new";
    e.sh(&["--privileged", "-v", &format!("{}:/data:rshared", dir.0)], script).ok();
    assert!(fs::exists(format!("{}/inner/new", dir.0)).unwrap(), "the host does not see the mount of the container");
}

fn tmpfs(e: &Engine) {
    let output =
        e.sh(&["--tmpfs", "/scratch:size=4m,mode=1777,noexec"], "grep ' /scratch ' /proc/mounts; touch /scratch/x");
    let output = output.ok();
    for word in ["tmpfs", "noexec", "size=4096k"] {
        assert!(output.out.contains(word), "{output:?}");
    }
}

fn read_only(e: &Engine) {
    let output = e.sh(&["--read-only", "--tmpfs", "/scratch"], "touch /scratch/x && touch /x").fails();
    assert!(output.err.contains("/x: Read-only file system"), "{output:?}");
}
