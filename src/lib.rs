//! davit, a low-level OCI runtime for Linux, as a library.
//!
//! Only the entry point (`src/main.rs`) and the fuzz targets (`tools/fuzz`) use it from outside.
//!
//! The modules are listed lowest first: a module uses only those above it in this list. A test checks this order
//! (`tests/architecture.rs`). `docs/architecture.md` describes what each module owns and what it must never do.

mod report;
mod sys;
mod spec;
mod bpf;
mod dbus;
mod plan;
mod channel;
mod hook;
mod criu;
mod cgroup;
mod resctrl;
mod host;
mod init;
mod launch;
mod container;
mod cli;
#[cfg(any(test, fuzzing))]
pub mod fuzz;

/// Prepares the process, runs the command line and returns the exit status. The only place where an error is reported.
pub fn main() -> u8 {
    sys::entry::prepare();
    let (result, log) = cli::run(std::env::args_os().collect());
    match result {
        Ok(code) => {
            log.settle();
            code
        }
        Err(error) => log.fatal(&error),
    }
}
