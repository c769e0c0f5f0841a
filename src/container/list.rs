//! `list`: all containers below the root directory.

use super::{Container, Root};
use crate::report::Log;
use anyhow::Context;

/// All containers, sorted by id. A container that cannot be read is skipped with a warning, so that it does not hide
/// the others.
pub(crate) fn list(root: &Root, log: &Log) -> anyhow::Result<Vec<Container>> {
    let mut found = Vec::new();
    for id in root.ids().context("cannot list containers")? {
        match Container::find_if_exists(root, &id) {
            Ok(Some(container)) => found.push(container),
            // Without a record the container is being created or removed, or its creation was killed.
            Ok(None) => log.warning(&format!("{id} is left out: its state directory has no state.json")),
            Err(error) => log.warning_of(&error.context(format!("{id} is left out"))),
        }
    }
    Ok(found)
}
