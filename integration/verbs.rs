//! Tests every subcommand in every status: exit code and error text, which engines and scripts read. Also tests errors
//! for commands that cannot be executed, and creations that hang. Options of single subcommands are left to their own
//! modules.

use crate::harness::bundle::{Container, install, wait_in};
use crate::harness::call::{LIMIT, Running};
use crate::harness::cgroups::need_controller;
use crate::harness::kernel;
use crate::harness::runtime::only_davit;
use crate::harness::trial::{Test, rows, tests};
use crate::pause_ps_update::in_status;
use serde_json::json;
use std::{fs, os::fd::OwnedFd, time::Duration};

pub(crate) fn tests() -> Vec<Test> {
    let mut all = tests![
        update_keeps_the_other_value_of_a_pair,
        exec_in_a_cgroup_below_the_containers,
        exec_enters_the_cgroup_of_the_moved_init,
        exec_in_a_paused_container_can_be_interrupted,
        exec_gives_up_a_process_that_the_container_stops,
        exec_sets_the_home_of_its_user,
        exec_enters_a_container_that_may_trace,
        a_creation_that_hangs_can_be_deleted_by_force,
        a_creation_without_a_cgroup_can_be_deleted_by_force,
        a_run_that_hangs_in_a_hook_handles_signals,
        a_run_that_hangs_in_a_poststart_hook_handles_signals,
        a_killed_start_also_kills_its_hook,
    ];
    all.extend(rows!("in", TABLE, responds));
    all.extend(rows!("missing", MISSING, missing));
    all
}

/// The statuses, in the order of the columns below.
const STATUSES: [&str; 6] = ["creating", "created", "running", "paused", "stopped", "gone"];

/// A subcommand, and its error text for each status; empty if it succeeds.
type Row = (&'static str, &'static [&'static str], [&'static str; 6]);

const GONE: &str = "container does not exist";
const TAKEN: &str = "container with given ID already exists";
const STOPPED: &str = "container not running";
const CREATING: &str = "container is still being created";

const TABLE: &[Row] = &[
    ("state", &["state", "ID"], ["", "", "", "", "", GONE]),
    (
        "start",
        &["start", "ID"],
        [
            "cannot start a container that is being created",
            "",
            "cannot start an already running container",
            "cannot start a container in the paused state",
            "cannot start a container that has stopped",
            GONE,
        ],
    ),
    (
        "exec",
        &["exec", "ID", "true"],
        [
            "cannot exec in a container that is being created",
            "",
            "",
            "cannot exec in a paused container (use --ignore-paused to override)",
            "cannot exec in a stopped container: container not running",
            GONE,
        ],
    ),
    ("pause", &["pause", "ID"], [CREATING, "", "", "container already paused", STOPPED, GONE]),
    (
        "resume",
        &["resume", "ID"],
        [
            "container not paused: creating",
            "container not paused: created",
            "container not paused: running",
            "",
            STOPPED,
            GONE,
        ],
    ),
    ("ps", &["ps", "--format", "json", "ID"], ["", "", "", "", "", GONE]),
    // During creation the state does not record the process yet if the container has a cgroup to find it by.
    ("kill", &["kill", "ID", "0"], [STOPPED, "", "", "", STOPPED, GONE]),
    ("kill-all", &["kill", "--all", "ID", "0"], ["", "", "", "", "", GONE]),
    ("update", &["update", "--pids-limit", "64", "ID"], [CREATING, "", "", "", STOPPED, GONE]),
    ("events", &["events", "--stats", "ID"], [CREATING, "", "", "", STOPPED, GONE]),
    ("stats", &["stats", "--no-stream", "ID"], [CREATING, "", "", "", STOPPED, GONE]),
    ("create", &["create", "--bundle", "BUNDLE", "ID"], [TAKEN, TAKEN, TAKEN, TAKEN, TAKEN, ""]),
    ("run", &["run", "--detach", "--bundle", "BUNDLE", "ID"], [TAKEN, TAKEN, TAKEN, TAKEN, TAKEN, ""]),
    (
        "delete",
        &["delete", "ID"],
        ["that is not stopped: creating", "", "that is not stopped: running", "that is not stopped: paused", "", GONE],
    ),
    ("delete-force", &["delete", "--force", "ID"], ["", "", "", "", "", ""]),
];

/// A container whose creation a hook blocks until it is released.
fn creating() -> (Container, Running) {
    hanging(Container::sleeper(), &["create"])
}

/// Runs a subcommand that blocks in a hook until something is written to `hook/go`.
fn hanging(c: Container, words: &[&str]) -> (Container, Running) {
    let (c, run, _) = hanging_in("createRuntime", c, words);
    assert_eq!(c.status(), "creating");
    (c, run)
}

/// Like `hanging`, for any kind of hook that runs on the host. Also returns a pidfd of the hook.
fn hanging_in(kind: &str, c: Container, words: &[&str]) -> (Container, Running, OwnedFd) {
    let here = c.dir.join("hook");
    fs::create_dir(&here).unwrap();
    nix::unistd::mkfifo(&here.join("go"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let script = format!("cd {}; echo $$ >pid; mv pid ready; read x <go", here.display());
    let hook = json!([{"path": "/bin/sh", "args": ["sh", "-c", script]}]);
    let c = c.edit(|c| c["hooks"][kind] = hook);
    c.write();
    let create = c.call(&[words, &["--bundle", c.dir.to_str().unwrap(), &c.id]].concat()).spawn();
    wait_in(&here, "the hook", || here.join("ready").exists());
    let pid = fs::read_to_string(here.join("ready")).unwrap();
    let hook = kernel::pidfd(pid.trim().parse().unwrap()).unwrap();
    (c, create, hook)
}

fn responds(row: &Row) {
    only_davit("the error texts are specific to davit");
    if row.0 == "update" {
        need_controller("pids");
    }
    for (status, words) in STATUSES.iter().zip(row.2) {
        let (c, create) = match *status {
            "creating" => {
                let (c, create) = creating();
                (c, Some(create))
            }
            status => (in_status(status), None),
        };
        let place = |word: &'static str| match word {
            "ID" => c.id.clone(),
            "BUNDLE" => c.dir.to_str().unwrap().to_owned(),
            word => word.to_owned(),
        };
        c.write();
        let line: Vec<_> = row.1.iter().map(|word| place(word)).collect();
        let output = c.call(&line.iter().map(String::as_str).collect::<Vec<_>>()).run();
        let code = if words.is_empty() { 0 } else { refusal(row.0) };
        assert!(
            output.code() == code && output.err.contains(words),
            "{status}: {output:?} instead of {code} {words:?}"
        );
        assert!(!words.is_empty() || output.err.is_empty(), "{status}: {output:?}");
        if !words.is_empty() && !matches!(*status, "gone") {
            assert_eq!(c.status(), *status, "a refused call must have no effect");
        }
        if let Some(create) = create {
            // Opened for reading too, because the hook may have exited.
            let go = fs::File::options().read(true).write(true).open(c.dir.join("hook/go")).unwrap();
            std::io::Write::write_all(&mut &go, b"\n").unwrap();
            create.finish();
        }
        c.call(&["delete", "--force", &c.id]).run().ok();
    }
}

/// The exit code of a subcommand that fails.
fn refusal(verb: &str) -> i32 {
    if verb == "exec" { 255 } else { 1 }
}

/// (name, content of the program, error text)
type Missing = (&'static str, &'static [u8], &'static str);

const MISSING: &[Missing] = &[
    ("interpreter", b"#!/no/such -x\n", "no such file or directory: the interpreter \"/no/such\""),
    ("windows", b"#!/bin/sh\r\necho\r\n", "no such file or directory: its first line ends with CR LF"),
    ("forbidden", b"#!/etc/passwd\n", "permission denied: the interpreter \"/etc/passwd\""),
    ("format", b"echo\n", "exec format error: neither an ELF file nor a script with a #! line"),
    ("machine", b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x16\0", "exec format error: built for s390x"),
    ("loader", LOADER, "no such file or directory: its ELF loader \"/lib/none.so\""),
];

/// A 64-bit x86 ELF file of one program header, PT_INTERP.
const LOADER: &[u8] = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0\x01\0\0\0\0\0\0\0\0\0\0\0\x40\0\0\0\0\0\0\0\
\0\0\0\0\0\0\0\0\0\0\0\0\x40\0\x38\0\x01\0\0\0\0\0\0\0\
\x03\0\0\0\x04\0\0\0\x78\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x0d\0\0\0\0\0\0\0\x0d\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0/lib/none.so\0";

fn missing(row: &Missing) {
    only_davit("no other runtime reports which file is missing");
    let c = Container::sleeper();
    let program = c.root("program");
    // s390x is big-endian, so its machine number has the other byte order.
    let mut bytes = row.1.to_vec();
    if row.0 == "machine" {
        bytes[5] = 2;
        bytes.swap(18, 19);
        bytes.resize(64, 0);
    }
    let draft = c.dir.join("draft");
    fs::write(&draft, bytes).unwrap();
    install(&draft, &program);
    let c = c.up();
    c.call(&["exec", &c.id, "/program"]).run().exits(255).says(row.2).says("exec /program");
    let c = Container::new(&["/program"]);
    install(&draft, &c.root("program"));
    c.prepare("run", &[]).run().exits(1).says(row.2);
    c.create().ok();
    c.start().exits(1).says(row.2);
}

fn update_keeps_the_other_value_of_a_pair() {
    need_controller("cpu");
    let c = in_status("running");
    let max = || fs::read_to_string(c.cgroup().join("cpu.max")).unwrap();
    c.call(&["update", "--cpu-quota", "20000", "--cpu-period", "40000", &c.id]).run().ok();
    c.call(&["update", "--cpu-quota", "10000", &c.id]).run().ok();
    assert_eq!(max(), "10000 40000\n");
    // A tenth of a CPU, because the systemd driver supports only whole percents.
    c.call(&["update", "--cpu-period", "100000", &c.id]).run().ok();
    assert_eq!(max(), "10000 100000\n");
}

fn exec_in_a_cgroup_below_the_containers() {
    only_davit("other runtimes report another text");
    let c = in_status("running");
    fs::create_dir(c.cgroup().join("sub")).unwrap();
    let output = c.call(&["exec", "--cgroup", "/sub", &c.id, "grep", "^0::", "/proc/self/cgroup"]).run().ok();
    assert!(output.line().ends_with("/sub"), "{output:?}");
    for bad in ["..", "sub/../../x", "../x"] {
        c.call(&["exec", "--cgroup", bad, &c.id, "true"]).run().exits(255).says("bad sub cgroup path");
    }
    c.call(&["exec", "--cgroup", "none", &c.id, "true"]).run().exits(255).says("no such file or directory");
    fs::remove_dir(c.cgroup().join("sub")).unwrap();
}

/// Like systemd in a container: its processes and the controllers are in child cgroups.
fn exec_enters_the_cgroup_of_the_moved_init() {
    need_controller("pids");
    let c = in_status("running");
    let below = c.cgroup().join("init.scope");
    fs::create_dir(&below).unwrap();
    fs::write(below.join("cgroup.procs"), c.pid().to_string()).unwrap();
    fs::write(c.cgroup().join("cgroup.subtree_control"), "+pids +memory").unwrap();
    let output = c.call(&["exec", &c.id, "grep", "^0::", "/proc/self/cgroup"]).run().ok();
    assert!(output.line().ends_with("/init.scope"), "{output:?}");
}

/// The pid of the process that a running `exec` has added to the cgroup.
fn joining_process(c: &Container, exec: &Running) -> i32 {
    let members = || -> Vec<i32> {
        let text = fs::read_to_string(c.cgroup().join("cgroup.procs")).unwrap();
        text.lines().map(|pid| pid.parse().unwrap()).collect()
    };
    let ended = kernel::pidfd(exec.pid()).unwrap();
    let first = c.pid();
    loop {
        if let Some(other) = members().into_iter().find(|pid| *pid != first) {
            return other;
        }
        assert!(!kernel::readable(&ended, Duration::from_millis(10)), "exec did not wait");
    }
}

fn exec_in_a_paused_container_can_be_interrupted() {
    let c = in_status("paused");
    let run = c.call(&["exec", "--ignore-paused", &c.id, "true"]).spawn();
    let joining = joining_process(&c, &run);
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(run.pid()), nix::sys::signal::Signal::SIGTERM).unwrap();
    assert_ne!(run.finish().code(), 0);
    c.verb("resume").ok();
    assert_eq!(c.status(), "running");
    // Only the subreaper, which is this process, can reap the intermediate process now.
    kernel::wait_exit_all(&[joining], LIMIT);
}

/// A process of the container can stop the one that `exec` adds. Here the test does, while both are frozen.
fn exec_gives_up_a_process_that_the_container_stops() {
    only_davit("runc waits for ever; crun has no --ignore-paused");
    let c = in_status("paused");
    let run = c.call(&["exec", "--ignore-paused", &c.id, "true"]).spawn();
    let joining = joining_process(&c, &run);
    let signal = |signal| nix::sys::signal::kill(nix::unistd::Pid::from_raw(joining), signal).unwrap();
    signal(nix::sys::signal::Signal::SIGSTOP);
    c.verb("resume").ok();
    let output = run.finish().exits(255);
    assert!(output.err.contains("another process has stopped or traces it"), "{output:?}");
    kernel::wait_exit_all(&[joining], LIMIT);
}

fn exec_sets_the_home_of_its_user() {
    let c = Container::sleeper();
    fs::write(c.root("etc/passwd"), "root:x:0:0::/root:/bin/sh\nu:x:7:8::/home/u:/bin/sh\n").unwrap();
    let c = c.edit(|c| c["process"]["env"] = json!(["PATH=/bin"])).up();
    for (user, home) in [("0", "/root"), ("7:8", "/home/u"), ("9", "/")] {
        let output = c.call(&["exec", "--user", user, &c.id, "/bin/sh", "-c", "echo $HOME"]).run().ok();
        assert_eq!(output.line(), home, "{user}");
    }
    let output = c.call(&["exec", "--env", "HOME=/own", &c.id, "/bin/sh", "-c", "echo $HOME"]).run().ok();
    assert_eq!(output.line(), "/own");
}

/// The container has CAP_SYS_PTRACE. A process that it cannot see clones the joining process, which is still the
/// caller's child.
fn exec_enters_a_container_that_may_trace() {
    let c = Container::sleeper().caps(&["CAP_SYS_PTRACE"]).up();
    let file = c.dir.join("pid");
    c.call(&["exec", "-d", "--pid-file", file.to_str().unwrap(), &c.id, "sleep", "1000"]).run().ok().silent();
    let pid = fs::read_to_string(file).unwrap();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    assert!(status.contains(&format!("\nPPid:\t{}\n", std::process::id())), "{status}");
    let link = |pid: &str, kind: &str| fs::read_link(format!("/proc/{pid}/ns/{kind}")).unwrap();
    for kind in ["pid", "mnt", "net", "ipc", "uts", "cgroup"] {
        assert_eq!(link(&pid, kind), link(&c.pid().to_string(), kind), "{kind}");
    }
    c.call(&["exec", &c.id, "sh", "-c", "exit 7"]).run().exits(7);
}

/// `delete --force` removes everything: the creating runtime, the hook that it waits for, the process, the cgroup and
/// the state directory.
fn a_creation_that_hangs_can_be_deleted_by_force() {
    only_davit("other runtimes wait for the hook");
    let c = Container::sleeper();
    let log = c.root("out/log");
    let poststop = json!([{"path": "/bin/sh", "args": ["sh", "-c", format!("echo stop >>{}", log.display())]}]);
    let (c, create) = hanging(c.edit(|c| c["hooks"]["poststop"] = poststop), &["create"]);
    c.delete().fails().says("not stopped: creating");
    c.call(&["delete", "--force", &c.id]).run().ok().silent();
    create.finish().exits(1).says("the container's process was killed while the hook ran");
    assert_eq!(fs::read_to_string(log).unwrap(), "stop\n", "the poststop hooks run once");
    c.nothing_left();
}

fn a_creation_without_a_cgroup_can_be_deleted_by_force() {
    only_davit("other runtimes do not have this flag");
    let c = Container::sleeper().edit(|c| {
        c["linux"].as_object_mut().unwrap().remove("cgroupsPath");
        c["linux"].as_object_mut().unwrap().remove("resources");
        c["mounts"].as_array_mut().unwrap().retain(|mount| mount["type"] != "cgroup");
    });
    let (c, create) = hanging(c, &["--cgroup-manager=disabled", "create"]);
    c.kill("KILL").exits(1).says(STOPPED);
    c.call(&["delete", "--force", &c.id]).run().ok().silent();
    create.finish().exits(1).says("the container's process was killed while the hook ran");
    c.nothing_left();
}

fn a_run_that_hangs_in_a_hook_handles_signals() {
    only_davit("other runtimes block signals");
    let (c, run, hook) = hanging_in("createRuntime", Container::sleeper(), &["run"]);
    terminate(&run);
    run.finish().exits(-1);
    assert!(kernel::readable(&hook, LIMIT), "the hook still runs");
    assert_eq!(c.status(), "stopped");
    c.delete().ok();
    c.nothing_left();
}

fn terminate(run: &Running) {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(run.pid()), nix::sys::signal::Signal::SIGTERM).unwrap();
}

/// The program already runs and could receive a signal, but a termination signal ends the whole run.
fn a_run_that_hangs_in_a_poststart_hook_handles_signals() {
    only_davit("other runtimes block signals");
    let c =
        Container::sh("trap 'echo heard >/out/usr1' USR1; echo >/out/ready; while :; do sleep 1000 & wait $!; done");
    let (c, run, hook) = hanging_in("poststart", c, &["run"]);
    c.wait_out("ready");
    let pid = nix::unistd::Pid::from_raw(run.pid());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGUSR1).unwrap();
    assert_eq!(c.wait_out("usr1"), "heard\n", "other signals go to the program");
    terminate(&run);
    run.finish().exits(1).says("/hooks/poststart/0").says("stopped by signal 15");
    assert!(kernel::readable(&hook, LIMIT), "the hook still runs");
    c.nothing_left();
}

fn a_killed_start_also_kills_its_hook() {
    only_davit("other runtimes leave the hook running");
    let c = Container::sleeper();
    let (c, run, hook) = hanging_in("poststart", c, &["run", "--detach"]);
    terminate(&run);
    run.finish().exits(-1);
    assert!(kernel::readable(&hook, LIMIT), "the hook still runs");
    assert_eq!(c.status(), "running", "the container does not depend on who started it");
}
