//! Counts, freezes and kills the processes of a cgroup, and waits for their exit. When to do so is left to the caller.

use super::walk::walk;
use super::{Cgroup, Refusal};
use crate::sys::{beneath, file_events, process};
use anyhow::{Result, anyhow, bail};
use nix::errno::Errno;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

/// Maximum time for processes to freeze. A process in uninterruptible sleep cannot freeze.
const FREEZING: Duration = Duration::from_secs(10);

/// Maximum time to wait for a notification before re-reading the file. The kernel delays a notification that follows
/// the last one within 10 ms, and drops it if the cgroup is removed meanwhile. It does not report the removal itself.
const REREAD: Duration = Duration::from_millis(100);

/// Maximum number of pidfds open at a time. The soft limit of open files is often 1024.
const HELD: usize = 64;

impl Cgroup {
    /// Freezes every process of the cgroup and of those below it, and waits until they are frozen. On timeout or error
    /// the processes are thawed and the error is returned.
    pub(crate) fn freeze(&self) -> Result<()> {
        self.write("cgroup.freeze", "1")?;
        let refused = match self.wait_for("frozen", true, Instant::now() + FREEZING) {
            Ok(true) => return Ok(()),
            Ok(false) => {
                anyhow!("cgroup {} did not freeze within {} seconds", self.path().display(), FREEZING.as_secs())
            }
            Err(error) => error,
        };
        self.write("cgroup.freeze", "0")?;
        Err(refused)
    }

    /// Thaws the processes. They stay frozen if a parent of the cgroup is frozen.
    pub(crate) fn thaw(&self) -> Result<()> {
        self.write("cgroup.freeze", "0")?;
        if self.wait_for("frozen", false, Instant::now() + FREEZING)? {
            return Ok(());
        }
        bail!("cgroup {} is still frozen after {} seconds", self.path().display(), FREEZING.as_secs())
    }

    /// Whether the cgroup itself is set to frozen, which means that the container is paused. Ignores frozen parents.
    pub(crate) fn is_frozen(&self) -> Result<bool> {
        Ok(self.read_if_there("cgroup.freeze")?.is_some_and(|content| content.trim() == "1"))
    }

    /// Whether this cgroup or one below it has a process.
    pub(crate) fn is_populated(&self) -> Result<bool> {
        // A removed cgroup has no process.
        Ok(self.read_if_there("cgroup.events")?.is_some_and(|events| is_set(&events, "populated")))
    }

    /// Waits until no process is left, at most `patience`. Returns whether the cgroup is empty.
    pub(crate) fn wait_empty(&self, patience: Duration) -> Result<bool> {
        self.wait_for("populated", false, Instant::now() + patience)
    }

    /// Kills every process of the cgroup and of those below it, frozen or not, and any that is forked meanwhile. Does
    /// not wait for their exit. Misses a process whose main thread has exited before other threads: see
    /// [`Cgroup::kill_each`].
    pub(crate) fn kill(&self) -> Result<()> {
        match beneath::write_file(self.fd(), "cgroup.kill", "1") {
            // The cgroup was removed, before (ENOENT) or after (ENODEV) the file was opened.
            Ok(()) | Err(Errno::ENOENT | Errno::ENODEV) => Ok(()),
            Err(Errno::EOPNOTSUPP) => self.kill_threaded(),
            Err(errno) => Err(Refusal::of(format!("write \"1\" to {}", self.named("cgroup.kill")), errno)),
        }
    }

    /// Kills the processes of a threaded cgroup, which does not support cgroup.kill. Freezes them meanwhile, so that
    /// none can fork. SIGKILL also ends frozen processes.
    fn kill_threaded(&self) -> Result<()> {
        let was_frozen = self.is_frozen()?;
        if !was_frozen {
            self.write("cgroup.freeze", "1")?;
            // On timeout, whoever waits for the cgroup to be empty kills again.
            self.wait_for("frozen", true, Instant::now() + REREAD)?;
        }
        let killed = self.kill_each();
        if !was_frozen {
            match self.write("cgroup.freeze", "0") {
                // The cgroup was removed after its last process had exited.
                Err(error) if matches!(Refusal::errno_of(&error), Some(Errno::ENOENT | Errno::ENODEV)) => (),
                thawed => thawed?,
            }
        }
        killed.map(drop)
    }

    /// Kills every process, including those that [`Cgroup::kill`] misses.
    pub(crate) fn kill_all(&self) -> Result<()> {
        self.kill()?;
        if self.is_populated()? && self.kill_each()? {
            // Kills the children that a missed process forked before it was signalled.
            self.kill()?;
        }
        Ok(())
    }

    /// Sends SIGKILL to each listed process. Returns whether any was listed.
    ///
    /// Needed because cgroup.kill signals only the main thread, and the kernel drops the signal if that thread has
    /// exited. A signal by pidfd reaches the other threads.
    pub(super) fn kill_each(&self) -> Result<bool> {
        let listed: Vec<_> = self.pids()?.into_iter().filter(|pid| *pid > 0).collect();
        for pids in listed.chunks(HELD) {
            let open = |pid: &i32| process::open(*pid).ok().map(|pidfd| (*pid, pidfd));
            let held: Vec<_> = pids.iter().filter_map(open).collect();
            // Re-read the list after opening the pidfds, so that a pid reused outside the cgroup is not signalled.
            let still = self.pids()?;
            for (_, pidfd) in held.iter().filter(|(pid, _)| still.contains(pid)) {
                // Ignore errors. The process may have exited, and on EPERM cgroup.kill, which has no permission check,
                // has usually killed it already.
                _ = process::signal(pidfd.as_fd(), libc::SIGKILL);
            }
        }
        Ok(!listed.is_empty())
    }

    /// The processes of the cgroup, then those of the cgroups below it.
    pub(crate) fn pids(&self) -> Result<Vec<i32>> {
        let mut pids = Vec::new();
        // A threaded cgroup lists only its threads. If the cgroup itself is threaded, so are all below it.
        let threads = matches!(beneath::read_file(self.fd(), "cgroup.procs"), Err(Errno::EOPNOTSUPP));
        let file = if threads { "cgroup.threads" } else { "cgroup.procs" };
        walk(self.fd(), &mut |dir| collect(dir, file, &mut pids), &mut |_, _| Ok(()))
            .map_err(|errno| Refusal::of(format!("list the processes of {}", self.path().display()), errno))?;
        if threads {
            pids = processes_of(&pids);
        }
        Ok(pids)
    }

    /// Waits until `key` of `cgroup.events` is `wanted`. Returns `false` if `deadline` passes first.
    fn wait_for(&self, key: &str, wanted: bool, deadline: Instant) -> Result<bool> {
        let refused = |errno| Refusal::of(format!("wait for {}", self.named("cgroup.events")), errno);
        let file = match beneath::open_file(self.fd(), "cgroup.events") {
            Ok(file) => file,
            // The cgroup was removed: it is neither populated nor frozen.
            Err(Errno::ENOENT | Errno::ENODEV) => return Ok(!wanted),
            Err(errno) => return Err(refused(errno)),
        };
        loop {
            let over = Instant::now() >= deadline;
            match file_events::reread(file.as_fd()) {
                Ok(events) if is_set(&events, key) == wanted => return Ok(true),
                Ok(_) => {}
                Err(Errno::ENODEV) => return Ok(!wanted),
                Err(errno) => return Err(refused(errno)),
            }
            if over {
                return Ok(false);
            }
            file_events::wait(file.as_fd(), deadline.min(Instant::now() + REREAD)).map_err(refused)?;
        }
    }
}

/// Whether the flag `key` is 1 in the content of `cgroup.events`.
pub(super) fn is_set(events: &str, key: &str) -> bool {
    events.lines().any(|line| line.strip_prefix(key) == Some(" 1"))
}

fn collect(dir: BorrowedFd<'_>, file: &str, pids: &mut Vec<i32>) -> Result<(), Errno> {
    match beneath::read_file(dir, file) {
        Ok(list) => pids.extend(list.lines().filter_map(|line| line.trim().parse::<i32>().ok())),
        // EOPNOTSUPP: a threaded cgroup; the root of its subtree lists its processes. Else: the cgroup was removed.
        Err(Errno::EOPNOTSUPP | Errno::ENODEV | Errno::ENOENT) => {}
        Err(errno) => return Err(errno),
    }
    Ok(())
}

/// The processes of these threads. Omits threads that have ended.
fn processes_of(threads: &[i32]) -> Vec<i32> {
    let process = |thread: &i32| {
        let status = beneath::read_pseudo_file(&format!("/proc/{thread}/status")).ok()?;
        status.lines().find_map(|line| line.strip_prefix("Tgid:"))?.trim().parse().ok()
    };
    let mut pids: Vec<i32> = threads.iter().filter_map(process).collect();
    pids.sort_unstable();
    pids.dedup();
    pids
}
