//! The program of `hack/bench`: runs the same operations with several runtimes, interleaved, and reports the medians.
//!
//! It uses runtimes only through the usual command line, and each runtime's own `spec`. The kernel minimum
//! (kernel_minimum.c) is a contestant for the operations that have one. Needs root and cgroup v2 at /sys/fs/cgroup;
//! `hack/bench` provides both.

mod docker;
mod kernel_minimum;
mod growth;
mod layout;
mod runtime;
mod spawn;
mod table;

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use kernel_minimum::Minimum;
use runtime::Runtime;
use spawn::Spawner;
use table::Row;

const USAGE: &str = "usage: bench --kernel-minimum FILE --busybox FILE --work DIR [-n PAIRS] [--report] [--growth] [--layout MAP] NAME=RUNTIME...";

/// The timed operations, in the table's order. `create + start + delete` is the sum of three commands. It excludes the
/// wait for the program's exit between `start` and `delete`.
const OPERATIONS: [&str; 10] = [
    "run",
    "run, Docker's configuration",
    "create + start + delete",
    "create",
    "start",
    "delete",
    "exec",
    "state",
    "list",
    "kill",
];
/// The number of contestants before the runtimes.
const MINIMUMS: usize = 1;
/// The number of samples of a quantity that hardly varies.
const LOOKS: usize = 5;

struct Options {
    minimum: String,
    busybox: PathBuf,
    work: PathBuf,
    pairs: usize,
    markdown: bool,
    growth: bool,
    /// The linker's map of the first runtime: measure nothing, and print its hot functions instead.
    layout: Option<PathBuf>,
    runtimes: Vec<(String, String)>,
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Options> {
    let (mut minimum, mut busybox, mut work, mut pairs, mut layout) = (None, None, None, 100, None);
    let (mut markdown, mut growth) = (false, false);
    let mut runtimes = Vec::new();
    while let Some(word) = words.next() {
        let mut value = || words.next().with_context(|| format!("{word} needs a value\n{USAGE}"));
        match word.as_str() {
            "--kernel-minimum" => minimum = Some(value()?),
            "--busybox" => busybox = Some(PathBuf::from(value()?)),
            "--work" => work = Some(PathBuf::from(value()?)),
            "-n" => pairs = value()?.parse().context("-n needs a number")?,
            "--report" => markdown = true,
            "--growth" => growth = true,
            "--layout" => layout = Some(PathBuf::from(value()?)),
            // `cargo bench` adds this argument.
            "--bench" => (),
            _ => match word.split_once('=') {
                Some((name, path)) => runtimes.push((name.to_owned(), path.to_owned())),
                None => bail!("{word}: not understood\n{USAGE}"),
            },
        }
    }
    let (Some(minimum), Some(busybox), Some(work)) = (minimum, busybox, work) else { bail!(USAGE) };
    if runtimes.is_empty() || pairs == 0 {
        bail!(USAGE);
    }
    Ok(Options { minimum, busybox, work, pairs, markdown, growth, layout, runtimes })
}

fn peak(spawner: &Spawner, options: &Options, command: &[&str]) -> Result<f64> {
    let file = options.work.join("rss");
    let out = file.to_str().context("a path that is not UTF-8")?;
    spawner.run(&[&[options.minimum.as_str(), "rss", out], command].concat())?;
    let kib: f64 = fs::read_to_string(&file)?.trim().parse()?;
    Ok(kib / 1024.0)
}

/// The names of all contestants, and the runtimes that work on this host.
fn able<'a>(options: &'a Options, spawner: &'a Spawner) -> Result<(Vec<String>, Vec<Runtime<'a>>)> {
    let (mut runtimes, mut names) = (Vec::new(), vec!["minimum".to_owned()]);
    for (name, path) in &options.runtimes {
        match Runtime::new(spawner, options, name, path) {
            Ok(runtime) => {
                runtimes.push(runtime);
                names.push(name.clone());
            }
            // The comparison needs the first runtime. Another one that does not work on this host is omitted.
            Err(error) if runtimes.is_empty() => return Err(error),
            Err(error) => writeln!(std::io::stderr(), "speed: {name} is left out: {error:#}")?,
        }
    }
    Ok((names, runtimes))
}

/// The names of the contestants, the minimum first, and the rows of the table.
fn measure(options: &Options) -> Result<(Vec<String>, Vec<Row>)> {
    let spawner = Spawner::new(&options.work);
    let (names, runtimes) = able(options, &spawner)?;
    let minimum = Minimum::new(&spawner, options, &runtimes[0].bundle)?;

    let contestants = runtimes.len() + MINIMUMS;
    let mut times = vec![vec![Vec::new(); contestants]; OPERATIONS.len()];
    // The first turn of each warms the caches and is not counted. The order rotates by one with every pair.
    for pair in 0..=options.pairs {
        for place in 0..contestants {
            let contestant = (place + pair) % contestants;
            let turn = match contestant {
                0 => minimum.turn()?,
                _ => runtimes[contestant - 1].turn()?,
            };
            for (operation, time) in turn.into_iter().enumerate().filter(|_| pair > 0) {
                times[operation][contestant].extend(time);
            }
        }
    }
    let mut rows: Vec<Row> =
        OPERATIONS.into_iter().zip(times).map(|(name, times)| Row::of_times(name, times)).collect();

    let repeat = |look: &dyn Fn() -> Result<f64>| (0..LOOKS).map(|_| look()).collect::<Result<Vec<_>>>();
    let mut peaks = vec![repeat(&|| peak(&spawner, options, &minimum.run_words()))?];
    let mut sizes = vec![Vec::new()];
    let mut calls = [vec![Vec::new()], vec![Vec::new()]];
    for runtime in &runtimes {
        peaks.push(repeat(&|| runtime.peak(options))?);
        let counted = runtime.system_calls(&options.work)?;
        for (verb, calls) in calls.iter_mut().enumerate() {
            calls.push(counted.iter().map(|counted| counted[verb]).collect());
        }
        let bytes = fs::metadata(runtime.path).with_context(|| format!("the size of {}", runtime.path))?.len();
        sizes.push(vec![bytes as f64 / f64::from(1 << 20)]);
    }
    rows.push(Row { name: "run, peak resident set", unit: "MiB", digits: 2, samples: peaks });
    for (name, samples) in ["run, system calls", "create, system calls"].into_iter().zip(calls) {
        rows.push(Row { name, unit: "calls", digits: 0, samples });
    }
    rows.extend(call_costs(options, &spawner, &runtimes)?);
    rows.push(Row { name: "binary", unit: "MiB", digits: 2, samples: sizes });
    Ok((names, rows))
}

/// The cost of system calls in a container with Docker's seccomp filter. The minimum has no filter.
fn call_costs(options: &Options, spawner: &Spawner, runtimes: &[Runtime<'_>]) -> Result<Vec<Row>> {
    let names = ["a call that filters know by its number", "a call whose argument they look at"];
    let mut samples = [(); 2].map(|()| vec![Vec::new(); runtimes.len() + 1]);
    for _ in 0..LOOKS {
        for contestant in 0..=runtimes.len() {
            let costs = match contestant {
                0 => {
                    spawner.run(&[&options.minimum, "calls"])?;
                    runtime::call_cost(&fs::read_to_string(spawner.output())?)?
                }
                _ => runtimes[contestant - 1].call_cost(options)?,
            };
            for (samples, cost) in samples.iter_mut().zip(costs) {
                samples[contestant].push(cost);
            }
        }
    }
    Ok(names.into_iter().zip(samples).map(|(name, samples)| Row { name, unit: "ns", digits: 0, samples }).collect())
}

fn bench() -> Result<()> {
    let options = parse(std::env::args().skip(1))?;
    fs::create_dir_all(&options.work)?;
    nix::sys::prctl::set_child_subreaper(true)?;
    if let Some(map) = &options.layout {
        return Ok(std::io::stdout().write_all(layout::hot_sections(&options, map)?.as_bytes())?);
    }
    let (contestants, rows) = if options.growth { growth::measure(&options)? } else { measure(&options)? };
    let contestants: Vec<&str> = contestants.iter().map(String::as_str).collect();
    let draw = if options.markdown { table::markdown } else { table::text };
    std::io::stdout().write_all(draw(&contestants, MINIMUMS, &rows).as_bytes())?;
    Ok(())
}

fn main() -> ExitCode {
    match bench() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "speed: {error:#}");
            ExitCode::FAILURE
        }
    }
}
