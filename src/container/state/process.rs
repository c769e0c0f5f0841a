//! A process that is recorded across invocations: its pid and start time, so that a reused pid is never mistaken for
//! it.

use crate::sys::credentials::SYS_PTRACE;
use crate::sys::stat::Stat;
use crate::sys::{self, Errno};
use anyhow::Context;
use serde::{Deserialize, Serialize};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

/// A process in the state file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Process {
    /// Process id in davit's own pid namespace.
    pub(crate) pid: i32,
    /// Start time in clock ticks since boot: field 22 of /proc/PID/stat (proc(5)).
    pub(crate) start_time: u64,
}

impl Process {
    /// This process.
    pub(crate) fn this() -> anyhow::Result<Self> {
        let pid = std::process::id() as i32;
        let stat = Stat::read(Path::new("/proc"), pid).with_context(|| format!("read /proc/{pid}/stat"))?;
        let stat = stat.with_context(|| format!("process {pid} has ended"))?;
        Ok(Process { pid, start_time: stat.start_time })
    }

    /// Whether the process runs. A zombie does not run, unless other threads continue after the main thread has exited.
    pub(crate) fn is_alive(self) -> anyhow::Result<bool> {
        Ok(match self.stat()? {
            None => false,
            // The state is that of the main thread. Only a pidfd reports the end of all threads.
            Some(stat) if stat.main_thread_has_ended() => self.open()?.is_some(),
            Some(_) => true,
        })
    }

    /// Reads /proc/PID/stat; `None` if the process is gone or its pid was reused.
    fn stat(self) -> anyhow::Result<Option<Stat>> {
        let stat = Stat::read(Path::new("/proc"), self.pid).with_context(|| format!("read /proc/{}/stat", self.pid))?;
        Ok(stat.filter(|stat| stat.start_time == self.start_time))
    }

    /// The status of a process that has ended and is not reaped yet. `None` if it is not known.
    pub(crate) fn exit_status(self) -> anyhow::Result<Option<ExitStatus>> {
        let ended = self.stat()?.filter(Stat::main_thread_has_ended).map(|stat| stat.exit_status);
        // The kernel shows 0 to a caller who may not trace the process.
        let may_trace = || {
            let sets = sys::credentials::capabilities();
            sets.is_ok_and(|sets| sets.effective & SYS_PTRACE != 0) && !crate::host::in_user_namespace()
        };
        Ok(ended.filter(|status| *status != 0 || may_trace()).map(ExitStatus::from_raw))
    }

    /// A handle on the process, or `None` if it has ended.
    ///
    /// Opens the handle first and then compares the start time. If the pid was reused before, the times differ; if it
    /// is reused later, the handle still refers to the old process.
    pub(crate) fn open(self) -> anyhow::Result<Option<Handle>> {
        let fd = match sys::process::open(self.pid) {
            Ok(fd) => fd,
            // EINVAL: the recorded pid is 0, because none was recorded.
            Err(Errno::ESRCH | Errno::EINVAL) => return Ok(None),
            Err(errno) => {
                return Err(anyhow::Error::new(io::Error::from(errno)).context(format!("pidfd_open {}", self.pid)));
            }
        };
        let handle = Handle(fd);
        Ok((self.stat()?.is_some() && handle.is_alive()).then_some(handle))
    }
}

/// The inode number of a process's user namespace; `None` if the caller may not read it.
pub(crate) fn user_namespace(pid: i32) -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(format!("/proc/{pid}/ns/user")).map(|file| file.ino()).ok()
}

/// A process with a pidfd.
#[derive(Debug)]
pub(crate) struct Handle(OwnedFd);

impl Handle {
    /// Sends a signal. False if the process has ended meanwhile.
    pub(crate) fn signal(&self, signal: i32) -> io::Result<bool> {
        match sys::process::signal(self.0.as_fd(), signal) {
            Ok(()) => Ok(true),
            Err(Errno::ESRCH) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    /// The status of a process that has been reaped. `None` if the kernel does not keep it.
    pub(crate) fn exit_status(&self) -> Option<ExitStatus> {
        sys::process::exit_status(self.0.as_fd()).map(ExitStatus::from_raw)
    }

    /// Another descriptor of the process.
    pub(crate) fn try_clone(&self) -> io::Result<OwnedFd> {
        self.0.try_clone()
    }

    /// Whether any thread of the process still runs.
    pub(crate) fn is_alive(&self) -> bool {
        !self.ended_within(Duration::ZERO).unwrap_or(false)
    }

    /// Waits at most `limit` for the end of the process. Returns whether it has ended.
    pub(crate) fn ended_within(&self, limit: Duration) -> io::Result<bool> {
        Ok(sys::process::ended_within(self.0.as_fd(), limit)?)
    }
}

impl AsFd for Handle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::Process;
    use crate::sys::clone::{Side, clone3, wait};
    use crate::sys::process;
    use crate::sys::stat::Stat;
    use nix::sys::signal::{Signal, raise};
    use std::os::fd::AsFd;
    use std::path::Path;
    use std::time::Duration;

    #[test]
    fn this_process_is_alive_and_a_reused_pid_is_not() {
        let this = Process::this().expect("this process");
        assert!(this.is_alive().expect("proc is readable"));
        assert!(this.open().expect("pidfd_open").is_some());
        let other = Process { start_time: this.start_time + 1, ..this };
        assert!(!other.is_alive().expect("proc is readable"));
        assert!(other.open().expect("pidfd_open").is_none());
    }

    #[test]
    fn no_pid_is_no_process() {
        for pid in [0, -1, i32::MAX] {
            assert!(Process { pid, start_time: 0 }.open().expect("no error").is_none(), "{pid}");
        }
    }

    #[test]
    fn a_zombie_is_not_alive() {
        let Side::Parent { pid, pidfd } = clone3(0, None).expect("a child") else {
            _ = raise(Signal::SIGSTOP);
            crate::sys::clone::exit_now(0)
        };
        let stat = Stat::read(Path::new("/proc"), pid).expect("proc is readable").expect("the child");
        let child = Process { pid, start_time: stat.start_time };
        assert!(child.is_alive().expect("proc is readable"));
        process::signal(pidfd.as_fd(), libc::SIGKILL).expect("a signal");
        assert_eq!(process::ended_within(pidfd.as_fd(), Duration::from_secs(10)), Ok(true));
        assert!(!child.is_alive().expect("proc is readable"));
        assert!(child.open().expect("pidfd_open").is_none());
        wait(pid).expect("its end");
        assert!(!child.is_alive().expect("proc is readable"));
    }
}
