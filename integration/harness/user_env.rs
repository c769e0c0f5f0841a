//! Implements `integration user [FILTER]`: runs the same suite as an ordinary user. The list of tests that cannot pass
//! as a user is left to `unprivileged`.
//!
//! The user has what an administrator usually grants: ranges of subordinate ids, and a delegated cgroup or a systemd
//! user manager (`$CGROUP_DRIVER`). This module runs as root, prepares these and starts the suite as the user. The
//! suite and the runtime that it calls then have no privileges. Other tests that cannot run are skipped with the
//! reason.

use crate::harness::cgroups::{BY_SYSTEMD, cgroup_mount};
use crate::harness::runtime::RUNTIME;
use crate::harness::unshared::host;
use crate::harness::user::{self, AS_USER, UID};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use std::{
    fs,
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

/// A cgroup that the user owns; this process is in a child of it. Drop moves the process back and removes both.
struct Delegated {
    path: PathBuf,
    back: PathBuf,
}

impl Delegated {
    fn new() -> std::io::Result<Delegated> {
        let own = fs::read_to_string("/proc/self/cgroup")?;
        let own = own.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default().to_owned();
        let path = cgroup_mount().join(format!("davit-user-{}", std::process::id()));
        let delegated = Delegated { back: cgroup_mount().join(own), path };
        let leaf = delegated.path.join("suite");
        fs::create_dir_all(&leaf)?;
        for directory in [cgroup_mount(), &delegated.path] {
            let known = fs::read_to_string(directory.join("cgroup.controllers"))?;
            for name in known.split_whitespace() {
                // Some controllers cannot be enabled everywhere. The tests check for missing ones.
                fs::write(directory.join("cgroup.subtree_control"), format!("+{name}")).ok();
            }
        }
        for directory in [&delegated.path, &leaf] {
            for file in ["", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control"] {
                chown(directory.join(file), Some(UID), Some(UID))?;
            }
        }
        fs::write(leaf.join("cgroup.procs"), "0")?;
        Ok(delegated)
    }
}

impl Drop for Delegated {
    fn drop(&mut self) {
        fs::write(self.back.join("cgroup.procs"), "0").ok();
        for directory in [&self.path.join("suite"), &self.path] {
            if let Err(error) = fs::remove_dir(directory) {
                eprintln!("integration: remove {}: {error}", directory.display());
            }
        }
    }
}

/// `words` are filters and options for the test runner.
pub(crate) fn main(words: &[String]) -> ExitCode {
    if *AS_USER {
        eprintln!("integration: `user` needs root, to switch to the user");
        return ExitCode::FAILURE;
    }
    let place = PathBuf::from(format!("/tmp/davit-user-{}", std::process::id()));
    let status = enter(&place, words);
    fs::remove_dir_all(&place).ok();
    match status {
        Ok(status) => u8::try_from(status).map_or(ExitCode::FAILURE, ExitCode::from),
        Err(error) => {
            eprintln!("integration: {error}");
            ExitCode::FAILURE
        }
    }
}

fn enter(place: &Path, words: &[String]) -> Result<i32, Box<dyn std::error::Error>> {
    if let Some(why) = user::no_ranges() {
        println!("skipped: {why}");
        return Ok(0);
    }
    unshare(CloneFlags::CLONE_NEWNS)?;
    let (none, all) = (None::<&str>, MsFlags::MS_PRIVATE | MsFlags::MS_REC);
    mount(none, "/", none, all, none)?;
    // The user can read these files but not write them.
    fs::create_dir_all(place.join("home"))?;
    chown(place.join("home"), Some(UID), Some(UID))?;
    user::give_range(place);
    let (runtime, suite) = (place.join("runtime"), place.join("suite"));
    host(&["cp", RUNTIME.as_str(), runtime.to_str().unwrap_or_default()])?;
    host(&["cp", std::env::current_exe()?.to_str().unwrap_or_default(), suite.to_str().unwrap_or_default()])?;
    let delegated = (!*BY_SYSTEMD).then(Delegated::new).transpose()?;
    let mut command = Command::new("setpriv");
    command.args([&format!("--reuid={UID}"), &format!("--regid={UID}"), "--clear-groups", "env", "-i"]);
    command.arg("PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin");
    let own = place.join("home").display().to_string();
    let runtime_dir = format!("XDG_RUNTIME_DIR={}", if *BY_SYSTEMD { format!("/run/user/{UID}") } else { own });
    let set = |name: &str, value: &Path| format!("{name}={}", value.display());
    let passed = ["DEBIAN_TREE", "CGROUP_DRIVER"].into_iter().filter_map(|name| {
        let value = std::env::var(name).ok()?;
        Some(format!("{name}={value}"))
    });
    let environment: Vec<_> =
        [set("RUNTIME", &runtime), set("HOME", &place.join("home")), runtime_dir].into_iter().chain(passed).collect();
    command.args(&environment);
    if *BY_SYSTEMD {
        // The suite starts in the user's part of the cgroup tree, as a login session does.
        command.args(["systemd-run", "--user", "--quiet", "--pipe", "--wait", "--collect"]);
        command.args(["--working-directory=/", "--property=Delegate=yes", "--property=OOMPolicy=continue"]);
        command.args(environment.iter().map(|one| format!("--setenv={one}")));
    }
    let status = command.arg(&suite).args(words).current_dir("/").status()?;
    drop(delegated);
    Ok(status.code().unwrap_or(1))
}
