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
            // A directory without a record is one that is just being made or removed.
            Ok(None) => {}
            Err(error) => log.warning_of(&error.context(format!("{id} is left out"))),
        }
    }
    Ok(found)
}
