//! Starting a program and waiting for it, as cheaply as the kernel allows, so that what is measured is the program.
//!
//! `posix_spawn` shares the driver's memory until the program's `execve`: the price does not grow with the driver.

use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::fcntl::OFlag;
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, posix_spawn};
use nix::sys::stat::Mode;
use nix::sys::wait::{WaitStatus, waitpid};

/// Where the programs started write: their standard output and errors go to files, never to a terminal or pipe.
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

    /// Runs `words` to their end and returns the time from before the spawn to after the wait. Any status but 0 is an error
    /// that carries what the program wrote to its standard error.
    pub(crate) fn run(&self, words: &[&str]) -> Result<Duration> {
        let arguments = words.iter().map(|word| CString::new(*word)).collect::<Result<Vec<_>, _>>()?;
        let environment = [c"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"];
        let errors = self.work.join("stderr");
        let mode = Mode::from_bits_truncate(0o600);
        let write = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC;
        let mut files = PosixSpawnFileActions::init()?;
        files.add_open(0, "/dev/null", OFlag::O_RDONLY, mode)?;
        files.add_open(1, &self.output(), write, mode)?;
        files.add_open(2, &errors, write, mode)?;
        let attributes = PosixSpawnAttr::init()?;
        let program = arguments.first().context("no program to run")?.as_c_str();

        let start = Instant::now();
        let pid = posix_spawn(program, &files, &attributes, &arguments, &environment)
            .with_context(|| format!("starting {}", words[0]))?;
        let status = waitpid(pid, None)?;
        let time = start.elapsed();

        if status != WaitStatus::Exited(pid, 0) {
            let told = std::fs::read_to_string(&errors).unwrap_or_default();
            bail!("`{}` ended with {status:?}: {}", words.join(" "), told.trim_end());
        }
        Ok(time)
    }
}
