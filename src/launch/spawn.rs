//! Spawns a process in its cgroup with one clone3, and handles the cases in which the kernel refuses or kills it.
//!
//! Leaves to its callers who owns the cgroup, what is recorded about it, and which other cgroup may be used.

use crate::cgroup;
use crate::plan::namespaces::{KINDS, Namespaces};
use crate::report::errno_words;
use crate::sys::clone::{self, Side};
use crate::sys::stat::Stat;
use crate::sys::{Errno, path, pipe, process};
use anyhow::{Context, Result, anyhow};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The cgroup in which to spawn a process.
#[derive(Clone, Copy, Default)]
pub(crate) struct CgroupPlacement<'a> {
    /// The cgroup. `None` is the caller's own.
    pub(crate) cgroup: Option<BorrowedFd<'a>>,
    /// Opens the cgroup to use instead if the kernel refuses the first.
    pub(crate) other: Option<OtherCgroup<'a>>,
    /// Whether to retry a clone that was killed immediately.
    pub(crate) again: Option<Again<'a>>,
}

/// Maps the error with which the kernel refused a cgroup to the cgroup to try instead.
pub(crate) type OtherCgroup<'a> = &'a dyn Fn(Errno) -> Result<Option<OwnedFd>>;

/// Returns an error if the process was killed on purpose. Otherwise returns a descriptor to hold until the retry is
/// done.
pub(crate) type Again<'a> = &'a dyn Fn() -> Result<Option<OwnedFd>>;

/// The errors of clone3 for a cgroup that accepts no process.
const REFUSALS: [Errno; 5] = [Errno::EBUSY, Errno::EOPNOTSUPP, Errno::ENOENT, Errno::ENODEV, Errno::EACCES];

/// A new process, as its parent sees it.
pub(super) struct Spawned {
    pub(super) pid: libc::pid_t,
    pub(super) pidfd: OwnedFd,
    /// See [`Stat::start_time`]. `None` if the process was killed immediately.
    pub(super) start_time: Option<u64>,
}

impl Spawned {
    fn of(side: Result<Side>) -> Result<Option<Spawned>> {
        match side? {
            Side::Child => Ok(None),
            Side::Parent { pid, pidfd } => match Stat::of_child(pid) {
                Ok(stat) => Ok(Some(Spawned { pid, pidfd, start_time: stat.map(|stat| stat.start_time) })),
                Err(error) => {
                    end(pid, pidfd.as_fd())?;
                    Err(error).with_context(|| format!("read /proc/{pid}/stat"))
                }
            },
        }
    }
}

/// Kills and reaps a child, which may have ended already.
fn end(pid: libc::pid_t, pidfd: BorrowedFd<'_>) -> Result<()> {
    _ = process::signal(pidfd, libc::SIGKILL);
    clone::wait(pid).map(drop).context("wait for the process")
}

/// Spawns a process with the CLONE_NEW* `flags`. Returns `None` in the new process. A cgroup accepts no process if:
/// * it has enabled controllers for its children (EBUSY, EOPNOTSUPP),
/// * it was removed, or is outside of what the caller can see (ENODEV, ENOENT),
/// * the caller may not move processes from its own cgroup to that one (EACCES).
pub(super) fn spawn(namespaces: &Namespaces, flags: u64, place: CgroupPlacement<'_>) -> Result<Option<Spawned>> {
    let fallback;
    let mut cgroup = place.cgroup;
    let mut side = clone::clone3(flags, cgroup);
    if let (Err(errno), Some(_), Some(open)) = (&side, cgroup, place.other)
        && REFUSALS.contains(errno)
    {
        fallback = open(*errno)?;
        cgroup = fallback.as_ref().map(AsFd::as_fd);
        side = clone::clone3(flags, cgroup);
    }
    let side = side.map_err(|errno| clone_error(errno, namespaces, cgroup));
    match (Spawned::of(side)?, cgroup, place.again) {
        (Some(Spawned { start_time: None, pid, .. }), Some(cgroup), Some(again)) => {
            clone::wait(pid).context("wait for the process")?;
            let held = again().context(KILLED)?;
            spawn_and_move(cgroup, namespaces, flags, held).context(KILLED)
        }
        (spawned, ..) => Ok(spawned),
    }
}

const KILLED: &str = "the container's process was killed immediately after the clone";

/// Spawns a process in the caller's cgroup and moves it from there.
///
/// The kernel counts how often each cgroup was killed as a whole (cgroup.kill). Since Linux 6.14 it kills a new process
/// if the counts of the caller's and the child's cgroup differ, because it assumes a race. A move compares nothing. So
/// the process waits in the caller's cgroup until the parent has moved it. The parent itself never enters a cgroup
/// that a container may control, because it could be frozen there.
fn spawn_and_move(
    cgroup: BorrowedFd<'_>,
    namespaces: &Namespaces,
    flags: u64,
    held: Option<OwnedFd>,
) -> Result<Option<Spawned>> {
    let (reader, writer) = pipe::pair().context("make a pipe")?;
    let side = clone::clone3(flags, None);
    if let Ok(Side::Child) = side {
        drop((held, writer));
        // End of file: the parent has died.
        return match pipe::read(reader.as_fd(), &mut [0]) {
            Ok(1) => Ok(None),
            _ => clone::exit_now(1),
        };
    }
    let side = side.map_err(|errno| clone_error(errno, namespaces, None));
    let Some(spawned) = Spawned::of(side)? else { return Ok(None) };
    let moved = cgroup::move_process(cgroup, spawned.pid);
    drop(held);
    let moved = moved.and_then(|()| path::write(writer.as_fd(), b"1").context("send to the process"));
    if moved.is_err() {
        end(spawned.pid, spawned.pidfd.as_fd())?;
    }
    moved.map(|()| Some(spawned))
}

/// The error of a clone into `cgroup`, or into the caller's own.
pub(super) fn clone_error(errno: Errno, namespaces: &Namespaces, cgroup: Option<BorrowedFd<'_>>) -> anyhow::Error {
    let made = |(bit, _): &&(u64, &str)| namespaces.clone_flags() & bit != 0;
    let kinds: Vec<_> = KINDS.iter().filter(made).map(|(_, name)| *name).collect();
    let (words, limit) = (errno_words(errno), reached_limit(errno, cgroup));
    match kinds.is_empty() {
        true => anyhow!("clone: {words}{limit}"),
        false => anyhow!("/linux/namespaces: clone with new {} namespaces: {words}{limit}", kinds.join(", ")),
    }
}

/// The limits that an error of clone(2) can mean. The kernel does not report which one was reached.
fn reached_limit(errno: Errno, cgroup: Option<BorrowedFd<'_>>) -> String {
    if errno == Errno::EAGAIN {
        let limits = cgroup::reached::pids_limits(cgroup);
        if !limits.is_empty() {
            return format!(" (pids.max is reached in {})", limits.join(", "));
        }
    }
    let words = match errno {
        Errno::EAGAIN => {
            " (a limit of processes is reached: pids.max of the cgroup or of one above it, RLIMIT_NPROC, \
             kernel.threads-max or kernel.pid_max)"
        }
        Errno::ENOSPC => " (a limit of namespaces is reached: one of user.max_*_namespaces, or 32 levels of nesting)",
        Errno::ENOMEM => " (out of memory, or the first process of the joined pid namespace has exited)",
        _ => "",
    };
    words.to_owned()
}
