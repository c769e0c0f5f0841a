//! What davit remembers of a container, and what it derives from that: the state directory and its lock, the record, the status.
//!
//! Knows no verb.

pub(super) mod dir;
pub(super) mod document;
pub(super) mod id;
pub(super) mod process;
pub(super) mod record;
pub(super) mod root;
pub(super) mod status;
