//! One container's cgroup: create, limit, freeze, kill, measure, remove.
//!
//! Owns every access to the cgroup v2 file system. All of it goes through descriptors: a [`Cgroup`] holds its directory,
//! and files are opened below that, never by a path that could have changed its meaning. Deliberately does not know the
//! lifecycle: when a container is created, paused or deleted, and in what order, is the business of `container` and
//! `launch`. Which values are written was decided by `plan::resources`.

mod apply;
mod create;
mod join;
mod layout;
pub(crate) mod counters;
mod processes;
mod error;
mod remove;
mod systemd;
mod rollback;
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

/// What a container wants of its cgroup before there is one.
#[derive(Clone)]
pub(crate) struct Wanted<'a> {
    /// Where.
    pub(crate) place: &'a Place,
    /// The limits: what controllers must be there for, and who asks for them.
    pub(crate) resources: &'a ResourcePlan,
    /// The container can do without: not being permitted to make the cgroup is no error as long as nothing is limited.
    pub(crate) optional: bool,
}

/// How a cgroup comes to be. There are two ways, and they differ in when: we can make a directory before there is a
/// process, and the process is then born in it (CLONE_INTO_CGROUP); systemd makes a scope only around a process that
/// exists.
pub(crate) trait Driver {
    /// What [`Driver::prepare`] is about to make, to be remembered first: whoever makes it may be killed in between.
    fn foresee(&mut self, wanted: &Wanted<'_>) -> Result<Record>;

    /// Before the clone. Gives the cgroup to be born in; or nothing, when the process goes without one or when this
    /// driver needs the process first. Then [`Driver::place`] is to be called.
    fn prepare(&mut self, wanted: &Wanted<'_>) -> Result<Option<Cgroup>>;

    /// After the clone, with the process waiting at a gate: gives the cgroup that `pid` is in now, which is the one that
    /// was `foreseen`. When this fails, nothing is left of it.
    fn place(&mut self, wanted: &Wanted<'_>, foreseen: &Record, pid: i32) -> Result<Option<Cgroup>>;
}

/// Which driver made a cgroup. The state file remembers it, because `delete` is called without `--systemd-cgroup`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DriverKind {
    /// A directory that we made.
    Cgroupfs,
    /// A scope of systemd.
    Systemd,
}

/// The driver that makes directories.
#[derive(Debug)]
pub(crate) struct Cgroupfs<'a> {
    layout: &'a Layout,
}

impl<'a> Cgroupfs<'a> {
    /// A driver for the hierarchy of `layout`.
    pub(crate) fn new(layout: &'a Layout) -> Self {
        Cgroupfs { layout }
    }
}

impl Driver for Cgroupfs<'_> {
    fn foresee(&mut self, wanted: &Wanted<'_>) -> Result<Record> {
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
                    "{}: a limit takes a cgroup, and none is delegated to this user here",
                    need.origin
                ))),
            },
            Err(error) => Err(error),
        }
    }

    /// The process is in it since its birth, or goes without.
    fn place(&mut self, _: &Wanted<'_>, _: &Record, _: i32) -> Result<Option<Cgroup>> {
        Ok(None)
    }
}

/// What another process must know to find a container's cgroup again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Who made it.
    pub(crate) driver: DriverKind,
    /// Its directory on the host.
    pub(crate) path: PathBuf,
    /// Whether it was made for this container, or was there before.
    pub(crate) made: bool,
    /// The scope that it is the cgroup of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unit: Option<Unit>,
}

impl Record {
    /// Where it is the cgroup of a scope: kills what is in it, and has systemd forget the scope.
    pub(crate) fn stop_unit(&self, cgroup: Option<&Cgroup>) -> Result<()> {
        let Some(unit) = &self.unit else { return Ok(()) };
        // systemd would ask politely first, and wait.
        cgroup.map_or(Ok(()), Cgroup::kill)?;
        unit.stop()
    }
}

/// A container's cgroup, held by its directory.
#[derive(Debug)]
pub(crate) struct Cgroup {
    layout: Layout,
    /// The way down from the mount point.
    below: PathBuf,
    dir: OwnedFd,
    /// The directories made for it, from the top down; the last one is its own unless that was there before.
    made: Vec<PathBuf>,
    /// No device program can be attached yet, so none needs to be looked for.
    fresh: Cell<bool>,
}

impl Cgroup {
    /// Finds the cgroup of `record` again; `None` when it is gone.
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

    /// The directory on the host.
    pub(crate) fn path(&self) -> PathBuf {
        self.layout.mount_point().join(&self.below)
    }

    /// Whether the directory itself was made for this container.
    pub(crate) fn is_own(&self) -> bool {
        self.made.last().is_some_and(|last| *last == self.below)
    }

    /// A file of the cgroup, for an error's text.
    fn named(&self, file: &str) -> String {
        self.path().join(file).display().to_string()
    }

    fn read(&self, file: &str) -> Result<String> {
        crate::sys::beneath::read_file(self.fd(), file)
            .map_err(|errno| Refusal::of(format!("read {}", self.named(file)), errno))
    }

    /// The content of a file that not every kernel or every cgroup has.
    fn read_if_there(&self, file: &str) -> Result<Option<String>> {
        use nix::errno::Errno::{ENODEV, ENOENT, EOPNOTSUPP};
        match crate::sys::beneath::read_file(self.fd(), file) {
            Ok(content) => Ok(Some(content)),
            // The latter two: pressure files where PSI is off; any file in the moment the cgroup is removed.
            Err(ENOENT | EOPNOTSUPP | ENODEV) => Ok(None),
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

/// `path` for an error's text.
fn shown(layout: &Layout, below: &Path) -> String {
    layout.mount_point().join(below).display().to_string()
}
