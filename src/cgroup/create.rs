//! Making a cgroup and enabling its controllers, with as few calls as the state of the hierarchy allows.

use super::layout::{Layout, words};
use super::processes::is_set;
use super::{Cgroup, shown};
use crate::cgroup::error::Refusal;
use crate::plan::resources::Need;
use crate::sys::beneath;
use anyhow::{Error, Result, anyhow, bail};
use nix::errno::Errno;
use std::cell::Cell;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

/// How often a parent is made again that another container, whose creation failed, has just removed as its own.
const RACES: usize = 8;

impl Cgroup {
    /// Makes the cgroup `below` the mount point, with its missing parents. All controllers the hierarchy has are enabled
    /// on the way, because engines read their statistics in every container; those in `needs` must be. A cgroup that is
    /// there already must be empty and thawed. When this fails, exactly the directories it made are removed.
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

    /// Refuses a cgroup in which others live, or whose processes would not run: the new process would be frozen at birth
    /// and never answer. A fresh directory can be frozen too, below a frozen parent.
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

    /// Enables the controllers that are missing, of which those in `needs` must be there afterwards. Usually none is
    /// missing: the parent has had containers before.
    pub(crate) fn have_controllers(&self, needs: &[Need]) -> Result<()> {
        let missing = |have: &[String], wanted: &str| !have.iter().any(|name| name == wanted);
        let mut have = words(&self.read("cgroup.controllers")?);
        let all = self.layout.controllers()?;
        if !all.iter().any(|name| missing(&have, name)) {
            return Ok(());
        }
        let refused = enable(&self.layout, &self.below, all)?;
        // No process can be put into what is or would be part of a threaded subtree; only those lack controllers silently.
        if let Some(mode) = self.read_if_there("cgroup.type")?.filter(|mode| mode.trim() != "domain") {
            bail!("container's cgroup is in {} mode: {}", mode.trim(), self.path().display());
        }
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

/// Makes `below` and its missing parents. What was made is in `made` even when this fails.
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
    Refusal::of(format!("mkdir {}", shown(layout, below)), errno)
}

/// Removes the directories made, from the bottom up. One that meanwhile serves another container stays.
pub(super) fn remove_made(layout: &Layout, made: &[PathBuf]) {
    for below in made.iter().rev() {
        // EBUSY is the case above; ENOENT is what we want. Any other error would hide the one that brought us here.
        let _ = beneath::remove_directory(layout.root(), below);
    }
}

/// Enables `wanted` for the children of each ancestor of `below`, from the top down. Gives the refusals: some may concern
/// controllers that nobody needs.
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

/// Whether a cgroup other than the root has processes of its own. The kernel would refuse most controllers there, but not
/// cpu and pids: those would make the cgroup the root of a threaded subtree, in which no container could start.
fn has_processes(dir: BorrowedFd<'_>) -> bool {
    let is_root = matches!(beneath::read_file(dir, "cgroup.type"), Err(Errno::ENOENT));
    !is_root && beneath::read_file(dir, "cgroup.procs").is_ok_and(|list| !list.is_empty())
}

/// One write for all; it is all or nothing, so if that is refused one write for each.
fn enable_in<'a>(dir: BorrowedFd<'_>, file: &str, names: &[&'a str]) -> Vec<(&'a str, Errno)> {
    let all: Vec<String> = names.iter().map(|name| format!("+{name}")).collect();
    if beneath::write_file(dir, file, &all.join(" ")).is_ok() {
        return Vec::new();
    }
    let each = names.iter().zip(&all);
    each.filter_map(|(name, value)| beneath::write_file(dir, file, value).err().map(|errno| (*name, errno))).collect()
}
