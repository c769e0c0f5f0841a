//! Talks to CRIU, which checkpoints and restores processes: one request to `criu swrk`, its notifications, its answer.
//!
//! Knows CRIU's protocol and its log. Deliberately does not know containers: the caller decides what is requested, and
//! starts the process. `docs/decisions/criu.md` has the reasons for this interface.

mod conversation;
mod log;
mod options;
mod wire;

pub(crate) use conversation::{Answer, Notice, ask_features, dump, pre_dump, restore};
pub(crate) use log::last_lines;
pub(crate) use options::{CgroupMode, Flag, Options};
