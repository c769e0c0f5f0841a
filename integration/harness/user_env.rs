//! `integration user [FILTER]`: the same suite as an ordinary user, with what an administrator gives to such a user: ranges of
//! subordinate ids, and a cgroup to make others in, or a systemd of the user's own (`$CGROUP_DRIVER`).
//!
//! This half is root, lays that out and puts the user in; the suite that runs then has no privilege at all, and neither has the
//! runtime that it calls. What it cannot try is in the list of differences, or skipped where it is found out, with the reason.

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

/// A cgroup that belongs to the user, with this process in one below it; the way back is taken when it is dropped.
struct Given {
    path: PathBuf,
    back: PathBuf,
}

impl Given {
    fn new() -> std::io::Result<Given> {
        let own = fs::read_to_string("/proc/self/cgroup")?;
        let own = own.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default().to_owned();
        let path = cgroup_mount().join(format!("davit-user-{}", std::process::id()));
        let given = Given { back: cgroup_mount().join(own), path };
        let seat = given.path.join("suite");
        fs::create_dir_all(&seat)?;
        for directory in [cgroup_mount(), &given.path] {
            let known = fs::read_to_string(directory.join("cgroup.controllers"))?;
            for name in known.split_whitespace() {
                // Not all of them can be had everywhere; what is missing is found out by the tests.
                fs::write(directory.join("cgroup.subtree_control"), format!("+{name}")).ok();
            }
        }
        for directory in [&given.path, &seat] {
            for file in ["", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control"] {
                chown(directory.join(file), Some(UID), Some(UID))?;
            }
        }
        fs::write(seat.join("cgroup.procs"), "0")?;
        Ok(given)
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        fs::write(self.back.join("cgroup.procs"), "0").ok();
        for directory in [&self.path.join("suite"), &self.path] {
            if let Err(error) = fs::remove_dir(directory) {
                eprintln!("integration: remove {}: {error}", directory.display());
            }
        }
    }
}

/// `words` are the test runner's: filters and options.
pub(crate) fn main(words: &[String]) -> ExitCode {
    if *AS_USER {
        eprintln!("integration: `user` needs root, to become the user");
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
    // Where the user can get at them, and out of reach for writing.
    fs::create_dir_all(place.join("home"))?;
    chown(place.join("home"), Some(UID), Some(UID))?;
    user::give_range(place);
    let (runtime, suite) = (place.join("runtime"), place.join("suite"));
    host(&["cp", RUNTIME.as_str(), runtime.to_str().unwrap_or_default()])?;
    host(&["cp", std::env::current_exe()?.to_str().unwrap_or_default(), suite.to_str().unwrap_or_default()])?;
    let given = (!*BY_SYSTEMD).then(Given::new).transpose()?;
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
        // In the user's own part of the tree from the first moment, as a session of the user's is.
        command.args(["systemd-run", "--user", "--quiet", "--pipe", "--wait", "--collect"]);
        command.args(["--working-directory=/", "--property=Delegate=yes", "--property=OOMPolicy=continue"]);
        command.args(environment.iter().map(|one| format!("--setenv={one}")));
    }
    let status = command.arg(&suite).args(words).current_dir("/").status()?;
    drop(given);
    Ok(status.code().unwrap_or(1))
}
