//! Tests Kubernetes' use of containerd: creates pods like the kubelet, over the Container Runtime Interface. Contains a
//! small client, because no distribution packages one. Uses the runtime class of `docs/engines.md`.

use super::{
    Check,
    daemon::CNI,
    engine::Engine,
    grpc::{Message, call, field},
    layout,
    place::{cgroup_of, fresh},
    snippets::yaml_value,
    time_limit::{left, until},
};
use crate::harness::cgroups::need_controller;
use crate::harness::skip::skip;
use std::{fs, os::unix::net::UnixStream};

pub(crate) const CHECKS: &[Check] = &[
    ("pods", "two containers in a pod of the kubelet", pod),
    ("pods", "a network of the pod's own", network),
    ("pods", "exec, limits and update by the kubelet", operate),
    ("pods", "programs that cannot run, by the kubelet", cannot_run),
    ("pods", "init containers", init),
];

/// `NamespaceMode`: the namespace of the pod, or of the node.
const POD: u64 = 0;
const NODE: u64 = 2;
/// `ContainerState`.
const EXITED: u64 = 2;

fn text(answer: &[u8], number: u64) -> String {
    String::from_utf8(field(answer, number).unwrap_or_default()).unwrap()
}

fn number(answer: &[u8], wanted: u64) -> u64 {
    field(answer, wanted).map_or(0, |bytes| u64::from_le_bytes(bytes.try_into().unwrap()))
}

fn try_ask(e: &Engine, method: &str, message: &Message) -> Option<Vec<u8>> {
    let mut stream = UnixStream::connect(e.file("containerd.sock")).unwrap();
    stream.set_read_timeout(Some(left())).unwrap();
    call(&mut stream, &format!("/runtime.v1.RuntimeService/{method}"), message).unwrap()
}

#[track_caller]
fn ask(e: &Engine, method: &str, message: &Message) -> Vec<u8> {
    try_ask(e, method, message).unwrap_or_else(|| panic!("{method} failed; log of the daemon: {}", e.daemon_text()))
}

fn id(id: &str) -> Message {
    Message::default().with(1, id)
}

/// A sandbox. Dropping it stops and removes the sandbox and its containers.
struct Pod<'a> {
    e: &'a Engine,
    id: String,
    config: Message,
}

impl Drop for Pod<'_> {
    fn drop(&mut self) {
        for verb in ["StopPodSandbox", "RemovePodSandbox"] {
            if try_ask(self.e, verb, &id(&self.id)).is_none() {
                eprintln!("integration: {verb} is refused; the daemon output: {}", self.e.daemon_text());
            }
        }
    }
}

impl<'a> Pod<'a> {
    /// Creates a pod on the network of the node, which needs no plug-ins. The other namespaces are the pod's own.
    fn new(e: &'a Engine) -> Self {
        Self::on(e, NODE)
    }

    fn on(e: &'a Engine, network: u64) -> Self {
        // The daemon requests CPU shares for every sandbox.
        need_controller("cpu");
        layout::import_oci(e, "k8s.io");
        let name = fresh("pod");
        let metadata = Message::default().with(1, &name).with(2, &name).with(3, "default");
        let security = Message::default().with(1, Message::default().number(1, network));
        let linux = Message::default().with(2, security);
        let config = Message::default().with(1, metadata).with(3, e.new_dir()).with(8, linux);
        let handler = if e.ours { yaml_value("runtimeclass.yaml", "handler") } else { String::new() };
        let answer = ask(e, "RunPodSandbox", &Message::default().with(1, &config).with(2, handler));
        Self { e, id: text(&answer, 1), config }
    }

    fn try_create(&self, program: &[&str], linux: &Message, more: &[(u8, Message)]) -> Option<String> {
        let metadata = Message::default().with(1, fresh("container"));
        let image = Message::default().with(1, super::engine::IMAGE);
        let mut config = Message::default().with(1, metadata).with(2, image).with(15, linux);
        config = program.iter().fold(config, |config, word| config.with(3, word));
        config = more.iter().fold(config, |config, (field, value)| config.with(*field, value));
        let message = Message::default().with(1, &self.id).with(2, config).with(3, &self.config);
        try_ask(self.e, "CreateContainer", &message).map(|answer| text(&answer, 1))
    }

    fn start(&self, script: &str, linux: &Message, more: &[(u8, Message)]) -> String {
        let created = self.try_create(&["sh", "-c", script], linux, more);
        let container = created.unwrap_or_else(|| panic!("refused; the daemon output: {}", self.e.daemon_text()));
        ask(self.e, "StartContainer", &id(&container));
        container
    }

    /// Waits until the container exits. Returns the exit status.
    fn wait(&self, container: &str) -> u64 {
        let status = || field(&ask(self.e, "ContainerStatus", &id(container)), 1).unwrap();
        until("the end of a container", || number(&status(), 3) == EXITED);
        number(&status(), 7)
    }

    fn exec(&self, container: &str, script: &str) -> (u64, String) {
        let message = ["sh", "-c", script].iter().fold(id(container), |message, word| message.with(2, word));
        let answer = ask(self.e, "ExecSync", &message);
        (number(&answer, 3), text(&answer, 1))
    }
}

const IDLE: &str = "trap 'exit 7' TERM; while :; do sleep 1; done";

/// Two containers share a volume and namespaces. When the second exits, its background process in the shared pid
/// namespace ends too, because containerd requests `kill --all`.
fn pod(e: &Engine) {
    let (pod, dir) = (Pod::new(e), e.new_dir());
    let volume = [(7, Message::default().with(1, "/data").with(2, &dir))];
    let script = "readlink /proc/self/ns/ipc; mkfifo /data/pipe; cat /data/pipe; until ps -o args | grep -x 'sleep 77'; do sleep 1; done";
    let reader = pod.start(
        &format!("{{ {script}; }} >/data/new; mv /data/new /data/seen; exit 4"),
        &Message::default(),
        &volume,
    );
    let script = "sleep 77 & until test -p /data/pipe; do sleep 1; done; readlink /proc/self/ns/ipc >/data/pipe";
    let writer = pod.start(
        &format!("{script}; until test -e /data/seen; do sleep 1; done; exit 5"),
        &Message::default(),
        &volume,
    );
    assert_eq!((pod.wait(&writer), pod.wait(&reader)), (5, 4));
    let seen = fs::read_to_string(format!("{dir}/seen")).unwrap();
    let lines: Vec<_> = seen.lines().collect();
    assert!(lines.len() == 3 && lines[0] == lines[1] && lines[2] == "sleep 77", "{seen}");
    let third = pod.start("exit $(ps -o args | grep -cx 'sleep 77')", &Message::default(), &[]);
    assert_eq!(pod.wait(&third), 0);
}

/// The containers of a sandbox share the sandbox's network and address.
fn network(e: &Engine) {
    if !fs::exists(format!("{CNI}/bridge")).unwrap() {
        skip("the network plug-ins are not installed");
    }
    let pod = Pod::on(e, POD);
    let status = field(&ask(e, "PodSandboxStatus", &id(&pod.id)), 1).unwrap();
    let address = text(&field(&status, 5).unwrap(), 1);
    let script = "echo hello >/tmp/index.html; exec httpd -f -p 80 -h /tmp";
    pod.start(script, &Message::default(), &[]);
    let script =
        format!("ip -o address show | grep -q ' {address}/' && until wget -q -O - http://{address}/; do sleep 1; done");
    let second = pod.start(IDLE, &Message::default(), &[]);
    assert_eq!(pod.exec(&second, &script), (0, "hello\n".to_owned()));
}

fn operate(e: &Engine) {
    need_controller("memory");
    let pod = Pod::new(e);
    let memory = |bytes| Message::default().number(4, bytes);
    let container = pod.start(IDLE, &Message::default().with(1, memory(64 << 20)), &[]);
    assert_eq!(pod.exec(&container, "echo inside; exit 3"), (3, "inside\n".to_owned()));
    let list = e.call(&["--namespace", "k8s.io", "task", "ls"]).ok().out;
    let line = list.lines().find(|line| line.starts_with(&container)).unwrap().to_owned();
    let limit = || {
        let pid = line.split_whitespace().nth(1).unwrap();
        fs::read_to_string(cgroup_of(pid).join("memory.max")).unwrap().trim().parse::<u64>().unwrap()
    };
    assert_eq!(limit(), 64 << 20);
    ask(e, "UpdateContainerResources", &id(&container).with(2, memory(128 << 20)));
    assert_eq!(limit(), 128 << 20);
    ask(e, "StopContainer", &id(&container).number(2, 60));
    assert_eq!(pod.wait(&container), 7);
    ask(e, "RemoveContainer", &id(&container));
}

fn cannot_run(e: &Engine) {
    let pod = Pod::new(e);
    let created = pod.try_create(&["nonexistent"], &Message::default(), &[]).unwrap();
    assert!(try_ask(e, "StartContainer", &id(&created)).is_none());
    let status = field(&ask(e, "ContainerStatus", &id(&created)), 1).unwrap();
    assert_eq!((number(&status, 3), number(&status, 7), text(&status, 10).as_str()), (EXITED, 128, "StartError"));
    assert!(text(&status, 11).contains("executable file not found in $PATH"), "{}", text(&status, 11));
}

/// For the runtime, init containers are ordinary containers that exit before the next one is created.
fn init(e: &Engine) {
    let (pod, dir) = (Pod::new(e), e.new_dir());
    let volume = [(7, Message::default().with(1, "/data").with(2, &dir))];
    let first = pod.start("echo prepared >/data/file", &Message::default(), &volume);
    assert_eq!(pod.wait(&first), 0);
    let second = pod.start("grep -q prepared /data/file && exit 9", &Message::default(), &volume);
    assert_eq!(pod.wait(&second), 9);
}
