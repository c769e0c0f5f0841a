//! Tests that the runtime exits cleanly and leaves nothing behind if the caller has closed its pipes.
//! The texts of its errors are left to other modules.

use crate::harness::bundle::{Container, push};
use crate::harness::call::LIMIT;
use crate::harness::kernel;
use crate::harness::runtime::RUNTIME;
use crate::harness::trial::{Test, rows};
use serde_json::{Value, json};
use std::{
    io::pipe,
    process::{Command, Stdio},
};

pub(super) fn tests() -> Vec<Test> {
    rows!("sigpipe", ENDS, sigpipe).collect()
}

/// Ways in which a creation ends that print something to stderr.
type End = (&'static str, fn(&mut Value));

const ENDS: &[End] = &[
    ("bad-config", |c| c["process"]["cwd"] = json!("relative")),
    ("no-program", |c| c["process"]["args"] = json!(["nosuch"])),
    ("failing-mount", |c| push(&mut c["mounts"], json!({"destination": "/m", "type": "nosuchfs", "source": "x"}))),
    ("failing-hook", |c| {
        c["hooks"]["createRuntime"] = json!([{"path": "/bin/sh", "args": ["sh", "-c", "echo no; exit 1"]}])
    }),
    ("warning", |c| c["process"]["capabilities"]["bounding"] = json!(["CAP_FROM_THE_FUTURE"])),
];

/// Standard output and standard error have no reader, and SIGPIPE has its default action, as in a shell's child.
fn sigpipe(row: &End) {
    let c = Container::sleeper().edit(row.1);
    c.write();
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let mut command = Command::new(RUNTIME.as_str());
    command.args(["--root", c.state_dir().to_str().unwrap(), "create", "--bundle", c.dir.to_str().unwrap(), &c.id]);
    command.stdin(Stdio::null()).stdout(writer.try_clone().unwrap()).stderr(writer);
    let mut child = command.spawn().unwrap();
    let pidfd = kernel::pidfd(i32::try_from(child.id()).unwrap());
    assert!(pidfd.is_none_or(|fd| kernel::readable(&fd, LIMIT)), "it did not end");
    let status = child.wait().unwrap();
    assert!(status.code().is_some(), "it was killed: {status}");
    if status.success() {
        c.delete();
    } else {
        c.nothing_left();
    }
}
