//! Tests standard streams: logs, attach, terminals and their sizes.

use super::{
    Check,
    engine::{Engine, IMAGE, Kind},
    time_limit::{left, until},
};
use crate::harness::call::Call;
use crate::harness::terminal::run_on_terminal;
use std::io::Write;

pub(crate) const CHECKS: &[Check] = &[
    ("logs and attach", "a burst of 10 MB", burst),
    ("logs and attach", "stdin", input),
    ("logs and attach", "attach", attach),
    ("logs and attach", "stderr apart", apart),
    ("logs and attach", "size of the terminal", size),
    ("logs and attach", "resize of a terminal", resize),
];

/// Prints ten megabytes in numbered lines of 105 bytes. All lines must arrive, in order.
pub(crate) const BURST: &str = "awk 'BEGIN { for (i = 1; i <= 100000; i++) printf \"%0104d\\n\", i }'";

#[track_caller]
pub(crate) fn all_came(text: &str) {
    let right = text.lines().zip(1..).all(|(line, number)| *line == format!("{number:0104}"));
    assert!(right && text.lines().count() == 100_000, "{} bytes, not all in order", text.len());
}

fn burst(e: &Engine) {
    // With systemd, Podman's default is the journal, which limits the rate of lines.
    let driver: &[&str] = if e.kind == Kind::Podman { &["--log-driver", "k8s-file"] } else { &[] };
    let up = e.up(driver, BURST);
    assert_eq!(e.wait(&up.name), "0");
    all_came(&e.call(&["logs", &up.name]).ok().out);
}

fn input(e: &Engine) {
    let call = e.prepare(&["run", "--rm", "-i", "--network", "none", IMAGE, "sh", "-c", "cat; echo end"]);
    assert_eq!(call.input("one\ntwo\n").run().ok().out, "one\ntwo\nend\n");
}

/// The container exits only after its output has arrived: engines may lose the last output of an attached client. The
/// client's exit status is not checked, because Podman sometimes loses it.
fn attach(e: &Engine) {
    let up = e.up(&["-i"], "read line; echo \"got $line\"; read line; exit 6");
    let (reader, mut writer) = std::io::pipe().unwrap();
    let attached = e.prepare(&["attach", &up.name]).stdin(reader.into()).spawn();
    writer.write_all(b"hello\n").unwrap();
    until("the attached client's line", || attached.text().contains("got hello\n"));
    writer.write_all(b"end\n").unwrap();
    assert_eq!(e.wait(&up.name), "6");
    // Podman prints a line of its own at the end.
    assert_eq!(attached.finish_within(left()).line(), "got hello");
}

fn apart(e: &Engine) {
    let output = e.sh(&[], "echo out; echo err >&2").ok();
    assert_eq!((output.out.as_str(), output.err.as_str()), ("out\n", "err\n"));
}

fn size(e: &Engine) {
    fits(e.prepare(&["run", "--rm", "-it", "--network", "none", IMAGE, "sh", "-c", FITTING]), None, 4);
}

/// Exits when its terminal has the size of the caller's terminal.
pub(crate) const FITTING: &str = "until test \"$(stty size)\" = '33 77'; do sleep 1; done; echo fitting; exit 4";
/// Prints "ready", and exits when its terminal has the new size of the caller's terminal.
pub(crate) const RESIZED: &str =
    "until test \"$(stty size)\" = '44 88'; do echo ready; sleep 1; done; echo fitting; exit 6";
/// Rows and columns of the new size.
pub(crate) const NEW: (u16, u16) = (44, 88);

/// Changes the size while the program runs, on the container's terminal and on that of an exec.
fn resize(e: &Engine) {
    fits(e.prepare(&["run", "--rm", "-it", "--network", "none", IMAGE, "sh", "-c", RESIZED]), Some(NEW), 6);
    let up = e.up(&[], "while :; do sleep 1000; done");
    fits(e.prepare(&["exec", "-it", &up.name, "sh", "-c", RESIZED]), Some(NEW), 6);
}

/// Runs a call on a terminal of 33 rows and 77 columns. Sets the new size when the program prints "ready".
pub(crate) fn fits(call: Call, new: Option<(u16, u16)>, code: i32) {
    run_on_terminal(call, new, left).finish_within(left()).exits(code);
}
