//! davit, a low-level OCI runtime for Linux.
//!
//! The modules are listed lowest first: a module uses only those above it in this list. A test holds that order
//! (`tests/architecture.rs`). `docs/architecture.md` says what each one owns and what it must never do.

#![cfg_attr(not(test), no_main)]

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

#[cfg(not(test))]
sys::entry::entry!(run);

/// Runs the command line and returns the exit status. The only place where an error is told.
#[cfg_attr(test, expect(dead_code, reason = "the tests have an entry point of their own"))]
fn run() -> u8 {
    let (result, log) = cli::run(std::env::args_os().collect());
    match result {
        Ok(code) => {
            log.settle();
            code
        }
        Err(error) => log.fatal(&error),
    }
}
