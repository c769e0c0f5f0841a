//! `create`: a container up to the moment before its program starts.

use super::{CreateRequest, Root};
use crate::report::Log;

/// Creates a container.
pub(crate) fn create(_root: &Root, request: CreateRequest, _log: &Log) -> anyhow::Result<()> {
    anyhow::bail!("cannot create {}: this build has no launch", request.id)
}
