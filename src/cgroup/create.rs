//! Creates a cgroup and enables its controllers, with as few system calls as possible. Limits are left to `apply`.

use super::layout::{Layout, words};
use super::processes::is_set;
use super::threaded::is_domain_controller;
use super::{Cgroup, reached, shown};
use crate::cgroup::error::Refusal;
use crate::plan::resources::Need;
use crate::sys::beneath;
use anyhow::{Error, Result, anyhow, bail};
use nix::errno::Errno;
use std::cell::Cell;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

/// Maximum number of attempts to create a parent. A failed creation of another container may remove it in between.
const RACES: usize = 8;

impl Cgroup {
    /// Creates the cgroup `below` the mount point, with its missing parents. Enables all controllers of the hierarchy,
    /// because engines read the statistics of every container; only those in `needs` are required. An existing cgroup
    /// must be empty and thawed. On failure, exactly the directories created here are removed.
    pub(crate) fn create(layout: &Layout, below: &Path, needs: &[Need]) -> Result<Cgroup> {
        let mut made = Vec::new();
        let result = make(layout, below, &mut made).and_then(|()| {
            let dir = beneath::open_directory(layout.root(), below)
                .map_err(|errno| Refusal::of(format!("open {}", shown(layout, below)), errno))?;
            let (layout, below, made) = (layout.clone(), below.to_owned(), made.clone());
            let fresh = Cell::new(made.last() == Some(&below));
            let cgroup = Cgroup { layout, below, dir, made, fresh };
            cgroup.check_fit()?;
            cgroup.have_controllers(needs)?;
            Ok(cgroup)
        });
        if result.is_err() {
            remove_made(layout, &made);
        }
        result
    }

    /// Refuses a cgroup that has processes or is frozen: the new process would be frozen immediately and never respond.
    /// A new directory can be frozen too, below a frozen parent.
    pub(super) fn check_fit(&self) -> Result<()> {
        let events = self.read("cgroup.events")?;
        if is_set(&events, "populated") {
            let count = self.pids()?.len();
            bail!("container's cgroup is not empty: {count} process(es) found in {}", self.path().display());
        }
        if is_set(&events, "frozen") {
            bail!("container's cgroup unexpectedly frozen: {}", self.path().display());
        }
        Ok(())
    }

    /// Enables the missing controllers. Those in `needs` are required. Usually none is missing, because the parent has
    /// had containers before.
    pub(crate) fn have_controllers(&self, needs: &[Need]) -> Result<()> {
        let missing = |have: &[String], wanted: &str| !have.iter().any(|name| name == wanted);
        let mut have = words(&self.read("cgroup.controllers")?);
        let all = self.layout.controllers()?;
        // Only a cgroup outside of threaded subtrees has a domain controller, so its type need not be read.
        let is_domain = all.iter().any(|name| is_domain_controller(name));
        if is_domain && !all.iter().any(|name| missing(&have, name)) {
            return Ok(());
        }
        // Runs first, because no controller can be enabled in an invalid cgroup.
        self.make_threaded_if_invalid(needs)?;
        let refused = enable(&self.layout, &self.below, all)?;
        have = words(&self.read("cgroup.controllers")?);
        let Some(need) = needs.iter().find(|need| missing(&have, &need.controller)) else { return Ok(()) };
        let (origin, name) = (&need.origin, need.controller.as_ref());
        match refused.into_iter().find(|(refused, _)| refused == name) {
            Some((_, error)) => {
                Err(error.context(format!("{origin}: no {name} controller in {}", self.path().display())))
            }
            None => Err(anyhow!("{origin}: there is no {name} controller in {}", self.path().display())),
        }
    }
}

/// Creates `below` and its missing parents. `made` lists the created directories, also on failure.
fn make(layout: &Layout, below: &Path, made: &mut Vec<PathBuf>) -> Result<()> {
    for _ in 0..RACES {
        match beneath::make_directory(layout.root(), below) {
            Ok(()) => {
                made.push(below.to_owned());
                return Ok(());
            }
            Err(Errno::EEXIST) => return Ok(()),
            Err(Errno::ENOENT) => {}
            Err(errno) => return Err(mkdir_refused(layout, below, errno)),
        }
        match below.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            Some(parent) => make(layout, parent, made)?,
            None => break,
        }
    }
    Err(mkdir_refused(layout, below, Errno::ENOENT))
}

fn mkdir_refused(layout: &Layout, below: &Path, errno: Errno) -> Error {
    let refused = Refusal::of(format!("mkdir {}", shown(layout, below)), errno);
    if errno != Errno::EAGAIN {
        return refused;
    }
    match reached::limits_of_cgroups(layout, below).join(", ") {
        limits if limits.is_empty() => refused.context("cgroup.max.descendants or cgroup.max.depth is reached"),
        limits => refused.context(format!("cgroup.max.descendants or cgroup.max.depth is reached in {limits}")),
    }
}

/// Removes the created directories, from the bottom up. Keeps one that another container uses by now.
pub(super) fn remove_made(layout: &Layout, made: &[PathBuf]) {
    for below in made.iter().rev() {
        // EBUSY: another container uses it. ENOENT: already removed. Any other error would hide the original one.
        let _ = beneath::remove_directory(layout.root(), below);
    }
}

/// Enables `wanted` for the children of each ancestor of `below`, from the top down. Returns the refusals instead of
/// failing, because some may concern controllers that are not needed.
fn enable(layout: &Layout, below: &Path, wanted: &[String]) -> Result<Vec<(String, Error)>> {
    let mut refused = Vec::new();
    let ancestors: Vec<&Path> = below.ancestors().skip(1).collect();
    for ancestor in ancestors.into_iter().rev() {
        let opened = match ancestor.as_os_str().is_empty() {
            true => None,
            false => Some(
                beneath::open_directory(layout.root(), ancestor)
                    .map_err(|errno| Refusal::of(format!("open {}", shown(layout, ancestor)), errno))?,
            ),
        };
        let dir = opened.as_ref().map_or(layout.root(), AsFd::as_fd);
        let file = "cgroup.subtree_control";
        let named = layout.mount_point().join(ancestor).join(file);
        let list = |file: &str| {
            beneath::read_file(dir, file)
                .map(|line| words(&line))
                .map_err(|errno| Refusal::of(format!("read {}", named.with_file_name(file).display()), errno))
        };
        let (available, enabled) = (list("cgroup.controllers")?, list(file)?);
        let missing = available.iter().filter(|name| wanted.contains(name) && !enabled.contains(name));
        let missing: Vec<&str> = missing.map(String::as_str).collect();
        if missing.is_empty() {
            continue;
        }
        let errors = match has_processes(dir) {
            true => missing.iter().map(|name| (*name, Errno::EBUSY)).collect(),
            false => enable_in(dir, file, &missing),
        };
        for (name, errno) in errors {
            let hint = match errno {
                Errno::EBUSY => " (processes in that cgroup keep controllers from being enabled below it)",
                _ => "",
            };
            let error = Refusal::of(format!("write \"+{name}\" to {}{hint}", named.display()), errno);
            refused.push((name.to_owned(), error));
        }
    }
    Ok(refused)
}

/// Whether a cgroup of type "domain" other than the root has its own processes. The kernel refuses most controllers
/// there, but not cpu and pids. Those would make the cgroup the root of a threaded subtree, and all cgroups below it
/// would have to be threaded. If the cgroup is such a root already, they can be enabled.
fn has_processes(dir: BorrowedFd<'_>) -> bool {
    let is_domain = beneath::read_file(dir, "cgroup.type").is_ok_and(|mode| mode.trim() == "domain");
    is_domain && beneath::read_file(dir, "cgroup.procs").is_ok_and(|list| !list.is_empty())
}

/// Enables all controllers in one write. That write is all or nothing, so if it is refused, writes them one by one.
fn enable_in<'a>(dir: BorrowedFd<'_>, file: &str, names: &[&'a str]) -> Vec<(&'a str, Errno)> {
    let all: Vec<String> = names.iter().map(|name| format!("+{name}")).collect();
    if beneath::write_file(dir, file, &all.join(" ")).is_ok() {
        return Vec::new();
    }
    let each = names.iter().zip(&all);
    each.filter_map(|(name, value)| beneath::write_file(dir, file, value).err().map(|errno| (*name, errno))).collect()
}
