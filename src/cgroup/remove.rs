//! The end of a cgroup: it and all below it, once no process is left.

use super::create::remove_made;
use super::processes::below;
use super::{Cgroup, Refusal};
use crate::sys::beneath;
use anyhow::{Result, bail};
use nix::errno::Errno;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long processes that were killed may take to be gone.
const LEAVING: Duration = Duration::from_secs(10);

/// After what time those that still live are killed again.
const AGAIN: Duration = Duration::from_millis(100);

/// How often a cgroup that is busy again is emptied again: something outside keeps putting processes or cgroups into it.
const ROUNDS: usize = 16;

impl Cgroup {
    /// Kills what is left in the cgroup, and removes it and those below it. One that is gone already is fine. Its parents stay, as they serve others.
    fn remove(&self) -> Result<()> {
        let refused = |errno| Refusal::of(format!("rmdir {}", self.path().display()), errno);
        let deadline = Instant::now() + LEAVING;
        for _ in 0..ROUNDS {
            // Mostly this is all there is to do.
            match beneath::remove_directory(self.layout.root(), &self.below) {
                Ok(()) | Err(Errno::ENOENT) => return Ok(()),
                Err(Errno::EBUSY) => {}
                Err(errno) => return Err(refused(errno)),
            }
            if self.is_populated()? && !self.kill_until_empty(deadline)? {
                let count = self.pids()?.len();
                bail!("rmdir {}: {count} process(es) are still in it", self.path().display());
            }
            remove_below(self.fd()).map_err(refused)?;
        }
        Err(refused(Errno::EBUSY))
    }

    /// Takes back a creation: kills what is inside and removes every directory that was made for it, parents too as far
    /// as nobody else has come to use them. A cgroup that was there before is emptied and stays.
    pub(crate) fn unmake(&self) -> Result<()> {
        let parents = match self.made.split_last() {
            Some((own, parents)) if *own == self.below => {
                self.remove()?;
                parents
            }
            _ => {
                self.empty()?;
                &self.made
            }
        };
        remove_made(&self.layout, parents);
        Ok(())
    }

    /// Kills what is inside, and waits for its end.
    pub(crate) fn empty(&self) -> Result<()> {
        match self.kill_until_empty(Instant::now() + LEAVING)? {
            true => Ok(()),
            false => bail!("cgroup {} is not empty after {} seconds", self.path().display(), LEAVING.as_secs()),
        }
    }

    /// Kills what is inside again and again, because others may come: before Linux 6.14 one that is being born escapes. Those
    /// that survive the first time are also signalled one by one. Whether the cgroup is empty now.
    fn kill_until_empty(&self, deadline: Instant) -> Result<bool> {
        loop {
            self.kill()?;
            let left = deadline.saturating_duration_since(Instant::now());
            match self.wait_empty(left.min(AGAIN))? {
                false if !left.is_zero() => self.kill_each()?,
                empty => return Ok(empty),
            };
        }
    }
}

/// Removes all cgroups below `dir`, the deepest first. One that is busy is left for the next round.
fn remove_below(dir: BorrowedFd<'_>) -> Result<(), Errno> {
    for name in below(dir)? {
        if let Ok(child) = beneath::open_directory(dir, Path::new(&name)) {
            remove_below(child.as_fd())?;
        }
        match beneath::remove_directory(dir, Path::new(&name)) {
            Ok(()) | Err(Errno::ENOENT | Errno::EBUSY) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}
