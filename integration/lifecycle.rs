//! Tests create, start, state, kill, delete, run and list in each container status, and checks for leftovers. Usage
//! errors are tested in `cli.rs`.

use crate::harness::bundle::{Container, push, wait_in, without_namespace};
use crate::harness::call::{Call, LIMIT};
use crate::harness::cgroups::only_cgroupfs;
use crate::harness::kernel;
use crate::harness::runtime::{only_davit, runtime_name};
use crate::harness::skip::skip;
use crate::harness::trial::{Test, rows, tests};
use crate::harness::user::AS_USER;
use crate::pause_ps_update::in_status;
use nix::{
    sys::{
        signal::{Signal, kill},
        wait::WaitStatus,
    },
    unistd::Pid,
};
use serde_json::{Value, json};
use std::{
    fs,
    os::unix::fs::{FileTypeExt, PermissionsExt},
    path::Path,
    process::Command,
};

pub(crate) fn tests() -> Vec<Test> {
    let mut all = tests![
        create_runs_nothing_and_start_runs_the_program,
        config_edits_after_create_are_ignored,
        state_prints_the_oci_fields,
        state_has_annotations,
        reserved_annotations_change_nothing,
        state_output_is_two_space_json_without_end_of_line,
        state_directory_is_private_and_named_by_the_id,
        init_is_a_child_of_the_caller,
        created_ids_are_unique,
        an_id_is_free_again_after_delete,
        racing_creates_of_one_id_have_one_winner,
        racing_starts_have_one_winner,
        default_signal_is_term,
        kill_of_a_created_container_ends_it,
        delete_kills_a_created_container,
        delete_of_a_running_container_changes_nothing,
        delete_removes_cgroups_made_inside,
        delete_force_ends_a_running_container,
        delete_force_ends_processes_that_keep_joining,
        delete_force_of_nothing_is_silent_success,
        delete_of_a_directory_without_state_removes_it,
        delete_keeps_the_bundle,
        kill_ends_all_of_a_shared_pid_namespace,
        delete_ends_what_a_shared_pid_namespace_left,
        kill_all_ends_leftovers_silently,
        kill_ends_what_the_first_process_left,
        delete_without_a_state_file_is_an_error,
        only_the_owner_may_start,
        state_of_another_user_is_refused,
        a_process_without_main_thread_is_running_and_gets_signals,
        kill_all_ends_processes_without_main_thread,
        success_prints_nothing,
        run_leaves_nothing,
        run_keep_leaves_state_and_cgroup,
        run_detached_returns_while_the_container_runs,
        run_forwards_signals,
        run_waits_for_init_not_for_the_pipe,
        pid_file_is_digits_only,
        pid_file_path_is_relative_to_the_caller,
        pid_file_that_cannot_be_written_fails_create,
        bundle_defaults_to_the_working_directory,
        relative_root_is_below_the_bundle,
        list_shows_every_container,
        list_of_nothing,
        list_of_a_missing_root,
        list_skips_a_broken_directory,
        create_without_process_fails_at_the_latest_at_start,
    ];
    all.extend(rows!("id", IDS, refuses_id));
    all.extend(rows!("odd-id", ODD_IDS, accepts_id));
    all.extend(rows!("signal", SIGNALS, delivers));
    all.extend(rows!("verb", VERBS, answers));
    all.extend(rows!("leaderless", LEADERLESS, ends_without_main_thread));
    all.extend(rows!("exit", EXITS, run_exits));
    all
}

fn create_runs_nothing_and_start_runs_the_program() {
    let c = Container::sh("echo ran >/out/mark; exec sleep 1000");
    c.create().ok();
    assert_eq!(c.status(), "created");
    assert!(!c.root("out/mark").exists(), "the program ran before start");
    c.start().ok();
    assert_eq!(c.status(), "running");
    assert_eq!(c.wait_out("mark"), "ran\n");
    c.stop();
    assert_eq!(c.status(), "stopped");
    c.delete().ok();
    c.verb("state").fails().says("does not exist");
}

fn config_edits_after_create_are_ignored() {
    let mut c = Container::sh("echo first >/out/mark");
    c.create().ok();
    c.config["process"]["args"] = json!(["/bin/sh", "-c", "echo second >/out/mark"]);
    c.config["hostname"] = json!("other");
    c.write();
    c.start().ok();
    assert_eq!(c.wait_out("mark"), "first\n");
}

fn state_prints_the_oci_fields() {
    let c = Container::sleeper().up();
    let state = c.state();
    assert!(state["ociVersion"].as_str().unwrap().starts_with("1."), "{state}");
    assert_eq!(state["id"], json!(c.id));
    assert_eq!(state["status"], "running");
    assert_eq!(state["bundle"], json!(c.dir));
    assert_eq!(state["rootfs"], json!(c.root("")).as_str().unwrap().trim_end_matches('/'));
    let created = state["created"].as_str().unwrap();
    assert!(created.len() >= 20 && created.ends_with('Z') && created.as_bytes()[10] == b'T', "not RFC 3339: {created}");
    let command = fs::read_to_string(format!("/proc/{}/cmdline", state["pid"])).unwrap();
    assert_eq!(command, "/bin/sleep\x001000\x00");
    c.stop();
    assert_eq!(c.state()["pid"], json!(0), "a stopped container has no process");
}

fn state_has_annotations() {
    let c = Container::sleeper().edit(|c| c["annotations"] = json!({"org.example/a=b": "1=2", "empty": ""}));
    c.create().ok();
    assert_eq!(c.state()["annotations"], json!({"org.example/a=b": "1=2", "empty": ""}));
}

/// `org.opencontainers.image.*` is reserved for values of the image. They appear in the state and have no effect.
fn reserved_annotations_change_nothing() {
    let image = |name: &str| format!("org.opencontainers.image.{name}");
    let words =
        [("os", "windows"), ("architecture", "s390x"), ("variant", "v9"), ("stopSignal", "SIGUSR1"), ("author", "")];
    let words: serde_json::Map<_, _> = words.iter().map(|(name, word)| (image(name), json!(word))).collect();
    let c = Container::sh(
        "trap 'echo usr1 >/out/signal' USR1; trap 'echo term >/out/signal' TERM; echo >/out/up; sleep 1000 & wait",
    );
    let c = c.edit(|c| c["annotations"] = json!(words)).up();
    assert_eq!(c.state()["annotations"], json!(words));
    c.wait_out("up");
    c.call(&["kill", &c.id]).run().ok();
    assert_eq!(c.wait_out("signal"), "term\n");
}

fn state_output_is_two_space_json_without_end_of_line() {
    let c = Container::sleeper().edit(|c| c["annotations"] = json!({"a": "b"}));
    c.create().ok();
    let output = c.verb("state").ok().silent();
    let lines: Vec<_> = output.out.lines().collect();
    let places: Vec<_> = ["ociVersion", "id", "pid", "status", "bundle", "rootfs", "created", "annotations", "owner"]
        .iter()
        .map(|field| lines.iter().position(|line| line.starts_with(&format!("  \"{field}\": "))))
        .collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?} in {output:?}");
    assert!(output.out.ends_with('}'), "ends with an end of line");
}

fn state_directory_is_private_and_named_by_the_id() {
    let c = Container::sleeper();
    fs::remove_dir(c.state_dir()).unwrap();
    c.create().ok();
    let mode = fs::metadata(c.state_dir()).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode, 0o700, "mode {mode:o} of --root");
    let mode = fs::metadata(c.state_dir().join(&c.id)).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode & 0o066, 0, "others can list the state of a container: {mode:o}");
}

fn init_is_a_child_of_the_caller() {
    let c = Container::sleeper().up();
    let status = fs::read_to_string(format!("/proc/{}/status", c.pid())).unwrap();
    assert!(status.contains(&format!("\nPPid:\t{}\n", std::process::id())), "{status}");
    let pid = c.pid();
    c.kill("USR1").ok();
    c.kill("KILL").ok();
    assert_eq!(kernel::wait_exit(pid, LIMIT), Some(WaitStatus::Signaled(Pid::from_raw(pid), Signal::SIGKILL, false)));
}

fn created_ids_are_unique() {
    let c = Container::sleeper().up();
    let pid = c.pid();
    c.create().fails().says("already exists");
    assert_eq!((c.status().as_str(), c.pid()), ("running", pid), "the failed create touched the first container");
    assert!(c.cgroup().is_dir());
}

fn an_id_is_free_again_after_delete() {
    let c = Container::sh("exit 0");
    for _ in 0..2 {
        c.create().ok();
        c.delete().ok();
        c.nothing_left();
    }
}

fn racing_creates_of_one_id_have_one_winner() {
    let c = Container::sleeper();
    let racers: Vec<_> = (0..4).map(|_| c.prepare("create", &[]).spawn()).collect();
    let output: Vec<_> = racers.into_iter().map(crate::harness::call::Running::finish).collect();
    let winners = output.iter().filter(|one| one.code() == 0).count();
    assert_eq!(winners, 1, "{output:?}");
    assert_eq!(c.status(), "created");
    c.start().ok();
}

fn racing_starts_have_one_winner() {
    if runtime_name() == "runc" {
        skip("a `runc start` that loses the race hangs in about one of four runs");
    }
    let c = Container::sh("echo ran >>/out/mark; exec sleep 1000");
    c.create().ok();
    let racers: Vec<_> = (0..4).map(|_| c.call(&["start", &c.id]).spawn()).collect();
    let output: Vec<_> = racers.into_iter().map(crate::harness::call::Running::finish).collect();
    assert_eq!(output.iter().filter(|one| one.code() == 0).count(), 1, "{output:?}");
    assert_eq!(c.wait_out("mark"), "ran\n");
}

/// (name, id)
const IDS: &[(&str, &str)] = &[
    ("empty", ""),
    ("dot", "."),
    ("dots", ".."),
    ("slash", "a/b"),
    ("up", "../x"),
    ("space", "a b"),
    ("letter", "ü"),
    ("newline", "a\nb"),
    ("star", "*"),
];

fn refuses_id(row: &(&str, &str)) {
    let c = Container::sleeper();
    c.write();
    let output = c.call(&["create", "--bundle", c.dir.to_str().unwrap(), row.1]).run().fails();
    assert!(output.err.to_lowercase().contains("invalid container id") || output.err.contains("id"), "{output:?}");
    c.nothing_left();
    // No file was created outside the state directory.
    assert!(!c.dir.join("x").exists() && !c.dir.join("state/a").exists());
}

const ODD_IDS: &[(&str, &str)] = &[("dash", "a-b"), ("plus", "a+b.c_d"), ("digit", "0"), ("long", LONG)];
const LONG: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn accepts_id(row: &(&str, &str)) {
    let mut c = Container::sh("exit 3");
    c.id = row.1.into();
    c.run().exits(3);
}

const SIGNALS: &[(&str, &str, &str)] = &[
    ("number", "10", "USR1"),
    ("name", "USR1", "USR1"),
    ("long-name", "SIGUSR1", "USR1"),
    ("lower", "usr2", "USR2"),
    ("lower-long", "sigusr2", "USR2"),
    ("hangup", "HUP", "HUP"),
    ("realtime", "34", "34"),
];

const TRAPS: &str = "for s in TERM USR1 USR2 HUP 34; do trap \"echo $s >/out/got\" $s; done; echo >/out/ready
    while :; do sleep 1000 & wait $!; done";

fn delivers(row: &(&str, &str, &str)) {
    let c = Container::sh(TRAPS).up();
    c.wait_out("ready");
    c.kill(row.1).ok().silent();
    assert_eq!(c.wait_out("got").trim(), row.2);
    c.stop();
}

fn default_signal_is_term() {
    let c = Container::sh(TRAPS).up();
    c.wait_out("ready");
    c.verb("kill").ok().silent();
    assert_eq!(c.wait_out("got"), "TERM\n");
}

fn kill_of_a_created_container_ends_it() {
    let c = Container::sleeper();
    c.create().ok();
    c.stop();
    assert_eq!(c.status(), "stopped");
    c.start().fails();
    c.delete().ok();
}

/// (name, status of the container, arguments (`ID` is the id), exit code, text on stderr)
type Verb = (&'static str, &'static str, &'static [&'static str], i32, &'static str);

const VERBS: &[Verb] = &[
    ("state-gone", "gone", &["state", "ID"], 1, "container does not exist"),
    ("start-gone", "gone", &["start", "ID"], 1, "container does not exist"),
    ("kill-gone", "gone", &["kill", "ID", "TERM"], 1, "container does not exist"),
    ("delete-gone", "gone", &["delete", "ID"], 1, "container does not exist"),
    ("start-running", "running", &["start", "ID"], 1, "cannot start an already running container"),
    ("start-stopped", "stopped", &["start", "ID"], 1, "cannot start a container that has stopped"),
    ("kill-stopped", "stopped", &["kill", "ID", "KILL"], 1, "container not running"),
    ("kill-zero-stopped", "stopped", &["kill", "ID", "0"], 1, "container not running"),
    ("kill-all-stopped", "stopped", &["kill", "--all", "ID", "9"], 0, ""),
    ("kill-all-running", "running", &["kill", "-a", "ID", "9"], 0, ""),
    ("delete-running", "running", &["delete", "ID"], 1, "that is not stopped: running"),
    ("delete-stopped", "stopped", &["delete", "ID"], 0, ""),
    ("delete-created", "created", &["delete", "ID"], 0, ""),
    ("force-created", "created", &["delete", "--force", "ID"], 0, ""),
    ("force-running", "running", &["delete", "-f", "ID"], 0, ""),
    ("force-stopped", "stopped", &["delete", "--force", "ID"], 0, ""),
    ("kill-unknown-signal", "running", &["kill", "ID", "NOPE"], 1, "unknown signal \"NOPE\""),
    ("kill-signal-too-big", "running", &["kill", "ID", "65"], 1, ""),
    ("kill-signal-negative", "running", &["kill", "ID", "-1"], 1, ""),
    ("kill-empty-signal-number", "running", &["kill", "ID", "9x"], 1, "unknown signal \"9x\""),
];

fn answers(row: &Verb) {
    let (_, status, words, code, text) = *row;
    let c = in_status(status);
    let words: Vec<_> = words.iter().map(|word| if *word == "ID" { c.id.as_str() } else { word }).collect();
    let output = c.call(&words).run();
    let output = if code == 0 { output.ok().silent() } else { output.exits(code).says(text) };
    assert_eq!(output.out, "");
    if code != 0 {
        assert_eq!(output.err.trim_end().lines().count(), 1, "an error is one line: {output:?}");
        if status != "gone" {
            assert_eq!(c.status(), status, "a refused call must have no effect");
        }
    }
}

fn delete_kills_a_created_container() {
    let c = Container::sleeper();
    c.create().ok();
    let pid = c.pid();
    c.delete().ok().silent();
    kernel::wait_exit(pid, LIMIT);
    c.nothing_left();
}

fn delete_of_a_running_container_changes_nothing() {
    let c = Container::sleeper().up();
    let pid = c.pid();
    c.delete().fails().says(&c.id);
    assert_eq!((c.pid(), c.status().as_str()), (pid, "running"));
    assert!(c.cgroup().is_dir());
}

fn delete_removes_cgroups_made_inside() {
    let c = Container::sleeper().up();
    fs::create_dir_all(c.cgroup().join("a/b")).unwrap();
    c.stop();
    c.delete().ok();
    c.nothing_left();
}

fn delete_force_ends_a_running_container() {
    let c = Container::sh("trap '' TERM; echo >/out/ready; while :; do sleep 1000; done").up();
    c.wait_out("ready");
    let pid = c.pid();
    c.call(&["delete", "--force", &c.id]).run().ok().silent();
    kernel::wait_exit(pid, LIMIT);
    c.nothing_left();
}

/// Other processes may join the cgroup while it is being killed.
fn delete_force_ends_processes_that_keep_joining() {
    let c = Container::sleeper().up();
    let script = "n=0; while [ $n -lt 500 ] && [ -d $1 ]; do n=$((n + 1)); \
        sh -c 'echo 0 >$1/cgroup.procs && exec sleep 1000' sh $1 2>/dev/null & echo >$2; done; wait";
    let (cgroup, coming) = (c.cgroup(), c.root("out/coming"));
    let mut movers = Command::new("/bin/sh");
    let mut movers = movers.args(["-c", script, "sh"]).args([&cgroup, &coming]).spawn().unwrap();
    c.wait_out("coming");
    let deleted = c.call(&["delete", "--force", &c.id]).run();
    // Kills any process that the runtime has left, so that this test leaves none.
    while movers.try_wait().unwrap().is_none() {
        fs::write(cgroup.join("cgroup.kill"), "1").ok();
    }
    deleted.ok().silent();
    c.nothing_left();
}

fn delete_force_of_nothing_is_silent_success() {
    let c = Container::sleeper();
    let output = c.call(&["delete", "--force", &c.id]).run().ok().silent();
    assert_eq!(output.out, "");
}

fn delete_of_a_directory_without_state_removes_it() {
    let c = Container::sleeper();
    fs::create_dir(c.state_dir().join(&c.id)).unwrap();
    c.call(&["delete", "--force", &c.id]).run().ok();
    c.nothing_left();
    c.create().ok();
}

fn delete_keeps_the_bundle() {
    let c = Container::sh("echo kept >/out/file");
    c.run().ok();
    assert_eq!(c.wait_out("file"), "kept\n");
    assert!(c.dir.join("config.json").exists());
}

fn shared_pid(script: &str) -> Container {
    Container::sh(script).edit(|c| without_namespace(c, "pid"))
}

fn members(c: &Container) -> Vec<i32> {
    let text = fs::read_to_string(c.cgroup().join("cgroup.procs")).unwrap();
    text.lines().map(|pid| pid.parse().unwrap()).collect()
}

fn kill_ends_all_of_a_shared_pid_namespace() {
    let c = shared_pid("sleep 1000 & sleep 1000 & echo >/out/ready; wait").up();
    c.wait_out("ready");
    let all = members(&c);
    assert_eq!(all.len(), 3);
    c.kill("KILL").ok();
    for pid in all {
        kernel::wait_exit(pid, LIMIT);
    }
    assert_eq!(c.status(), "stopped");
}

fn delete_ends_what_a_shared_pid_namespace_left() {
    let c = shared_pid("sleep 1000 & echo >/out/ready").up();
    let pid = c.pid();
    c.wait_out("ready");
    // A process leaves cgroup.procs before it is a zombie, so the list alone does not prove its exit.
    kernel::wait_exit(pid, LIMIT);
    wait_in(&c.cgroup(), "the end of init", || members(&c).len() == 1);
    let left = members(&c);
    assert_eq!(c.status(), "stopped");
    c.delete().ok();
    for pid in left {
        kernel::wait_exit(pid, LIMIT);
    }
    c.nothing_left();
}

fn kill_all_ends_leftovers_silently() {
    let c = shared_pid("sleep 1000 & echo >/out/ready").up();
    let pid = c.pid();
    c.wait_out("ready");
    kernel::wait_exit(pid, LIMIT);
    let left = members(&c);
    c.call(&["kill", "--all", &c.id, "9"]).run().ok().silent();
    for pid in left {
        kernel::wait_exit(pid, LIMIT);
    }
}

/// The first process has ended, and its pid namespace is the host's.
fn kill_ends_what_the_first_process_left() {
    let c = shared_pid("sleep 1000 & echo >/out/ready").up();
    let pid = c.pid();
    c.wait_out("ready");
    kernel::wait_exit(pid, LIMIT);
    let left = members(&c);
    c.kill("KILL").ok();
    for pid in left {
        kernel::wait_exit(pid, LIMIT);
    }
    c.kill("TERM").fails();
    c.delete().ok();
    c.nothing_left();
}

fn delete_without_a_state_file_is_an_error() {
    only_davit("the names of the state files differ");
    let c = Container::sleeper().up();
    let file = c.state_dir().join(&c.id).join("state.json");
    let state = fs::read(&file).unwrap();
    fs::remove_file(&file).unwrap();
    c.delete().fails().says("has no state.json");
    // Nothing was removed: with the file back, the container is whole.
    fs::write(&file, state).unwrap();
    assert_eq!(c.status(), "running");
}

/// Whoever wrote the record chooses which hooks run with the rights of whoever deletes the container.
fn state_of_another_user_is_refused() {
    if *AS_USER {
        skip("takes a file of another user");
    }
    only_davit("others read it");
    let c = Container::sh("true");
    let ran = c.dir.join("ran");
    let script = format!("echo ran >{}", ran.display());
    let c = c.edit(|c| c["hooks"] = json!({"poststop": [{"path": "/bin/sh", "args": ["sh", "-c", script]}]}));
    c.create().ok();
    let directory = c.state_dir().join(&c.id);
    std::os::unix::fs::chown(directory.join("state.json"), Some(1000), Some(1000)).unwrap();
    for words in [&["state", &c.id][..], &["delete", "--force", &c.id], &["kill", &c.id, "KILL"]] {
        c.call(words).run().fails().says("belongs to uid 1000");
    }
    assert!(!ran.exists(), "a hook of another user's state ran");
    std::os::unix::fs::chown(directory.join("state.json"), Some(0), Some(0)).unwrap();
}

/// With a umask of 0 the socket of a created container would be everybody's.
fn only_the_owner_may_start() {
    only_davit("others have a FIFO, or write the word to start otherwise");
    let c = Container::sleeper();
    c.write();
    let bundle = c.dir.to_str().unwrap();
    let script = "umask 0; \"$@\" </dev/null >/dev/null 2>&1";
    c.call_by(&["sh", "-c", script, "sh"], &["create", "--bundle", bundle, &c.id]).run().ok();
    let entries = fs::read_dir(c.state_dir().join(&c.id)).unwrap();
    let mut sockets = entries.map(Result::unwrap).filter(|entry| entry.file_type().unwrap().is_socket());
    assert_eq!(sockets.next().unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

/// Returns a container whose first process has ended its main thread while another thread still runs.
fn leaderless(shared: bool) -> Container {
    let c = Container::probe(&["leaderless"]);
    let c = if shared { c.edit(|c| without_namespace(c, "pid")) } else { c }.up();
    c.wait_out("ready");
    c
}

fn a_process_without_main_thread_is_running_and_gets_signals() {
    let c = leaderless(true);
    let pid = c.pid();
    assert_eq!((c.status().as_str(), pid > 0), ("running", true));
    c.delete().fails();
    c.call(&["exec", &c.id, "true"]).run().fails().says("the main thread of the container's process");
    c.kill("TERM").ok();
    kernel::wait_exit(pid, LIMIT);
    assert_eq!(c.status(), "stopped");
    c.delete().ok();
    c.nothing_left();
}

/// (name, whether the container shares the host's pid namespace, arguments before the id, arguments after it)
type Leaderless = (&'static str, bool, &'static [&'static str], &'static [&'static str]);
const LEADERLESS: &[Leaderless] = &[
    ("kill", false, &["kill"], &["KILL"]),
    ("kill-shared", true, &["kill"], &["KILL"]),
    ("kill-all", false, &["kill", "--all"], &["KILL"]),
    ("kill-all-shared", true, &["kill", "--all"], &["KILL"]),
    ("delete", false, &["delete", "--force"], &[]),
    ("delete-shared", true, &["delete", "--force"], &[]),
];

fn ends_without_main_thread(row: &Leaderless) {
    let c = leaderless(row.1);
    let members = members(&c);
    assert_eq!(c.status(), "running");
    c.call(&[row.2, &[&c.id], row.3].concat()).run().ok();
    for pid in members {
        kernel::wait_exit(pid, LIMIT);
    }
    c.call(&["delete", "--force", &c.id]).run().ok();
    c.nothing_left();
}

/// As in a pod: the leaderless process is not the first one, and the kernel does not kill it when the first one exits.
fn kill_all_ends_processes_without_main_thread() {
    for words in [&["kill", "--all"][..], &["delete", "--force"]] {
        let c = shared_pid("/probe probe leaderless & exec sleep 1000").up();
        c.wait_out("ready");
        let all = members(&c);
        assert_eq!(all.len(), 2);
        let signal: &[&str] = if words[0] == "kill" { &["KILL"] } else { &[] };
        c.call(&[words, &[&c.id], signal].concat()).run().ok();
        for pid in all {
            kernel::wait_exit(pid, LIMIT);
        }
    }
}

fn success_prints_nothing() {
    let c = Container::sleeper();
    let calls = [c.create(), c.start(), c.kill("CONT"), c.call(&["delete", "-f", &c.id]).run()];
    for output in calls {
        let output = output.ok().silent();
        assert_eq!(output.out, "");
    }
}

/// (name, script, exit status of `run`)
const EXITS: &[(&str, &str, i32)] =
    &[("zero", "exit 0", 0), ("some", "exit 7", 7), ("255", "exit 255", 255), ("killed", "echo; kill -9 $$", 0)];

fn run_exits(row: &(&str, &str, i32)) {
    let c = Container::sh(row.1);
    // Process 1 of a pid namespace cannot kill itself, so the last row shares the namespace of the suite.
    if row.0 == "killed" {
        let c = shared_pid(row.1);
        c.run().exits(128 + 9);
        c.nothing_left();
        return;
    }
    c.run().exits(row.2);
    c.nothing_left();
}

fn run_leaves_nothing() {
    let c = Container::sh("sleep 1000 & echo hello");
    assert_eq!(c.prints(), "hello\n");
    c.nothing_left();
    c.verb("state").fails();
}

fn run_keep_leaves_state_and_cgroup() {
    only_cgroupfs("systemd removes a scope with its last process");
    let c = Container::sh("exit 4");
    c.prepare("run", &["--keep"]).run().exits(4);
    assert_eq!(c.status(), "stopped");
    assert!(c.cgroup().is_dir(), "the cgroup is gone");
    c.delete().ok();
    c.nothing_left();
}

fn run_detached_returns_while_the_container_runs() {
    for flag in ["--detach", "-d"] {
        let c = Container::sleeper();
        c.prepare("run", &[flag]).run().ok().silent();
        assert_eq!(c.status(), "running");
    }
}

fn run_forwards_signals() {
    for (signal, name) in [(Signal::SIGTERM, "TERM"), (Signal::SIGUSR1, "USR1"), (Signal::SIGHUP, "HUP")] {
        let c = Container::sh(
            "trap 'echo TERM >/out/got; exit 5' TERM; trap 'echo USR1 >/out/got; exit 5' USR1
            trap 'echo HUP >/out/got; exit 5' HUP; echo >/out/ready; while :; do sleep 1000 & wait $!; done",
        );
        let run = c.prepare("run", &[]).spawn();
        c.wait_out("ready");
        kill(Pid::from_raw(run.pid()), signal).unwrap();
        run.finish().exits(5);
        assert_eq!(c.wait_out("got").trim(), name);
    }
}

fn run_waits_for_init_not_for_the_pipe() {
    // The background process keeps the output open, and stays alive in the suite's pid namespace until cleanup.
    let c = shared_pid("sleep 1000 & exit 6");
    c.run().exits(6);
    c.nothing_left();
}

fn pid_file_is_digits_only() {
    let c = Container::sleeper();
    let file = c.dir.join("pid");
    c.prepare("create", &["--pid-file", file.to_str().unwrap()]).run().ok();
    assert_eq!(fs::read_to_string(&file).unwrap(), c.pid().to_string());
    let names: Vec<_> = fs::read_dir(&c.dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(
        !names.iter().any(|name| name.to_string_lossy().starts_with(".pid")),
        "a temporary file still exists: {names:?}"
    );
}

fn pid_file_path_is_relative_to_the_caller() {
    let c = Container::sleeper();
    let place = c.dir.join("elsewhere");
    fs::create_dir(&place).unwrap();
    c.prepare("run", &["-d", "--pid-file", "pid"]).cwd(&place).run().ok();
    assert_eq!(fs::read_to_string(place.join("pid")).unwrap(), c.pid().to_string());
}

fn pid_file_that_cannot_be_written_fails_create() {
    let c = Container::sleeper();
    c.prepare("create", &["--pid-file", "/no/such/place/pid"]).run().fails().says("/no/such/place");
    c.nothing_left();
}

fn bundle_defaults_to_the_working_directory() {
    let c = Container::sh("echo here");
    c.write();
    let output = c.call(&["run", &c.id]).cwd(&c.dir).run().ok();
    assert_eq!(output.out, "here\n");
    let c = Container::sleeper();
    c.write();
    c.call(&["create", "-b", ".", &c.id]).cwd(&c.dir).run().ok();
    assert_eq!(c.state()["bundle"], json!(c.dir), "the bundle is not an absolute path");
}

fn relative_root_is_below_the_bundle() {
    let c = Container::sh("echo here").edit(|c| c["root"]["path"] = json!("./rootfs/"));
    let output = c.prepare("run", &[]).cwd(Path::new("/")).run().ok();
    assert_eq!(output.out, "here\n");
    let mut c = Container::sh("echo here");
    c.config["root"]["path"] = json!(c.root(""));
    assert_eq!(c.prints(), "here\n");
}

fn list(c: &Container, flags: &[&str]) -> Call {
    let mut words = vec!["list"];
    words.extend(flags);
    c.call(&words)
}

/// Returns the name of the user that runs this suite.
fn owner() -> &'static str {
    if *AS_USER { "ordinary" } else { "root" }
}

fn list_shows_every_container() {
    let a = Container::sleeper().edit(|c| push(&mut c["annotations"]["list"], json!(0)));
    let a = a.edit(|c| c["annotations"] = json!({"k": "v"})).up();
    let mut b = Container::sleeper();
    // The second container lives in the state directory of the first.
    b.write();
    let words = ["create", "--bundle", b.dir.to_str().unwrap(), &b.id];
    a.call(&words).run().ok();
    let table = list(&a, &[]).run().ok().silent();
    let lines: Vec<Vec<_>> = table.out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]);
    assert_eq!(lines.len(), 3);
    let line = lines.iter().find(|line| line[0] == a.id).unwrap();
    assert_eq!(line[1..4], [a.pid().to_string().as_str(), "running", a.dir.to_str().unwrap()]);
    assert_eq!(line[5], owner());
    let quiet = list(&a, &["-q"]).run().ok();
    let mut ids: Vec<_> = quiet.out.lines().collect();
    ids.sort_unstable();
    let mut wanted = vec![a.id.as_str(), b.id.as_str()];
    wanted.sort_unstable();
    assert_eq!(ids, wanted);
    let output = list(&a, &["--format", "json"]).run().ok();
    let all: Value = serde_json::from_str(&output.out).unwrap();
    assert_eq!(output.out.trim_end().lines().count(), 1);
    let one = all.as_array().unwrap().iter().find(|one| one["id"] == json!(b.id)).unwrap();
    assert_eq!(one["status"], "created");
    assert_eq!(one["owner"], owner());
    list(&a, &["--format", "yaml"]).run().fails();
    a.call(&["delete", "--force", &b.id]).run().ok();
    b.id.push_str("-gone");
}

fn list_of_nothing() {
    let c = Container::sleeper();
    let output = list(&c, &["-f", "json"]).run().ok().silent();
    assert!(["null", "[]"].contains(&output.line()), "{output:?}");
    assert_eq!(list(&c, &["-q"]).run().ok().out, "");
}

fn list_of_a_missing_root() {
    let c = Container::sleeper();
    fs::remove_dir(c.state_dir()).unwrap();
    list(&c, &[]).run().fails();
    assert!(!c.state_dir().exists(), "list created the directory");
}

fn list_skips_a_broken_directory() {
    let c = Container::sleeper().up();
    fs::create_dir(c.state_dir().join("broken")).unwrap();
    let output = list(&c, &["-q"]).run().ok();
    assert!(output.out.lines().any(|line| line == c.id), "{output:?}");
    assert!(output.err.contains("broken"), "{output:?}");
    fs::remove_dir(c.state_dir().join("broken")).unwrap();
}

fn create_without_process_fails_at_the_latest_at_start() {
    let c = Container::sleeper().edit(|c| {
        c.as_object_mut().unwrap().remove("process");
    });
    let output = c.create();
    if output.code() == 0 {
        c.start().fails();
        assert_eq!(c.status(), "created");
    } else {
        c.nothing_left();
    }
}
