//! Holds each engine's recorded arguments, verb by verb, and helpers to call the runtime with them. Contains no tests.

use crate::harness::bundle::Container;
use crate::harness::call::{Call, LIMIT, Output};
use crate::harness::cgroups::{BY_SYSTEMD, has_controller};
use crate::harness::kernel;
use crate::harness::runtime::{RUNTIME, runtime_name};
use crate::harness::skip::skip;
use crate::harness::user::AS_USER;
use nix::sys::wait::WaitStatus;
use serde_json::{Value, json};
use std::{
    fs,
    os::{fd::OwnedFd, unix::net::UnixListener},
    panic::catch_unwind,
    path::PathBuf,
};

/// The words of one engine. `{state}` is a root of the suite's own; an engine that names none gets the default one.
pub(super) struct Engine {
    pub(super) name: &'static str,
    /// Words before the verb where a container is made or joined.
    pub(super) global: &'static str,
    /// Words before all other verbs.
    pub(super) plain: &'static str,
    pub(super) create: &'static str,
    pub(super) exec: &'static str,
    pub(super) update: &'static str,
    pub(super) kill: &'static str,
    /// After the container has ended.
    pub(super) kill_again: &'static str,
    pub(super) delete: &'static str,
    /// Whether the console socket is accepted only when the runtime has returned.
    pub(super) accepts_late: bool,
    /// The complete environment that the engine passes.
    pub(super) environment: &'static [&'static str],
}

pub(super) const CONTAINERD: Engine = Engine {
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

pub(super) const ENGINES: &[Engine] = &[
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
        name: "containerd with its options",
        create: "create --bundle {bundle} --pid-file {bundle}/init.pid --no-pivot --no-new-keyring {id}",
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
        name: "buildah, isolated as for users",
        global: "",
        plain: "",
        create: "create --bundle {bundle} --pid-file {bundle}/init.pid --no-new-keyring --no-pivot {id}",
        exec: "",
        update: "",
        kill: "kill {id} SIGTERM",
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

pub(super) const POLITE: &str = "trap 'exit 7' TERM; echo ready >/out/ready; while :; do sleep 1000 & wait; done";

/// A container as one engine talks about it; deleted by force at the end, whatever root the engine's words name.
pub(super) struct Wire<'a> {
    pub(super) engine: &'a Engine,
    pub(super) c: Container,
}

impl Drop for Wire<'_> {
    fn drop(&mut self) {
        let pid = fs::read_to_string(self.file("init.pid")).ok().and_then(|text| text.parse().ok());
        let call = self.call(self.engine.plain, "delete --force {id}").spawn();
        // The test may be failing already, and a second panic would end them all.
        if catch_unwind(|| pid.map(|pid| kernel::wait_exit(pid, LIMIT))).is_err() {
            eprintln!("integration: {} outlives delete --force", self.c.id);
        }
        if !call.ends_within(LIMIT) {
            eprintln!("integration: delete --force of {} hangs: {}", self.c.id, call.text());
        }
    }
}

impl<'a> Wire<'a> {
    pub(super) fn new(engine: &'a Engine, c: Container) -> Self {
        if *AS_USER && *BY_SYSTEMD {
            skip("the environment that this engine leaves as root names no bus of a user's");
        }
        c.write();
        let process = &c.config["process"];
        let mut process: Value = process.clone();
        process["terminal"] = json!(false);
        process["args"] = json!(["sh", "-c", "exit 5"]);
        fs::write(c.dir.join("process.json"), process.to_string()).unwrap();
        fs::write(c.dir.join("resources.json"), resources()).unwrap();
        Self { engine, c }
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.c.dir.join(name)
    }

    /// From the bundle's directory, with the engine's environment and nothing else.
    pub(super) fn call(&self, global: &str, verb: &str) -> Call {
        self.call_of(&RUNTIME, global, verb)
    }

    /// The same, for another program.
    pub(super) fn call_of(&self, program: &str, global: &str, verb: &str) -> Call {
        let (bundle, state) = (self.c.dir.to_str().unwrap(), self.c.state_dir());
        let mut words: Vec<String> = vec!["/usr/bin/env".into(), "-i".into()];
        words.extend(self.engine.environment.iter().map(|&word| word.to_owned()));
        words.push(program.to_owned());
        let fill = |word: &str| {
            word.replace("{bundle}", bundle).replace("{id}", &self.c.id).replace("{state}", state.to_str().unwrap())
        };
        // Engines that were told to use systemd say so to create alone, and Podman not where a container is to have no
        // cgroup.
        let driver = if *BY_SYSTEMD && verb.starts_with("create") && !global.contains("--cgroup-manager") {
            "--systemd-cgroup"
        } else {
            ""
        };
        words.extend(format!("{global} {driver} {verb}").split_whitespace().map(fill));
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        Call::new(&self.c.dir, &words).cwd(&self.c.dir)
    }

    pub(super) fn plain(&self, verb: &str) -> Output {
        self.call(self.engine.plain, verb).input(resources()).run()
    }

    /// The state as go-runc reads it: both streams together are one JSON object.
    pub(super) fn state(&self) -> Value {
        let said = self.plain("state {id}").ok().silent();
        serde_json::from_str(&said.out).unwrap()
    }

    /// Asks, as BuildKit does, until the status is this one.
    pub(super) fn wait_status(&self, status: &str) {
        let end = std::time::Instant::now() + LIMIT;
        loop {
            let said = self.plain("state {id}");
            let state = serde_json::from_str(&said.out).unwrap_or(Value::Null);
            if state["status"] == status {
                return;
            }
            assert!(std::time::Instant::now() < end, "never {status}: {said:?}");
        }
    }

    /// Makes or joins a container that has a terminal: one connection, one message, one descriptor.
    #[must_use = "without it the terminal hangs up"]
    pub(super) fn takes_terminal(&self, verb: &str) -> Option<OwnedFd> {
        let listener = UnixListener::bind(self.file("console.sock")).unwrap();
        let call = self.call(self.engine.global, verb).spawn();
        let (said, stream) = if self.engine.accepts_late {
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
        master
    }

    /// A pid file as the strictest reader takes it: digits, no end of line.
    pub(super) fn pid(&self, name: &str) -> i32 {
        fs::read_to_string(self.file(name)).unwrap().parse().unwrap()
    }

    /// The log file of the calls that make or join a container, if the engine has one.
    pub(super) fn log(&self) -> Option<String> {
        let words = self.engine.global.split_whitespace();
        let path = words.skip_while(|word| *word != "--log").nth(1)?;
        Some(fs::read_to_string(path.replace("{bundle}", self.c.dir.to_str().unwrap())).expect("no log file"))
    }
}

/// What an update asks for: the kubelet sends rules of devices along, which are nothing to update.
pub(super) fn resources() -> &'static str {
    if has_controller("pids") {
        r#"{"pids":{"limit":55},"devices":[{"allow":false,"access":"rwm"}]}"#
    } else {
        r#"{"devices":[{"allow":false,"access":"rwm"}]}"#
    }
}

pub(super) fn need(engine: &Engine) {
    if engine.plain.is_empty() && runtime_name() != "davit" {
        skip("this engine names no state directory, and the default one is another runtime's own business");
    }
    if engine.global.contains("--criu") && runtime_name() != "davit" {
        skip("an option of old versions, which others refuse or not");
    }
}

pub(super) fn ended(pid: i32) -> WaitStatus {
    kernel::wait_exit(pid, LIMIT).unwrap_or_else(|| panic!("{pid} is not a child of the caller, who is a subreaper"))
}
