//! Finds out whether the OOM killer has killed a process of a container, for errors that would otherwise only name a
//! signal.
//!
//! Does not know which process it was: the kernel counts kills for each cgroup.

use super::Record;
use crate::cgroup::Cgroup;
use anyhow::{Error, Result, anyhow};

/// Whether the OOM killer has ended a process in the cgroup or below.
pub(super) fn has_killed(cgroup: Option<&Cgroup>) -> Result<bool> {
    Ok(cgroup.map_or(Ok(None), Cgroup::oom_kills)?.is_some_and(|kills| kills > 0))
}

/// The error of a first process that could not be created. An OOM kill explains more than its symptoms.
pub(super) fn explain_init(error: Error, cgroup: Option<&Cgroup>, record: &Record) -> Error {
    // systemd removes the cgroup with its last process, and the count of kills with it.
    let is_gone = record.cgroup.as_ref().is_some_and(|made| made.unit.is_some() && !made.path.exists());
    match has_killed(cgroup) {
        Ok(true) => anyhow!("container init was OOM-killed (memory limit too low?)"),
        _ if is_gone && is_sigkill(&error) => anyhow!("{error:#} (possibly OOM-killed: memory limit too low?)"),
        _ => error,
    }
}

/// The error of a process that could not be added to a container.
pub(super) fn explain_exec(error: Error, record: &Record) -> Error {
    match is_sigkill(&error) && has_killed_in(record) {
        true => anyhow!("{error:#} (possibly OOM-killed)"),
        false => error,
    }
}

/// As [`has_killed`], for the cgroup in the record. False if it cannot be read: the answer only explains other errors.
pub(super) fn has_killed_in(record: &Record) -> bool {
    record.open_cgroup().and_then(|cgroup| has_killed(cgroup.as_ref())).unwrap_or(false)
}

fn is_sigkill(error: &Error) -> bool {
    format!("{error:#}").ends_with(&format!("signal {}", libc::SIGKILL))
}
