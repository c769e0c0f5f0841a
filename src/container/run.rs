//! `run`: create, start, wait, delete.

use super::{Root, RunRequest};
use crate::report::Log;

/// Runs a container; the exit status for davit to end with.
pub(crate) fn run(_root: &Root, request: RunRequest, _log: &Log) -> anyhow::Result<u8> {
    anyhow::bail!("cannot run {}: this build has no launch", request.create.id)
}
