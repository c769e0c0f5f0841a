//! A container that does not stand yet: what `create` has made so far, undone unless it is kept.

use crate::container::state::dir::{self, Dir, Locked};
use crate::container::state::id::Id;
use crate::container::state::record::Record;
use crate::container::state::root::Root;
use crate::container::state::status::START;
use crate::report::Log;
use crate::sys::socket;
use anyhow::Context;
use std::os::fd::OwnedFd;
use std::path::Path;

/// One thing to undo.
struct Undo<'a> {
    what: &'static str,
    /// A deletion takes it away too.
    recorded: bool,
    how: Box<dyn FnOnce() -> anyhow::Result<()> + 'a>,
}

/// A claim on an id. Dropping it without [`Rollback::keep`] removes the state directory and everything that was
/// registered with [`Rollback::on_failure`], newest first; what cannot be removed is a warning in the log.
pub(crate) struct Rollback<'a> {
    dir: Dir,
    log: &'a Log,
    undo: Vec<Undo<'a>>,
    kept: bool,
}

impl<'a> Rollback<'a> {
    /// Makes the state directory, which only one caller can. `make` then writes the first record, so that from now on `state`
    /// can see the container and `delete --force` can clean up after a creator that was killed, and makes what it foresees.
    ///
    /// All that with the lock: a deletion finds either nothing of it or all, and until it has taken that away nobody else can
    /// claim the id, and take what was made here for something that was there before.
    pub(crate) fn claim<T>(
        root: &Root,
        id: &Id,
        log: &'a Log,
        make: impl FnOnce(&Locked<'_>) -> anyhow::Result<T>,
    ) -> anyhow::Result<(Self, T)> {
        let mut new = Rollback { dir: Dir::make(root, id)?, log, undo: Vec::new(), kept: true };
        let locked = new.dir.lock_new()?;
        new.kept = false;
        let made = make(&locked)?;
        drop(locked);
        Ok((new, made))
    }

    /// The state directory.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Makes the socket at which the container's process waits for its start.
    pub(crate) fn listen_for_start(&self) -> anyhow::Result<OwnedFd> {
        let listening = socket::listen_at(&self.dir.short_path(START)).map_err(std::io::Error::from);
        listening.with_context(|| format!("listen in {}", self.path().display()))
    }

    /// Writes the record. An error if `delete --force` has been here meanwhile: then the creation is over.
    pub(crate) fn write(&self, record: &Record) -> anyhow::Result<()> {
        self.lock()?.write(record)
    }

    /// Writes what the container will be known by once it stands: the configuration's bytes, and the record that
    /// [`Rollback::settle`] puts in the place of the first.
    pub(crate) fn prepare(&self, record: &Record, config: &[u8]) -> anyhow::Result<()> {
        let locked = self.lock()?;
        locked.write_config(config)?;
        locked.draft(record)
    }

    /// The container is created: its record is the one prepared.
    pub(crate) fn settle(&self) -> anyhow::Result<()> {
        self.lock()?.settle()
    }

    /// Nobody deletes the container while what this gives is open.
    pub(crate) fn hold(&self) -> anyhow::Result<OwnedFd> {
        self.lock().map(Locked::into_descriptor)
    }

    fn lock(&self) -> anyhow::Result<Locked<'_>> {
        self.dir.lock()?.context(dir::DELETED)
    }

    /// Something else to undo if the creation fails, after everything that was registered later.
    pub(crate) fn on_failure(&mut self, what: &'static str, undo: impl FnOnce() -> anyhow::Result<()> + 'a) {
        self.undo.push(Undo { what, recorded: false, how: Box::new(undo) });
    }

    /// As [`Rollback::on_failure`], of what the first record tells. A deletion has then done it, and what has the same name
    /// since belongs to another container.
    pub(crate) fn unless_deleted(&mut self, what: &'static str, undo: impl FnOnce() -> anyhow::Result<()> + 'a) {
        self.undo.push(Undo { what, recorded: true, how: Box::new(undo) });
    }

    /// The container stands: nothing is undone.
    pub(crate) fn keep(mut self) {
        self.kept = true;
    }

    /// Undoes everything. False if `delete --force` has been here meanwhile: what goes with a deletion has been done then.
    pub(crate) fn undo(mut self) -> bool {
        self.kept = true;
        self.undo_all()
    }

    /// Nobody deletes the container meanwhile: two that remove one cgroup stand in each other's way. Where somebody has, there
    /// may be another container of this name by now, whose directory stays.
    fn undo_all(&mut self) -> bool {
        let locked = self.dir.lock().context("cleaning up");
        let deleted = matches!(locked, Ok(None));
        for Undo { what, how, .. } in self.undo.drain(..).rev().filter(|undo| !(undo.recorded && deleted)) {
            if let Err(error) = how().with_context(|| format!("cleaning up: cannot {what}")) {
                self.log.warning_of(&error);
            }
        }
        let removed = match locked {
            Ok(Some(locked)) => locked.remove().context("cleaning up"),
            Ok(None) => return false,
            Err(error) => Err(error),
        };
        if let Err(error) = removed {
            self.log.warning_of(&error);
        }
        true
    }
}

impl Drop for Rollback<'_> {
    fn drop(&mut self) {
        if !self.kept {
            self.undo_all();
        }
    }
}

#[cfg(test)]
mod tests;
