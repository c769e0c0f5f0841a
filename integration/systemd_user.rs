//! Tests the systemd driver with a user's own manager: scopes in the delegated subtree, a missing bus, rootless
//! Podman. The system manager is left to `systemd`. Most tests need a host booted with systemd and a session of the
//! user (see hack/systemd).

use crate::harness::call::LIMIT;
use crate::harness::cgroups::cgroup_mount;
use crate::harness::kernel;
use crate::harness::skip::skip;
use crate::harness::trial::{Test, tests};
use crate::harness::user::UID;
use crate::rootless::User;
use crate::systemd::need_systemd;
use serde_json::{Value, json};
use std::{fs, path::Path, time::Instant};

pub(crate) fn tests() -> Vec<Test> {
    tests![a_user_has_scopes_of_the_users_own, a_user_without_a_bus_gets_an_error, podman_of_a_user]
}

/// The directory of the bus of the ordinary user's systemd manager.
fn runtime_dir() -> String {
    need_systemd();
    let directory = format!("/run/user/{UID}");
    if !Path::new(&directory).join("bus").exists() {
        skip(format!("the systemd manager of user {UID} is not running (try loginctl enable-linger)"));
    }
    directory
}

fn a_user_has_scopes_of_the_users_own() {
    let runtime = runtime_dir();
    let user = User::new("exec sleep 1000", |c| {
        c["linux"]["resources"] = json!({"memory": {"limit": 64 << 20}, "pids": {"limit": 20}});
    });
    let state = user.dir.join("run/davit");
    let environment = format!("XDG_RUNTIME_DIR={runtime}");
    let davit = |words: &[&str]| {
        let all = ["env", &environment, "./runtime", "--root", state.to_str().unwrap()];
        user.call(&[&all[..], words].concat())
    };
    let systemctl =
        |words: &[&str]| user.call(&[&["env", &environment, "systemctl", "--user"], words].concat()).ok().out;
    davit(&["--systemd-cgroup", "create", &user.id]).ok().silent();
    davit(&["start", &user.id]).ok();
    let state: Value = serde_json::from_str(&davit(&["state", &user.id]).ok().out).unwrap();
    let init = i32::try_from(state["pid"].as_i64().unwrap()).unwrap();
    let path = |pid: i32| fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap().trim().replace("0::", "");
    let unit = format!("davit-{}.scope", user.id);
    let base = format!("/user.slice/user-{UID}.slice/user@{UID}.service/user.slice/{unit}");
    assert_eq!(path(init), base);
    let file = |name: &str| fs::read_to_string(cgroup_mount().join(&base[1..]).join(name)).unwrap().trim().to_owned();
    assert_eq!((file("memory.max"), file("pids.max")), ("67108864".to_owned(), "20".to_owned()));
    // The user does not own this test's cgroup, so the kernel does not let the user move a process out of it.
    let pid_file = user.dir.join("run/exec.pid");
    davit(&["exec", "--detach", "--pid-file", pid_file.to_str().unwrap(), &user.id, "sleep", "1000"]).ok().silent();
    let added = fs::read_to_string(&pid_file).unwrap().parse().unwrap();
    assert_eq!(path(added), base);
    davit(&["update", "--pids-limit", "30", &user.id]).ok().silent();
    systemctl(&["daemon-reload"]);
    assert_eq!((file("memory.max"), file("pids.max")), ("67108864".to_owned(), "30".to_owned()));
    davit(&["kill", &user.id, "KILL"]).ok();
    kernel::wait_exit_all(&[added, init], LIMIT);
    davit(&["delete", &user.id]).ok().silent();
    assert!(!cgroup_mount().join(&base[1..]).exists());
    let end = Instant::now() + LIMIT;
    while systemctl(&["show", "--property", "LoadState", "--value", &unit]).trim() != "not-found" {
        assert!(Instant::now() < end, "{unit} still exists");
    }
}

fn a_user_without_a_bus_gets_an_error() {
    let user = User::new("true", |_| ());
    let output = user.call(&[
        "env",
        "-u",
        "XDG_RUNTIME_DIR",
        "./runtime",
        "--root",
        "run/davit",
        "--systemd-cgroup",
        "run",
        "x",
    ]);
    output.fails().says(
        "--systemd-cgroup: the address of the user's bus is unknown; set DBUS_SESSION_BUS_ADDRESS or XDG_RUNTIME_DIR",
    );
    let output = user.call(&["./runtime", "--systemd-cgroup", "run", "x"]);
    output
        .fails()
        .says("--systemd-cgroup: cannot connect to systemd: unix:path=")
        .says("/bus: no such file or directory");
}

/// Rootless Podman with its default storage, network and limits, and the user's systemd.
fn podman_of_a_user() {
    let runtime = runtime_dir();
    for program in ["/usr/bin/podman", "/usr/bin/newuidmap"] {
        if !Path::new(program).exists() {
            skip(format!("{program} is missing"));
        }
    }
    let user = User::new("true", |_| ());
    let (home, tar) = (user.dir.join("run"), user.dir.join("run/tree.tar"));
    user.call(&["tar", "-C", user.dir.join("rootfs").to_str().unwrap(), "-cf", tar.to_str().unwrap(), "."]).ok();
    let environment = [format!("HOME={}", home.display()), format!("XDG_RUNTIME_DIR={runtime}")];
    let davit = user.dir.join("runtime");
    let podman = |words: &[&str]| {
        let mut all = vec!["env", &environment[0], &environment[1], "podman", "--runtime", davit.to_str().unwrap()];
        all.extend(["--cgroup-manager", "systemd"]);
        user.call(&[&all[..], words].concat())
    };
    podman(&["import", tar.to_str().unwrap(), "localhost/bb"]).ok();
    // Podman's networks are left to `rootless_engines`.
    let run = ["run", "--detach", "--name", "x", "--network", "none", "--memory", "64m", "--pids-limit", "50"];
    let id = podman(&[&run[..], &["localhost/bb", "sleep", "1000"]].concat()).ok().line().to_owned();
    let pid = podman(&["inspect", "--format", "{{.State.Pid}}", "x"]).ok().line().to_owned();
    let place = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let unit = format!("libpod-{id}.scope");
    assert!(place.trim().ends_with(&format!("/user@{UID}.service/user.slice/{unit}")), "{place}");
    let limits = ["exec", "x", "cat", "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/pids.max"];
    assert_eq!(podman(&limits).ok().out, "67108864\n50\n");
    podman(&["update", "--memory", "96m", "x"]).ok();
    assert_eq!(podman(&limits).ok().out, "100663296\n50\n");
    podman(&["stop", "--time", "0", "x"]).ok();
    podman(&["rm", "x"]).ok();
    let listed =
        user.call(&["env", &environment[1], "systemctl", "--user", "list-units", "--all", "--no-legend", &unit]);
    assert_eq!(listed.ok().out, "");
    // Ends the process that holds Podman's namespaces.
    podman(&["system", "migrate"]).ok();
}
