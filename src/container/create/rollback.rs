//! Removes what an unfinished creation has made, unless it is committed.

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

/// One action of a rollback.
struct Undo<'a> {
    what: &'static str,
    /// A deletion does this too.
    recorded: bool,
    how: Box<dyn FnOnce() -> anyhow::Result<()> + 'a>,
}

/// A claim on an id. Dropping it without [`Rollback::keep`] removes the state directory and runs all registered
/// actions, newest first. What cannot be removed causes a warning.
pub(crate) struct Rollback<'a> {
    dir: Dir,
    log: &'a Log,
    undo: Vec<Undo<'a>>,
    kept: bool,
}

impl<'a> Rollback<'a> {
    /// Makes the state directory, which only one process can. `make` then writes the first record and makes what the
    /// record names. From then on `state` shows the container, and `delete --force` can clean up after a killed
    /// creator.
    ///
    /// The lock is held meanwhile: a deletion finds either nothing or all of it. Until the deletion has removed
    /// everything, no other process can claim the id and mistake the leftovers for something that existed before.
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

    /// Writes the record. An error if `delete --force` has deleted the container meanwhile.
    pub(crate) fn write(&self, record: &Record) -> anyhow::Result<()> {
        self.lock()?.write(record)
    }

    /// Writes the configuration, and the record that [`Rollback::settle`] replaces the first one with.
    pub(crate) fn prepare(&self, record: &Record, config: &[u8]) -> anyhow::Result<()> {
        let locked = self.lock()?;
        locked.write_config(config)?;
        locked.draft(record)
    }

    /// Completes the creation: the prepared record replaces the first one.
    pub(crate) fn settle(&self) -> anyhow::Result<()> {
        self.lock()?.settle()
    }

    /// Takes the lock. Nobody can delete the container while the descriptor is open.
    pub(crate) fn hold(&self) -> anyhow::Result<OwnedFd> {
        self.lock().map(Locked::into_descriptor)
    }

    fn lock(&self) -> anyhow::Result<Locked<'_>> {
        self.dir.lock()?.context(dir::DELETED)
    }

    /// Registers an action for a failed creation. It runs after those that are registered later.
    pub(crate) fn on_failure(&mut self, what: &'static str, undo: impl FnOnce() -> anyhow::Result<()> + 'a) {
        self.undo.push(Undo { what, recorded: false, how: Box::new(undo) });
    }

    /// As [`Rollback::on_failure`], for something that the first record names. Skipped after a deletion, which has done
    /// it: something of the same name belongs to another container by now.
    pub(crate) fn unless_deleted(&mut self, what: &'static str, undo: impl FnOnce() -> anyhow::Result<()> + 'a) {
        self.undo.push(Undo { what, recorded: true, how: Box::new(undo) });
    }

    /// Commits the creation: nothing is rolled back.
    pub(crate) fn keep(mut self) {
        self.kept = true;
    }

    /// Rolls everything back. False if `delete --force` has deleted the container meanwhile.
    pub(crate) fn undo(mut self) -> bool {
        self.kept = true;
        self.undo_all()
    }

    /// Holds the lock, because two processes that remove one cgroup disturb each other. If the container was deleted,
    /// another one may have its name by now; its directory is kept.
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
