//! Waits for events of a cgroup: changes of `memory.events` and pressure stalls. What to do about them is left to the
//! caller.

use super::{Cgroup, Refusal};
use crate::cgroup::counters::{Counters, counters};
use crate::sys::{beneath, file_events};
use anyhow::Result;
use nix::errno::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

/// The PSI trigger: some process waited 150 ms within 2 s. Windows of 2 s need no privilege (kernel documentation,
/// accounting/psi).
const TRIGGER: &str = "some 150000 2000000";

/// The resources that have a pressure file.
const RESOURCES: [&str; 3] = ["cpu", "memory", "io"];

/// Open files of a cgroup on which the kernel signals events.
#[derive(Debug)]
pub(crate) struct Watch {
    memory: Option<OwnedFd>,
    seen: Counters,
    stalls: Vec<(&'static str, OwnedFd)>,
}

/// The events since the last call of [`Watch::next`].
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Happened {
    /// The watched process has exited.
    pub(crate) ended: bool,
    /// `memory.events` as it is now, if it has changed.
    pub(crate) memory: Option<Counters>,
    /// Number of processes that the OOM killer has killed since the last call.
    pub(crate) oom_kills: u64,
    /// Resources (`cpu`, `memory`, `io`) that processes had to wait for.
    pub(crate) stalls: Vec<&'static str>,
    /// Files that the kernel no longer reports events of, because the cgroup is gone or a process of it has switched
    /// them off (`cgroup.pressure`). Each is listed once.
    pub(crate) lost: Vec<String>,
}

impl Cgroup {
    /// Starts to watch. Events that this kernel or this cgroup does not report are left out.
    pub(crate) fn watch(&self) -> Result<Watch> {
        // Read before it is opened for watching, because a container can have made a cgroup of this name.
        let memory = match self.read_if_there("memory.events")?.map(|_| beneath::open_file(self.fd(), "memory.events"))
        {
            Some(Ok(file)) => Some(file),
            None | Some(Err(Errno::ENOENT)) => None,
            Some(Err(errno)) => return Err(Refusal::of(format!("open {}", self.named("memory.events")), errno)),
        };
        // No stall events if PSI is off or the trigger is not permitted.
        let stall = |resource| {
            Some((resource, beneath::open_trigger(self.fd(), &format!("{resource}.pressure"), TRIGGER).ok()?))
        };
        let stalls = RESOURCES.into_iter().filter_map(stall).collect();
        let mut watch = Watch { memory, seen: Counters::new(), stalls };
        watch.seen = watch.read_memory()?.unwrap_or_default();
        Ok(watch)
    }
}

impl Watch {
    /// Waits for an event, the exit of the process behind `ended`, or `deadline`.
    pub(crate) fn next(&mut self, ended: BorrowedFd<'_>, deadline: Instant) -> Result<Happened> {
        let files = self.stalls.iter().map(|(_, file)| file).chain(&self.memory);
        let files: Vec<BorrowedFd<'_>> = files.map(AsFd::as_fd).collect();
        let changed =
            file_events::wait_any(&files, ended, deadline).map_err(|errno| Refusal::of("wait for events", errno))?;
        let mut happened = Happened { ended: changed.ended, ..Happened::default() };
        let memory_changed = changed.files.contains(&self.stalls.len());
        for (index, (resource, file)) in std::mem::take(&mut self.stalls).into_iter().enumerate() {
            if changed.failed.contains(&index) {
                // The trigger is gone for good, and poll(2) would report that at once, again and again.
                happened.lost.push(format!("{resource}.pressure"));
                continue;
            }
            if changed.files.contains(&index) {
                happened.stalls.push(resource);
            }
            self.stalls.push((resource, file));
        }
        // Re-read after the exit: the OOM kill of the process may have been counted after the last read.
        if changed.ended || memory_changed {
            match self.read_memory()? {
                Some(now) if now != self.seen => {
                    let kills = |counters: &Counters| counters.get("oom_kill").copied().unwrap_or(0);
                    happened.oom_kills = kills(&now).saturating_sub(kills(&self.seen));
                    self.seen.clone_from(&now);
                    happened.memory = Some(now);
                }
                None if self.memory.take().is_some() => happened.lost.push("memory.events".to_owned()),
                _ => {}
            }
        }
        Ok(happened)
    }

    /// Returns `None` without the memory controller, and once the cgroup has been removed.
    fn read_memory(&self) -> Result<Option<Counters>> {
        match self.memory.as_ref().map(|file| file_events::reread(file.as_fd())) {
            Some(Ok(text)) => Ok(Some(counters(&text))),
            None | Some(Err(Errno::ENODEV)) => Ok(None),
            Some(Err(errno)) => Err(Refusal::of("read memory.events", errno)),
        }
    }
}
