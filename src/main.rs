//! davit, a low-level OCI runtime for Linux.
//!
//! The modules are listed lowest first: a module uses only those above it in this list. A test holds that order
//! (`tests/architecture.rs`). `docs/architecture.md` says what each one owns and what it must never do.

mod plan;
mod report;
mod spec;
mod sys;

fn main() {}
