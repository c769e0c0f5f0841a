//! The birth of a process in its cgroup: one clone3, and what the kernel may have against it.
//!
//! Does not know whose the cgroup is or what is written down about it: who launches says what else may be done.

use crate::cgroup;
use crate::plan::namespaces::{KINDS, Namespaces};
use crate::report::errno_words;
use crate::sys::clone::{self, Side};
use crate::sys::stat::Stat;
use crate::sys::{Errno, path, pipe, process};
use anyhow::{Context, Result, anyhow};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Where a process is to be born.
#[derive(Clone, Copy, Default)]
pub(crate) struct CgroupPlacement<'a> {
    /// The cgroup; none is the caller's own.
    pub(crate) cgroup: Option<BorrowedFd<'a>>,
    /// Opens the cgroup it is born in instead, when the kernel refuses that one.
    pub(crate) other: Option<OtherCgroup<'a>>,
    /// Whether there is to be another when the first was killed at its birth.
    pub(crate) again: Option<Again<'a>>,
}

/// Why the kernel took no process into a cgroup, to the one that is to be tried instead.
pub(crate) type OtherCgroup<'a> = &'a dyn Fn(Errno) -> Result<Option<OwnedFd>>;

/// An error if whoever killed the process meant it; else what is to be held until there is another.
pub(crate) type Again<'a> = &'a dyn Fn() -> Result<Option<OwnedFd>>;

/// What clone3 says of a cgroup that takes no process.
const TAKES_NONE: [Errno; 5] = [Errno::EBUSY, Errno::EOPNOTSUPP, Errno::ENOENT, Errno::ENODEV, Errno::EACCES];

/// A process just made, for its parent.
pub(super) struct Spawned {
    pub(super) pid: libc::pid_t,
    pub(super) pidfd: OwnedFd,
    /// See [`Stat::start_time`]. None of one that was killed at its birth.
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

/// Kills a child; one that has ended by itself is fine.
fn end(pid: libc::pid_t, pidfd: BorrowedFd<'_>) -> Result<()> {
    _ = process::signal(pidfd, libc::SIGKILL);
    clone::wait(pid).map(drop).context("wait for the process")
}

/// Makes a process with the CLONE_NEW* `flags`; `None` in the process itself. A cgroup takes none when it has given its
/// controllers to those below it (EBUSY, EOPNOTSUPP), when it was removed or lies outside of what the caller can see
/// (ENODEV, ENOENT), or when the caller may not move processes from its own cgroup to that one (EACCES).
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

const KILLED: &str = "the container's process was killed at its birth";

/// The kernel counts how often each cgroup was killed as a whole (cgroup.kill), and since Linux 6.14 kills a new process if the
/// caller's cgroup and the child's were not killed equally often: it takes that for a race. A move compares nothing. So the process
/// is made in the caller's cgroup and waits there until the parent has moved it. The parent itself never enters a cgroup that a
/// container may control: it could be frozen there.
fn move_in(
    cgroup: BorrowedFd<'_>,
    namespaces: &Namespaces,
    flags: u64,
    held: Option<OwnedFd>,
) -> Result<Option<Spawned>> {
    let (waits, word) = pipe::pair().context("make a pipe")?;
    let side = clone::clone3(flags, None);
    if let Ok(Side::Child) = side {
        drop((held, word));
        // Without a word the parent is gone.
        return match pipe::read(waits.as_fd(), &mut [0]) {
            Ok(1) => Ok(None),
            _ => clone::exit_now(1),
        };
    }
    let Some(spawned) = Spawned::of(side, namespaces)? else { return Ok(None) };
    let moved = cgroup::move_process(cgroup, spawned.pid);
    drop(held);
    let moved = moved.and_then(|()| path::write(word.as_fd(), b"1").context("speak to the process"));
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
