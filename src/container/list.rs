//! `list`: every container below the root directory.

use super::{Container, Root};
use crate::report::Log;
use anyhow::Context;

/// All containers, by id. One that cannot be read is a warning and is left out, so that one broken directory does not hide
/// the others.
pub(crate) fn list(root: &Root, log: &Log) -> anyhow::Result<Vec<Container>> {
    let mut found = Vec::new();
    for id in root.ids().context("cannot list containers")? {
        match Container::seek(root, &id) {
            Ok(Some(container)) => found.push(container),
            // Without a record it is just being made or removed, which lasts no time, or a creation was killed in it.
            Ok(None) => log.warning(&format!("{id} is left out: its state directory has no state.json")),
            Err(error) => log.warning_of(&error.context(format!("{id} is left out"))),
        }
    }
    Ok(found)
}
