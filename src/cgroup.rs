//! Creates, limits, freezes, kills, measures and removes the cgroup of one container.
//!
//! The lifecycle (when to create, pause or delete, and in what order) is left to `container` and `launch`;
//! `plan::resources` decides which values are written. This module owns every access to the cgroup v2 file system. A
//! [`Cgroup`] holds a descriptor of its directory and opens files relative to it, because a path could be replaced.

mod apply;
mod create;
mod join;
mod layout;
pub(crate) mod counters;
mod processes;
mod error;
pub(crate) mod reached;
mod remove;
mod systemd;
mod rollback;
mod threaded;
mod walk;
mod watch;
#[cfg(test)]
mod tests;

use crate::plan::placement::Place;
use crate::plan::resources::ResourcePlan;
use anyhow::Result;
use serde::{Deserialize, Serialize};
use std::cell::Cell;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

pub(crate) use error::Refusal;
pub(crate) use join::move_process;
pub(crate) use layout::Layout;
#[cfg(any(test, fuzzing))]
pub(crate) use layout::fuzz;
pub(crate) use systemd::{Systemd, Unit};

/// The requested cgroup of a container, before it is created.
#[derive(Clone)]
pub(crate) struct Wanted<'a> {
    /// Where to create the cgroup.
    pub(crate) place: &'a Place,
    /// The limits: the controllers they need, and the members of config.json that need them.
    pub(crate) resources: &'a ResourcePlan,
    /// The container can run without a cgroup: a permission error is ignored if there are no limits.
    pub(crate) optional: bool,
}

/// How a cgroup is created. The two drivers differ in the order of steps. Cgroupfs creates the directory first and
/// spawns the process in it (CLONE_INTO_CGROUP). systemd creates a scope only around an existing process.
pub(crate) trait Driver {
    /// Returns what [`Driver::prepare`] will create. The caller saves it first, because it may be killed in between.
    fn planned_record(&mut self, wanted: &Wanted<'_>) -> Result<Record>;

    /// Runs before the clone. Returns the cgroup to spawn the process in. Returns `None` if the process gets no cgroup,
    /// or if this driver needs the process first; then the caller calls [`Driver::place`].
    fn prepare(&mut self, wanted: &Wanted<'_>) -> Result<Option<Cgroup>>;

    /// Runs after the clone, while the process waits at a gate. Moves `pid` into the `planned` cgroup and returns that
    /// cgroup. On failure the cgroup is removed again.
    fn place(&mut self, wanted: &Wanted<'_>, planned: &Record, pid: i32) -> Result<Option<Cgroup>>;
}

/// The driver that created a cgroup. Saved in the state file, because `delete` is called without `--systemd-cgroup`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DriverKind {
    /// A directory created by davit.
    Cgroupfs,
    /// A systemd scope.
    Systemd,
}

/// The driver that creates cgroup directories itself.
#[derive(Debug)]
pub(crate) struct Cgroupfs<'a> {
    layout: &'a Layout,
}

impl<'a> Cgroupfs<'a> {
    /// Returns a driver for the hierarchy of `layout`.
    pub(crate) fn new(layout: &'a Layout) -> Self {
        Cgroupfs { layout }
    }
}

impl Driver for Cgroupfs<'_> {
    fn planned_record(&mut self, wanted: &Wanted<'_>) -> Result<Record> {
        let path = self.layout.mount_point().join(self.layout.resolve(wanted.place)?);
        let made = !path.exists();
        Ok(Record { driver: DriverKind::Cgroupfs, path, made, unit: None })
    }

    fn prepare(&mut self, wanted: &Wanted<'_>) -> Result<Option<Cgroup>> {
        let needs = &wanted.resources.needs;
        let path = self.layout.resolve(wanted.place)?;
        match Cgroup::create(self.layout, &path, needs) {
            Ok(cgroup) => Ok(Some(cgroup)),
            Err(error) if Refusal::is_permission(&error) && wanted.optional => match needs.first() {
                None => Ok(None),
                Some(need) => Err(error.context(format!(
                    "{}: a limit needs a cgroup, but no cgroup is delegated to this user",
                    need.origin
                ))),
            },
            Err(error) => Err(error),
        }
    }

    /// Does nothing: the process was spawned in its cgroup, or runs without one.
    fn place(&mut self, _: &Wanted<'_>, _: &Record, _: i32) -> Result<Option<Cgroup>> {
        Ok(None)
    }
}

/// What a later davit process needs to find a container's cgroup again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The driver that created the cgroup.
    pub(crate) driver: DriverKind,
    /// The cgroup's directory on the host.
    pub(crate) path: PathBuf,
    /// Whether it was created for this container; `false` if it existed before.
    pub(crate) made: bool,
    /// The systemd scope that owns the cgroup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unit: Option<Unit>,
}

impl Record {
    /// For the cgroup of a scope: kills its processes and stops the scope. Otherwise does nothing.
    pub(crate) fn stop_unit(&self, cgroup: Option<&Cgroup>) -> Result<()> {
        let Some(unit) = &self.unit else { return Ok(()) };
        // Kill first, because systemd would send SIGTERM and wait for a timeout.
        cgroup.map_or(Ok(()), Cgroup::kill)?;
        unit.stop()
    }
}

/// A container's cgroup, held by a descriptor of its directory.
#[derive(Debug)]
pub(crate) struct Cgroup {
    layout: Layout,
    /// The path relative to the mount point.
    below: PathBuf,
    dir: OwnedFd,
    /// The directories created for it, from the top down. The last one is the cgroup itself, unless it existed before.
    made: Vec<PathBuf>,
    /// No device program of ours can be attached yet, so there is none to replace.
    fresh: Cell<bool>,
}

impl Cgroup {
    /// Opens the cgroup of `record`. Returns `None` if it no longer exists.
    pub(crate) fn open(layout: &Layout, record: &Record) -> Result<Option<Cgroup>> {
        let Ok(below) = record.path.strip_prefix(layout.mount_point()) else {
            anyhow::bail!("cgroup {} is not below {}", record.path.display(), layout.mount_point().display());
        };
        match crate::sys::beneath::open_directory(layout.root(), below) {
            Ok(dir) => {
                let made = if record.made { vec![below.to_owned()] } else { Vec::new() };
                Ok(Some(Cgroup { layout: layout.clone(), below: below.to_owned(), dir, made, fresh: Cell::new(false) }))
            }
            Err(nix::errno::Errno::ENOENT) => Ok(None),
            Err(errno) => Err(Refusal::of(format!("open {}", record.path.display()), errno)),
        }
    }

    /// The cgroup's directory on the host.
    pub(crate) fn path(&self) -> PathBuf {
        self.layout.mount_point().join(&self.below)
    }

    /// Whether the directory itself was created for this container.
    pub(crate) fn is_own(&self) -> bool {
        self.made.last().is_some_and(|last| *last == self.below)
    }

    /// The path of a file of the cgroup, for error messages.
    fn named(&self, file: &str) -> String {
        self.path().join(file).display().to_string()
    }

    fn read(&self, file: &str) -> Result<String> {
        crate::sys::beneath::read_file(self.fd(), file)
            .map_err(|errno| Refusal::of(format!("read {}", self.named(file)), errno))
    }

    /// Reads a file that not every kernel or cgroup has. Returns `None` if it does not exist.
    fn read_if_there(&self, file: &str) -> Result<Option<String>> {
        use nix::errno::Errno::{EISDIR, ENODEV, ENOENT, EOPNOTSUPP};
        match crate::sys::beneath::read_file(self.fd(), file) {
            Ok(content) => Ok(Some(content)),
            // EOPNOTSUPP: a pressure file while PSI is off. ENODEV: any file while the cgroup is being removed. EISDIR: a
            // container has given a cgroup of its own the name of a file that is not there.
            Err(ENOENT | EOPNOTSUPP | ENODEV | EISDIR) => Ok(None),
            Err(errno) => Err(Refusal::of(format!("read {}", self.named(file)), errno)),
        }
    }

    fn write(&self, file: &str, value: &str) -> Result<()> {
        crate::sys::beneath::write_file(self.fd(), file, value)
            .map_err(|errno| Refusal::of(format!("write \"{value}\" to {}", self.named(file)), errno))
    }

    /// The directory's descriptor, for CLONE_INTO_CGROUP and bpf(2).
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.dir.as_fd()
    }
}

/// The full path of `below`, for error messages.
fn shown(layout: &Layout, below: &Path) -> String {
    layout.mount_point().join(below).display().to_string()
}
