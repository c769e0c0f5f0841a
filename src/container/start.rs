//! `start`: the first process of a created container becomes its program.

use super::{Id, Root};
use crate::report::Log;

/// Starts a created container.
pub(crate) fn start(_root: &Root, id: &Id, _log: &Log) -> anyhow::Result<()> {
    anyhow::bail!("cannot start {id}: this build has no launch")
}
