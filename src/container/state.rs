//! The recorded and derived state of containers: the state directory with its lock, the record, the status.
//!
//! Knows no command.

pub(super) mod dir;
pub(super) mod document;
pub(super) mod id;
pub(super) mod process;
pub(super) mod record;
pub(super) mod root;
pub(super) mod status;
