//! Explains in words why a container's first process ended, as far as davit knows.
//!
//! Only the parent of a process gets its exit status, and that is an engine in most cases. davit knows it after a
//! foreground `run`, while the process is not reaped yet, or from a pidfd that was opened before (Linux 6.15). The rest
//! are facts beside the status: which signal `kill` sent, and what the OOM killer counted. It never guesses.

use super::{Container, Record, Status, signal};
use crate::cgroup::counters::Oom;
use crate::container::state::dir;
use crate::container::state::process::Handle;
use crate::spec::state::Report;
use serde::{Deserialize, Serialize};
use std::fmt::{self, Write};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;

/// The annotation of a stopped container's state.
pub(crate) const ANNOTATION: &str = "io.davit.ended";

/// The file with the last signal that a command sent, in the state directory.
const SIGNAL: &str = "signal.json";
/// The file with the exit status that a foreground `run` got.
const STATUS: &str = "exit.json";

/// A signal that a command sent to the first process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sent {
    pub(super) signal: i32,
    /// The command, such as `kill`.
    pub(super) verb: String,
}

/// What is known.
#[derive(Clone, Debug, Default)]
pub(super) struct Ended {
    /// The exit status.
    pub(super) status: Option<ExitStatus>,
    sent: Option<Sent>,
    oom: Option<Oom>,
    /// The creator died first.
    abandoned: bool,
    /// A seccomp filter was installed.
    filtered: bool,
}

impl Ended {
    /// Whether anything is known.
    pub(super) fn is_known(&self) -> bool {
        self.abandoned || self.status.is_some() || self.sent.is_some() || self.has_oom_kills()
    }

    /// Whether the OOM killer has ended a process of the container.
    pub(super) fn has_oom_kills(&self) -> bool {
        self.oom.is_some_and(|oom| oom.kills > 0)
    }

    /// The signal that ended the process.
    pub(super) fn signal(&self) -> Option<i32> {
        self.status.and_then(|status| status.signal())
    }
}

impl Container {
    /// The report for `state`: of a stopped container with the reason of its end in an annotation, which engines pass
    /// on. Not for `list`, which would have to read more of each container.
    pub(crate) fn report_with_end(&self) -> Report {
        let mut report = self.report();
        if self.status == Status::Stopped {
            let ended = of(&self.record, &self.directory, None);
            if ended.is_known() {
                report.annotations.insert(ANNOTATION.to_owned(), ended.to_string());
            }
        }
        report
    }
}

/// What is known of a container that has ended. `status` is the exit status, if the caller knows it.
pub(super) fn of(record: &Record, directory: &Path, status: Option<ExitStatus>) -> Ended {
    if record.creator.is_some() {
        return Ended { abandoned: true, ..Ended::default() };
    }
    // An error is no reason to fail: the facts only explain an end.
    let left = || record.init.and_then(|init| init.exit_status().ok().flatten());
    let status = status.or_else(|| read::<i32>(directory, STATUS).map(ExitStatus::from_raw)).or_else(left);
    let cgroup = record.open_cgroup().ok().flatten();
    let oom = cgroup.and_then(|cgroup| cgroup.oom().ok().flatten());
    let sent = read::<Sent>(directory, SIGNAL);
    let is_filtered = || dir::read_config(directory).is_ok_and(|spec| crate::plan::has_filter(&spec));
    let filtered = status.and_then(|status| status.signal()) == Some(libc::SIGSYS) && is_filtered();
    Ended { status, sent, oom, abandoned: false, filtered }
}

/// As [`of`], for a process whose pidfd was opened before it ended.
pub(super) fn of_watched(container: &Container, init: &Handle) -> Ended {
    // The status is at one of two places: with the process until its parent reaps it, and with the pidfd afterwards.
    let left = container.record.init.and_then(|process| process.exit_status().ok().flatten());
    of(&container.record, &container.directory, left.or_else(|| init.exit_status()))
}

/// Remembers that a command sends a signal which can end the process. Best effort: it only explains an end.
pub(super) fn note_signal(directory: &Path, verb: &str, number: i32) {
    if !matches!(number, 0 | libc::SIGCHLD | libc::SIGCONT | libc::SIGURG | libc::SIGWINCH | libc::SIGSTOP) {
        write(directory, SIGNAL, &Sent { signal: number, verb: verb.to_owned() });
    }
}

/// Remembers the exit status for `state`. Best effort, as above.
pub(super) fn note_status(directory: &Path, status: ExitStatus) {
    write(directory, STATUS, &status.into_raw());
}

fn write(directory: &Path, file: &str, value: &impl Serialize) {
    if let Ok(text) = serde_json::to_vec(value) {
        // The directory may just have been removed.
        let _ = dir::write_private(&directory.join(file), &text);
    }
}

fn read<T: for<'a> Deserialize<'a>>(directory: &Path, file: &str) -> Option<T> {
    serde_json::from_str(&fs::read_to_string(directory.join(file)).ok()?).ok()
}

/// One line, empty if nothing is known.
impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        if self.abandoned {
            text.push_str("its creator died before the container was complete");
        }
        let sent = self.sent.as_ref();
        match (self.status.and_then(|status| status.code()), self.signal()) {
            (Some(code), _) => write!(text, "exited with status {code}")?,
            (None, Some(number)) => {
                write!(text, "killed by {}", signal::name(number))?;
                if let Some(sent) = sent.filter(|sent| sent.signal == number) {
                    write!(text, ", which davit {} sent", sent.verb)?;
                }
                if self.filtered {
                    text.push_str(
                        ", the signal of a seccomp filter; the kernel logs the system call (audit type 1326)",
                    );
                }
            }
            (None, None) => {
                if let Some(sent) = sent {
                    let (name, verb) = (signal::name(sent.signal), &sent.verb);
                    write!(text, "davit {verb} sent {name}; only the parent of the process has its exit status")?;
                }
            }
        }
        if let Some(oom) = self.oom.filter(|oom| oom.kills > 0) {
            text.push_str(if text.is_empty() { "" } else { "; " });
            text.push_str(&oom_words(oom));
        }
        f.write_str(&text)
    }
}

/// What the OOM killer did, and whose limit it was.
fn oom_words(oom: Oom) -> String {
    let processes = if oom.kills == 1 { "a process".to_owned() } else { format!("{} processes", oom.kills) };
    let whose = match (oom.own, oom.limit) {
        (None, _) => String::new(),
        (Some(true), Some(limit)) => format!(" at its memory limit of {limit} bytes"),
        (Some(true), None) => " at its memory limit".to_owned(),
        (Some(false), _) if oom.below => " at a memory limit inside the container".to_owned(),
        (Some(false), _) => {
            ", not at its own memory limit, but at one of a parent cgroup or for lack of memory on the host".to_owned()
        }
    };
    format!("the OOM killer killed {processes} of the container{whose}")
}

#[cfg(test)]
mod tests {
    use super::{Ended, Sent, note_signal, note_status, of};
    use crate::cgroup::counters::Oom;
    use crate::container::{Process, Record};
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    #[test]
    fn only_what_is_known_is_said() {
        let status = |raw| Some(ExitStatus::from_raw(raw));
        let sent = |signal| Some(Sent { signal, verb: "kill".to_owned() });
        let oom = |kills, own, below| Some(Oom { kills, own: Some(own), below, limit: Some(4096) });
        let ended = Ended::default();
        for (ended, wanted) in [
            (ended.clone(), ""),
            (Ended { abandoned: true, ..ended.clone() }, "its creator died before the container was complete"),
            (Ended { status: status(3 << 8), sent: sent(15), ..ended.clone() }, "exited with status 3"),
            (Ended { status: status(15), sent: sent(15), ..ended.clone() }, "killed by SIGTERM, which davit kill sent"),
            (Ended { status: status(9), sent: sent(15), ..ended.clone() }, "killed by SIGKILL"),
            (
                Ended { sent: sent(9), ..ended.clone() },
                "davit kill sent SIGKILL; only the parent of the process has its exit status",
            ),
            (
                Ended { status: status(31 | 0x80), filtered: true, ..ended.clone() },
                "killed by SIGSYS, the signal of a seccomp filter; the kernel logs the system call (audit type 1326)",
            ),
            (
                Ended { status: status(9), oom: oom(1, true, true), ..ended.clone() },
                "killed by SIGKILL; the OOM killer killed a process of the container at its memory limit of 4096 bytes",
            ),
            (
                Ended { oom: oom(2, false, true), ..ended.clone() },
                "the OOM killer killed 2 processes of the container at a memory limit inside the container",
            ),
            (
                Ended { oom: oom(1, false, false), ..ended.clone() },
                "the OOM killer killed a process of the container, not at its own memory limit, but at one of a parent \
                 cgroup or for lack of memory on the host",
            ),
            (Ended { oom: oom(0, true, true), ..ended }, ""),
        ] {
            assert_eq!(ended.to_string(), wanted);
            assert_eq!(ended.is_known(), !wanted.is_empty(), "{wanted}");
        }
    }

    #[test]
    fn what_commands_note_is_found_again() {
        let here = std::env::temp_dir().join(format!("davit-ended-{}", std::process::id()));
        std::fs::create_dir_all(&here).expect("a directory");
        let record = Record { init: Some(Process { pid: 0, start_time: 0 }), ..Record::default() };
        assert!(!of(&record, &here, None).is_known());
        note_signal(&here, "kill", libc::SIGKILL);
        note_signal(&here, "kill", libc::SIGCONT);
        note_status(&here, ExitStatus::from_raw(libc::SIGKILL));
        assert_eq!(of(&record, &here, None).to_string(), "killed by SIGKILL, which davit kill sent");
        std::fs::remove_dir_all(&here).expect("is removed");
        note_signal(&here, "kill", libc::SIGKILL);
        assert!(!of(&record, &here, None).is_known());
    }
}
