//! Runs the kernel minimum (kernel_minimum.c) as a contestant. It makes only the system calls that each command needs.

use super::runtime::wait_for_container;
use super::spawn::Spawner;
use super::{OPERATIONS, Options};
use anyhow::{Context, Result};
use std::time::Duration;

/// The kernel minimum uses the same root file system as the runtime's bundle.
pub(crate) struct Minimum<'a> {
    spawner: &'a Spawner,
    program: &'a str,
    rootfs: String,
    fifo: String,
    pid_file: String,
}

const CGROUP: &str = "/sys/fs/cgroup/speed-minimum";

impl<'a> Minimum<'a> {
    pub(crate) fn new(spawner: &'a Spawner, options: &'a Options, bundle: &str) -> Result<Self> {
        let file =
            |name| options.work.join(name).into_os_string().into_string().ok().context("a path that is not UTF-8");
        Ok(Self {
            spawner,
            program: &options.minimum,
            rootfs: format!("{bundle}/rootfs"),
            fifo: file("minimum-fifo")?,
            pid_file: file("minimum-pid")?,
        })
    }

    /// The command line that runs `/bin/true`.
    pub(crate) fn run_words(&self) -> [&str; 5] {
        [self.program, "run", &self.rootfs, CGROUP, "/bin/true"]
    }

    /// One turn of the operations that have a minimum.
    pub(crate) fn turn(&self) -> Result<[Option<Duration>; OPERATIONS.len()]> {
        let run = self.spawner.run(&self.run_words())?;
        let [create, start, delete] = self.lifecycle()?;
        let [run, lifecycle, create, start, delete] = [run, create + start + delete, create, start, delete].map(Some);
        Ok([run, None, lifecycle, create, start, delete, None, None, None, None])
    }

    /// `create`, `start` and `delete` of one container.
    pub(crate) fn lifecycle(&self) -> Result<[Duration; 3]> {
        let create = [self.program, "create", &self.rootfs, CGROUP, "/bin/true", &self.fifo, &self.pid_file];
        let create = self.spawner.run(&create)?;
        let start = self.spawner.run(&[self.program, "start", &self.fifo])?;
        wait_for_container(&self.pid_file)?;
        let delete = self.spawner.run(&[self.program, "delete", CGROUP, &self.fifo])?;
        Ok([create, start, delete])
    }

    /// As `run`, with `count` binds of `source`.
    pub(crate) fn with_binds(&self, source: &str, count: usize) -> Result<Duration> {
        self.spawner.run(&[&self.run_words()[..], &[source, &count.to_string()]].concat())
    }
}
