//! Makes a cgroup threaded if its parent leaves no other choice (cgroup-v2, "Threads").
//!
//! The children of a "domain threaded" or "threaded" cgroup are "domain invalid" and accept no process until they are
//! threaded. A threaded cgroup has only some controllers. For the others the whole threaded subtree is one cgroup.

use super::layout::Layout;
use super::{Cgroup, Refusal, shown};
use crate::plan::resources::Need;
use crate::sys::beneath;
use anyhow::{Result, bail};
use std::os::fd::AsFd;
use std::path::Path;

/// The controllers that a threaded cgroup can have. The kernel has no list of them.
const CONTROLLERS: [&str; 4] = ["cpu", "cpuset", "perf_event", "pids"];

/// The type of a cgroup that accepts no process.
const INVALID: &str = "domain invalid";

/// Whether `controller` exists only outside of threaded subtrees.
pub(super) fn is_domain_controller(controller: &str) -> bool {
    !CONTROLLERS.contains(&controller)
}

impl Cgroup {
    /// Makes the cgroup threaded if it is "domain invalid". Refuses `needs` that a threaded cgroup cannot have.
    pub(super) fn make_threaded_if_invalid(&self, needs: &[Need]) -> Result<()> {
        let Some(mode) = self.read_if_there("cgroup.type")? else { return Ok(()) };
        let mode = mode.trim();
        if mode != INVALID && mode != "threaded" {
            return Ok(());
        }
        if let Some(need) = needs.iter().find(|need| is_domain_controller(&need.controller)) {
            bail!(
                "{}: no {} controller in {}: its parent cgroup is threaded, so it can only have {}",
                need.origin,
                need.controller,
                self.path().display(),
                CONTROLLERS.join(", ")
            );
        }
        if mode == INVALID { make_threaded(&self.layout, &self.below) } else { Ok(()) }
    }
}

/// Makes each invalid cgroup threaded from the top down to `below`, because the parent must be threaded first.
fn make_threaded(layout: &Layout, below: &Path) -> Result<()> {
    let file = "cgroup.type";
    let mut path: Vec<&Path> = below.ancestors().filter(|at| !at.as_os_str().is_empty()).collect();
    path.reverse();
    for at in path {
        let refused = |what: &str, errno| Refusal::of(format!("{what} {}", shown(layout, &at.join(file))), errno);
        let dir =
            beneath::open_directory(layout.root(), at).map_err(|errno| refused("open the directory of", errno))?;
        let mode = beneath::read_file(dir.as_fd(), file).map_err(|errno| refused("read", errno))?;
        if mode.trim() == INVALID {
            beneath::write_file(dir.as_fd(), file, "threaded")
                .map_err(|errno| refused("write \"threaded\" to", errno))?;
        }
    }
    Ok(())
}
