//! `integration engines [FILTER]`: tests container engines through their user interfaces, with the runtime under test.
//! How an engine calls the runtime is left to `contract.rs`.
//!
//! Every check runs twice, with the runtime under test (`$RUNTIME`) and with runc, to show which failures are ours. The
//! run ends with a table of features and engines. The suite does not touch the host's own engines: it restarts itself
//! in new namespaces (mount, network, pid and more), and keeps all state on a tmpfs there. It skips and counts an
//! engine that is not installed.

mod time_limit;
mod buildah;
mod census;
mod cgroups;
mod compose;
mod containerd;
mod cri;
mod daemon;
mod engine;
mod exec;
mod grpc;
mod health;
mod images;
mod layout;
mod leaks;
mod lifecycle;
mod limits;
mod networks;
mod place;
mod pods;
mod security;
mod snippets;
mod streams;
mod table;
mod volumes;

use engine::Engine;
use nix::mount::{MsFlags, mount};
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::process::{Command, ExitCode};

/// One check: feature (a row of the table), name, and the function that tests the feature in an engine.
pub(crate) type Check = (&'static str, &'static str, fn(&Engine));

/// The environment variable that marks the second start, inside the namespaces.
const INSIDE: &str = "DAVIT_ENGINES_INSIDE";

/// Runs the suite; `words` are filters and options for the test runner.
pub(crate) fn main(words: Vec<String>) -> ExitCode {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("integration: needs root");
        return ExitCode::FAILURE;
    }
    if std::env::var_os(INSIDE).is_some() {
        return table::run(words);
    }
    // The shell is the first process of the pid namespace; it reaps the orphans of daemons and monitors.
    let mut command = Command::new("unshare");
    command.args(["--mount", "--net", "--ipc", "--uts", "--propagation", "private"]);
    if !*crate::harness::cgroups::BY_SYSTEMD {
        // systemd reads pids in its own pid namespace, so this needs the same one. systemd ends leftovers
        // (hack/systemd).
        command.args(["--pid", "--fork", "--mount-proc", "--kill-child"]);
    }
    command.args(["sh", "-c", "\"$@\" & wait $!", "sh"]).arg(std::env::current_exe().unwrap()).arg("engines");
    match command.args(words).env(INSIDE, "1").status() {
        Ok(status) => u8::try_from(status.code().unwrap_or(1)).map_or(ExitCode::FAILURE, ExitCode::from),
        Err(error) => {
            eprintln!("integration: unshare: {error}");
            ExitCode::FAILURE
        }
    }
}

/// If systemd manages the cgroups: binds /run/systemd and /run/dbus back over the mount that covers /run.
fn keep_systemd(run: &File) -> std::io::Result<()> {
    for name in ["systemd", "dbus"].iter().filter(|_| *crate::harness::cgroups::BY_SYSTEMD) {
        let (source, target) = (format!("/proc/self/fd/{}/{name}", run.as_raw_fd()), format!("/run/{name}"));
        fs::create_dir(&target)?;
        let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
        mount(Some(source.as_str()), target.as_str(), None::<&str>, flags, None::<&str>)?;
    }
    Ok(())
}
