//! Opens the cgroup for a process that joins a container, and moves a process into a cgroup. The cgroup is the
//! container's own, one below it, or the current one of its init process. The caller decides which.

use super::{Cgroup, Layout, Refusal};
use crate::sys::beneath;
use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

impl Cgroup {
    /// Opens the cgroup at `path` below this one. `/` is this cgroup itself. `..` is refused, because it would leave
    /// the container's cgroup.
    pub(crate) fn open_below(&self, path: &Path) -> Result<OwnedFd> {
        let mut way = PathBuf::new();
        for part in path.components() {
            match part {
                Component::Normal(name) => way.push(name),
                Component::RootDir | Component::CurDir => (),
                _ => bail!("bad sub cgroup path: {}", path.display()),
            }
        }
        let way = if way.as_os_str().is_empty() { PathBuf::from(".") } else { way };
        let opened = beneath::open_directory(self.fd(), &way);
        opened.map_err(|errno| Refusal::of(format!("open {}", self.path().join(way).display()), errno))
    }

    /// Opens the cgroup that the process `pid` is in now.
    pub(crate) fn open_of_process(layout: &Layout, pid: i32) -> Result<OwnedFd> {
        let path = Cgroup::path_of_process(pid)?;
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { &path };
        let opened = beneath::open_directory(layout.root(), path);
        opened.map_err(|errno| Refusal::of(format!("open {}", layout.mount_point().join(path).display()), errno))
    }

    /// The path of the current cgroup of process `pid`, relative to the root of the hierarchy.
    pub(crate) fn path_of_process(pid: i32) -> Result<PathBuf> {
        let file = format!("/proc/{pid}/cgroup");
        let text = std::fs::read(&file).with_context(|| format!("read {file}"))?;
        // As bytes: the container may have moved it to a cgroup whose name is not UTF-8.
        let path = text.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"0::/"));
        Ok(OsStr::from_bytes(path.with_context(|| format!("{file} has no line for cgroup v2"))?).into())
    }
}

/// Moves the process `pid` into `cgroup`.
pub(crate) fn move_process(cgroup: BorrowedFd<'_>, pid: i32) -> Result<()> {
    beneath::write_file(cgroup, "cgroup.procs", &pid.to_string())
        .map_err(|errno| Refusal::of(format!("move process {pid} to the container's cgroup"), errno))
}
