//! davit, a low-level OCI runtime for Linux.
//!
//! The modules are listed lowest first: a module uses only those above it in this list. A test holds that order
//! (`tests/architecture.rs`). `docs/architecture.md` says what each one owns and what it must never do.

mod report;
mod sys;
mod spec;
mod bpf;
mod dbus;
mod plan;
mod channel;
mod hook;
mod cgroup;
mod resctrl;
mod host;
mod init;
mod launch;
mod container;
mod cli;

use std::process::ExitCode;

/// Runs the command line. The only place where an error is told.
fn main() -> ExitCode {
    let (result, log) = cli::run(std::env::args_os().collect());
    match result {
        Ok(code) => {
            log.settle();
            ExitCode::from(code)
        }
        Err(error) => ExitCode::from(log.fatal(&error)),
    }
}
