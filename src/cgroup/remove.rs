//! Removes a cgroup and all cgroups below it, after killing their processes. When to remove is left to the caller.

use super::create::remove_made;
use super::walk::walk;
use super::{Cgroup, Refusal};
use crate::sys::beneath;
use anyhow::{Result, bail};
use nix::errno::Errno;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::{Duration, Instant};

/// Maximum time for killed processes to exit.
const LEAVING: Duration = Duration::from_secs(10);

/// Interval after which surviving processes are killed again.
const AGAIN: Duration = Duration::from_millis(100);

/// Maximum number of attempts to empty a busy cgroup. Something outside may keep adding processes or cgroups.
const ROUNDS: usize = 16;

impl Cgroup {
    /// Kills the remaining processes, and removes the cgroup and those below it. Succeeds if the cgroup no longer
    /// exists. Keeps the parents, because other cgroups may use them.
    fn remove(&self) -> Result<()> {
        let refused = |errno| Refusal::of(format!("rmdir {}", self.path().display()), errno);
        let deadline = Instant::now() + LEAVING;
        for _ in 0..ROUNDS {
            // Usually this succeeds at once.
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

    /// Rolls back a creation: kills the processes and removes every directory created for the cgroup, including parents
    /// that nothing else uses. A cgroup that existed before is emptied but not removed.
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

    /// Kills all processes of the cgroup and waits for them to exit.
    pub(crate) fn empty(&self) -> Result<()> {
        match self.kill_until_empty(Instant::now() + LEAVING)? {
            true => Ok(()),
            false => bail!("cgroup {} is not empty after {} seconds", self.path().display(), LEAVING.as_secs()),
        }
    }

    /// Kills the processes repeatedly, because before Linux 6.14 a process that is being forked escapes the kill.
    /// Processes that survive the first kill are also signalled one by one. Returns whether the cgroup is empty.
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

/// Removes all cgroups below `dir`, deepest first. Skips a busy one; the next round retries it.
fn remove_below(dir: BorrowedFd<'_>) -> Result<(), Errno> {
    walk(dir, &mut |_| Ok(()), &mut |parent, name| match beneath::remove_directory(parent, Path::new(name)) {
        Ok(()) | Err(Errno::ENOENT | Errno::EBUSY) => Ok(()),
        Err(errno) => Err(errno),
    })
}
