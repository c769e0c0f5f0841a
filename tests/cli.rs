//! Tests the command line as engines and users call it: arguments, texts, exit codes, log lines. Needs no root.
//!
//! A fake container is a record in the test's own root directory and a process that the test has started. `state`,
//! `list`, `kill` and `delete` know nothing more about a container without a cgroup.

#[path = "cli/harness.rs"]
mod harness;

#[path = "cli/completion.rs"]
mod completion;
#[path = "cli/documents.rs"]
mod documents;
#[path = "cli/lifecycle.rs"]
mod lifecycle;
#[path = "cli/logging.rs"]
mod logging;
#[path = "cli/plan.rs"]
mod plan;
#[path = "cli/usage.rs"]
mod usage;
