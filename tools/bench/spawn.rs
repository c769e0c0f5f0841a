//! Starts programs and waits for them with the least overhead, so that the time measured is the program's.
//!
//! `posix_spawn` shares the driver's memory until the program's `execve`, so the cost does not depend on the driver's
//! size.

use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::fcntl::OFlag;
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, posix_spawn};
use nix::sys::stat::Mode;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

/// Starts programs whose standard output and errors go to files, never to a terminal or pipe.
pub(crate) struct Spawner {
    work: PathBuf,
}

impl Spawner {
    /// A spawner whose programs write into files of the directory `work`.
    pub(crate) fn new(work: &Path) -> Self {
        Self { work: work.to_owned() }
    }

    /// The file that holds the standard output of the last program.
    pub(crate) fn output(&self) -> PathBuf {
        self.work.join("stdout")
    }

    /// Runs `words` and returns the time from before the spawn to after the wait. Any status but 0 is an error that
    /// contains the program's standard error.
    pub(crate) fn run(&self, words: &[&str]) -> Result<Duration> {
        let begin = Instant::now();
        let pid = self.start(words)?;
        let status = waitpid(pid, None)?;
        let time = begin.elapsed();

        if status != WaitStatus::Exited(pid, 0) {
            let errors = std::fs::read_to_string(self.errors()).unwrap_or_default();
            bail!("`{}` ended with {status:?}: {}", words.join(" "), errors.trim_end());
        }
        Ok(time)
    }

    /// Starts all commands at once and waits for them. Returns the time from the first start to the last exit.
    pub(crate) fn run_together(&self, commands: &[Vec<&str>]) -> Result<Duration> {
        let begin = Instant::now();
        let pids = commands.iter().map(|words| self.start(words)).collect::<Result<Vec<_>>>()?;
        let ends = pids.into_iter().map(|pid| Ok(waitpid(pid, None)? == WaitStatus::Exited(pid, 0)));
        let failed = ends.collect::<Result<Vec<_>>>()?.into_iter().filter(|done| !done).count();
        let time = begin.elapsed();
        if failed > 0 {
            let errors = std::fs::read_to_string(self.errors()).unwrap_or_default();
            bail!("{failed} of {} failed: {}", commands.len(), errors.trim_end());
        }
        Ok(time)
    }

    /// The file that holds the standard error of the last program.
    pub(crate) fn errors(&self) -> PathBuf {
        self.work.join("stderr")
    }

    /// Starts `words` and does not wait.
    pub(crate) fn start(&self, words: &[&str]) -> Result<Pid> {
        let arguments = words.iter().map(|word| CString::new(*word)).collect::<Result<Vec<_>, _>>()?;
        let environment = [c"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"];
        let mode = Mode::from_bits_truncate(0o600);
        let write = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC;
        let mut files = PosixSpawnFileActions::init()?;
        files.add_open(0, "/dev/null", OFlag::O_RDONLY, mode)?;
        files.add_open(1, &self.output(), write, mode)?;
        files.add_open(2, &self.errors(), write, mode)?;
        let attributes = PosixSpawnAttr::init()?;
        let program = arguments.first().context("no program to run")?.as_c_str();
        posix_spawn(program, &files, &attributes, &arguments, &environment)
            .with_context(|| format!("starting {}", words[0]))
    }
}
