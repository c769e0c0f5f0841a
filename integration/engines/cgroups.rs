//! Cgroups for engines on a host that keeps those of version 1 where everybody looks: a cgroup of version 2 that is theirs, and
//! the root of all that they see. Nothing of the host's is touched, and nothing stays. It knows no engine.

use nix::{
    mount::{MsFlags, mount, umount},
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

/// Covers the cgroups of version 1, as far as this mount namespace goes, and moves this process into a cgroup below the new
/// root; none where there is nothing to cover. Which controllers are left for it is the host's affair.
pub(super) fn cover() -> io::Result<Option<Own>> {
    if statfs(CGROUPS)?.filesystem_type() == CGROUP2_SUPER_MAGIC {
        return Ok(None);
    }
    mount_cgroups()?;
    let outer = File::open(CGROUPS)?;
    // Pids begin anew in each run's namespace; those are told apart by their numbers.
    let namespace = fs::read_link("/proc/self/ns/mnt")?;
    let number: String = namespace.to_string_lossy().chars().filter(char::is_ascii_digit).collect();
    let name = format!("davit-engines-{number}");
    let dir = Path::new(&format!("/proc/self/fd/{}", outer.as_raw_fd())).join(&name);
    fs::create_dir(&dir)?;
    let back = File::options().write(true).open(Path::new(CGROUPS).join("cgroup.procs"))?;
    let own = Own { back, dir, _outer: outer };
    fs::write(own.dir.join("cgroup.procs"), "0")?;
    unshare(CloneFlags::CLONE_NEWCGROUP)?;
    umount(CGROUPS)?;
    mount_cgroups()?;
    // A root with processes can have no controllers for those below.
    let init = Path::new(CGROUPS).join("init");
    fs::create_dir(&init)?;
    fs::write(init.join("cgroup.procs"), "0")?;
    Ok(Some(own))
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
