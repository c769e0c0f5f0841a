//! Reads /proc/PID/stat (proc(5)). What follows from a state is left to the callers.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// The state of a process at the time of reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stat {
    /// Field 3: the state of the main thread.
    state: u8,
    /// Field 9: the flags of the task.
    flags: u64,
    /// Field 22: when it started, in clock ticks since boot.
    pub(crate) start_time: u64,
    /// Field 31: the pending signals, without the real-time ones.
    pending: u64,
    /// Field 52: the status for wait(2), of a process that has ended. 0 also if the caller may not trace the process.
    pub(crate) exit_status: i32,
}

/// Task flag: a signal has ended the task (linux/sched.h).
const PF_SIGNALED: u64 = 0x400;

impl Stat {
    /// Reads the process `pid` from the procfs at `proc`; `None` if there is no such process.
    pub(crate) fn read(proc: &Path, pid: i32) -> io::Result<Option<Stat>> {
        match File::open(proc.join(format!("{pid}/stat"))) {
            Ok(file) => Stat::of(&file),
            // ESRCH if the process is reaped while the path is resolved.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads a new child; `None` if it is being killed or was killed. A child that /proc hides from its parent (mount
    /// option `hidepid`, proc(5)) has a start time of 0.
    pub(crate) fn of_child(pid: i32) -> io::Result<Option<Stat>> {
        let file = match File::open(format!("/proc/{pid}/stat")) {
            // A child that is not reaped exists.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some(Stat::default())),
            opened => opened?,
        };
        let now = Stat::of(&file)?.filter(|now| now.pending & (1 << (libc::SIGKILL - 1)) == 0);
        let Some(now) = now else { return Ok(None) };
        // SIGKILL stays pending until it takes effect, and only then the task flag is set. Checked in this order, one
        // of the two is always seen.
        let then = Stat::of(&file)?;
        Ok(then.is_some_and(|then| then.flags & PF_SIGNALED == 0).then_some(now))
    }

    /// Whether the main thread has ended: `Z` is not reaped, `X` and `x` are being released. Other threads may still
    /// run.
    pub(crate) fn main_thread_has_ended(&self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x')
    }

    /// Whether the main thread is stopped: `T` by a signal, `t` by a tracer.
    pub(crate) fn is_stopped(&self) -> bool {
        matches!(self.state, b'T' | b't')
    }

    fn of(file: &File) -> io::Result<Option<Stat>> {
        // The line is at most about 400 bytes: 52 numbers and a name of 16.
        let mut line = [0; 1024];
        let length = loop {
            match file.read_at(&mut line, 0) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(error) if error.raw_os_error() == Some(libc::ESRCH) => return Ok(None),
                read => break read?,
            }
        };
        Stat::parse(&line[..length]).map(Some).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// The process chooses its name, field 2, which may contain spaces and parentheses: it ends at the last
    /// parenthesis.
    fn parse(line: &[u8]) -> Option<Stat> {
        let end = line.iter().rposition(|&byte| byte == b')')?;
        let mut fields = std::str::from_utf8(&line[end + 1..]).ok()?.split_ascii_whitespace();
        let state = *fields.next()?.as_bytes().first()?;
        let flags = fields.nth(5)?.parse().ok()?;
        let start_time = fields.nth(12)?.parse().ok()?;
        let pending = fields.nth(8)?.parse().ok()?;
        let exit_status = fields.nth(20)?.parse().ok()?;
        Some(Stat { state, flags, start_time, pending, exit_status })
    }
}

#[cfg(test)]
mod tests {
    use super::Stat;
    use crate::sys::clone::{Side, clone3, exit_now, wait};
    use crate::sys::process;
    use nix::sys::signal::{Signal, kill};
    use std::os::fd::AsFd;
    use std::time::Duration;

    #[test]
    fn stat_fields_are_parsed_and_a_process_name_cannot_forge_them() {
        let rest = "S 1 7 7 0 -1 1077936384 120 0 0 0 1 2 0 0 20 0 1 0 777 8192 7 99 1 1 1 1 1 256 0 4096 0 1 0 0 17 0 0 0 0 0 0 1 2 3 4 5 6 7 2304";
        for name in ["sh", "a) b", "x) Z 1 1 1 ("] {
            let stat = Stat { state: b'S', flags: 1_077_936_384, start_time: 777, pending: 256, exit_status: 2304 };
            assert_eq!(Stat::parse(format!("42 ({name}) {rest}\n").as_bytes()), Some(stat), "{name}");
        }
        assert_eq!(Stat::parse(b"42 (short) S 1 2 3"), None);
        assert_eq!(Stat::parse(b""), None);
    }

    #[test]
    fn a_killed_child_is_distinguished_from_an_exited_one() {
        for (signal, lives_on) in [(Some(Signal::SIGKILL), false), (None, true)] {
            let Side::Parent { pid, pidfd } = clone3(0, None).expect("a child") else {
                _ = kill(nix::unistd::getpid(), signal);
                exit_now(0)
            };
            assert_eq!(process::ended_within(pidfd.as_fd(), Duration::from_secs(10)), Ok(true));
            assert_eq!(Stat::of_child(pid).expect("is a zombie").is_some(), lives_on);
            wait(pid).expect("its end");
        }
    }
}
