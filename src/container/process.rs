//! A process remembered across invocations: its pid and the moment it started, so that a reused pid is never taken for it.

use crate::sys::stat::Stat;
use crate::sys::{self, Errno};
use anyhow::Context;
use serde::{Deserialize, Serialize};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

/// A process, as the state file remembers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Process {
    /// Process id in davit's own pid namespace.
    pub(crate) pid: i32,
    /// When it started, in clock ticks since boot: field 22 of /proc/PID/stat (proc(5)).
    pub(crate) start_time: u64,
}

impl Process {
    /// This very process.
    pub(crate) fn this() -> anyhow::Result<Self> {
        let pid = std::process::id() as i32;
        let stat = Stat::read(Path::new("/proc"), pid).with_context(|| format!("read /proc/{pid}/stat"))?;
        let stat = stat.with_context(|| format!("process {pid} has ended"))?;
        Ok(Process { pid, start_time: stat.start_time })
    }

    /// Whether the process still runs. One that has ended and was not yet waited for (a zombie) does not.
    pub(crate) fn is_alive(self) -> anyhow::Result<bool> {
        self.is_alive_in(Path::new("/proc"))
    }

    /// As [`Process::is_alive`], with the place of procfs given.
    fn is_alive_in(self, proc: &Path) -> anyhow::Result<bool> {
        let stat = Stat::read(proc, self.pid).with_context(|| format!("read {}/{}/stat", proc.display(), self.pid))?;
        Ok(stat.is_some_and(|stat| stat.start_time == self.start_time && !matches!(stat.state, b'Z' | b'X' | b'x')))
    }

    /// A handle on the process, or `None` if it has ended.
    ///
    /// The handle is made first and the start time compared after: were the pid reused before the handle, the times
    /// differ; reused after, the handle still means the old process.
    pub(crate) fn open(self) -> anyhow::Result<Option<Handle>> {
        let fd = match sys::process::open(self.pid) {
            Ok(fd) => fd,
            // EINVAL is a pid that cannot be: none was recorded.
            Err(Errno::ESRCH | Errno::EINVAL) => return Ok(None),
            Err(errno) => {
                return Err(anyhow::Error::new(io::Error::from(errno)).context(format!("pidfd_open {}", self.pid)));
            }
        };
        Ok(self.is_alive()?.then_some(Handle(fd)))
    }
}

/// The inode number of a process's user namespace; `None` if the process is hidden from an ordinary user's own runtime.
pub(super) fn user_namespace(pid: i32) -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(format!("/proc/{pid}/ns/user")).map(|file| file.ino()).ok()
}

/// A process held by a pidfd.
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

    /// Another descriptor of the process.
    pub(crate) fn try_clone(&self) -> io::Result<OwnedFd> {
        self.0.try_clone()
    }

    /// Whether the process has not ended yet.
    pub(crate) fn is_alive(&self) -> bool {
        !self.ended_within(Duration::ZERO).unwrap_or(false)
    }

    /// Waits for the end of the process, at most `limit`. Whether it has ended.
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
    use std::path::PathBuf;

    /// A procfs of one process, in a directory of this test's own.
    fn proc_with(test: &str, pid: i32, line: &str) -> PathBuf {
        let proc = std::env::temp_dir().join(format!("davit-proc-{test}-{}", std::process::id()));
        std::fs::create_dir_all(proc.join(pid.to_string())).expect("a directory");
        std::fs::write(proc.join(format!("{pid}/stat")), line).expect("a file");
        proc
    }

    fn line(state: char, name: &str, start: u64) -> String {
        format!("42 ({name}) {state} 1 42 42 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 {start} 8192 7 99 1 1 1 1 1 0 0\n")
    }

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
    fn a_process_lives_while_its_start_time_holds_and_it_is_no_zombie() {
        for (test, text, alive) in [
            ("sleeping", line('S', "sh", 777), true),
            ("stopped", line('T', "sh", 777), true),
            ("zombie", line('Z', "sh", 777), false),
            ("dead", line('X', "sh", 777), false),
            ("reused", line('R', "sh", 778), false),
        ] {
            let proc = proc_with(test, 42, &text);
            let process = Process { pid: 42, start_time: 777 };
            assert_eq!(process.is_alive_in(&proc).expect("readable"), alive, "{test}");
            let absent = Process { pid: 43, start_time: 777 };
            assert!(!absent.is_alive_in(&proc).expect("readable"), "{test}");
            std::fs::remove_dir_all(proc).expect("removable");
        }
    }
}
