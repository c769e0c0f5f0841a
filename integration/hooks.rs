//! Tests `hooks`: when and where each kind runs, its input, and the effect of a failure. How engines use hooks is
//! tested in `contract/hooked.rs`.

use crate::harness::bundle::{Container, push};
use crate::harness::call::LIMIT;
use crate::harness::kernel;
use crate::harness::trial::{Test, rows, tests};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use std::{fs, path::Path};

pub(crate) fn tests() -> Vec<Test> {
    let mut all = tests![
        all_six_kinds_in_order,
        hooks_of_one_kind_run_in_listed_order,
        each_hook_runs_once,
        runtime_hooks_run_where_the_runtime_is,
        container_hooks_run_in_the_containers_namespaces,
        start_container_hooks_see_the_containers_root,
        mounts_are_there_before_the_first_hook,
        poststart_runs_after_the_program_began,
        arguments_and_environment_are_as_written,
        without_environment_the_hook_has_the_runtimes,
        without_arguments_the_path_is_the_name,
        a_hook_need_not_read_its_input,
        a_failing_hook_reports_its_stderr_and_exit_code,
        hooks_run_in_the_bundle,
        errors_of_all_hooks_read_the_same,
        a_hook_that_hangs_is_ended,
        a_hook_that_is_missing,
        the_init_process_exits_when_its_creator_is_killed,
        poststop_failure_is_a_warning,
        poststop_runs_when_create_fails,
        poststop_runs_when_create_cannot_pass_on_the_pid,
        hook_output_stays_out_of_stdout,
        hooks_have_no_foreign_descriptors,
    ];
    all.extend(rows!("state", STATES, state));
    all.extend(rows!("failing", STATES, failing));
    all
}

const ORDER: [&str; 6] = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];

fn shell(script: &str) -> Value {
    json!({"path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/usr/bin:/bin:/usr/sbin:/sbin"]})
}

/// Adds a hook that runs a shell script, on the host or (startContainer) in the container. The hook reads the state
/// into `$state`; a hook that does not read its input has its own test.
fn hook(c: Container, kind: &str, script: &str) -> Container {
    c.edit(|c| push(&mut c["hooks"][kind], shell(&format!("state=$(cat); {script}"))))
}

/// Returns the path for the output of a hook of this kind: the same file, as seen from the host or from inside.
fn output_path(c: &Container, kind: &str, name: &str) -> String {
    if kind == "startContainer" { format!("/out/{name}") } else { c.root("out").join(name).display().to_string() }
}

fn seen(c: &Container, name: &str) -> String {
    fs::read_to_string(c.root("out").join(name)).unwrap_or_default()
}

fn all_six_kinds_in_order() {
    let mut c = Container::sh("echo program >>/out/log");
    for kind in ORDER {
        let script = format!("echo {kind} >>{}", output_path(&c, kind, "log"));
        c = hook(c, kind, &script);
    }
    c.create().ok().silent();
    assert_eq!(seen(&c, "log"), "prestart\ncreateRuntime\ncreateContainer\n");
    c.start().ok().silent();
    let log = seen(&c, "log");
    assert!(log.starts_with("prestart\ncreateRuntime\ncreateContainer\nstartContainer\n"), "{log}");
    assert!(log.contains("poststart\n"), "start returned before its hook ran: {log}");
    assert!(!log.contains("poststop"), "{log}");
    c.call(&["delete", "--force", &c.id]).run().ok();
    let log = seen(&c, "log");
    assert!(log.ends_with("poststop\n"), "{log}");
    assert_eq!(log.lines().filter(|line| *line == "poststop").count(), 1);
}

fn hooks_of_one_kind_run_in_listed_order() {
    let mut c = Container::sleeper();
    for number in 0..4 {
        let script = format!("echo {number} >>{}", output_path(&c, "createRuntime", "log"));
        c = hook(c, "createRuntime", &script);
    }
    c.create().ok();
    assert_eq!(seen(&c, "log"), "0\n1\n2\n3\n");
}

fn each_hook_runs_once() {
    let mut c = Container::sh("exit 0");
    for kind in ORDER {
        let script = format!("echo {kind} >>{}", output_path(&c, kind, "log"));
        c = hook(c, kind, &script);
    }
    c.run().ok();
    assert_eq!(seen(&c, "log").lines().collect::<Vec<_>>(), ORDER);
}

/// (kind, the status in the state document, whether the pid is the one inside the container's pid namespace)
const STATES: &[(&str, &str, bool)] = &[
    ("prestart", "creating", false),
    ("createRuntime", "creating", false),
    ("createContainer", "creating", true),
    ("startContainer", "created", true),
    ("poststart", "running", false),
    ("poststop", "stopped", false),
];

fn state(row: &(&str, &str, bool)) {
    let (kind, status, inside) = *row;
    let c = Container::sleeper().edit(|c| c["annotations"] = json!({"a": "b"}));
    let file = output_path(&c, kind, "state");
    let script = format!("echo \"$state\" >{file}.part; mv {file}.part {file}");
    let c = hook(c, kind, &script);
    c.create().ok();
    let pid = c.pid();
    c.start().ok();
    if kind == "startContainer" {
        c.wait_out("state");
    }
    c.call(&["delete", "--force", &c.id]).run().ok();
    let state: Value = serde_json::from_str(&seen(&c, "state")).unwrap();
    assert_eq!(state["id"], json!(c.id));
    assert_eq!(state["bundle"], json!(c.dir));
    assert_eq!(state["annotations"], json!({"a": "b"}));
    assert!(state["ociVersion"].as_str().unwrap().starts_with("1."));
    assert_eq!(state["status"], status);
    if kind != "poststop" {
        assert_eq!(state["pid"], json!(if inside { 1 } else { pid }), "{kind}");
    }
}

fn links(c: &Container, kind: &str) -> Vec<String> {
    let text = seen(c, kind);
    text.lines().map(str::to_owned).collect()
}

const NAMESPACES: [&str; 4] = ["mnt", "net", "uts", "ipc"];

fn report_namespaces(c: Container, kind: &str) -> Container {
    let (names, file) = (NAMESPACES.join(" "), output_path(&c, kind, kind));
    let script = format!("for n in {names}; do readlink /proc/self/ns/$n; done >{file}.part; mv {file}.part {file}");
    hook(c, kind, &script)
}

fn of(pid: &str) -> Vec<String> {
    let link = |name: &str| fs::read_link(format!("/proc/{pid}/ns/{name}")).unwrap().display().to_string();
    NAMESPACES.map(link).to_vec()
}

fn runtime_hooks_run_where_the_runtime_is() {
    let mut c = Container::sleeper();
    let kinds = ["prestart", "createRuntime", "poststart", "poststop"];
    for kind in kinds {
        c = report_namespaces(c, kind);
    }
    c.create().ok();
    c.start().ok();
    c.call(&["delete", "--force", &c.id]).run().ok();
    for kind in kinds {
        assert_eq!(links(&c, kind), of("self"), "{kind}");
    }
}

fn container_hooks_run_in_the_containers_namespaces() {
    let c = report_namespaces(report_namespaces(Container::sleeper(), "createContainer"), "startContainer");
    c.create().ok();
    let inside = of(&c.pid().to_string());
    c.start().ok();
    for kind in ["createContainer", "startContainer"] {
        c.wait_out(kind);
        assert_eq!(links(&c, kind), inside, "{kind}");
    }
}

fn start_container_hooks_see_the_containers_root() {
    let c = hook(Container::sh("cat /made"), "startContainer", "pwd >/out/cwd; ls / >/out/ls; echo by-hook >/made");
    assert_eq!(c.prints(), "by-hook\n");
    assert!(seen(&c, "ls").contains("probe"));
}

fn mounts_are_there_before_the_first_hook() {
    let c = Container::sleeper();
    let script = format!(
        "pid=$(echo \"$state\" | sed -n 's/.*\"pid\": *\\([0-9]*\\).*/\\1/p' | head -1); cat /proc/$pid/mountinfo >{}",
        output_path(&c, "prestart", "mounts")
    );
    let c = hook(c, "prestart", &script);
    c.create().ok();
    let mounts = seen(&c, "mounts");
    assert!(mounts.lines().any(|line| line.contains(" - proc ") && line.contains("rootfs/proc")), "{mounts}");
}

fn poststart_runs_after_the_program_began() {
    let c = Container::sleeper();
    let script = format!(
        "pid=$(echo \"$state\" | sed -n 's/.*\"pid\": *\\([0-9]*\\).*/\\1/p' | head -1); tr '\\0' ' ' </proc/$pid/cmdline >{}",
        output_path(&c, "poststart", "command")
    );
    let c = hook(c, "poststart", &script);
    c.create().ok();
    c.start().ok();
    assert_eq!(seen(&c, "command"), "/bin/sleep 1000 ");
}

fn arguments_and_environment_are_as_written() {
    let c = Container::sleeper();
    let script = format!(
        "{{ echo \"$0|$1|$2\"; env | grep -v -e ^PWD= -e ^SHLVL= -e ^_= -e ^OLDPWD=; }} >{}",
        output_path(&c, "createRuntime", "env")
    );
    let entry = json!({"path": "/bin/sh", "args": ["sh", "-c", script, "zero", "a b", "c"], "env": ["A=1", "PATH=/bin:/usr/bin"]});
    let c = c.edit(|c| c["hooks"]["createRuntime"] = json!([entry]));
    c.create().ok();
    let text = seen(&c, "env");
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["A=1", "PATH=/bin:/usr/bin", "zero|a b|c"]);
}

fn without_environment_the_hook_has_the_runtimes() {
    let c = Container::sleeper();
    let script = format!("echo $FROM_CALLER >{}", output_path(&c, "prestart", "env"));
    let c = c.edit(|c| c["hooks"]["prestart"] = json!([{"path": "/bin/sh", "args": ["sh", "-c", script]}]));
    c.prepare("create", &[]).env("FROM_CALLER", "yes").run().ok();
    assert_eq!(seen(&c, "env"), "yes\n");
}

fn without_arguments_the_path_is_the_name() {
    let c = Container::sleeper();
    let program = c.dir.join("hook");
    fs::write(&program, format!("#!/bin/sh\necho $# $0 >{}\n", output_path(&c, "prestart", "name"))).unwrap();
    fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let c = c.edit(|c| c["hooks"]["prestart"] = json!([{"path": program}]));
    c.create().ok();
    assert_eq!(seen(&c, "name"), format!("0 {}\n", program.display()));
}

fn a_hook_need_not_read_its_input() {
    // Makes the state larger than a pipe buffer.
    let mut c = Container::sleeper().edit(|c| c["annotations"] = json!({"big": "x".repeat(200_000)}));
    for kind in ORDER {
        c = c.edit(|c| c["hooks"][kind] = json!([shell("exec <&-; exit 0")]));
    }
    c.create().ok();
    c.start().ok();
    c.call(&["delete", "--force", &c.id]).run().ok();
}

fn failing(row: &(&str, &str, bool)) {
    if row.0 == "poststop" {
        // A poststop failure is only a warning: see poststop_failure_is_a_warning.
        return;
    }
    let c = hook(Container::sleeper(), row.0, "exit 3");
    let c = if row.0 == "poststart" { c } else { c.edit(|c| c["hooks"]["poststart"] = json!([shell("exit 0")])) };
    let output = c.create();
    let output = if output.code() == 0 {
        assert!(row.0.contains("start") && row.0 != "prestart", "{} did not fail create", row.0);
        c.start().fails()
    } else {
        output
    };
    assert!(output.err.contains("hook"), "{output:?}");
    // "Stop the container, and continue at step 12": the container is destroyed, or stopped and then deleted here.
    if c.state_dir().join(&c.id).exists() {
        assert_eq!(c.status(), "stopped");
        c.delete().ok();
    }
    c.nothing_left();
}

fn hooks_run_in_the_bundle() {
    let mut c = Container::sh("true");
    let kinds = ["prestart", "createRuntime", "createContainer", "poststart", "poststop"];
    for kind in kinds {
        let script = format!("readlink /proc/self/cwd >{}", output_path(&c, kind, kind));
        c = hook(c, kind, &script);
    }
    let bundle = format!("{}\n", c.dir.display());
    c.prepare("run", &[]).cwd(Path::new("/")).run().ok();
    for kind in kinds {
        assert_eq!(seen(&c, kind), bundle, "{kind}");
    }
}

fn errors_of_all_hooks_read_the_same() {
    for kind in ["prestart", "createRuntime", "createContainer", "startContainer", "poststart"] {
        let c = hook(Container::sh("exec sleep 1000"), kind, "exit 3");
        let output = c.prepare("run", &["--detach"]).run().fails();
        assert!(output.err.contains(&format!("error running {kind} hook #0: ")), "{output:?}");
    }
}

fn a_failing_hook_reports_its_stderr_and_exit_code() {
    let c = hook(Container::sleeper(), "createRuntime", "echo seen-on-stdout; echo seen-on-stderr >&2; exit 42");
    let output = c.refused("createRuntime");
    assert!(output.err.contains("seen-on-stderr") && output.err.contains("42"), "{output:?}");
}

fn a_hook_that_hangs_is_ended() {
    let c = Container::sleeper();
    let pid = c.dir.join("pid");
    let script = format!("echo $$ >{}; exec sleep 1000", pid.display());
    let entry = json!({"path": "/bin/sh", "args": ["sh", "-c", script], "timeout": 1});
    let c = c.edit(|c| c["hooks"]["createRuntime"] = json!([entry]));
    let output = c.refused("");
    let text = output.err.to_lowercase();
    assert!(text.contains("timeout") || text.contains("timed out") || text.contains("past specified"), "{output:?}");
    let pid = fs::read_to_string(pid).unwrap();
    let alive = fs::read_to_string(format!("/proc/{}/cmdline", pid.trim())).unwrap_or_default();
    assert!(!alive.contains("sleep"), "the hook still runs");
}

fn a_hook_that_is_missing() {
    let c = Container::sleeper().edit(|c| c["hooks"]["prestart"] = json!([{"path": "/no/such/hook"}]));
    c.refused("/no/such/hook");
}

/// The container's process, waiting or running a hook, exits if its creator is killed.
fn the_init_process_exits_when_its_creator_is_killed() {
    for kind in ["createRuntime", "createContainer"] {
        let c = Container::sleeper();
        let script = format!("echo here >{}; exec sleep 1000", output_path(&c, kind, "hook"));
        let c = hook(c, kind, &script);
        let creating = c.prepare("create", &[]).spawn();
        c.wait_out("hook");
        let tasks = fs::read_dir(format!("/proc/{}/task", creating.pid())).unwrap();
        let children: String =
            tasks.flat_map(|task| fs::read_to_string(task.unwrap().path().join("children"))).collect();
        let of_hook = |pid: &i32| {
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            ["sh\n", "dash\n", "sleep\n"].contains(&name.as_str())
        };
        let mut children = children.split_whitespace().map(|pid| pid.parse().unwrap()).filter(|pid| !of_hook(pid));
        let process = children.next().expect("the container's process");
        kill(Pid::from_raw(creating.pid()), Signal::SIGKILL).unwrap();
        creating.finish();
        kernel::wait_exit(process, LIMIT);
        c.call(&["delete", "--force", &c.id]).run().ok();
        c.nothing_left();
    }
}

fn poststop_failure_is_a_warning() {
    let c = Container::sleeper();
    let mark = output_path(&c, "poststop", "second");
    let c = hook(hook(c, "poststop", "exit 9"), "poststop", &format!("echo ran >{mark}"));
    c.create().ok();
    let output = c.call(&["delete", "--force", &c.id]).run().ok();
    assert!(!output.err.is_empty(), "no warning: {output:?}");
    assert_eq!(seen(&c, "second"), "ran\n");
    c.nothing_left();
}

fn poststop_runs_when_create_fails() {
    let c = Container::sleeper();
    let mark = output_path(&c, "poststop", "after");
    let c = hook(hook(c, "createRuntime", "exit 1"), "poststop", &format!("echo ran >{mark}"));
    c.refused("");
    assert_eq!(seen(&c, "after"), "ran\n");
}

/// The container already exists when writing its pid file or sending its pidfd fails.
fn poststop_runs_when_create_cannot_pass_on_the_pid() {
    for (verb, flag) in [("create", "--pid-file"), ("create", "--pidfd-socket"), ("run", "--pid-file")] {
        let c = Container::sleeper();
        let mark = output_path(&c, "poststop", "after");
        let c = hook(c, "poststop", &format!("echo ran >>{mark}"));
        let pid_file = c.dir.join("pid");
        let words = ["--pid-file", pid_file.to_str().unwrap(), flag, "/no/such/place/x"];
        c.prepare(verb, &words).run().fails().says("/no/such/place");
        assert_eq!(seen(&c, "after"), "ran\n", "{verb} {flag}");
        assert!(!pid_file.exists(), "{verb} {flag}");
        c.nothing_left();
    }
}

fn hook_output_stays_out_of_stdout() {
    let mut c = Container::sleeper();
    for kind in ["prestart", "createRuntime", "poststart", "poststop"] {
        c = hook(c, kind, "echo noise; echo noise >&2");
    }
    let calls = [c.create(), c.start(), c.call(&["delete", "--force", &c.id]).run()];
    for output in calls {
        assert_eq!(output.ok().out, "");
    }
}

fn hooks_have_no_foreign_descriptors() {
    let c = Container::sleeper();
    let out = output_path(&c, "prestart", "fds");
    let c = hook(c, "prestart", &format!("ls -l /proc/$$/fd >{out}"));
    crate::process::wrapped(&c, "exec 7</etc; exec \"$@\"", "create").run().ok();
    let text = seen(&c, "fds");
    let names: Vec<_> = text.lines().filter_map(|line| line.split_once(" -> ")).collect();
    assert!(!names.is_empty() && Path::new("/etc").exists());
    for (left, target) in names {
        let number: u32 = left.rsplit(' ').next().unwrap().parse().unwrap();
        // The shell keeps its script or terminal at 10 or above.
        assert!(number <= 2 || number >= 10 || target.contains(&c.id), "descriptor {number} is {target}: {text}");
        assert_ne!(target, "/etc");
    }
}
