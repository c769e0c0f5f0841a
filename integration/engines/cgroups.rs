//! Creates a cgroup v2 for the engines, which is the root of their cgroup namespace. Other processes of the machine are
//! not counted, nothing of the engines remains, and a host with cgroup v1 at the usual place works too. Knows no
//! engine.

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

/// Where every engine looks, and at nothing but the file system's kind.
const CGROUPS: &str = "/sys/fs/cgroup";

/// The cgroup that was made; whoever drops it leaves it and removes it with all that is below.
pub(super) struct Own {
    /// Where this process came from: its list of processes, opened from there.
    back: File,
    dir: PathBuf,
    /// Keeps `dir` reachable, below what covers it.
    _outer: File,
}

impl Drop for Own {
    fn drop(&mut self) {
        if let Err(error) = self.back.write_all(b"0").and_then(|()| remove(&self.dir)) {
            eprintln!("integration: the engines' cgroup stays: {error}");
        }
    }
}

/// Moves this process below a new cgroup, which covers the host's where engines look, as far as this mount namespace
/// goes. Which controllers there are is the host's affair; none where systemd is to make the cgroups.
pub(super) fn cover() -> io::Result<Option<Own>> {
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
    let own = Own { back, dir, _outer: outer };
    fs::write(own.dir.join("cgroup.procs"), "0")?;
    unshare(CloneFlags::CLONE_NEWCGROUP)?;
    // The kernel mounts no file system over itself.
    umount2(CGROUPS, MntFlags::MNT_DETACH)?;
    mount_cgroups()?;
    // A root with processes can have no controllers for those below.
    let init = Path::new(CGROUPS).join("init");
    fs::create_dir(&init)?;
    fs::write(init.join("cgroup.procs"), "0")?;
    enable();
    Ok(Some(own))
}

/// A directory that nobody has: other runs may be there, or what is left of those that were killed.
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

/// Every controller that can be had below, each for itself: what cannot be had, the checks that need it will skip.
fn enable() {
    let controllers = fs::read_to_string(Path::new(CGROUPS).join("cgroup.controllers")).unwrap_or_default();
    for controller in controllers.split_whitespace() {
        fs::write(Path::new(CGROUPS).join("cgroup.subtree_control"), format!("+{controller}")).ok();
    }
}

fn mount_cgroups() -> nix::Result<()> {
    mount(Some("cgroup2"), CGROUPS, Some("cgroup2"), MsFlags::empty(), None::<&str>)
}

/// Removes a directory of cgroups; their files go with them.
fn remove(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove(&entry.path())?;
        }
    }
    fs::remove_dir(dir).map_err(|error| io::Error::other(format!("{}: {error}", dir.display())))
}
