//! The program of `hack/faults`: injects a fault into each system call of a runtime's commands, and checks for
//! leftovers.
//!
//! It re-executes itself as workers. Each worker is the first process of a pid namespace, with its own mounts and
//! network devices, so that every leftover of a trial is visible. It uses runtimes only through the usual command line.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "it starts programs by std and prints what it sees; the bans protect the runtime itself"
)]

mod bundle;
mod errors;
mod fingerprint;
mod table;
mod tracer;
mod trial;
mod verbs;
mod world;

use anyhow::{Context, Result, bail};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};
use syscalls::Sysno;
use table::Count;
use tracer::{Fault, Point};
use verbs::{VERBS, Verb};
use world::World;

const USAGE: &str = "usage: faults [--sample K | --most N] [--workers N] [--verb NAME] [--at CALL] [--report] RUNTIME";

/// The command line options.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// The runtime's file.
    pub(crate) runtime: String,
    /// Makes the names on the host unique to this run.
    pub(crate) stamp: u32,
    /// Run one trial out of this many.
    sample: usize,
    /// Run about this many trials in total; overrides `sample`.
    most: Option<usize>,
    workers: usize,
    /// Only this command.
    verb: Option<String>,
    /// Only this system call.
    at: Option<String>,
    markdown: bool,
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Options> {
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let mut options = Options {
        runtime: String::new(),
        // Not the process id, which is always the same in a new pid namespace.
        stamp: std::time::SystemTime::UNIX_EPOCH
            .elapsed()
            .map_or(0, |time| time.subsec_nanos() ^ time.as_secs() as u32),
        sample: 1,
        most: None,
        workers,
        verb: None,
        at: None,
        markdown: false,
    };
    while let Some(word) = words.next() {
        let mut value = || words.next().with_context(|| format!("{word} needs a value\n{USAGE}"));
        match word.as_str() {
            "--sample" => options.sample = value()?.parse().context("--sample needs a number")?,
            "--most" => options.most = Some(value()?.parse().context("--most needs a number")?),
            "--workers" => options.workers = value()?.parse().context("--workers needs a number")?,
            "--stamp" => options.stamp = value()?.parse().context("--stamp needs a number")?,
            "--verb" => options.verb = Some(value()?),
            "--at" => options.at = Some(value()?),
            "--report" => options.markdown = true,
            // `cargo bench` adds this argument.
            "--bench" => (),
            _ if options.runtime.is_empty() && !word.starts_with('-') => options.runtime = word,
            _ => bail!("{word}: not understood\n{USAGE}"),
        }
    }
    if options.runtime.is_empty() || options.sample == 0 || options.workers == 0 {
        bail!(USAGE);
    }
    Ok(options)
}

/// Runs one worker's share of the trials. Prints counts to standard output and findings to standard error.
fn work(options: &Options, part: usize) -> Result<()> {
    let mut world = World::make(options, part)?;
    let start_up = trial::start_up(&world)?;
    for rich in [false, true] {
        world.configure(rich)?;
        for verb in &VERBS {
            let name = table::row_name(verb.name, rich);
            if options.verb.as_ref().is_some_and(|wanted| *wanted != name && wanted != verb.name) {
                continue;
            }
            match every_call(&mut world, verb, &name, &start_up, options, part) {
                Ok(count) => println!("{}", count.line(&name)),
                // Other runtimes may not support every command on every host; davit must.
                Err(error) if !world.name.contains("davit") => {
                    eprintln!("omitted: {name}: {error:#}");
                    world.clear()?;
                }
                Err(error) => return Err(error.context(name)),
            }
        }
    }
    world.end()
}

/// Runs this worker's trials of one command.
fn every_call(
    world: &mut World,
    verb: &Verb,
    name: &str,
    start_up: &[Point],
    options: &Options,
    part: usize,
) -> Result<Count> {
    // Anything permanent that the first container of a kind creates is not a leak.
    trial::record(world, verb)?;
    world.settle()?;
    let (calls, mark) = trial::record(world, verb)?;
    // Skip the calls that libc makes before `main`: the runtime cannot handle their errors.
    let own = calls.iter().filter(|point| point.process == 0);
    let begins = own.zip(start_up).take_while(|(call, other)| call == other).count();
    let calls = calls.into_iter().filter(|point| !start_up[..begins].contains(point));
    // The container's process may begin to wait for `start` before or after `create` exits. That wait is not part of
    // the command in either case.
    let calls: Vec<_> = calls.filter(|point| point.process == 0 || point.call != Sysno::accept4).collect();
    let wanted = calls.iter().filter(|point| options.at.as_ref().is_none_or(|at| point.call.name() == at));
    let trials: Vec<_> = wanted.flat_map(|point| trial::faults_at(*point).map(|fault| (*point, fault))).collect();
    let share = options.most.map(|most| (most / (2 * VERBS.len())).max(1));
    let sample = share.map_or(options.sample, |share| trials.len().div_ceil(share).max(1));
    // Each run samples different trials.
    let first = options.stamp as usize % sample;
    let mut count = Count::of(calls.len());
    for (point, fault) in trials.into_iter().skip(first).step_by(sample).skip(part).step_by(options.workers) {
        let mut verdict = trial::run(world, verb, &mark, point, fault)?;
        if verdict.hung {
            // A busy machine may stall for a while. A real hang is reproducible, so try again.
            verdict = trial::run(world, verb, &mark, point, fault)?;
        }
        report(name, point, fault, &verdict);
        count.add(&verdict);
    }
    Ok(count)
}

fn at_words(point: Point, fault: Fault) -> String {
    let process = if point.process == 0 { "the command".to_owned() } else { format!("process {}", point.process) };
    match fault {
        Fault::Kill => format!("{process} killed at {} {}", point.call.name(), point.nth),
        Fault::Error(errno) => format!("{} {} of {process} gives {errno:?}", point.call.name(), point.nth),
    }
}

fn report(name: &str, point: Point, fault: Fault, verdict: &trial::Verdict) {
    let place = format!("{name}: {}", at_words(point, fault));
    if verdict.hung {
        eprintln!("HUNG   {place}");
    }
    for what in &verdict.wrong {
        eprintln!("WRONG  {place}: {what}");
    }
    for what in &verdict.leaked {
        eprintln!("LEAKED {place}: {what}");
    }
}

/// Starts the workers and adds up their counts.
fn direct(options: &Options) -> Result<bool> {
    let own = std::env::current_exe()?;
    let mut workers = Vec::new();
    for part in 0..options.workers {
        let mut command = Command::new("unshare");
        command.args([
            "--mount",
            "--net",
            "--ipc",
            "--uts",
            "--propagation",
            "private",
            "--pid",
            "--fork",
            "--kill-child",
        ]);
        command.arg("--mount-proc").arg(&own).args(["worker", &part.to_string()]);
        command.args(["--stamp", &options.stamp.to_string(), "--workers", &options.workers.to_string()]);
        command.args(["--sample", &options.sample.to_string()]);
        let most = options.most.map(|number| number.to_string());
        for (flag, value) in [("--most", &most), ("--verb", &options.verb), ("--at", &options.at)] {
            if let Some(value) = value {
                command.args([flag, value]);
            }
        }
        command.arg(&options.runtime).stdin(Stdio::null()).stdout(Stdio::piped());
        workers.push(command.spawn().context("unshare")?);
    }
    let mut counts = Vec::new();
    for worker in workers {
        let said = worker.wait_with_output()?;
        if !said.status.success() {
            bail!("a worker ended with {}", said.status);
        }
        table::merge(&mut counts, &String::from_utf8_lossy(&said.stdout))?;
    }
    if options.markdown {
        print!("{}", table::markdown(&counts));
    }
    let total = table::total(&counts);
    println!("{total}");
    Ok(total.is_clean())
}

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1).peekable();
    let word = words.peek().cloned().unwrap_or_default();
    let done = match word.as_str() {
        "wait-then-exec" => {
            // Wait until the tracer has attached to this process.
            std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).ok();
            let words: Vec<_> = words.skip(1).collect();
            Err(Command::new(&words[0]).args(&words[1..]).stdin(Stdio::null()).exec().into())
        }
        "fingerprint" => {
            print!("{}", fingerprint::take());
            if words.nth(1).as_deref() == Some("stay") {
                drop(std::io::Write::flush(&mut std::io::stdout()));
                nix::unistd::pause();
            }
            Ok(true)
        }
        "worker" => words.next().zip(words.next()).context(USAGE).and_then(|(_, part)| {
            work(&parse(words)?, part.parse().context("the number of a worker")?)?;
            Ok(true)
        }),
        _ => parse(words).and_then(|options| direct(&options)),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("faults: {error:#}");
            ExitCode::FAILURE
        }
    }
}
