//! Tests additional processes in a running container.

use super::{
    Check,
    engine::{Engine, Kind},
    time_limit::left,
};

pub(crate) const CHECKS: &[Check] = &[
    ("exec", "exit codes", exit_codes),
    ("exec", "user, directory, environment", surroundings),
    ("exec", "with a terminal", terminal),
    ("exec", "detached", detached),
    ("exec", "programs that cannot run", cannot_run),
    ("exec", "twenty at once", twenty),
    ("exec", "in a stopped container", stopped),
];

const IDLE: &str = "while :; do sleep 1000; done";

fn exit_codes(e: &Engine) {
    let up = e.up(&[], IDLE);
    for code in [0, 1, 42] {
        e.call(&["exec", &up.name, "sh", "-c", &format!("exit {code}")]).exits(code);
    }
    e.call(&["exec", &up.name, "sh", "-c", "kill -9 $$"]).exits(137);
}

fn surroundings(e: &Engine) {
    let up = e.up(&[], IDLE);
    let words = ["exec", "-u", "user", "-w", "/tmp", "-e", "A=b", &up.name, "sh", "-c", "id -u; id -g; pwd; echo $A"];
    assert_eq!(e.call(&words).ok().out, "1000\n1000\n/tmp\nb\n");
}

fn terminal(e: &Engine) {
    let up = e.up(&[], IDLE);
    let output = e.call(&["exec", "-t", &up.name, "sh", "-c", "tty; exit 3"]).exits(3);
    assert!(output.out.contains("/dev/pts/0"), "{output:?}");
}

fn detached(e: &Engine) {
    let up = e.up(&[], "mkfifo /pipe; cat /pipe; exit 5");
    let script = "until test -p /pipe; do sleep 1; done; echo hello >/pipe";
    e.call(&["exec", "-d", &up.name, "sh", "-c", script]).ok();
    assert_eq!(e.wait(&up.name), "5");
    assert_eq!(e.call(&["logs", &up.name]).ok().out, "hello\n");
}

fn cannot_run(e: &Engine) {
    let up = e.up(&[], IDLE);
    // Docker 20 returns the same code for every failed exec, regardless of the runtime's error.
    let missing = if e.kind == Kind::Docker && e.docker_major() <= 20 { 126 } else { 127 };
    e.call(&["exec", &up.name, "nonexistent"]).exits(missing);
    e.call(&["exec", &up.name, "/bin/nonexistent"]).exits(missing);
    e.call(&["exec", &up.name, "/etc/passwd"]).exits(126);
}

fn twenty(e: &Engine) {
    let up = e.up(&[], IDLE);
    let calls = (0..20).map(|number| e.prepare(&["exec", &up.name, "sh", "-c", &format!("exit {number}")]).spawn());
    let calls: Vec<_> = calls.collect();
    for (number, call) in (0..20).zip(calls) {
        call.finish_within(left()).exits(number);
    }
}

fn stopped(e: &Engine) {
    let up = e.up(&[], "exit 0");
    e.wait(&up.name);
    let output = e.call(&["exec", &up.name, "true"]).fails();
    let text = if e.kind == Kind::Docker { "is not running" } else { "state improper" };
    assert!(output.err.contains(text), "{output:?}");
}
