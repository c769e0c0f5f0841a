//! What goes in and comes out: logs, attach, terminals and their sizes.

use super::{
    Check,
    engine::{Engine, IMAGE},
};
use crate::call::LIMIT;
use nix::pty::{Winsize, openpty};
use std::{
    fs::File,
    io::{Read, Write},
    time::Instant,
};

pub(crate) const CHECKS: &[Check] = &[
    ("logs and attach", "a burst of 10 MB", burst),
    ("logs and attach", "stdin", input),
    ("logs and attach", "attach", attach),
    ("logs and attach", "stderr apart", apart),
    ("logs and attach", "size of the terminal", size),
];

/// Ten megabytes in numbered lines of 105 bytes: all of them are to come, in order.
pub(crate) const BURST: &str = "awk 'BEGIN { for (i = 1; i <= 100000; i++) printf \"%0104d\\n\", i }'";

#[track_caller]
pub(crate) fn all_came(text: &str) {
    let right = text.lines().zip(1..).all(|(line, number)| *line == format!("{number:0104}"));
    assert!(right && text.lines().count() == 100_000, "{} bytes, not all in order", text.len());
}

fn burst(e: &Engine) {
    let up = e.up(&[], BURST);
    assert_eq!(e.wait(&up.name), "0");
    all_came(&e.call(&["logs", &up.name]).ok().out);
}

fn input(e: &Engine) {
    let call = e.prepare(&["run", "--rm", "-i", "--network", "none", IMAGE, "sh", "-c", "cat; echo end"]);
    assert_eq!(call.input("one\ntwo\n").run().ok().out, "one\ntwo\nend\n");
}

/// The container ends only after its output has come: what an ending attachment still shows is the engine's own affair, and
/// so is its exit status, which Podman loses now and then.
fn attach(e: &Engine) {
    let up = e.up(&["-i"], "read line; echo \"got $line\"; read line; exit 6");
    let (reader, mut writer) = std::io::pipe().unwrap();
    let attached = e.prepare(&["attach", &up.name]).stdin(reader.into()).spawn();
    writer.write_all(b"hello\n").unwrap();
    let end = Instant::now() + LIMIT;
    while !attached.text().contains("got hello\n") {
        assert!(Instant::now() < end, "the attached client saw {:?}", attached.text());
    }
    writer.write_all(b"end\n").unwrap();
    assert_eq!(e.wait(&up.name), "6");
    // Podman ends with a line of its own.
    assert_eq!(attached.finish().line(), "got hello");
}

fn apart(e: &Engine) {
    let said = e.sh(&[], "echo out; echo err >&2").ok();
    assert_eq!((said.out.as_str(), said.err.as_str()), ("out\n", "err\n"));
}

fn size(e: &Engine) {
    let size = Winsize { ws_row: 33, ws_col: 77, ws_xpixel: 0, ws_ypixel: 0 };
    let pair = openpty(Some(&size), None).unwrap();
    let script = "until test \"$(stty size)\" = '33 77'; do sleep 1; done; echo fitting; exit 4";
    let call = e.prepare(&["run", "--rm", "-it", "--network", "none", IMAGE, "sh", "-c", script]);
    let running = call.stdio(&pair.slave);
    drop(pair.slave);
    let mut master = File::from(pair.master);
    let mut said = Vec::new();
    let mut part = [0; 4096];
    // The end of a terminal is an error to its reader.
    while let Ok(count @ 1..) = master.read(&mut part) {
        said.extend_from_slice(&part[..count]);
    }
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(said.contains("fitting"), "{said}");
    running.finish().exits(4);
}
