//! `events`: the usage of a container at intervals, and OOM kills and stalls when they happen.

mod schema;

use super::ended::{self, Ended};
use super::{Container, Id, Root, Status, pause, signal};
use crate::cgroup::counters::{Counters, Pressure, Stats};
use crate::container::state::process::Handle;
use crate::report::Log;
use anyhow::{Context, Result, bail};
use serde::Serialize;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// One event, printed as one line of JSON. runc has the types `stats` and `oom`; `memory`, `psi` and `exit` are davit's own.
#[derive(Serialize)]
pub(crate) struct Event {
    #[serde(rename = "type")]
    kind: &'static str,
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Data>,
}

/// The data of an event.
#[derive(Serialize)]
#[serde(untagged)]
enum Data {
    /// Data of `stats`.
    Stats(Box<schema::Stats>),
    /// Data of `memory`: `memory.events` by the kernel's names.
    Memory(Counters),
    /// Data of `exit`.
    Exit(Exit),
    /// Data of `psi`: the resource that processes had to wait for, and how long.
    Stall { resource: &'static str, psi: schema::Psi },
}

/// The end of the first process, as far as it is known.
#[derive(Serialize)]
struct Exit {
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<i32>,
    /// The name of the signal that killed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    reason: String,
}

impl Exit {
    fn of(ended: &Ended) -> Exit {
        Exit {
            status: ended.status.and_then(|status| status.code()),
            signal: ended.signal().map(signal::name),
            reason: ended.to_string(),
        }
    }
}

/// The current usage of a container as one event.
pub(crate) fn statistics(root: &Root, id: &Id) -> Result<Event> {
    let context = || format!("cannot get the usage of {id}");
    let container = living(root, id).with_context(context)?;
    let stats = pause::own_cgroup(&container).and_then(|cgroup| cgroup.measure()).with_context(context)?;
    Ok(usage(&stats, id))
}

fn usage(stats: &Stats, id: &Id) -> Event {
    event("stats", id, Some(Data::Stats(Box::new(schema::Stats::of(stats)))))
}

fn event(kind: &'static str, id: &Id, data: Option<Data>) -> Event {
    Event { kind, id: id.as_str().to_owned(), data }
}

/// The container `id`, if its first process lives.
pub(super) fn living(root: &Root, id: &Id) -> Result<Container> {
    let container = Container::find(root, id)?;
    match container.status {
        Status::Created | Status::Running | Status::Paused => Ok(container),
        Status::Creating => bail!("container is still being created"),
        Status::Stopped => bail!("container not running"),
    }
}

/// Reports events until the container's first process has ended: the usage every `interval`, everything else when the
/// kernel reports it.
pub(crate) fn events(
    root: &Root,
    id: &Id,
    interval: Duration,
    tell: &mut dyn FnMut(&Event) -> Result<()>,
    log: &Log,
) -> Result<()> {
    let context = || format!("cannot get the events of {id}");
    let container = living(root, id).with_context(context)?;
    let init = container.record.init.map(super::Process::open).transpose()?.flatten();
    let init = init.context("container not running").with_context(context)?;
    follow(&container, id, &init, interval, tell, log).with_context(context)
}

fn follow(
    container: &Container,
    id: &Id,
    init: &Handle,
    interval: Duration,
    tell: &mut dyn FnMut(&Event) -> Result<()>,
    log: &Log,
) -> Result<()> {
    let cgroup = pause::own_cgroup(container)?;
    let mut watch = cgroup.watch()?;
    let mut due = Instant::now() + interval;
    loop {
        let happened = watch.next(init.as_fd(), due)?;
        if let Some(memory) = happened.memory {
            tell(&event("memory", id, Some(Data::Memory(memory))))?;
        }
        if happened.oom_kills > 0 {
            tell(&event("oom", id, None))?;
        }
        if happened.ended {
            let ended = ended::of_watched(container, init);
            return tell(&event("exit", id, Some(Data::Exit(Exit::of(&ended)))));
        }
        for file in happened.lost {
            log.warning(&format!(
                "no more events of {file}: the container has switched them off, or its cgroup is gone"
            ));
        }
        if !happened.stalls.is_empty() || Instant::now() >= due {
            let stats = cgroup.measure();
            if !init.is_alive() {
                // The cgroup may be gone. The last events still have to be reported.
                continue;
            }
            let stats = stats?;
            for resource in happened.stalls {
                let psi = schema::Psi::of(&pressure(&stats, resource));
                tell(&event("psi", id, Some(Data::Stall { resource, psi })))?;
            }
            if Instant::now() >= due {
                tell(&usage(&stats, id))?;
                due += interval;
            }
        }
    }
}

fn pressure(stats: &Stats, resource: &str) -> Pressure {
    let all = match resource {
        "cpu" => &stats.cpu_pressure,
        "memory" => &stats.memory_pressure,
        _ => &stats.io_pressure,
    };
    all.clone().unwrap_or_default()
}
