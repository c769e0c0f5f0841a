//! Tests seccomp agents: the agent receives the listener and the process's state, and may answer any system call. Other
//! filter actions are left to `seccomp`.

use crate::harness::bundle::Container;
use crate::harness::kernel::{answer_notifications, receive_fd};
use crate::harness::runtime::only_davit;
use crate::harness::trial::{Test, rows, tests};
use serde_json::{Value, json};
use std::{os::unix::net::UnixListener, thread};

pub(crate) fn tests() -> Vec<Test> {
    let mut all = tests![
        the_agent_gets_the_state,
        an_exec_has_an_agent_of_its_own,
        without_an_agent_create_fails,
        a_notified_call_needs_a_listener_path
    ];
    all.extend(rows!("answered", ANSWERED, answered));
    all
}

/// (test, system calls that the agent answers, flags, noNewPrivileges)
const ANSWERED: &[(&str, &[&str], &[&str], bool)] = &[
    ("a-call", &["mkdir", "mkdirat"], &[], true),
    ("with-capabilities", &["mkdir", "mkdirat"], &[], false),
    ("wait-killable", &["mkdir", "mkdirat"], &["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"], true),
    ("tsync", &["mkdir", "mkdirat"], &["SECCOMP_FILTER_FLAG_TSYNC"], true),
    // The calls that the runtime itself makes to pass the listener and to exec the program.
    (
        "own-calls",
        &["mkdir", "mkdirat", "sendmsg", "recvfrom", "close", "read", "prctl", "capset", "execve"],
        &[],
        true,
    ),
    ("write", &["mkdir", "mkdirat", "write"], &[], true),
];

/// Adds rules that notify an agent of these calls, mixed with other kinds of rules.
fn asking(c: Container, names: &[&str], flags: &[&str]) -> (Container, UnixListener) {
    let path = c.dir.join("agent");
    let listener = UnixListener::bind(&path).unwrap();
    let c = c.edit(|c| {
        c["linux"]["seccomp"] = json!({
            "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": path, "listenerMetadata": "of the test", "flags": flags,
            "syscalls": [
                {"names": ["getpgid"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95},
                {"names": ["sethostname"], "action": "SCMP_ACT_LOG"},
                {"names": names, "action": "SCMP_ACT_NOTIFY"}
            ]
        });
    });
    (c, listener)
}

/// Runs the agent and returns the state it received. It answers mkdir with ENOTEMPTY, which no kernel returns, and lets
/// every other call continue.
fn served(listener: UnixListener) -> thread::JoinHandle<Value> {
    thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let (payload, fd) = receive_fd(&stream);
        let state = serde_json::from_slice(&payload).unwrap();
        let (rest, none) = receive_fd(&stream);
        assert!(rest.is_empty() && none.is_none(), "the connection does not end after the message");
        answer_notifications(fd.expect("a listener"), |call| {
            let is_mkdir = call == libc::SYS_mkdir || call == libc::SYS_mkdirat;
            is_mkdir.then_some(libc::ENOTEMPTY)
        });
        state
    })
}

fn answered(row: &(&str, &'static [&'static str], &'static [&'static str], bool)) {
    if row.0 == "write" || row.0 == "own-calls" {
        only_davit("runc and crun make such calls themselves before the agent has the listener");
    }
    let c = Container::sh("mkdir /tmp/x; mkdir /tmp/x").edit(|c| c["process"]["noNewPrivileges"] = json!(row.3));
    let (c, listener) = asking(c, row.1, row.2);
    let agent = served(listener);
    let output = c.run();
    assert_eq!(output.err.matches("Directory not empty").count(), 2, "{}", output.err);
    agent.join().unwrap();
}

fn the_agent_gets_the_state() {
    let c = Container::sh("mkdir /tmp/x").edit(|c| c["annotations"] = json!({"a": "b"}));
    let (c, listener) = asking(c, &["mkdir", "mkdirat"], &[]);
    let agent = served(listener);
    c.create().ok();
    let pid = c.pid();
    c.start().ok();
    let state = agent.join().unwrap();
    assert_eq!(state["fds"], json!(["seccompFd"]));
    assert_eq!((state["pid"].as_i64(), state["metadata"].as_str()), (Some(i64::from(pid)), Some("of the test")));
    assert!(state["ociVersion"].as_str().unwrap().starts_with("1."));
    let inner = &state["state"];
    assert_eq!((inner["id"].as_str(), inner["status"].as_str()), (Some(c.id.as_str()), Some("creating")));
    assert_eq!((inner["bundle"].as_str(), &inner["annotations"]["a"]), (c.dir.to_str(), &json!("b")));
}

fn an_exec_has_an_agent_of_its_own() {
    only_davit("crun keeps the connection open");
    let (c, listener) = asking(Container::sleeper(), &["mkdir", "mkdirat"], &[]);
    let path = c.dir.join("agent");
    let first = served(listener);
    let c = c.up();
    std::fs::remove_file(&path).unwrap();
    let second = served(UnixListener::bind(&path).unwrap());
    let output = c.call(&["exec", &c.id, "/bin/mkdir", "/tmp/x"]).run().fails();
    assert!(output.err.contains("Directory not empty"), "{}", output.err);
    let state = second.join().unwrap();
    assert_eq!(
        (state["state"]["status"].as_str(), state["state"]["pid"].as_i64()),
        (Some("running"), Some(c.pid().into()))
    );
    assert_ne!(state["pid"], state["state"]["pid"]);
    c.stop();
    assert_eq!(first.join().unwrap()["state"]["status"], "creating");
}

fn without_an_agent_create_fails() {
    let (c, listener) = asking(Container::sh("true"), &["mkdir"], &[]);
    drop(listener);
    c.create().fails();
    c.nothing_left();
}

fn a_notified_call_needs_a_listener_path() {
    let (c, _listener) = asking(Container::sh("true"), &["mkdir"], &[]);
    let c = c.edit(|c| {
        let profile = c["linux"]["seccomp"].as_object_mut().unwrap();
        profile.remove("listenerPath");
        profile.remove("listenerMetadata");
    });
    c.create().fails();
    c.nothing_left();
}
