//! `integration engines [FILTER]`: container engines driven as their users drive them, with the runtime under test below.
//!
//! Every check is run twice, with the runtime under test (`$RUNTIME`) and with runc, so that a failure is known to be ours;
//! a table of feature and engine closes the run. Nothing of this host's own engines is touched: the suite starts itself again
//! in namespaces of its own, of mounts, networks, pids and more, and keeps all state on a tmpfs there. An engine that is not installed is
//! skipped and counted. It deliberately knows nothing of how an engine calls a runtime; `contract.rs` knows that.

mod bound;
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

/// One check: feature (a row of the table), its own name, and what it does with an engine that has it.
pub(crate) type Check = (&'static str, &'static str, fn(&Engine));

/// The environment variable that marks the second start, inside the namespaces.
const INSIDE: &str = "DAVIT_ENGINES_INSIDE";

/// `words` are the test runner's: filters and options.
pub(crate) fn main(words: Vec<String>) -> ExitCode {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("integration: needs root");
        return ExitCode::FAILURE;
    }
    if std::env::var_os(INSIDE).is_some() {
        return table::run(words);
    }
    // The shell is the first process there, and reaps what daemons and monitors leave behind.
    let mut command = Command::new("unshare");
    command.args(["--mount", "--net", "--ipc", "--uts", "--propagation", "private"]);
    if !*crate::harness::cgroups::BY_SYSTEMD {
        // systemd would take the pids it is told for its own; what is left over it ends itself (hack/systemd).
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

/// Where systemd is to make the cgroups: brings it and its bus back from below a covered /run.
fn keep_systemd(run: &File) -> std::io::Result<()> {
    for name in ["systemd", "dbus"].iter().filter(|_| *crate::harness::cgroups::BY_SYSTEMD) {
        let (source, target) = (format!("/proc/self/fd/{}/{name}", run.as_raw_fd()), format!("/run/{name}"));
        fs::create_dir(&target)?;
        let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
        mount(Some(source.as_str()), target.as_str(), None::<&str>, flags, None::<&str>)?;
    }
    Ok(())
}
