//! How the cost of a command grows with what it is given, and with what is there already.
//!
//! Each row has its own bundle; the times are those of whole commands, turn and turn about as in the main table.

use super::table::Row;
use super::{Options, Runtime, Spawner, able};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::time::Duration;
use syscalls::Sysno;

/// How many containers live beside the one that is measured, in the last rows.
const NEIGHBOURS: usize = 1000;
/// How many are made at once.
const AT_ONCE: usize = 100;

/// One kind of load: its name, and what it changes in a configuration.
type Load = (&'static str, fn(&mut Value, &str));

const LOADS: [Load; 7] = [
    ("run with 1 bind mount", |config, bundle| mounts(config, bundle, 1)),
    ("run with 10 bind mounts", |config, bundle| mounts(config, bundle, 10)),
    ("run with 100 bind mounts", |config, bundle| mounts(config, bundle, 100)),
    ("run with 1,000 bind mounts", |config, bundle| mounts(config, bundle, 1000)),
    ("run with 5,000 environment entries", |config, _| {
        config["process"]["env"] = (0..5000).map(|n| json!(format!("VARIABLE_{n}=value {n}"))).collect();
    }),
    ("run with 1 MB of arguments", |config, _| {
        let words = (0..10).map(|_| json!("x".repeat(100_000)));
        config["process"]["args"] = std::iter::once(json!("/bin/true")).chain(words).collect();
    }),
    ("run with a seccomp rule for each system call", |config, _| {
        let rules = Sysno::iter().map(|call| json!({ "names": [call.name()], "action": "SCMP_ACT_ALLOW" }));
        config["linux"]["seccomp"] =
            json!({ "defaultAction": "SCMP_ACT_ERRNO", "syscalls": rules.collect::<Vec<_>>() });
    }),
];

fn mounts(config: &mut Value, bundle: &str, count: usize) {
    let Some(list) = config["mounts"].as_array_mut() else { return };
    let bind = |n| json!({ "destination": format!("/m/{n}"), "type": "bind", "source": bundle, "options": ["bind"] });
    list.extend((0..count).map(bind));
}

/// The names of the contestants and the rows of the table.
pub(crate) fn measure(options: &Options) -> Result<(Vec<String>, Vec<Row>)> {
    let spawner = Spawner::new(&options.work);
    let (names, runtimes) = able(options, &spawner)?;
    let mut rows = Vec::new();
    for (number, (name, change)) in LOADS.into_iter().enumerate() {
        let mut bundles = Vec::new();
        for runtime in &runtimes {
            let bundle = format!("{}-{number}", runtime.bundle);
            runtime.write_bundle(options, &bundle, &json!(["/bin/true"]))?;
            let file = Path::new(&bundle).join("config.json");
            let mut config = serde_json::from_slice(&fs::read(&file)?)?;
            change(&mut config, &bundle);
            fs::write(&file, serde_json::to_vec(&config)?)?;
            bundles.push(bundle);
        }
        let turn = |at: usize| runtimes[at].command(&["run", "--bundle", &bundles[at], &runtimes[at].id]);
        rows.push(Row::of_times(name, in_turns(runtimes.len(), options.pairs, &turn).context(name)?));
    }
    let at_once = |at: usize| at_once(&spawner, &runtimes[at]);
    rows.push(Row::of_times("100 creates at once", in_turns(runtimes.len(), options.pairs.min(5), &at_once)?));
    rows.extend(beside_many(options, &runtimes)?);
    Ok((names.into_iter().map(str::to_owned).collect(), rows))
}

/// The samples of each contestant. The first turn of each warms the caches and is not counted.
fn in_turns(contestants: usize, pairs: usize, turn: &dyn Fn(usize) -> Result<Duration>) -> Result<Vec<Vec<Duration>>> {
    let mut times = vec![Vec::new(); contestants];
    for pair in 0..=pairs {
        for place in 0..contestants {
            let contestant = (place + pair) % contestants;
            let time = turn(contestant)?;
            if pair > 0 {
                times[contestant].push(time);
            }
        }
    }
    Ok(times)
}

fn names(runtime: &Runtime<'_>, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{}-{n}", runtime.id)).collect()
}

fn at_once(spawner: &Spawner, runtime: &Runtime<'_>) -> Result<Duration> {
    let ids = names(runtime, AT_ONCE);
    let create = |id| vec![runtime.path, "--root", &runtime.root, "create", "--bundle", &runtime.bundle, id];
    let commands: Vec<_> = ids.iter().map(|id| create(id.as_str())).collect();
    let time = spawner.run_together(&commands);
    // Also after a failure: the next row begins with nothing.
    let deleted = delete_all(runtime, &ids);
    time.and_then(|time| deleted.map(|()| time))
}

fn delete_all(runtime: &Runtime<'_>, ids: &[String]) -> Result<()> {
    ids.iter().try_for_each(|id| runtime.command(&["delete", "--force", id]).map(drop))
}

/// Commands for one container while a thousand others live.
fn beside_many(options: &Options, runtimes: &[Runtime<'_>]) -> Result<Vec<Row>> {
    const OPERATIONS: [&str; 3] = ["create beside 1,000", "state beside 1,000", "kill beside 1,000"];
    let mut times = vec![vec![Vec::new(); runtimes.len()]; OPERATIONS.len()];
    for (at, runtime) in runtimes.iter().enumerate() {
        let ids = names(runtime, NEIGHBOURS);
        let mut measure = || -> Result<()> {
            for id in &ids {
                runtime.command(&["create", "--bundle", &runtime.bundle, id])?;
            }
            for _ in 0..options.pairs {
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
