//! Finds the limits that a cgroup or one above it has reached, for errors in which the kernel does not name them.
//!
//! The answer only explains another error, so whatever cannot be read is left out.

use super::Layout;
use crate::sys::beneath;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::{Path, PathBuf};

/// The cgroups with a reached pids.max: `cgroup`, or that of this process, and those above it. Each as
/// `/sys/fs/cgroup/a (10)`.
pub(crate) fn pids_limits(cgroup: Option<BorrowedFd<'_>>) -> Vec<String> {
    let Ok(Some(layout)) = Layout::find() else { return Vec::new() };
    let path = match cgroup {
        Some(fd) => std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).ok(),
        None => {
            super::Cgroup::path_of_process(std::process::id() as i32).ok().map(|own| layout.mount_point().join(own))
        }
    };
    let below = path.as_deref().and_then(|path| path.strip_prefix(layout.mount_point()).ok()).unwrap_or(Path::new(""));
    reached(&layout, below, |dir| {
        let max = number(dir, "pids.max")?;
        (number(dir, "pids.current")? >= max).then_some(max)
    })
}

/// The cgroups above `below` with a reached cgroup.max.descendants or cgroup.max.depth.
pub(super) fn limits_of_cgroups(layout: &Layout, below: &Path) -> Vec<String> {
    let depth = below.components().count() as u64;
    let parent = below.parent().unwrap_or(Path::new(""));
    reached(layout, parent, |dir| {
        let stat = beneath::read_file(dir, "cgroup.stat").ok()?;
        let count = stat.lines().find_map(|line| line.strip_prefix("nr_descendants "))?.parse::<u64>().ok()?;
        number(dir, "cgroup.max.descendants").filter(|max| count >= *max)
    })
    .into_iter()
    .chain(reached_depth(layout, parent, depth))
    .collect()
}

fn reached_depth(layout: &Layout, parent: &Path, depth: u64) -> Vec<String> {
    let above = |at: &Path| depth.saturating_sub(at.components().count() as u64);
    let ancestors = parent.ancestors().filter_map(|at| {
        let dir = beneath::open_directory(layout.root(), at).ok()?;
        let max = number(dir.as_fd(), "cgroup.max.depth").filter(|max| above(at) > *max)?;
        Some(shown(layout, at, max))
    });
    ancestors.collect()
}

fn reached(layout: &Layout, below: &Path, limit: impl Fn(BorrowedFd<'_>) -> Option<u64>) -> Vec<String> {
    let ancestors: Vec<PathBuf> =
        below.ancestors().filter(|at| !at.as_os_str().is_empty()).map(Path::to_owned).collect();
    let limits = ancestors.iter().filter_map(|at| {
        let dir = beneath::open_directory(layout.root(), at).ok()?;
        Some(shown(layout, at, limit(dir.as_fd())?))
    });
    limits.collect()
}

fn shown(layout: &Layout, at: &Path, max: u64) -> String {
    format!("{} ({max})", layout.mount_point().join(at).display())
}

/// The number in a file. `None` if it is `max`.
fn number(dir: BorrowedFd<'_>, file: &str) -> Option<u64> {
    beneath::read_file(dir, file).ok()?.trim().parse().ok()
}
