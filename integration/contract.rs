//! What engines say to a runtime, without any engine: the recorded words of each, verb by verb, with its standard streams,
//! working directory, environment, pid file, log file and console socket, and what it reads from the answers.
//!
//! The words are those of containerd 1.6 and 2, Docker 20.10 and 28, conmon under Podman 4 and 5, Buildah, BuildKit and CRI-O.
//! `engines.rs` has the engines themselves.

use crate::{
    bundle::{BY_SYSTEMD, Container, cgroup_mount, only_cgroupfs},
    call::{Call, LIMIT, Output, RUNTIME, runtime_has, runtime_name},
    kernel,
    trial::{Test, only_davit, rows, skip, tests},
};
use nix::sys::wait::WaitStatus;
use serde_json::{Value, json};
use std::{fs, os::unix::net::UnixListener, path::PathBuf};

pub(crate) fn tests() -> Vec<Test> {
    let mut all = tests![
        buildkit_runs_in_the_foreground,
        buildkit_keeps_and_deletes,
        crio_execs_in_the_foreground,
        an_unknown_option_is_named,
        version_has_one_version,
        features_need_no_words_around_them,
        streams_close_when_create_fails,
        ignored_signals_are_not_inherited,
    ];
    for engine in ENGINES {
        let name = |part: &str| format!("{part}/{}", engine.name);
        all.push(Test::new(module_path!(), &name("life"), || life(engine)));
        all.push(Test::new(module_path!(), &name("refused"), || refused(engine)));
        all.push(Test::new(module_path!(), &name("terminal"), || terminal(engine)));
    }
    all.extend(rows!("texts", TEXTS, text));
    all
}

/// The words of one engine. `{state}` is a root of the suite's own; an engine that names none gets the default one.
struct Engine {
    name: &'static str,
    /// Words before the verb where a container is made or joined.
    global: &'static str,
    /// Words before all other verbs.
    plain: &'static str,
    create: &'static str,
    exec: &'static str,
    update: &'static str,
    kill: &'static str,
    /// After the container has ended.
    kill_again: &'static str,
    delete: &'static str,
    /// Whether the console socket is accepted only when the runtime has returned.
    accepts_late: bool,
    /// The environment the engine leaves: nothing but this.
    environment: &'static [&'static str],
}

const CONTAINERD: Engine = Engine {
    name: "containerd 2",
    global: "--root {state} --log {bundle}/log.json --log-format json",
    plain: "--root {state} --log {bundle}/log.json --log-format json",
    create: "create --bundle {bundle} --pid-file {bundle}/init.pid {id}",
    exec: "exec --process {bundle}/process.json --detach --pid-file {bundle}/exec.pid {id}",
    update: "update --resources=- {id}",
    kill: "kill {id} 15",
    kill_again: "kill --all {id} 9",
    delete: "delete {id}",
    accepts_late: true,
    environment: &["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "XDG_RUNTIME_DIR=/run"],
};
const DIRECT: &str = "--root {state}";

const ENGINES: &[Engine] = &[
    CONTAINERD,
    Engine {
        name: "containerd 1.6",
        global: "--root {state} --log {bundle}/log.json --log-format json --criu criu",
        plain: "--root {state} --log {bundle}/log.json --log-format json --criu criu",
        update: "update --resources - {id}",
        ..CONTAINERD
    },
    Engine {
        name: "docker with runtimeArgs",
        global: "--debug --root {state} --log {bundle}/log.json --log-format json",
        kill: "kill {id} 15",
        delete: "delete --force {id}",
        ..CONTAINERD
    },
    Engine {
        name: "podman 5",
        global: "--log-format=json --log {bundle}/oci-log",
        plain: "",
        create: "create --bundle {bundle} --pid-file {bundle}/init.pid {id}",
        exec: "exec --pid-file {bundle}/exec.pid --process {bundle}/process.json --detach {id}",
        update: "update --resources={bundle}/resources.json {id}",
        kill: "kill {id} 15",
        kill_again: "kill --all {id} 9",
        delete: "delete --force {id}",
        accepts_late: false,
        environment: &["XDG_RUNTIME_DIR="],
    },
    Engine {
        name: "podman 4",
        global: "--log-format=json --log {bundle}/oci-log",
        plain: "",
        exec: "exec --pid-file {bundle}/exec.pid --process {bundle}/process.json --detach --tty {id}",
        update: "update --resources={bundle}/resources.json {id}",
        delete: "delete --force {id}",
        accepts_late: false,
        environment: &["XDG_RUNTIME_DIR="],
        ..CONTAINERD
    },
    Engine {
        name: "buildah",
        global: "",
        plain: "",
        exec: "",
        update: "",
        kill: "kill {id}",
        kill_again: "",
        delete: "delete {id}",
        accepts_late: false,
        ..CONTAINERD
    },
    Engine {
        name: "cri-o",
        global: "--root={state}",
        plain: DIRECT,
        exec: "exec --pid-file {bundle}/exec.pid --process {bundle}/process.json --detach {id}",
        update: "update --resources - {id}",
        kill: "kill {id} SIGTERM",
        kill_again: "kill -a {id} 9",
        delete: "delete --force {id}",
        accepts_late: false,
        environment: &["XDG_RUNTIME_DIR=/run", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"],
        ..CONTAINERD
    },
];

const POLITE: &str = "trap 'exit 7' TERM; echo ready >/out/ready; while :; do sleep 1000 & wait; done";

/// A container as one engine talks about it; deleted by force at the end, whatever root the engine's words name.
struct Wire<'a> {
    engine: &'a Engine,
    c: Container,
}

impl Drop for Wire<'_> {
    fn drop(&mut self) {
        let pid = fs::read_to_string(self.file("init.pid")).ok().and_then(|text| text.parse().ok());
        let call = self.call(self.engine.plain, "delete --force {id}").spawn();
        pid.map(|pid| kernel::wait_exit(pid, LIMIT));
        call.finish();
    }
}

impl<'a> Wire<'a> {
    fn new(engine: &'a Engine, c: Container) -> Self {
        c.write();
        let process = &c.config["process"];
        let mut process: Value = process.clone();
        process["terminal"] = json!(false);
        process["args"] = json!(["sh", "-c", "exit 5"]);
        fs::write(c.dir.join("process.json"), process.to_string()).unwrap();
        fs::write(c.dir.join("resources.json"), RESOURCES).unwrap();
        Self { engine, c }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.c.dir.join(name)
    }

    /// From the bundle's directory, with the engine's environment and nothing else.
    fn call(&self, global: &str, verb: &str) -> Call {
        let (bundle, state) = (self.c.dir.to_str().unwrap(), self.c.state_dir());
        let mut words: Vec<String> = vec!["/usr/bin/env".into(), "-i".into()];
        words.extend(self.engine.environment.iter().map(|&word| word.to_owned()));
        words.push(RUNTIME.clone());
        let fill = |word: &str| {
            word.replace("{bundle}", bundle).replace("{id}", &self.c.id).replace("{state}", state.to_str().unwrap())
        };
        // Engines that were told to use systemd say so to create alone.
        let driver = if *BY_SYSTEMD && verb.starts_with("create") { "--systemd-cgroup" } else { "" };
        words.extend(format!("{global} {driver} {verb}").split_whitespace().map(fill));
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        Call::new(&self.c.dir, &words).cwd(&self.c.dir)
    }

    fn plain(&self, verb: &str) -> Output {
        self.call(self.engine.plain, verb).input(RESOURCES).run()
    }

    /// The state as go-runc reads it: both streams together are one JSON object.
    fn state(&self) -> Value {
        let said = self.plain("state {id}").ok().silent();
        serde_json::from_str(&said.out).unwrap()
    }

    /// A pid file as the strictest reader takes it: digits, no end of line.
    fn pid(&self, name: &str) -> i32 {
        fs::read_to_string(self.file(name)).unwrap().parse().unwrap()
    }

    /// The log file of the calls that make or join a container, if the engine has one.
    fn log(&self) -> Option<String> {
        let words = self.engine.global.split_whitespace();
        let path = words.skip_while(|word| *word != "--log").nth(1)?;
        Some(fs::read_to_string(path.replace("{bundle}", self.c.dir.to_str().unwrap())).expect("no log file"))
    }
}

const RESOURCES: &str = r#"{"pids":{"limit":55},"devices":[{"allow":false,"access":"rwm"}]}"#;

fn need(engine: &Engine) {
    if engine.plain.is_empty() && runtime_name() != "davit" {
        skip("this engine names no state directory, and the default one is another runtime's own business");
    }
    if engine.global.contains("--criu") && runtime_name() != "davit" {
        skip("an option of old versions, which others refuse or not");
    }
}

fn ended(pid: i32) -> WaitStatus {
    kernel::wait_exit(pid, LIMIT).unwrap_or_else(|| panic!("{pid} is not a child of the caller, who is a subreaper"))
}

/// From create to delete, with what each engine reads in between.
fn life(engine: &Engine) {
    need(engine);
    let wire = Wire::new(engine, Container::sh(POLITE));
    wire.call(engine.global, engine.create).run().ok().silent();
    let pid = wire.pid("init.pid");
    // Docker's --debug may log; what is logged are lines of JSON that are no errors.
    for line in wire.log().unwrap_or_default().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert!(line["level"] != "error" && line["time"].is_string(), "{line}");
    }
    let group = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let group = group.lines().find_map(|line| line.strip_prefix("0::")).unwrap().to_owned();
    assert!(group.ends_with(&wire.c.cgroup_path()), "in {group} when create returns");
    assert_eq!(wire.state()["status"], "created");
    wire.plain("start {id}").ok().silent();
    let state = wire.state();
    assert_eq!((&state["status"], &state["pid"]), (&json!("running"), &json!(pid)));
    assert_eq!(state["bundle"], wire.c.dir.to_str().unwrap());
    if engine.plain.is_empty() {
        assert!(fs::exists(format!("/run/davit/{}", wire.c.id)).unwrap(), "the state is not below /run/davit");
    }
    wire.c.wait_out("ready");
    operate(&wire, pid);
    wire.plain(engine.kill).ok().silent();
    assert_eq!(ended(pid), WaitStatus::Exited(nix::unistd::Pid::from_raw(pid), 7));
    let state = wire.state();
    assert_eq!((&state["status"], state["pid"].as_i64().unwrap_or(0)), (&json!("stopped"), 0));
    if !engine.kill_again.is_empty() {
        wire.plain(engine.kill_again).ok().silent();
    }
    wire.plain(engine.delete).ok().silent();
    wire.plain("delete {id}").fails().says("does not exist");
    wire.plain("delete --force {id}").ok().silent();
    assert!(!cgroup_mount().join(group.trim_start_matches('/')).exists());
}

/// What is done to a running container.
fn operate(wire: &Wire<'_>, pid: i32) {
    let engine = wire.engine;
    if !engine.exec.is_empty() && runtime_has("exec") {
        wire.call(engine.global, engine.exec).run().ok().silent();
        let child = wire.pid("exec.pid");
        assert_eq!(ended(child), WaitStatus::Exited(nix::unistd::Pid::from_raw(child), 5));
        fs::remove_file(wire.file("exec.pid")).unwrap();
        let process = fs::read_to_string(wire.file("process.json")).unwrap().replace("\"sh\"", "\"nonexistent\"");
        fs::write(wire.file("process.json"), process).unwrap();
        let said = wire.call(engine.global, engine.exec).run().fails();
        said.says("executable file not found in $PATH");
        assert!(!wire.file("exec.pid").exists(), "a pid file after a failed exec says that it worked");
    }
    if runtime_has("ps") {
        let said = wire.plain("ps --format json {id}").ok().silent();
        let pids: Vec<i32> = serde_json::from_str(&said.out).unwrap();
        assert!(pids.contains(&pid), "{pids:?}");
    }
    if !engine.update.is_empty() && runtime_has("update") {
        crate::bundle::need_controller("pids");
        wire.plain(engine.update).ok().silent();
        assert_eq!(fs::read_to_string(wire.c.cgroup().join("pids.max")).unwrap(), "55\n");
    }
    wire.plain("pause {id}").ok().silent();
    assert_eq!(wire.state()["status"], "paused");
    wire.plain("resume {id}").ok().silent();
    assert_eq!(wire.state()["status"], "running");
}

/// A create that fails: one line in the log and one on stderr, with the cause; nothing stays.
fn refused(engine: &Engine) {
    need(engine);
    let wire = Wire::new(engine, Container::new(&["nonexistent"]));
    let said = wire
        .call(engine.global, engine.create)
        .run()
        .fails()
        .says("exec: \"nonexistent\": executable file not found in $PATH");
    assert!(said.err.lines().count() == 1 || engine.global.contains("--debug"), "{said:?}");
    assert!(said.err.len() < 8191 && said.out.is_empty(), "{said:?}");
    if let Some(log) = wire.log() {
        let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let errors: Vec<_> = lines.iter().filter(|line| line["level"] == "error").collect();
        assert_eq!(errors.len(), 1, "{log}");
        assert!(lines.len() == 1 || engine.global.contains("--debug"), "{log}");
        assert!(errors[0]["msg"].as_str().unwrap().contains("executable file not found in $PATH"), "{log}");
        let time = errors[0]["time"].as_str().unwrap();
        assert!(
            time.len() >= 20 && time.as_bytes()[10] == b'T' && (time.ends_with('Z') || time.contains('+')),
            "{time}"
        );
    }
    wire.plain("state {id}").fails().says("does not exist");
    wire.c.nothing_left();
}

/// One connection, one message, one descriptor; shims take it before the runtime returns, or only after.
fn terminal(engine: &Engine) {
    need(engine);
    let c = Container::sh("test -t 0 && test -t 2 && exit 3").edit(|c| c["process"]["terminal"] = json!(true));
    let wire = Wire::new(engine, c);
    let listener = UnixListener::bind(wire.file("console.sock")).unwrap();
    let create = engine.create.replace("--pid-file", "--console-socket {bundle}/console.sock --pid-file");
    let call = wire.call(engine.global, &create).spawn();
    let (said, stream) = if engine.accepts_late {
        let said = call.finish();
        (said, listener.accept().unwrap().0)
    } else {
        assert!(kernel::readable(&listener, LIMIT), "nobody connected");
        let stream = listener.accept().unwrap().0;
        (call.finish(), stream)
    };
    said.ok().silent();
    let (payload, master) = kernel::receive_fd(&stream);
    assert!(!payload.is_empty() && payload.len() < 4096 && master.is_some(), "{} bytes", payload.len());
    let pid = wire.pid("init.pid");
    wire.plain("start {id}").ok().silent();
    assert_eq!(ended(pid), WaitStatus::Exited(nix::unistd::Pid::from_raw(pid), 3));
}

/// Situation, program, and the words that engines look for in the error of a create.
const TEXTS: &[(&str, &str, &str)] = &[
    ("not in PATH", "foo", "exec: \"foo\": executable file not found in $PATH"),
    ("absolute and missing", "/no/such", "exec: \"/no/such\": stat /no/such: no such file or directory"),
    ("not executable", "/etc/passwd", "exec: \"/etc/passwd\": permission denied"),
    ("a directory", "/etc", "exec: \"/etc\": is a directory: permission denied"),
    ("empty", "", "exec: \"\": executable file not found in $PATH"),
];

fn text((_, program, text): &(&str, &str, &str)) {
    only_davit("the words are the union of what engines look for");
    Container::new(&[program]).refused(text);
}

const BUILDKIT: Engine = Engine {
    name: "buildkit",
    global: "--log {bundle}/runc-log.json --log-format json",
    plain: "--log {bundle}/runc-log.json --log-format json",
    ..CONTAINERD
};

fn buildkit_runs_in_the_foreground() {
    only_davit("BuildKit names no state directory");
    let wire = Wire::new(&BUILDKIT, Container::sh("cat; echo problem >&2; exit 3"));
    let said = wire.call(BUILDKIT.global, "run --bundle {bundle} {id}").input("through\n").run().exits(3);
    assert_eq!((said.out.as_str(), said.err.as_str()), ("through\n", "problem\n"));
    wire.plain("state {id}").fails().says("does not exist");
}

fn buildkit_keeps_and_deletes() {
    only_davit("BuildKit names no state directory");
    only_cgroupfs("a scope ends with its last process");
    let wire = Wire::new(&BUILDKIT, Container::sh("sh -c 'kill -9 $$'; exit $?"));
    wire.call(BUILDKIT.global, "run --bundle {bundle} --keep {id}").run().exits(137);
    assert!(wire.c.cgroup().join("cgroup.events").exists(), "the statistics are read from the cgroup now");
    assert_eq!(wire.state()["status"], "stopped");
    wire.plain("delete {id}").ok().silent();
    assert!(!wire.c.cgroup().exists());
}

fn crio_execs_in_the_foreground() {
    if !runtime_has("exec") {
        skip("this runtime has no exec");
    }
    let crio = ENGINES.iter().find(|engine| engine.name == "cri-o").unwrap();
    let wire = Wire::new(crio, Container::sleeper().up());
    wire.plain("exec --process {bundle}/process.json {id}").exits(5).silent();
}

fn an_unknown_option_is_named() {
    let wire = Wire::new(&CONTAINERD, Container::sleeper());
    wire.call("--invalidflag", "state {id}").run().fails().says("invalidflag");
}

/// Docker takes the last line that has the word; nerdctl and go-runc the first line.
fn version_has_one_version() {
    let wire = Wire::new(&CONTAINERD, Container::sleeper());
    let said = wire.call("", "--version").run().ok().silent();
    let lines: Vec<_> = said.out.lines().filter(|line| line.contains("version")).collect();
    assert_eq!(lines, [said.out.lines().next().unwrap()]);
    assert_eq!(lines[0].split_whitespace().count(), 3, "{lines:?}");
    for word in ["commit: ", "spec: "] {
        assert!(runtime_name() != "davit" || said.out.lines().any(|line| line.starts_with(word)), "{said:?}");
    }
}

fn features_need_no_words_around_them() {
    let wire = Wire::new(&CONTAINERD, Container::sleeper());
    let said = wire.call("", "features").run().ok().silent();
    let features: Value = serde_json::from_str(&said.out).unwrap();
    assert!(features["ociVersionMin"].is_string() && features["ociVersionMax"].is_string(), "{features}");
    assert!(features["linux"].is_object() && features["mountOptions"].is_array(), "{features}");
}

/// conmon and Buildah read the error to the end of the pipe, which comes only when no process holds it any more.
fn streams_close_when_create_fails() {
    let c = Container::sh("exit 0").edit(|c| c["process"]["cwd"] = json!("/etc/passwd/below"));
    c.write();
    let (state, bundle) = (c.state_dir(), c.dir.to_str().unwrap());
    let words =
        ["sh", "-c", "\"$@\" 2>&1 | cat; echo closed", "sh", &RUNTIME, "--root", state.to_str().unwrap(), "create"];
    let said = Call::new(&c.dir, &[&words[..], &["--bundle", bundle, &c.id]].concat()).run().ok();
    assert!(said.out.ends_with("closed\n") && said.out.len() > "closed\n".len(), "{said:?}");
    c.nothing_left();
}

/// conmon leaves SIGPIPE ignored in what it starts.
fn ignored_signals_are_not_inherited() {
    // Without a shell, since some ignore signals themselves.
    let c = Container::new(&["/bin/grep", "^SigIgn:", "/proc/self/status"]);
    c.write();
    let (state, bundle) = (c.state_dir(), c.dir.to_str().unwrap());
    let words = ["sh", "-c", "trap '' PIPE HUP; exec \"$@\"", "sh", &RUNTIME, "--root", state.to_str().unwrap(), "run"];
    let said = Call::new(&c.dir, &[&words[..], &["--bundle", bundle, &c.id]].concat()).run().ok();
    assert_eq!(said.line(), "SigIgn:\t0000000000000000");
}
