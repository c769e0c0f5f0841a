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

/// The arguments of one engine. `{state}` is the suite's root directory. Without `{state}`, the runtime uses its
/// default.
pub(super) struct Engine {
    pub(super) name: &'static str,
    /// Flags before `create`, `run` and `exec`.
    pub(super) global: &'static str,
    /// Flags before all other verbs.
    pub(super) plain: &'static str,
    pub(super) create: &'static str,
    pub(super) exec: &'static str,
    pub(super) update: &'static str,
    pub(super) kill: &'static str,
    /// The kill after the container has exited.
    pub(super) kill_again: &'static str,
    pub(super) delete: &'static str,
    /// Whether the engine accepts on the console socket only after the runtime has returned.
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

/// A container and the engine whose arguments are used for it. Dropping it deletes the container with `--force`.
pub(super) struct Wire<'a> {
    pub(super) engine: &'a Engine,
    pub(super) c: Container,
}

impl Drop for Wire<'_> {
    fn drop(&mut self) {
        let pid = fs::read_to_string(self.file("init.pid")).ok().and_then(|text| text.parse().ok());
        let call = self.call(self.engine.plain, "delete --force {id}").spawn();
        // A panic while the test is panicking would abort the whole suite.
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
            skip("the engine's environment has no address of a user bus");
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

    /// A call of the runtime in the bundle's directory, with exactly the engine's environment.
    pub(super) fn call(&self, global: &str, verb: &str) -> Call {
        self.call_of(&RUNTIME, global, verb)
    }

    /// Like `call`, but calls `program`.
    pub(super) fn call_of(&self, program: &str, global: &str, verb: &str) -> Call {
        let (bundle, state) = (self.c.dir.to_str().unwrap(), self.c.state_dir());
        let mut words: Vec<String> = vec!["/usr/bin/env".into(), "-i".into()];
        words.extend(self.engine.environment.iter().map(|&word| word.to_owned()));
        words.push(program.to_owned());
        let fill = |word: &str| {
            word.replace("{bundle}", bundle).replace("{id}", &self.c.id).replace("{state}", state.to_str().unwrap())
        };
        // Engines that use systemd pass --systemd-cgroup to create only. Podman does not pass it for a container
        // without a cgroup.
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

    /// Parses the state. go-runc parses stdout and stderr together, so stderr must be empty.
    pub(super) fn state(&self) -> Value {
        let output = self.plain("state {id}").ok().silent();
        serde_json::from_str(&output.out).unwrap()
    }

    /// Polls the state, as BuildKit does, until the container has this status.
    pub(super) fn wait_status(&self, status: &str) {
        let end = std::time::Instant::now() + LIMIT;
        loop {
            let output = self.plain("state {id}");
            let state = serde_json::from_str(&output.out).unwrap_or(Value::Null);
            if state["status"] == status {
                return;
            }
            assert!(std::time::Instant::now() < end, "never {status}: {output:?}");
        }
    }

    /// Calls the runtime, which must send the terminal in one connection and one message with one descriptor.
    #[must_use = "dropping the descriptor hangs up the terminal"]
    pub(super) fn receive_terminal(&self, verb: &str) -> Option<OwnedFd> {
        let listener = UnixListener::bind(self.file("console.sock")).unwrap();
        let call = self.call(self.engine.global, verb).spawn();
        let (output, stream) = if self.engine.accepts_late {
            let output = call.finish();
            (output, listener.accept().unwrap().0)
        } else {
            assert!(kernel::readable(&listener, LIMIT), "nobody connected");
            let stream = listener.accept().unwrap().0;
            (call.finish(), stream)
        };
        output.ok().silent();
        let (payload, master) = kernel::receive_fd(&stream);
        assert!(!payload.is_empty() && payload.len() < 4096 && master.is_some(), "{} bytes", payload.len());
        master
    }

    /// Parses a pid file as strictly as any engine: only digits, no newline.
    pub(super) fn pid(&self, name: &str) -> i32 {
        fs::read_to_string(self.file(name)).unwrap().parse().unwrap()
    }

    /// The contents of the log file of `create` and `exec`, if the engine passes one.
    pub(super) fn log(&self) -> Option<String> {
        let words = self.engine.global.split_whitespace();
        let path = words.skip_while(|word| *word != "--log").nth(1)?;
        Some(fs::read_to_string(path.replace("{bundle}", self.c.dir.to_str().unwrap())).expect("no log file"))
    }
}

/// The resources of an update. Like the kubelet, includes device rules, which an update ignores.
pub(super) fn resources() -> &'static str {
    if has_controller("pids") {
        r#"{"pids":{"limit":55},"devices":[{"allow":false,"access":"rwm"}]}"#
    } else {
        r#"{"devices":[{"allow":false,"access":"rwm"}]}"#
    }
}

pub(super) fn need(engine: &Engine) {
    if engine.plain.is_empty() && runtime_name() != "davit" {
        skip("this engine passes no state directory, and the suite does not use another runtime's default one");
    }
    if engine.global.contains("--criu") && runtime_name() != "davit" {
        skip("--criu is an option of old runc versions, which some runtimes refuse");
    }
}

pub(super) fn ended(pid: i32) -> WaitStatus {
    kernel::wait_exit(pid, LIMIT).unwrap_or_else(|| panic!("{pid} is not a child of the caller, who is a subreaper"))
}
