//! Runs one trial: a command with one injected fault, and the verdict on it.

use crate::errors;
use crate::fingerprint;
use crate::tracer::{Fault, Point, Seen, follow};
use crate::verbs::{Before, Mark, Verb};
use crate::world::{World, processes};
use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::wait::WaitStatus;
use std::io::{PipeReader, Read};
use std::time::Duration;

/// The time limit for a command with a fault. Far longer than any command takes; only a hang reaches it.
const BOUND: Duration = Duration::from_secs(8);

/// The verdict on one trial.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// The fault was injected.
    pub(crate) struck: bool,
    /// The command succeeded despite the fault.
    pub(crate) survived: bool,
    pub(crate) hung: bool,
    pub(crate) wrong: Vec<String>,
    pub(crate) leaked: Vec<String>,
}

/// Runs a command without a fault. Returns its calls in order, and the expected result.
pub(crate) fn record(world: &World, verb: &Verb) -> Result<(Vec<Point>, Mark)> {
    let created = world.prepare(verb.before)?;
    let (seen, output) = traced(world, verb, None)?;
    if seen.ended.is_none_or(|status| !succeeded(status)) {
        anyhow::bail!("{} without a fault: {:?}: {}", verb.name, seen.ended, world.said());
    }
    let mark = world.mark(verb, output, created)?;
    world.succeed(&["delete", "--force", "ID"])?;
    Ok((seen.calls, mark))
}

/// The calls that the runtime makes before its own code runs, recorded from `--version`.
pub(crate) fn start_up(world: &World) -> Result<Vec<Point>> {
    const VERSION: Verb = Verb { name: "--version", before: Before::Nothing, words: &["--version"] };
    Ok(traced(world, &VERSION, None)?.0.calls)
}

fn traced(world: &World, verb: &Verb, fault: Option<(Point, Fault)>) -> Result<(Seen, PipeReader)> {
    // The process that `create` started continues during `start`, so it is traced too.
    let adopted = if verb.before == Before::Created { vec![world.pid()?] } else { Vec::new() };
    let started = world.start_waiting(verb)?;
    let seen = follow(started.child, &adopted, &world.name, fault, BOUND)?;
    Ok((seen, started.output))
}

/// The faults to try at a point.
pub(crate) fn faults_at(point: Point) -> impl Iterator<Item = Fault> {
    let errors = errors::of(point.call).iter().map(|errno| Fault::Error(*errno));
    std::iter::once(Fault::Kill).chain(errors)
}

fn succeeded(status: WaitStatus) -> bool {
    matches!(status, WaitStatus::Exited(_, 0))
}

/// Runs one trial and cleans up after it.
pub(crate) fn run(world: &World, verb: &Verb, mark: &Mark, point: Point, fault: Fault) -> Result<Verdict> {
    let mut verdict = Verdict::default();
    let created = match world.prepare(verb.before) {
        Ok(created) => created,
        Err(error) => {
            verdict.wrong.push(format!("after the trial before: {error:#}"));
            world.clear()?;
            world.prepare(verb.before).context("a container after everything has been cleared away")?
        }
    };
    let before = processes()?;
    let (seen, output) = traced(world, verb, Some((point, fault)))?;
    verdict.struck = seen.struck;
    let killed = seen.struck && fault == Fault::Kill && point.process == 0;
    if killed {
        let waiting = world.abandoned(&before)?;
        verdict
            .leaked
            .extend(waiting.into_iter().map(|who| format!("nobody is left to speak to, and it waits: {who}")));
        // A container in status `created` must either start or report why it cannot.
        let created = || world.status().is_ok_and(|status| status == "created");
        if verb.name == "create" && created() && !world.ends(&["start", "ID"])? {
            verdict.wrong.push("start waits for ever".to_owned());
        }
    }
    match seen.ended {
        None => verdict.hung = true,
        Some(status) if succeeded(status) => {
            verdict.survived = true;
            // The command is not responsible for a container whose process was killed.
            if fault != Fault::Kill || !seen.struck {
                match world.mark(verb, output, created) {
                    Ok(now) if now == *mark => (),
                    Ok(now) => verdict.wrong.push(format!("says success, but {}", difference(&mark.0, &now.0))),
                    Err(error) => verdict.wrong.push(format!("says success, but {error:#}")),
                }
            }
        }
        Some(_) if killed => (),
        Some(status) => after_failure(world, verb, (point, fault), status, output, &mut verdict)?,
    }
    if let Err(error) = world.succeed(&["delete", "--force", "ID"]) {
        verdict.wrong.push(format!("afterwards {error:#}"));
    }
    for left in world.left_behind()? {
        verdict.leaked.push(format!("after delete --force: {left}"));
    }
    if !verdict.leaked.is_empty() || !verdict.wrong.is_empty() {
        world.clear()?;
    }
    // For other commands the next trial checks this.
    if verb.before == Before::Nothing {
        for words in [&["create", "--bundle", "BUNDLE", "ID"][..], &["delete", "--force", "ID"]] {
            if let Err(error) = world.succeed(words) {
                verdict.wrong.push(format!("once more: {error:#}"));
                world.clear()?;
            }
        }
    }
    Ok(verdict)
}

/// Checks a command that failed: it must report the reason and leave the state unchanged.
fn after_failure(
    world: &World,
    verb: &Verb,
    (point, fault): (Point, Fault),
    status: WaitStatus,
    output: PipeReader,
    verdict: &mut Verdict,
) -> Result<()> {
    let printed = (verb.name == "run").then(|| everything(output));
    let said = world.said();
    // A killed program is reported only by its exit status, in every command.
    let reported_by_status = matches!(status, WaitStatus::Exited(_, 137)) && fault == Fault::Kill;
    if !reported_by_status && let Err(why) = names_the_step(&said, world.name.contains("davit")) {
        verdict.wrong.push(format!("{status:?}, {why}: {}", said.trim_end()));
    }
    let alive = fault != Fault::Kill || point.process == 0;
    match verb.before {
        // The program has run; the deletion failed.
        Before::Nothing if printed.is_some_and(|printed| printed.contains(fingerprint::END)) => (),
        Before::Nothing => {
            for left in world.left_behind()? {
                verdict.leaked.push(format!("after {} failed: {left}", verb.name));
            }
        }
        _ if verb.name.starts_with("delete") => (),
        _ => match world.status() {
            Ok(status) => {
                let allowed: &[&str] = match verb.name {
                    "start" => &["created", "stopped"],
                    "kill" => &["running", "stopped"],
                    "resume" => &["running", "paused"],
                    _ => &["running"],
                };
                if alive && !allowed.contains(&status.as_str()) {
                    verdict.wrong.push(format!(
                        "{} failed, and the container is {status}: {}",
                        verb.name,
                        said.trim_end()
                    ));
                }
            }
            // A failing poststart hook destroys the container.
            Err(_) if verb.name == "start" && world.left_behind()?.is_empty() => (),
            Err(error) => verdict.wrong.push(format!("{error:#}")),
        },
    }
    Ok(())
}

/// Reads the output until all writers have closed it.
fn everything(mut output: PipeReader) -> String {
    let mut bytes = Vec::new();
    // Stop early if a running container keeps the pipe open: its output is not needed.
    nix::fcntl::fcntl(&output, nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::O_NONBLOCK)).ok();
    output.read_to_end(&mut bytes).ok();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Checks that an error contains more than the kernel's error text. davit prints `cannot VERB ID: PLACE: KERNEL ERROR`;
/// for other runtimes any additional text is enough.
fn names_the_step(said: &str, strict: bool) -> Result<(), &'static str> {
    let text = said.trim();
    if text.is_empty() {
        return Err("and not a word");
    }
    if text.contains("panicked at") || text.contains("memory allocation of") {
        return Err("it fell over");
    }
    let is_kernels = |part: &str| (1..134).any(|number| Errno::from_raw(number).desc() == part);
    let line = text.lines().rev().find_map(|line| line.strip_prefix("error: ")).unwrap_or(text);
    let mut parts: Vec<_> = line.split(": ").filter(|part| !is_kernels(part)).collect();
    if strict && parts.first().is_some_and(|part| part.starts_with("cannot ")) {
        parts.remove(0);
    }
    if parts.is_empty() { Err("and no word where") } else { Ok(()) }
}

fn difference(right: &str, now: &str) -> String {
    let (mut missing, mut new) = (Vec::new(), Vec::new());
    for line in right.lines().filter(|line| !now.lines().any(|other| other == *line)) {
        missing.push(line);
    }
    for line in now.lines().filter(|line| !right.lines().any(|other| other == *line)) {
        new.push(line);
    }
    format!("there is no {missing:?}, there is {new:?}")
}
