//! The program as engines and people call it: words, texts, exit codes, log lines. Needs no root.
//!
//! Containers are stood in for by a record in a root directory of the test's own and a process the test has started, which
//! is all that `state`, `list`, `kill` and `delete` know of one without a cgroup.

#[path = "cli/stage.rs"]
mod stage;

#[path = "cli/completion.rs"]
mod completion;
#[path = "cli/documents.rs"]
mod documents;
#[path = "cli/lifecycle.rs"]
mod lifecycle;
#[path = "cli/logging.rs"]
mod logging;
#[path = "cli/usage.rs"]
mod usage;
