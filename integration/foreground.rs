//! Tests `run` and `exec` in the foreground: all output arrives, background processes do not delay the end, signals are
//! forwarded. Terminals by console socket are tested in `terminal.rs`.

use crate::harness::bundle::Container;
use crate::harness::call::{Call, LIMIT, Running};
use crate::harness::kernel;
use crate::harness::runtime::only_davit;
use crate::harness::terminal::open_terminal;
use crate::harness::trial::{Test, rows, tests};
use nix::{
    fcntl::OFlag,
    sys::signal::{Signal, kill},
    unistd::{Pid, pipe2},
};
use serde_json::json;
use std::{fs::File, io::Read, os::fd::OwnedFd};

pub(crate) fn tests() -> Vec<Test> {
    let mut all = tests![
        the_size_of_the_terminal_is_followed,
        a_directory_as_standard_input_is_refused,
        the_exit_code_is_that_of_the_program,
        a_terminals_output_in_a_pipe_is_what_was_written,
        a_terminal_whose_reader_is_gone_is_hung_up,
        a_slow_reader_does_not_hold_off_a_signal,
    ];
    all.extend(rows!("last-byte", WAYS, last_byte));
    all.extend(rows!("left-behind", WAYS, left_behind));
    all.extend(rows!("signal", SIGNALS, signal));
    all
}

/// (verb and stream, verb, whether on a terminal)
type Way = (&'static str, &'static str, bool);

const WAYS: &[Way] = &[
    ("run-stream", "run", false),
    ("run-terminal", "run", true),
    ("exec-stream", "exec", false),
    ("exec-terminal", "exec", true),
];

/// Returns a call that runs the script in the foreground with this command, and its container.
fn foreground(verb: &str, terminal: bool, script: &str) -> (Container, Call) {
    if verb == "run" {
        let c = Container::sh(script).edit(|c| c["process"]["terminal"] = json!(terminal));
        let call = c.prepare("run", &[]);
        return (c, call);
    }
    let c = Container::sleeper().up();
    let mut words = vec!["exec"];
    words.extend(terminal.then_some("--tty"));
    words.extend([c.id.as_str(), "sh", "-c", script]);
    let call = c.call(&words);
    (c, call)
}

/// Returns everything that is printed on the terminal until the program ends.
fn until_end(mut master: File, run: Running) -> String {
    let ended = kernel::pidfd(run.pid()).unwrap();
    let mut all = String::new();
    loop {
        let is_over = kernel::readable(&ended, std::time::Duration::ZERO);
        if kernel::readable(&master, std::time::Duration::from_millis(20)) {
            let mut part = [0; 4096];
            match master.read(&mut part) {
                Ok(count) if count > 0 => all.push_str(&String::from_utf8_lossy(&part[..count])),
                _ => break,
            }
        } else if is_over {
            break;
        }
    }
    run.finish_within(LIMIT).ok();
    all
}

/// Prints more than a pipe or terminal buffer holds, and no newline at the end.
fn last_byte(way: &Way) {
    let script = "i=0; while [ $i -lt 3000 ]; do echo 0123456789abcdef0123456789abcdef0123456789abcdef; i=$((i+1)); done; printf END";
    let (_c, call) = foreground(way.1, way.2, script);
    let out = if way.2 {
        let (master, slave) = open_terminal(24, 80);
        let run = call.stdio(&slave);
        drop(slave);
        until_end(master, run)
    } else {
        call.run().ok().out
    };
    let end = &out[out.len().saturating_sub(60)..];
    assert!(out.ends_with("END") && out.matches('\n').count() == 3000, "{} bytes, the last {end:?}", out.len());
}

/// A background process that stays alive and keeps the inherited streams open.
fn left_behind(way: &Way) {
    let (_c, call) = foreground(way.1, way.2, "trap '' HUP; sleep 1000 & echo printed");
    let out = if way.2 {
        let (master, slave) = open_terminal(24, 80);
        let run = call.stdio(&slave);
        drop(slave);
        until_end(master, run)
    } else {
        call.run().ok().out
    };
    assert_eq!(out.trim_end(), "printed");
}

/// (verb and signal, verb, signal)
const SIGNALS: &[(&str, &str, Signal)] = &[
    ("run-term", "run", Signal::SIGTERM),
    ("run-int", "run", Signal::SIGINT),
    ("run-hup", "run", Signal::SIGHUP),
    ("run-usr1", "run", Signal::SIGUSR1),
    ("exec-term", "exec", Signal::SIGTERM),
    ("exec-usr2", "exec", Signal::SIGUSR2),
];

fn signal(row: &(&str, &str, Signal)) {
    let name = row.2.as_str().trim_start_matches("SIG");
    let script = format!("trap 'exit 9' {name}; echo >/out/ready; while :; do sleep 1000 & wait $!; done");
    let (c, call) = foreground(row.1, false, &script);
    let run = call.spawn();
    c.wait_out("ready");
    kill(Pid::from_raw(run.pid()), row.2).unwrap();
    run.finish().exits(9);
}

fn a_terminals_output_in_a_pipe_is_what_was_written() {
    for verb in ["run", "exec"] {
        let (_c, call) = foreground(verb, true, "echo one; printf 'two\\r\\nend'");
        assert_eq!(call.run().ok().out, "one\ntwo\r\nend");
    }
}

fn a_terminal_whose_reader_is_gone_is_hung_up() {
    for verb in ["run", "exec"] {
        // A first process is not ended by SIGHUP, but its writes fail.
        let (_c, call) = foreground(verb, true, "while echo line 2>/dev/null; do :; done");
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC).unwrap();
        let run = call.stdout(writer);
        let mut part = [0; 16];
        File::from(reader).read_exact(&mut part).unwrap();
        run.finish_within(LIMIT);
    }
}

/// The program has ended, and left more output than the pipe takes (64 KiB), by less than what a terminal keeps (4 KiB).
fn a_slow_reader_does_not_hold_off_a_signal() {
    let line = "0123456789".repeat(7);
    let script = format!("i=0; while [ $i -lt 940 ]; do echo {line}; i=$((i+1)); done; echo >/out/ready");
    let (c, call) = foreground("run", true, &script);
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC).unwrap();
    let run = call.stdout(writer);
    c.wait_out("ready");
    let running = kernel::pidfd(run.pid()).unwrap();
    assert!(!kernel::readable(&running, std::time::Duration::from_secs(1)), "it ended although nobody reads");
    kill(Pid::from_raw(run.pid()), Signal::SIGTERM).unwrap();
    run.finish_within(LIMIT);
    drop(reader);
}

fn the_size_of_the_terminal_is_followed() {
    // runc also sets the first size when it starts to relay, possibly after the program is ready.
    let report = "size=$(stty size); test \"$size\" = '24 80' || { echo \"$size\" >/out/new; exit 0; }";
    let script = &format!(
        "report() {{ {report}; }}; trap report WINCH; echo >/out/ready; while :; do sleep 1000 & wait $!; done"
    );
    for verb in ["run", "exec"] {
        let (c, call) = foreground(verb, true, script);
        let (master, slave) = open_terminal(24, 80);
        let run = call.stdio(&slave);
        c.wait_out("ready");
        kernel::set_window_size(&master, 50, 132);
        // The kernel sends SIGWINCH only to the session of a terminal; this terminal has no session.
        kill(Pid::from_raw(run.pid()), Signal::SIGWINCH).unwrap();
        assert_eq!(c.wait_out("new"), "50 132\n", "{verb}");
        run.finish().ok();
    }
}

/// The program gets the caller's streams. A directory among them would lead to the host (CVE-2024-21626).
fn a_directory_as_standard_input_is_refused() {
    only_davit("others pass the directory on, or fail to read from it");
    let directory = || OwnedFd::from(File::open("/etc").unwrap());
    let c = Container::sleeper();
    c.prepare("run", &["--detach"]).stdin(directory()).run().exits(1).says("standard input is a directory");
    c.nothing_left();
    let c = c.up();
    c.call(&["exec", &c.id, "true"]).stdin(directory()).run().exits(255).says("standard input is a directory");
}

fn the_exit_code_is_that_of_the_program() {
    for verb in ["run", "exec"] {
        for (script, code) in [("exit 0", 0), ("exit 42", 42), ("kill -TERM $$; sleep 1000", 128 + 15)] {
            // The first process of a pid namespace cannot kill itself by a signal.
            if verb == "exec" || code < 128 {
                foreground(verb, false, script).1.run().exits(code);
            }
        }
    }
    let c = Container::sh("echo >/out/ready; exec sleep 1000");
    let run = c.prepare("run", &[]).spawn();
    c.wait_out("ready");
    c.kill("KILL").ok();
    run.finish().exits(128 + 9);
}
