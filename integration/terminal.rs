//! Tests terminals: `--console-socket` for detached containers, the caller's terminal for a foreground run. Foreground
//! streams and signals without a terminal are left to `foreground`.

use crate::harness::bundle::Container;
use crate::harness::call::LIMIT;
use crate::harness::kernel;
use crate::harness::runtime::only_davit;
use crate::harness::runtime::runtime_name;
use crate::harness::terminal::open_terminal;
use crate::harness::trial::{Test, tests};
use nix::sys::socket::{Backlog, listen};
use serde_json::json;
use std::{
    fs::File,
    io::{Read, Write},
    os::unix::net::UnixListener,
    time::Instant,
};

pub(crate) fn tests() -> Vec<Test> {
    tests![
        the_console_socket_receives_the_master,
        a_console_socket_may_have_a_long_path,
        the_terminal_has_the_configured_size,
        console_size_without_terminal_is_ignored,
        dev_console_is_the_terminal,
        the_terminal_controls_the_session,
        the_terminal_belongs_to_the_user,
        detached_terminal_needs_a_socket,
        a_socket_without_terminal_is_refused,
        a_socket_that_does_not_answer,
        a_socket_whose_queue_is_full,
        foreground_run_relays_the_terminal,
        foreground_run_takes_the_callers_size,
        foreground_run_passes_input,
        foreground_run_restores_the_terminal,
        foreground_run_handles_a_program_that_does_not_read,
        no_process_keeps_the_callers_output,
    ]
}

fn with_terminal(script: &str) -> Container {
    Container::sh(script).edit(|c| c["process"]["terminal"] = json!(true))
}

/// Creates the container with a console socket; returns the payload of the message and the pty master.
fn create(c: &Container) -> (Vec<u8>, File) {
    let path = c.dir.join("console.sock");
    let listener = UnixListener::bind(&path).unwrap();
    c.prepare("create", &["--console-socket", path.to_str().unwrap()]).run().ok().silent();
    assert!(kernel::readable(&listener, LIMIT), "the runtime did not connect to the console socket");
    let (stream, _) = listener.accept().unwrap();
    assert!(kernel::readable(&stream, LIMIT));
    let (payload, fd) = kernel::receive_fd(&stream);
    (payload, File::from(fd.expect("no descriptor in the message")))
}

/// Reads the pty master until it has read `text` or reaches a hangup.
fn read_until(master: &mut File, text: &str) -> String {
    let mut all = String::new();
    let end = Instant::now() + LIMIT;
    while !all.contains(text) {
        let left = end.saturating_duration_since(Instant::now());
        assert!(!left.is_zero() && kernel::readable(master, left), "waited for {text:?}, saw {all:?}");
        let mut part = [0; 4096];
        match master.read(&mut part) {
            Ok(count) if count > 0 => all.push_str(&String::from_utf8_lossy(&part[..count])),
            _ => break,
        }
    }
    assert!(all.contains(text), "the terminal closed before {text:?}: {all:?}");
    all
}

fn the_console_socket_receives_the_master() {
    let c = with_terminal("tty; read line; echo \"got $line\"; test -t 0 && test -t 1 && test -t 2 && echo all");
    let (payload, mut master) = create(&c);
    assert!(!payload.is_empty(), "the message has no text");
    c.start().ok();
    read_until(&mut master, "/dev/pts/0");
    master.write_all(b"hello\n").unwrap();
    assert!(read_until(&mut master, "all").contains("got hello"));
}

/// Longer than the address of a Unix socket can be (108 bytes).
fn a_console_socket_may_have_a_long_path() {
    let c = with_terminal("tty");
    let long = c.dir.join("x".repeat(150));
    std::fs::create_dir(&long).unwrap();
    let listener = UnixListener::bind(c.dir.join("socket")).unwrap();
    std::fs::rename(c.dir.join("socket"), long.join("socket")).unwrap();
    c.prepare("create", &["--console-socket", long.join("socket").to_str().unwrap()]).run().ok();
    assert!(kernel::readable(&listener, LIMIT), "the runtime did not connect to the console socket");
    let (stream, _) = listener.accept().unwrap();
    let (_, master) = kernel::receive_fd(&stream);
    assert!(master.is_some());
}

fn the_terminal_has_the_configured_size() {
    let c = with_terminal("stty size").edit(|c| c["process"]["consoleSize"] = json!({"height": 31, "width": 117}));
    let (_, mut master) = create(&c);
    assert_eq!(kernel::window_size(&master), (31, 117));
    c.start().ok();
    read_until(&mut master, "31 117");
}

fn console_size_without_terminal_is_ignored() {
    let c = Container::sh("echo good").edit(|c| c["process"]["consoleSize"] = json!({"height": 31, "width": 117}));
    assert_eq!(c.prints(), "good\n");
}

fn dev_console_is_the_terminal() {
    let c = with_terminal(
        "stat -c '%F %t' /dev/console; grep -c ' /dev/console ' /proc/self/mountinfo; echo direct >/dev/console",
    );
    let (_, mut master) = create(&c);
    c.start().ok();
    read_until(&mut master, "character special file 88\r\n1\r\ndirect");
}

fn the_terminal_controls_the_session() {
    let c = with_terminal(
        "trap 'echo interrupted; exit' INT; echo through >/dev/tty; while :; do sleep 1000 & wait $!; done",
    );
    let (_, mut master) = create(&c);
    c.start().ok();
    read_until(&mut master, "through");
    master.write_all(b"\x03").unwrap();
    read_until(&mut master, "interrupted");
}

fn the_terminal_belongs_to_the_user() {
    let c = with_terminal("stat -c '%u %a' /dev/pts/0; echo fine >/dev/pts/0");
    let c = c.edit(|c| c["process"]["user"] = json!({"uid": 1000, "gid": 1000}));
    let (_, mut master) = create(&c);
    c.start().ok();
    assert!(read_until(&mut master, "fine").starts_with("1000 "));
}

fn detached_terminal_needs_a_socket() {
    let c = with_terminal("exit 0");
    c.refused("console socket");
    c.prepare("run", &["--detach"]).run().fails().says("console socket");
    c.nothing_left();
}

fn a_socket_without_terminal_is_refused() {
    let c = Container::sleeper();
    let path = c.dir.join("console.sock");
    let _listener = UnixListener::bind(&path).unwrap();
    c.prepare("create", &["--console-socket", path.to_str().unwrap()]).run().fails().says("console socket");
    c.nothing_left();
}

fn a_socket_that_does_not_answer() {
    let c = with_terminal("exit 0");
    let path = c.dir.join("nobody.sock");
    let words = ["--console-socket", path.to_str().unwrap()];
    c.prepare("create", &words).run().fails();
    c.nothing_left();
    drop(UnixListener::bind(&path).unwrap());
    c.prepare("create", &words).run().fails();
    c.nothing_left();
}

/// connect(2) blocks while the listener's accept queue is full.
fn a_socket_whose_queue_is_full() {
    only_davit("runc and crun block forever");
    let c = with_terminal("exit 0");
    let path = c.dir.join("console.sock");
    let listener = UnixListener::bind(&path).unwrap();
    // The standard library requests a queue of thousands.
    listen(&listener, Backlog::new(0).unwrap()).unwrap();
    let _queued = kernel::fill_queue(&path);
    c.prepare("create", &["--console-socket", path.to_str().unwrap()]).run().fails().says("timed out");
    c.nothing_left();
}

fn foreground_run_relays_the_terminal() {
    let c = with_terminal("tty; echo last; exit 3");
    let (mut master, slave) = open_terminal(24, 80);
    let run = c.prepare("run", &[]).stdio(&slave);
    let all = read_until(&mut master, "last");
    assert!(all.contains("/dev/pts/0"), "{all}");
    assert_eq!(run.finish().code(), 3);
    c.nothing_left();
}

fn foreground_run_takes_the_callers_size() {
    let c = with_terminal(
        "stty size; n=0; while test $n -lt 50 && test \"$(stty size 2>/dev/null)\" != '43 131'; do n=$((n+1)); done
         stty size; echo end",
    );
    let (mut master, slave) = open_terminal(43, 131);
    let run = c.prepare("run", &[]).stdio(&slave);
    let all = read_until(&mut master, "end");
    assert!(all.contains("43 131"), "the size was not set: {all}");
    // Other runtimes set the size after the program has started.
    assert!(all.starts_with("43 131") || runtime_name() != "davit", "the program started with another size: {all}");
    assert_eq!(run.finish().code(), 0);
}

fn foreground_run_passes_input() {
    let c = with_terminal("echo ready; read line; echo \"got $line\"; read line; echo \"then $line\"");
    let (mut master, slave) = open_terminal(24, 80);
    let run = c.prepare("run", &[]).stdio(&slave);
    read_until(&mut master, "ready");
    master.write_all(b"one\r").unwrap();
    read_until(&mut master, "got one");
    master.write_all(b"two\r").unwrap();
    read_until(&mut master, "then two");
    assert_eq!(run.finish().code(), 0);
}

fn foreground_run_restores_the_terminal() {
    let c = with_terminal("echo ready; read line");
    let (mut master, slave) = open_terminal(24, 80);
    let before = nix::sys::termios::tcgetattr(&slave).unwrap();
    let run = c.prepare("run", &[]).stdio(&slave);
    read_until(&mut master, "ready");
    let during = nix::sys::termios::tcgetattr(&slave).unwrap();
    assert!(!during.local_flags.contains(nix::sys::termios::LocalFlags::ICANON), "the caller's terminal is not raw");
    master.write_all(b"\r").unwrap();
    run.finish().ok();
    let after = nix::sys::termios::tcgetattr(&slave).unwrap();
    assert_eq!((before.local_flags, before.input_flags), (after.local_flags, after.input_flags));
}

/// Pasted input that overflows the program's terminal buffer must block neither output nor signals.
fn foreground_run_handles_a_program_that_does_not_read() {
    let c = with_terminal("trap 'echo heard; exit 5' TERM; echo ready; while :; do sleep 1000 & wait $!; done");
    let (mut master, slave) = open_terminal(24, 80);
    let run = c.prepare("run", &[]).stdio(&slave);
    read_until(&mut master, "ready");
    let mut keyboard = master.try_clone().unwrap();
    // The last lines do not fit into any buffer, so the thread blocks until the suite exits.
    let typist = std::thread::spawn(move || keyboard.write_all("a line of the paste\r".repeat(50_000).as_bytes()));
    read_until(&mut master, &"a line of the paste\r\n".repeat(20));
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(run.pid()), nix::sys::signal::Signal::SIGTERM).unwrap();
    read_until(&mut master, "heard");
    assert!(!typist.is_finished(), "the terminal accepted all pasted input");
    assert_eq!(run.finish().code(), 5);
}

fn no_process_keeps_the_callers_output() {
    // The reader exits only when no process holds the pipe, while the container keeps running.
    let c = with_terminal("sleep 1000 & exec sleep 1000");
    let path = c.dir.join("console.sock");
    let _listener = UnixListener::bind(&path).unwrap();
    let script = format!("\"$@\" --console-socket {} {} 2>&1 | cat; echo closed", path.display(), c.id);
    c.write();
    let (state, bundle) = (c.state_dir(), c.dir.to_str().unwrap());
    let words = [
        "/bin/sh",
        "-c",
        &script,
        "sh",
        &crate::harness::runtime::RUNTIME,
        "--root",
        state.to_str().unwrap(),
        "create",
        "--bundle",
        bundle,
    ];
    let said = crate::harness::call::Call::new(&c.dir, &words).run().ok();
    assert_eq!(said.out, "closed\n");
    assert_eq!(c.status(), "created");
    c.start().ok();
}
