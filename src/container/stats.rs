//! `stats`: usage of containers for people: CPU time as a share of the interval, memory, and how long processes had to
//! wait.

use super::{Container, Id, Root, Status, events, list, pause};
use crate::cgroup::counters::{Pressure, Stats};
use crate::report::Log;
use crate::sys::{file_events, terminal};
use anyhow::{Context, Result};
use serde::Serialize;
use std::collections::HashMap;
use std::io;
use std::time::{Duration, Instant};

/// The usage of one container.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Usage {
    /// Its id.
    pub(crate) id: String,
    /// CPU time since the last sample, in per cent of one CPU.
    pub(crate) cpu_percent: f64,
    /// Memory in bytes.
    pub(crate) memory: u64,
    /// Memory limit in bytes; absent without a limit.
    pub(crate) memory_limit: Option<u64>,
    /// Per cent of the last ten seconds in which some process waited for CPU, memory or I/O; absent if the kernel does
    /// not measure it.
    pub(crate) pressure: Option<[f64; 3]>,
    /// Processes and threads.
    pub(crate) pids: u64,
    /// Limit of processes and threads.
    pub(crate) pids_limit: Option<u64>,
    /// Bytes read from and written to block devices.
    pub(crate) io: [u64; 2],
}

/// Samples containers at intervals.
#[derive(Debug)]
pub(crate) struct Samples {
    /// The requested containers; all living ones if there are none.
    wanted: Vec<Id>,
    /// CPU time in microseconds at the last sample, by container, and the time of that sample.
    before: HashMap<String, (u64, Instant)>,
}

impl Samples {
    /// Takes the first sample, which later ones are compared with.
    pub(crate) fn begin(root: &Root, wanted: Vec<Id>, log: &Log) -> Result<Samples> {
        let mut samples = Samples { wanted, before: HashMap::new() };
        samples.take(root, log)?;
        Ok(samples)
    }

    /// Waits for `time`. False if standard output was closed meanwhile.
    pub(crate) fn wait(&self, time: Duration) -> Result<bool> {
        let over = file_events::wait_for_hangup(terminal::standard()[1], Instant::now() + time);
        Ok(!over.map_err(io::Error::from).context("wait")?)
    }

    /// Takes a sample. A requested container must live.
    pub(crate) fn take(&mut self, root: &Root, log: &Log) -> Result<Vec<Usage>> {
        let containers = match self.wanted.is_empty() {
            true => list(root, log)?.into_iter().filter(|c| is_alive(c.status)).collect(),
            false => self
                .wanted
                .iter()
                .map(|id| with_usage_context(id, events::living(root, id)))
                .collect::<Result<Vec<_>>>()?,
        };
        let mut all = Vec::new();
        for container in containers {
            let id = &container.record.id;
            let stats = pause::own_cgroup(&container).and_then(|cgroup| cgroup.measure());
            match stats {
                Ok(stats) => all.push(self.usage(id, &stats)),
                // A container has just ended, or has no cgroup. It is skipped.
                Err(_) if self.wanted.is_empty() => (),
                Err(error) => return Err(error).with_context(|| format!("cannot get the usage of {id}")),
            }
        }
        Ok(all)
    }

    fn usage(&mut self, id: &str, stats: &Stats) -> Usage {
        let time = stats.cpu.get("usage_usec").copied().unwrap_or(0);
        let now = Instant::now();
        let before = self.before.insert(id.to_owned(), (time, now));
        let share =
            before.map(|(before, when)| time.saturating_sub(before) as f64 / (now - when).as_micros().max(1) as f64);
        let memory = stats.memory.as_ref();
        let average = |pressure: &Option<Pressure>| pressure.as_ref().map(|pressure| pressure.some.average[0]);
        let waits = [&stats.cpu_pressure, &stats.memory_pressure, &stats.io_pressure].map(average);
        let bytes = |name: &str| stats.io.iter().flatten().filter_map(|(_, device)| device.get(name)).sum();
        Usage {
            id: id.to_owned(),
            cpu_percent: share.map_or(0.0, |share| (share * 10_000.0).round() / 100.0),
            memory: memory.map_or(0, |memory| memory.current),
            memory_limit: memory.and_then(|memory| memory.max),
            pressure: waits.iter().any(Option::is_some).then(|| waits.map(|average| average.unwrap_or(0.0))),
            pids: stats.pids.as_ref().map_or(0, |pids| pids.current),
            pids_limit: stats.pids.as_ref().and_then(|pids| pids.max),
            io: [bytes("rbytes"), bytes("wbytes")],
        }
    }
}

fn is_alive(status: Status) -> bool {
    matches!(status, Status::Created | Status::Running | Status::Paused)
}

fn with_usage_context(id: &Id, container: Result<Container>) -> Result<Container> {
    container.with_context(|| format!("cannot get the usage of {id}"))
}
