//! Creates a process in its cgroup: one clone3, with a fallback if the kernel refuses the cgroup. Who owns the cgroup
//! and what is recorded about it is left to the caller.

use crate::cgroup;
use crate::plan::namespaces::{KINDS, Namespaces};
use crate::report::errno_words;
use crate::sys::clone::{self, Side};
use crate::sys::stat::Stat;
use crate::sys::{Errno, path, pipe, process};
use anyhow::{Context, Result, anyhow};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Where a process is created.
#[derive(Clone, Copy, Default)]
pub(crate) struct CgroupPlacement<'a> {
    /// The cgroup; `None` is the caller's own.
    pub(crate) cgroup: Option<BorrowedFd<'a>>,
    /// Opens the fallback cgroup if the kernel refuses the first one.
    pub(crate) other: Option<OtherCgroup<'a>>,
    /// Decides whether to retry a clone that was killed immediately.
    pub(crate) again: Option<Again<'a>>,
}

/// Maps the kernel's error for a cgroup to a fallback cgroup.
pub(crate) type OtherCgroup<'a> = &'a dyn Fn(Errno) -> Result<Option<OwnedFd>>;

/// Returns an error if the kill was intended, else a descriptor to hold until the retry is done.
pub(crate) type Again<'a> = &'a dyn Fn() -> Result<Option<OwnedFd>>;

/// Errors of clone3 for a cgroup that accepts no process.
const TAKES_NONE: [Errno; 5] = [Errno::EBUSY, Errno::EOPNOTSUPP, Errno::ENOENT, Errno::ENODEV, Errno::EACCES];

/// A new process, as its parent sees it.
pub(super) struct Spawned {
    pub(super) pid: libc::pid_t,
    pub(super) pidfd: OwnedFd,
    /// See [`Stat::start_time`]. `None` if the process was killed immediately.
    pub(super) start_time: Option<u64>,
}

impl Spawned {
    fn of(side: Result<Side, Errno>, namespaces: &Namespaces) -> Result<Option<Spawned>> {
        match side.map_err(|errno| failure(errno, namespaces))? {
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

/// Kills and reaps a child. It may already have ended.
fn end(pid: libc::pid_t, pidfd: BorrowedFd<'_>) -> Result<()> {
    _ = process::signal(pidfd, libc::SIGKILL);
    clone::wait(pid).map(drop).context("wait for the process")
}

/// Creates a process with the CLONE_NEW* `flags`; returns `None` in the process itself. A cgroup accepts no process if
/// it has enabled controllers for its children (EBUSY, EOPNOTSUPP), was removed or is not visible to the caller
/// (ENODEV, ENOENT), or if the caller may not move processes there from its own cgroup (EACCES).
pub(super) fn spawn(namespaces: &Namespaces, flags: u64, place: CgroupPlacement<'_>) -> Result<Option<Spawned>> {
    let instead;
    let mut cgroup = place.cgroup;
    let mut side = clone::clone3(flags, cgroup);
    if let (Err(errno), Some(_), Some(open)) = (&side, cgroup, place.other)
        && TAKES_NONE.contains(errno)
    {
        instead = open(*errno)?;
        cgroup = instead.as_ref().map(AsFd::as_fd);
        side = clone::clone3(flags, cgroup);
    }
    match (Spawned::of(side, namespaces)?, cgroup, place.again) {
        (Some(Spawned { start_time: None, pid, .. }), Some(cgroup), Some(again)) => {
            clone::wait(pid).context("wait for the process")?;
            let held = again().context(KILLED)?;
            move_in(cgroup, namespaces, flags, held).context(KILLED)
        }
        (spawned, ..) => Ok(spawned),
    }
}

const KILLED: &str = "the container's process was killed immediately after clone";

/// Retries by moving the process. The kernel counts how often each cgroup was killed (cgroup.kill). Since Linux 6.14,
/// clone3 kills the new process if these counts differ between the caller's cgroup and the child's: the kernel assumes
/// a race. A move does not compare them. So the process is created in the caller's cgroup and waits until the parent
/// has moved it. The parent never enters a cgroup that a container may control, because it could be frozen there.
fn move_in(
    cgroup: BorrowedFd<'_>,
    namespaces: &Namespaces,
    flags: u64,
    held: Option<OwnedFd>,
) -> Result<Option<Spawned>> {
    let (reader, writer) = pipe::pair().context("make a pipe")?;
    let side = clone::clone3(flags, None);
    if let Ok(Side::Child) = side {
        drop((held, writer));
        // If nothing arrives, the parent has exited.
        return match pipe::read(reader.as_fd(), &mut [0]) {
            Ok(1) => Ok(None),
            _ => clone::exit_now(1),
        };
    }
    let Some(spawned) = Spawned::of(side, namespaces)? else { return Ok(None) };
    let moved = cgroup::move_process(cgroup, spawned.pid);
    drop(held);
    let moved = moved.and_then(|()| path::write(writer.as_fd(), b"1").context("send to the process"));
    if moved.is_err() {
        end(spawned.pid, spawned.pidfd.as_fd())?;
    }
    moved.map(|()| Some(spawned))
}

fn failure(errno: Errno, namespaces: &Namespaces) -> anyhow::Error {
    let made = |(bit, _): &&(u64, &str)| namespaces.clone_flags() & bit != 0;
    let kinds: Vec<_> = KINDS.iter().filter(made).map(|(_, name)| *name).collect();
    match kinds.is_empty() {
        true => anyhow!("clone: {}", errno_words(errno)),
        false => anyhow!("/linux/namespaces: clone with new {} namespaces: {}", kinds.join(", "), errno_words(errno)),
    }
}
