//! Tests standard streams: logs, attach, terminals and their sizes.

use super::{
    Check,
    bound::{left, until},
    engine::{Engine, IMAGE, Kind},
};
use crate::harness::call::Call;
use crate::harness::kernel;
use nix::{
    pty::{Winsize, openpty},
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs::File,
    io::{Read, Write},
};

pub(crate) const CHECKS: &[Check] = &[
    ("logs and attach", "a burst of 10 MB", burst),
    ("logs and attach", "stdin", input),
    ("logs and attach", "attach", attach),
    ("logs and attach", "stderr apart", apart),
    ("logs and attach", "size of the terminal", size),
    ("logs and attach", "resize of a terminal", resize),
];

/// Ten megabytes in numbered lines of 105 bytes: all of them are to come, in order.
pub(crate) const BURST: &str = "awk 'BEGIN { for (i = 1; i <= 100000; i++) printf \"%0104d\\n\", i }'";

#[track_caller]
pub(crate) fn all_came(text: &str) {
    let right = text.lines().zip(1..).all(|(line, number)| *line == format!("{number:0104}"));
    assert!(right && text.lines().count() == 100_000, "{} bytes, not all in order", text.len());
}

fn burst(e: &Engine) {
    // Where there is systemd, Podman's own choice is the journal, which takes so many lines a second and no more.
    let driver: &[&str] = if e.kind == Kind::Podman { &["--log-driver", "k8s-file"] } else { &[] };
    let up = e.up(driver, BURST);
    assert_eq!(e.wait(&up.name), "0");
    all_came(&e.call(&["logs", &up.name]).ok().out);
}

fn input(e: &Engine) {
    let call = e.prepare(&["run", "--rm", "-i", "--network", "none", IMAGE, "sh", "-c", "cat; echo end"]);
    assert_eq!(call.input("one\ntwo\n").run().ok().out, "one\ntwo\nend\n");
}

/// The container ends only after its output has come: what an ending attachment still shows is the engine's own affair,
/// and so is its exit status, which Podman loses now and then.
fn attach(e: &Engine) {
    let up = e.up(&["-i"], "read line; echo \"got $line\"; read line; exit 6");
    let (reader, mut writer) = std::io::pipe().unwrap();
    let attached = e.prepare(&["attach", &up.name]).stdin(reader.into()).spawn();
    writer.write_all(b"hello\n").unwrap();
    until("the attached client's line", || attached.text().contains("got hello\n"));
    writer.write_all(b"end\n").unwrap();
    assert_eq!(e.wait(&up.name), "6");
    // Podman ends with a line of its own.
    assert_eq!(attached.finish_within(left()).line(), "got hello");
}

fn apart(e: &Engine) {
    let said = e.sh(&[], "echo out; echo err >&2").ok();
    assert_eq!((said.out.as_str(), said.err.as_str()), ("out\n", "err\n"));
}

fn size(e: &Engine) {
    fits(e.prepare(&["run", "--rm", "-it", "--network", "none", IMAGE, "sh", "-c", FITTING]), None, 4);
}

/// Ends when its terminal is as large as the caller's.
pub(crate) const FITTING: &str = "until test \"$(stty size)\" = '33 77'; do sleep 1; done; echo fitting; exit 4";
/// Ends when its terminal is as large as the caller's has become since it said that it is ready.
pub(crate) const RESIZED: &str =
    "until test \"$(stty size)\" = '44 88'; do echo ready; sleep 1; done; echo fitting; exit 6";
pub(crate) const NEW: Winsize = Winsize { ws_row: 44, ws_col: 88, ws_xpixel: 0, ws_ypixel: 0 };

/// The size changes while the program runs, in the container's own terminal and in that of a further process.
fn resize(e: &Engine) {
    fits(e.prepare(&["run", "--rm", "-it", "--network", "none", IMAGE, "sh", "-c", RESIZED]), Some(NEW), 6);
    let up = e.up(&[], "while :; do sleep 1000; done");
    fits(e.prepare(&["exec", "-it", &up.name, "sh", "-c", RESIZED]), Some(NEW), 6);
}

/// Runs a call on a terminal of 33 rows and 77 columns, which gets the new size when the program is ready for it.
pub(crate) fn fits(call: Call, new: Option<Winsize>, code: i32) {
    let size = Winsize { ws_row: 33, ws_col: 77, ws_xpixel: 0, ws_ypixel: 0 };
    let pair = openpty(Some(&size), None).unwrap();
    let running = call.stdio(&pair.slave);
    drop(pair.slave);
    let mut master = File::from(pair.master);
    let mut said = String::new();
    let mut part = [0; 4096];
    // The end of a terminal is an error to its reader.
    while kernel::readable(&master, left())
        && let Ok(count @ 1..) = master.read(&mut part)
    {
        let heard = String::from_utf8_lossy(&part[..count]);
        said.push_str(&heard);
        if let Some(new) = new.filter(|_| heard.contains("ready")) {
            kernel::set_window_size(&master, new.ws_row, new.ws_col);
            // The client is no job of this terminal: it is told by hand what the kernel tells a job, and more than
            // once, since the program may be ready before the client listens.
            kill(Pid::from_raw(running.pid()), Signal::SIGWINCH).unwrap();
        }
    }
    assert!(said.contains("fitting"), "{said}");
    running.finish_within(left()).exits(code);
}
