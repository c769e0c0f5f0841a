//! Measures how the cost of a command grows with its configuration and with the number of existing containers.
//!
//! Each row has its own bundle. The times are those of whole commands, interleaved as in the main table.

use super::kernel_minimum::Minimum;
use super::table::Row;
use super::{MINIMUMS, Options, Runtime, Spawner, able};
use anyhow::{Context, Result};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::time::Duration;
use syscalls::Sysno;

/// The number of other containers that run during the last rows.
const NEIGHBOURS: usize = 1000;
/// The number of containers created at once.
const AT_ONCE: usize = 100;

/// The number of bind mounts; the kernel minimum is measured for these too.
const MOUNTS: [(&str, usize); 4] = [
    ("run with 1 bind mount", 1),
    ("run with 10 bind mounts", 10),
    ("run with 100 bind mounts", 100),
    ("run with 1,000 bind mounts", 1000),
];

/// One kind of load: its name, and what it changes in a configuration.
type Load = (&'static str, fn(&mut Value));

const LOADS: [Load; 3] = [
    ("run with 5,000 environment entries", |config| {
        config["process"]["env"] = (0..5000).map(|n| json!(format!("VARIABLE_{n}=value {n}"))).collect();
    }),
    ("run with 1 MB of arguments", |config| {
        let words = (0..10).map(|_| json!("x".repeat(100_000)));
        config["process"]["args"] = std::iter::once(json!("/bin/true")).chain(words).collect();
    }),
    (FILTERED, filter),
];

const FILTERED: &str = "run with a seccomp rule for each system call";

fn filter(config: &mut Value) {
    let rules = Sysno::iter().map(|call| json!({ "names": [call.name()], "action": "SCMP_ACT_ALLOW" }));
    config["linux"]["seccomp"] = json!({ "defaultAction": "SCMP_ACT_ERRNO", "syscalls": rules.collect::<Vec<_>>() });
}

fn mounts(config: &mut Value, bundle: &str, count: usize) {
    let Some(list) = config["mounts"].as_array_mut() else { return };
    let bind = |n| json!({ "destination": format!("/m/{n}"), "type": "bind", "source": bundle, "options": ["bind"] });
    list.extend((0..count).map(bind));
}

/// The names of the contestants and the rows of the table.
pub(crate) fn measure(options: &Options) -> Result<(Vec<String>, Vec<Row>)> {
    let spawner = Spawner::new(&options.work);
    let (names, runtimes) = able(options, &spawner)?;
    let minimum = Minimum::new(&spawner, options, &runtimes[0].bundle)?;
    let mut rows = Vec::new();
    let bundles = |change: &dyn Fn(&mut Value, &str)| -> Result<Vec<String>> {
        runtimes.iter().map(|runtime| changed_bundle(options, runtime, change)).collect()
    };
    let runs = |bundles: &[String], at: usize| {
        runtimes[at].command(&["run", "--bundle", &bundles[at], &runtimes[at].id]).map(Some)
    };
    for (name, count) in MOUNTS {
        let bundles = bundles(&|config, bundle| mounts(config, bundle, count))?;
        let turn = |at: Option<usize>| match at {
            None => minimum.with_binds(&bundles[0], count).map(Some),
            Some(at) => runs(&bundles, at),
        };
        rows.push(in_turns(name, runtimes.len(), options.pairs, &turn)?);
    }
    for (name, change) in LOADS {
        let bundles = bundles(&|config, _| change(config))?;
        let turn = |at: Option<usize>| at.map_or(Ok(None), |at| runs(&bundles, at));
        rows.push(in_turns(name, runtimes.len(), options.pairs, &turn)?);
        if name == FILTERED {
            rows.push(compiling(&runtimes, &bundles[0], options.pairs)?);
        }
    }
    let at_once = |at: Option<usize>| at.map(|at| at_once(&spawner, &runtimes[at])).transpose();
    rows.push(in_turns("100 creates at once", runtimes.len(), options.pairs.min(5), &at_once)?);
    rows.extend(beside_many(options, &minimum, &runtimes)?);
    Ok((names, rows))
}

/// Writes a copy of the runtime's first bundle with a changed configuration. The next call overwrites it.
fn changed_bundle(options: &Options, runtime: &Runtime<'_>, change: &dyn Fn(&mut Value, &str)) -> Result<String> {
    let bundle = format!("{}-changed", runtime.bundle);
    if Path::new(&bundle).exists() {
        fs::remove_dir_all(&bundle)?;
    }
    runtime.write_bundle(options, &bundle, &json!(["/bin/true"]))?;
    let file = Path::new(&bundle).join("config.json");
    let mut config = serde_json::from_slice(&fs::read(&file)?)?;
    change(&mut config, &bundle);
    fs::write(&file, serde_json::to_vec(&config)?)?;
    Ok(bundle)
}

/// The extra planning time for `bundle` compared with the first bundle, which is the compilation of the seccomp filter.
/// Only for the first runtime (davit), which reports step timings.
fn compiling(runtimes: &[Runtime<'_>], bundle: &str, looks: usize) -> Result<Row> {
    let decided = |bundle: &str| -> Result<f64> {
        runtimes[0].command(&["--timings", "--log-format", "json", "run", "--bundle", bundle, &runtimes[0].id])?;
        let report: Value = serde_json::from_str(&runtimes[0].errors()?)?;
        let steps = report["timings"]["davit"].as_array().context("no timings")?;
        let step =
            steps.iter().find(|step| step["step"] == "probe the host and compile the plan").context("no such step")?;
        step["nanoseconds"].as_f64().map(|ns| ns / 1e3).context("no time")
    };
    let samples = (0..looks).map(|_| Ok(decided(bundle)? - decided(&runtimes[0].bundle)?)).collect::<Result<_>>()?;
    let mut all = vec![Vec::new(); runtimes.len() + MINIMUMS];
    all[MINIMUMS] = samples;
    Ok(Row { name: "of that, compiling the filter", unit: "us", digits: 0, samples: all })
}

/// The samples of each contestant; `None` is the kernel minimum. The first turn warms the caches and is not counted.
fn in_turns(
    name: &'static str,
    runtimes: usize,
    pairs: usize,
    turn: &dyn Fn(Option<usize>) -> Result<Option<Duration>>,
) -> Result<Row> {
    let contestants = runtimes + MINIMUMS;
    let mut times = vec![Vec::new(); contestants];
    for pair in 0..=pairs {
        for place in 0..contestants {
            let contestant = (place + pair) % contestants;
            let time = turn(contestant.checked_sub(MINIMUMS)).context(name)?;
            if pair > 0 {
                times[contestant].extend(time);
            }
        }
    }
    Ok(Row::of_times(name, times))
}

fn names(runtime: &Runtime<'_>, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{}-{n}", runtime.id)).collect()
}

fn at_once(spawner: &Spawner, runtime: &Runtime<'_>) -> Result<Duration> {
    let ids = names(runtime, AT_ONCE);
    let create = |id| vec![runtime.path, "--root", &runtime.root, "create", "--bundle", &runtime.bundle, id];
    let commands: Vec<_> = ids.iter().map(|id| create(id.as_str())).collect();
    let time = spawner.run_together(&commands);
    // Delete also after a failure, so that the next row starts without containers.
    let deleted = delete_all(runtime, &ids);
    time.and_then(|time| deleted.map(|()| time))
}

fn delete_all(runtime: &Runtime<'_>, ids: &[String]) -> Result<()> {
    let deleted = ids.iter().try_for_each(|id| runtime.command(&["delete", "--force", id]).map(drop));
    // The processes were reparented to the driver. Reap them, because zombies slow down reads of /proc.
    while matches!(waitpid(None, Some(WaitPidFlag::WNOHANG)), Ok(status) if status != WaitStatus::StillAlive) {}
    deleted
}

/// Measures commands for one container while a thousand others run. The minimum is measured beside the first runtime's.
fn beside_many(options: &Options, minimum: &Minimum<'_>, runtimes: &[Runtime<'_>]) -> Result<Vec<Row>> {
    const OPERATIONS: [&str; 3] = ["create beside 1,000", "state beside 1,000", "kill beside 1,000"];
    let mut times = vec![vec![Vec::new(); runtimes.len() + MINIMUMS]; OPERATIONS.len()];
    for (at, runtime) in (MINIMUMS..).zip(runtimes) {
        let ids = names(runtime, NEIGHBOURS);
        let mut measure = || -> Result<()> {
            for id in &ids {
                runtime.command(&["create", "--bundle", &runtime.bundle, id])?;
            }
            for _ in 0..options.pairs {
                if at == MINIMUMS {
                    times[0][0].push(minimum.lifecycle()?[0]);
                }
                times[0][at].push(runtime.command(&["create", "--bundle", &runtime.bundle, &runtime.id])?);
                times[1][at].push(runtime.command(&["state", &runtime.waiting])?);
                times[2][at].push(runtime.command(&["kill", &runtime.waiting, "CONT"])?);
                runtime.command(&["delete", "--force", &runtime.id])?;
            }
            Ok(())
        };
        let measured = measure();
        delete_all(runtime, &ids)?;
        measured?;
    }
    Ok(OPERATIONS.into_iter().zip(times).map(|(name, times)| Row::of_times(name, times)).collect())
}
