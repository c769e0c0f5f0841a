//! Tests `process`: ids, capabilities, limits, environment, and errors for a command that cannot run. Scheduling and
//! similar attributes are left to `attributes`.

use crate::harness::bundle::{Container, push};
use crate::harness::call::Call;
use crate::harness::runtime::RUNTIME;
use crate::harness::skip::skip;
use crate::harness::trial::{Test, rows, tests};
use crate::harness::user::AS_USER;
use serde_json::{Value, json};
use std::{fs, os::unix::fs::PermissionsExt};

pub(crate) fn tests() -> Vec<Test> {
    let mut all = tests![
        user_and_groups,
        no_groups_unless_asked,
        umask_as_asked,
        umask_default,
        cwd_as_asked,
        cwd_is_made,
        cwd_accessible_only_to_the_user,
        environment_is_what_is_written,
        the_last_of_two_equal_names_wins,
        home_comes_from_passwd,
        arguments_are_passed_whole,
        relative_command_is_below_the_cwd,
        every_rlimit,
        rlimits_are_inherited_unless_configured,
        oom_score_unset_is_inherited,
        capabilities_of_root,
        capabilities_of_a_user,
        ambient_capabilities_reach_a_user,
        empty_capabilities,
        no_capabilities_unless_asked,
        unknown_capability_is_a_warning,
        signals_are_reset,
        the_process_leads_a_session,
        startup_failure_is_one_line,
    ];
    all.extend(rows!("no-new-privileges", &[("true", true), ("false", false)], no_new_privileges));
    all.extend(rows!("oom-score", &[("500", 500), ("1000", 1000), ("0", 0)], oom_score));
    all.extend(rows!("command", COMMANDS, command));
    all
}

/// The value of a field of /proc/PID/status.
#[track_caller]
fn field(status: &str, name: &str) -> String {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {name} in {status}")).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn status() -> Container {
    Container::new(&["/bin/cat", "/proc/self/status"])
}

fn user_and_groups() {
    let c = status().edit(|c| c["process"]["user"] = json!({"uid": 1000, "gid": 1001, "additionalGids": [5, 7, 9]}));
    let output = c.prints();
    assert_eq!(field(&output, "Uid"), "1000 1000 1000 1000");
    assert_eq!(field(&output, "Gid"), "1001 1001 1001 1001");
    assert_eq!(field(&output, "Groups"), "5 7 9");
}

fn no_groups_unless_asked() {
    let output = status().prints();
    assert_eq!(field(&output, "Groups"), "");
    assert_eq!(field(&output, "Uid"), "0 0 0 0");
}

fn umask_as_asked() {
    let c = status().edit(|c| c["process"]["user"]["umask"] = json!(0o077));
    assert_eq!(field(&c.prints(), "Umask"), "0077");
}

fn umask_default() {
    assert_eq!(field(&status().prints(), "Umask"), "0022");
}

fn cwd_as_asked() {
    let c = Container::sh("pwd").edit(|c| c["process"]["cwd"] = json!("/tmp"));
    assert_eq!(c.prints(), "/tmp\n");
}

fn cwd_is_made() {
    let c = Container::sh("pwd").edit(|c| c["process"]["cwd"] = json!("/srv/new/place"));
    assert_eq!(c.prints(), "/srv/new/place\n");
}

fn cwd_accessible_only_to_the_user() {
    // Without capabilities, even the container's root may not enter the directory; the user may.
    let c = Container::sh("pwd").edit(|c| {
        c["process"]["cwd"] = json!("/mine");
        c["process"]["user"] = json!({"uid": 1000, "gid": 1000});
        c["process"]["capabilities"] = json!({});
    });
    fs::create_dir(c.root("mine")).unwrap();
    std::os::unix::fs::chown(c.root("mine"), Some(1000), Some(1000)).unwrap();
    fs::set_permissions(c.root("mine"), fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(c.prints(), "/mine\n");
}

fn environment(c: &Container) -> Vec<String> {
    c.prints().lines().map(str::to_owned).collect()
}

fn environment_is_what_is_written() {
    let env = json!(["PATH=/bin", "A=b=c", "EMPTY=", "HOME=/h"]);
    let c = Container::new(&["env"]).edit(|c| c["process"]["env"] = env);
    let mut seen = environment(&c);
    seen.sort_unstable();
    assert_eq!(seen, ["A=b=c", "EMPTY=", "HOME=/h", "PATH=/bin"]);
}

fn the_last_of_two_equal_names_wins() {
    let c = Container::new(&["env"]).edit(|c| c["process"]["env"] = json!(["PATH=/bin", "HOME=/h", "A=1", "A=2"]));
    assert_eq!(environment(&c).iter().filter(|line| line.starts_with("A=")).collect::<Vec<_>>(), ["A=2"]);
}

fn home_comes_from_passwd() {
    for (uid, home) in [(0, "HOME=/root"), (1000, "HOME=/home/user"), (4242, "HOME=/")] {
        let c = Container::new(&["env"]).edit(|c| c["process"]["user"] = json!({"uid": uid, "gid": 0}));
        assert!(environment(&c).iter().any(|line| line == home), "uid {uid}: no {home}");
    }
}

fn arguments_are_passed_whole() {
    let c = Container::new(&["/bin/sh", "-c", "for a; do echo \"[$a]\"; done", "sh", "a b", "", "$x", "ü\"'", "-n"]);
    assert_eq!(c.prints(), "[a b]\n[]\n[$x]\n[ü\"']\n[-n]\n");
}

fn relative_command_is_below_the_cwd() {
    let c = Container::new(&["./busybox", "echo", "found"]).edit(|c| c["process"]["cwd"] = json!("/bin"));
    assert_eq!(c.prints(), "found\n");
}

/// (type, its line in /proc/PID/limits, a value below any default)
const RLIMITS: &[(&str, &str, u64)] = &[
    ("RLIMIT_CPU", "Max cpu time", 10_001),
    ("RLIMIT_FSIZE", "Max file size", 1 << 30),
    ("RLIMIT_DATA", "Max data size", 1 << 31),
    ("RLIMIT_STACK", "Max stack size", 1 << 22),
    ("RLIMIT_CORE", "Max core file size", 0),
    ("RLIMIT_RSS", "Max resident set", 1 << 32),
    ("RLIMIT_NPROC", "Max processes", 301),
    ("RLIMIT_NOFILE", "Max open files", 512),
    ("RLIMIT_MEMLOCK", "Max locked memory", 4096),
    ("RLIMIT_AS", "Max address space", 1 << 33),
    ("RLIMIT_LOCKS", "Max file locks", 99),
    ("RLIMIT_SIGPENDING", "Max pending signals", 77),
    ("RLIMIT_MSGQUEUE", "Max msgqueue size", 4097),
    ("RLIMIT_NICE", "Max nice priority", 0),
    ("RLIMIT_RTPRIO", "Max realtime priority", 0),
    ("RLIMIT_RTTIME", "Max realtime timeout", 1_000_000),
];

fn every_rlimit() {
    let c = Container::new(&["/bin/cat", "/proc/self/limits"]).edit(|c| {
        let all = RLIMITS.iter().map(|(kind, _, value)| json!({"type": kind, "soft": value / 2, "hard": value}));
        c["process"]["rlimits"] = all.collect();
    });
    let output = c.prints();
    for (kind, title, value) in RLIMITS {
        let line = output.lines().find_map(|line| line.strip_prefix(title)).unwrap();
        let words: Vec<_> = line.split_whitespace().collect();
        assert_eq!(words[..2], [(value / 2).to_string(), value.to_string()], "{kind}: {line}");
    }
}

fn rlimits_are_inherited_unless_configured() {
    let c = Container::new(&["/bin/cat", "/proc/self/limits"]).edit(|c| c["process"]["rlimits"] = json!([]));
    let rows = |text: &str| -> Vec<String> {
        let wanted = ["Max open files", "Max stack size", "Max processes", "Max locked memory"];
        text.lines().filter(|line| wanted.iter().any(|title| line.starts_with(title))).map(str::to_owned).collect()
    };
    assert_eq!(rows(&c.prints()), rows(&fs::read_to_string("/proc/self/limits").unwrap()));
}

fn oom_score(row: &(&str, i32)) {
    let own: i32 = fs::read_to_string("/proc/self/oom_score_adj").unwrap().trim().parse().unwrap();
    if *AS_USER && row.1 < own {
        skip(format!("a user cannot lower the OOM score adjustment, and the suite's is {own}"));
    }
    let c =
        Container::new(&["/bin/cat", "/proc/self/oom_score_adj"]).edit(|c| c["process"]["oomScoreAdj"] = json!(row.1));
    assert_eq!(c.prints().trim(), row.0);
}

fn oom_score_unset_is_inherited() {
    let c = Container::new(&["/bin/cat", "/proc/self/oom_score_adj"]);
    c.write();
    let script = "echo 300 >/proc/self/oom_score_adj; exec \"$@\"";
    let output = wrapped(&c, script, "run").run().ok();
    assert_eq!(output.out, "300\n");
}

/// Runs the call from a shell that runs a script first.
pub(crate) fn wrapped(c: &Container, script: &str, verb: &str) -> Call {
    c.write();
    let (state, bundle) = (c.state_dir(), c.dir.to_str().unwrap());
    let words =
        ["/bin/sh", "-c", script, "sh", &RUNTIME, "--root", state.to_str().unwrap(), verb, "--bundle", bundle, &c.id];
    Call::new(&c.dir, &words)
}

fn no_new_privileges(row: &(&str, bool)) {
    let c = status().edit(|c| c["process"]["noNewPrivileges"] = json!(row.1));
    assert_eq!(field(&c.prints(), "NoNewPrivs"), if row.1 { "1" } else { "0" });
}

const CHOWN: u64 = 1;
const KILL: u64 = 1 << 5;
const BIND: u64 = 1 << 10;

#[track_caller]
fn sets(c: &Container) -> [u64; 5] {
    let output = c.prints();
    ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]
        .map(|name| u64::from_str_radix(&field(&output, name), 16).unwrap())
}

fn capabilities(user: u32, sets: Value) -> Container {
    status().edit(|c| {
        c["process"]["user"]["uid"] = json!(user);
        c["process"]["capabilities"] = sets;
    })
}

fn capabilities_of_root() {
    let some = json!(["CAP_CHOWN", "CAP_KILL"]);
    let all = capabilities(0, json!({"bounding": some, "effective": some, "permitted": some}));
    assert_eq!(sets(&all), [0, CHOWN | KILL, CHOWN | KILL, CHOWN | KILL, 0]);
    let inheritable = json!({"bounding": ["CAP_KILL"], "inheritable": ["CAP_KILL"], "permitted": ["CAP_KILL"]});
    assert_eq!(sets(&capabilities(0, inheritable))[..4], [KILL, KILL, KILL, KILL]);
}

fn capabilities_of_a_user() {
    let some = json!(["CAP_CHOWN", "CAP_KILL"]);
    let c = capabilities(
        1000,
        json!({"bounding": some, "effective": some, "permitted": some, "inheritable": ["CAP_KILL"]}),
    );
    assert_eq!(sets(&c), [KILL, 0, 0, CHOWN | KILL, 0]);
}

fn ambient_capabilities_reach_a_user() {
    let all = json!(["CAP_CHOWN", "CAP_KILL", "CAP_NET_BIND_SERVICE"]);
    let c = capabilities(
        1000,
        json!({"bounding": all, "effective": all, "permitted": all, "inheritable": all, "ambient": ["CAP_NET_BIND_SERVICE"]}),
    );
    assert_eq!(sets(&c), [CHOWN | KILL | BIND, BIND, BIND, CHOWN | KILL | BIND, BIND]);
}

/// runc gives such a program all of the caller's.
fn no_capabilities_unless_asked() {
    let c = Container::sh("grep Cap /proc/self/status").edit(|c| {
        c["process"].as_object_mut().unwrap().remove("capabilities");
    });
    let said = c.prints();
    assert!(said.lines().count() == 5 && said.lines().all(|line| line.ends_with("\t0000000000000000")), "{said}");
}

fn empty_capabilities() {
    let none = json!([]);
    let c = capabilities(
        0,
        json!({"bounding": none, "effective": none, "permitted": none, "inheritable": none, "ambient": none}),
    );
    assert_eq!(sets(&c), [0; 5]);
}

fn unknown_capability_is_a_warning() {
    let c = status().caps(&["CAP_KILL", "CAP_FROM_THE_FUTURE"]);
    let output = c.run().ok().says("CAP_FROM_THE_FUTURE");
    assert_eq!(u64::from_str_radix(&field(&output.out, "CapBnd"), 16).unwrap(), KILL);
}

fn signals_are_reset() {
    // conmon leaves SIGPIPE ignored; this test ignores a few more signals.
    let c = status();
    let output = wrapped(&c, "trap '' PIPE HUP INT USR1 TERM; exec \"$@\"", "run").run().ok();
    for name in ["SigIgn", "SigBlk"] {
        let signals = u64::from_str_radix(&field(&output.out, name), 16).unwrap();
        // 32 and 33 are reserved by the C library, which does not allow changing them.
        assert_eq!(signals & !0x1_8000_0000, 0, "{name} {signals:x}");
    }
}

fn the_process_leads_a_session() {
    // The fields after the name in parentheses: state, parent, process group, session.
    let output = Container::new(&["/bin/cat", "/proc/self/stat"]).prints();
    let words: Vec<_> = output.split_once(") ").unwrap().1.split(' ').collect();
    assert_eq!(words[2..4], ["1", "1"], "{output}");
}

/// (name, args, text of the error; alternatives by `|`)
const COMMANDS: &[(&str, &[&str], &str)] = &[
    ("not-in-path", &["nosuchcommand"], "exec: \"nosuchcommand\": executable file not found in $PATH"),
    ("absolute", &["/no/such"], "exec: \"/no/such\": stat /no/such: no such file or directory"),
    ("empty", &[""], "exec: \"\": executable file not found in $PATH"),
    ("not-executable", &["/etc/passwd"], "exec: \"/etc/passwd\": permission denied"),
    ("directory", &["/etc"], "exec: \"/etc\": is a directory"),
    ("dangling-link", &["/bin/dangling"], "no such file or directory"),
    ("relative", &["./nosuch"], "no such file or directory"),
    ("in-path-not-executable", &["plain"], "executable file not found in $PATH|permission denied"),
];

fn command(row: &(&str, &[&str], &str)) {
    let c = Container::new(row.1);
    std::os::unix::fs::symlink("/nowhere", c.root("bin/dangling")).unwrap();
    fs::write(c.root("bin/plain"), "").unwrap();
    let output = c.refused("");
    let err = output.err.replace("\\\"", "\"");
    assert!(row.2.split('|').any(|text| err.contains(text)), "{output:?} instead of {}", row.2);
}

fn startup_failure_is_one_line() {
    for change in [(|c| c["process"]["args"] = json!(["nosuch"])) as fn(&mut Value), |c| {
        push(&mut c["mounts"], json!({"destination": "/m", "type": "nosuchfs", "source": "x"}))
    }] {
        let output = Container::sleeper().edit(change).refused("");
        assert_eq!(output.err.trim_end().lines().count(), 1, "{output:?}");
        assert!(output.err.len() < 8192);
    }
}
