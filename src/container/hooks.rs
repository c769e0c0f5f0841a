//! Runs the hooks of the runtime namespace, and makes the state document for the others, which `init` runs.

use super::{Process, Record, Status, state_for_hooks};
use crate::container::caller;
use crate::hook::{self, Prepared, Rights};
use crate::init::StateDocument;
use crate::launch::cause_text;
use crate::plan::hooks_of;
use crate::report::Log;
use crate::sys::pipe::Meanwhile;
use crate::sys::process;
use anyhow::{Context, Result, anyhow};
use oci_spec::runtime::{Hook, Hooks};
use std::os::fd::AsFd;

/// Runs `prestart`, then `createRuntime` hooks. The container's mounts exist; its root is not entered yet. A hook is
/// killed when the container's process dies, so that `delete --force` ends a creation that hangs in a hook.
pub(super) fn before_pivot(hooks: Option<&Hooks>, record: &Record, pid: i32, log: &Log) -> Result<()> {
    let Some(hooks) = hooks else { return Ok(()) };
    let process = process::open(pid).with_context(|| format!("open a pidfd of {pid}"))?;
    let meanwhile = Meanwhile { ended: Some(process.as_fd()), signals: None };
    run_all("prestart", hooks_of(hooks.prestart().as_ref()), record, Status::Creating, meanwhile, log)?;
    run_all("createRuntime", hooks_of(hooks.create_runtime().as_ref()), record, Status::Creating, meanwhile, log)
}

/// Runs `poststart` hooks, after the program has been executed. The first failure ends the container (runtime.md,
/// lifecycle step 9).
pub(super) fn poststart(record: &Record, meanwhile: Meanwhile<'_>, log: &Log) -> Result<()> {
    run_all("poststart", &record.poststart, record, Status::Running, meanwhile, log)
}

/// The state document for hooks that the container's process runs. Ten blanks take the place of the pid, which that
/// process fills in.
pub(super) fn state_document(record: &Record, status: Status) -> Result<StateDocument> {
    const STAND_IN: i32 = 1_234_567_890;
    let mut record = record.clone();
    record.init = Some(Process { pid: STAND_IN, start_time: 0 });
    let mut text = state_for_hooks(&record, status)?;
    // Inside a JSON string the quotes would be escaped, so this can only be the member itself.
    let member = format!("\"pid\":{STAND_IN}");
    let at = text.windows(member.len()).position(|part| part == member.as_bytes());
    let pid_at = at.context("the state document has no pid")? + "\"pid\":".len();
    text[pid_at..pid_at + 10].fill(b' ');
    Ok(StateDocument { text, pid_at })
}

/// Runs all `poststop` hooks of a deleted container, in order. A failure causes a warning.
pub(super) fn poststop(record: &Record, log: &Log) {
    for number in 0..record.poststop.len() {
        if let Err(error) =
            run_one("poststop", (&record.poststop, number), record, Status::Stopped, Meanwhile::default(), log)
        {
            log.warning_of(&error);
        }
    }
}

fn run_all(
    kind: &str,
    list: &[Hook],
    record: &Record,
    status: Status,
    meanwhile: Meanwhile<'_>,
    log: &Log,
) -> Result<()> {
    (0..list.len()).try_for_each(|number| run_one(kind, (list, number), record, status, meanwhile, log))
}

fn run_one(
    kind: &str,
    (list, number): (&[Hook], usize),
    record: &Record,
    status: Status,
    meanwhile: Meanwhile<'_>,
    log: &Log,
) -> Result<()> {
    let path = list[number].path().display();
    let state = state_for_hooks(record, status)?;
    let prepared = Prepared::new(&list[number], &caller::environment()).in_directory(&record.bundle);
    let begun = log.is_debug().then(std::time::Instant::now);
    let run = hook::run(&prepared, &state, Rights::default(), meanwhile);
    if let Some(begun) = begun {
        let (time, end) = (begun.elapsed(), if run.is_ok() { "succeeded" } else { "failed" });
        log.debug(|| format!("hook: {kind} #{number} {path} {end} after {:.3} ms", time.as_secs_f64() * 1000.0));
    }
    run.map_err(|failure| anyhow!(cause_text(failure.cause, &failure.output)))
        .with_context(|| format!("/hooks/{kind}/{number}: error running {kind} hook #{number}: {path}"))
}
