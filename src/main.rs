//! davit, a low-level OCI runtime for Linux.
//!
//! The modules are listed lowest first: a module uses only those above it in this list. A test holds that order
//! (`tests/architecture.rs`). `docs/architecture.md` says what each one owns and what it must never do.

#[expect(dead_code, reason = "called once the lifecycle is merged")]
mod cgroup;
#[expect(dead_code, reason = "called once the lifecycle is merged")]
mod plan;
mod report;
#[expect(dead_code, reason = "called once the lifecycle is merged")]
mod spec;
mod sys;

fn main() {}
