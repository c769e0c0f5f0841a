//! The hooks that run when a container is gone. None of them can stop anything: a failure is a warning.

use super::{Record, Status, state_for_hooks};
use crate::report::Log;
use anyhow::Context;
use oci_spec::runtime::Hook;

/// Runs `hooks.poststop` of a deleted container, in order, all of them.
pub(super) fn run(record: &Record, log: &Log) {
    if record.poststop.is_empty() {
        return;
    }
    for (index, hook) in record.poststop.iter().enumerate() {
        let done = state_for_hooks(record, Status::Stopped).and_then(|state| run_one(hook, &state));
        if let Err(error) = done.with_context(|| format!("/hooks/poststop/{index}: {}", hook.path().display())) {
            log.warning_of(&error);
        }
    }
}

/// One hook, with the caller's environment if it has none of its own.
fn run_one(_hook: &Hook, _state: &[u8]) -> anyhow::Result<()> {
    anyhow::bail!("this build runs no hooks")
}
