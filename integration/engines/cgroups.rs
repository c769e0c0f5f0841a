//! Creates a cgroup v2 for the engines, which is the root of their cgroup namespace. So the engines' cgroups contain no
//! other processes of the machine, are removed at the end, and work on a host with cgroup v1. This module does not know
//! engines.

use crate::harness::cgroups::BY_SYSTEMD;
use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, unshare},
    sys::statfs::{CGROUP2_SUPER_MAGIC, statfs},
};
use std::{
    fs::{self, File},
    io::{self, Write},
    os::fd::AsRawFd,
    path::{Path, PathBuf},
};

/// The mount point that every engine uses. Engines check only the type of the file system there.
const CGROUPS: &str = "/sys/fs/cgroup";

/// The new cgroup. Dropping it moves this process back and removes the cgroup with its descendants.
pub(super) struct OwnCgroup {
    /// `cgroup.procs` of the previous cgroup.
    back: File,
    dir: PathBuf,
    /// Keeps `dir` reachable below the new mount.
    _outer: File,
}

impl Drop for OwnCgroup {
    fn drop(&mut self) {
        if let Err(error) = self.back.write_all(b"0").and_then(|()| remove(&self.dir)) {
            eprintln!("integration: cannot remove the engines' cgroup: {error}");
        }
    }
}

/// Moves this process into a new cgroup and mounts that cgroup over the host's, in this mount namespace. It has the
/// host's controllers. Returns `None` if systemd manages the cgroups.
pub(super) fn cover() -> io::Result<Option<OwnCgroup>> {
    if *BY_SYSTEMD {
        return Ok(None);
    }
    if statfs(CGROUPS)?.filesystem_type() != CGROUP2_SUPER_MAGIC {
        mount_cgroups()?;
    }
    enable();
    let outer = File::open(CGROUPS)?;
    let dir = fresh_dir(&Path::new("/proc/self/fd").join(outer.as_raw_fd().to_string()))?;
    let back = File::options().write(true).open(Path::new(CGROUPS).join("cgroup.procs"))?;
    let own = OwnCgroup { back, dir, _outer: outer };
    fs::write(own.dir.join("cgroup.procs"), "0")?;
    unshare(CloneFlags::CLONE_NEWCGROUP)?;
    // The kernel refuses to mount a file system over itself.
    umount2(CGROUPS, MntFlags::MNT_DETACH)?;
    mount_cgroups()?;
    // The kernel enables no controllers below a cgroup that has processes.
    let init = Path::new(CGROUPS).join("init");
    fs::create_dir(&init)?;
    fs::write(init.join("cgroup.procs"), "0")?;
    enable();
    Ok(Some(own))
}

/// Creates a directory with a new name. Other runs, or leftovers of killed ones, may use some names.
fn fresh_dir(parent: &Path) -> io::Result<PathBuf> {
    let mut number = 0;
    loop {
        let dir = parent.join(format!("davit-engines-{number}"));
        match fs::create_dir(&dir) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            made => return made.map(|()| dir),
        }
    }
}

/// Enables every controller separately. Checks skip if they need a controller that cannot be enabled.
fn enable() {
    let controllers = fs::read_to_string(Path::new(CGROUPS).join("cgroup.controllers")).unwrap_or_default();
    for controller in controllers.split_whitespace() {
        fs::write(Path::new(CGROUPS).join("cgroup.subtree_control"), format!("+{controller}")).ok();
    }
}

fn mount_cgroups() -> nix::Result<()> {
    mount(Some("cgroup2"), CGROUPS, Some("cgroup2"), MsFlags::empty(), None::<&str>)
}

/// Removes a cgroup and its descendants. The kernel removes the files with the directories.
fn remove(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove(&entry.path())?;
        }
    }
    fs::remove_dir(dir).map_err(|error| io::Error::other(format!("{}: {error}", dir.display())))
}
