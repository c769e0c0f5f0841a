//! Tests `exec`: a second process in a container, with attributes from the container and from the flags. Attributes
//! that only the kernel shows are in `exec_attributes.rs`.

use crate::harness::bundle::Container;
use crate::harness::call::{Call, LIMIT, Output};
use crate::harness::kernel;
use crate::harness::runtime::runtime_has;
use crate::harness::skip::skip;
use crate::harness::trial::{Test, rows, tests};
use serde_json::json;
use std::{fs, os::unix::net::UnixListener};

pub(crate) fn tests() -> Vec<Test> {
    let mut all = tests![
        exec_joins_every_namespace,
        exec_is_in_the_cgroup,
        exec_in_a_created_container,
        exec_flags_stop_at_the_command,
        exec_passes_input_and_output,
        exec_has_what_the_config_says,
        exec_user_and_groups,
        exec_environment,
        exec_process_file,
        exec_capabilities,
        exec_detached_writes_its_pid,
        exec_failure_leaves_no_pid_file,
        exec_with_a_terminal,
        exec_has_no_foreign_descriptors,
        exec_preserves_descriptors,
        exec_is_a_child_of_the_caller,
        exec_under_seccomp,
        exec_cwd_on_a_descriptor,
        exec_ends_with_the_container,
        exec_whatever_the_size_of_the_configuration,
    ];
    all.extend(rows!("exit", EXITS, exit));
    all.extend(rows!("status", STATUSES, status));
    all
}

fn exec(c: &Container, flags: &[&str], command: &[&str]) -> Call {
    let mut words = vec!["exec"];
    words.extend(flags);
    words.push(&c.id);
    words.extend(command);
    c.call(&words)
}

fn need_exec() {
    if !runtime_has("exec") {
        skip("the runtime has no exec yet");
    }
}

fn sleeper() -> Container {
    need_exec();
    Container::sleeper().up()
}

#[track_caller]
fn sh(c: &Container, flags: &[&str], script: &str) -> Output {
    exec(c, flags, &["/bin/sh", "-c", script]).run().ok()
}

/// A runtime that moves the end of its heap to hide its executable confuses its allocator. At some sizes the allocator
/// then returns memory to the kernel that is still in use or was never mapped.
fn exec_whatever_the_size_of_the_configuration() {
    for words in [200, 400, 600, 1000, 2000, 4000] {
        need_exec();
        let c = Container::sleeper();
        let c = c.edit(|c| c["annotations"] = (0..words).map(|n| (format!("a{n}"), json!("0123456789"))).collect());
        let c = c.up();
        let mut process = c.config["process"].clone();
        process["args"] = json!(["true"]);
        process["env"].as_array_mut().unwrap().extend((0..words).map(|n| json!(format!("A{n}=0123456789"))));
        fs::write(c.dir.join("process.json"), process.to_string()).unwrap();
        exec(&c, &[], &["true"]).run().ok().silent();
        exec(&c, &["--process", c.dir.join("process.json").to_str().unwrap()], &[]).run().ok().silent();
    }
}

const NAMESPACES: &str = "for n in pid net mnt uts ipc cgroup; do readlink /proc/self/ns/$n; done";

fn exec_joins_every_namespace() {
    let c = sleeper();
    let output = sh(&c, &[], NAMESPACES);
    let of = |name| fs::read_link(format!("/proc/{}/ns/{name}", c.pid())).unwrap().display().to_string();
    assert_eq!(output.out.lines().collect::<Vec<_>>(), ["pid", "net", "mnt", "uts", "ipc", "cgroup"].map(of));
}

fn exec_is_in_the_cgroup() {
    let c = sleeper();
    let output = sh(&c, &[], "grep ^0:: /proc/self/cgroup; grep ^0:: /proc/1/cgroup");
    let lines: Vec<_> = output.out.lines().collect();
    assert_eq!(lines[0], lines[1]);
}

fn exec_in_a_created_container() {
    need_exec();
    let c = Container::sh("cat /mark >/out/seen; exec sleep 1000");
    c.create().ok();
    sh(&c, &[], "echo made >/mark");
    assert_eq!(c.status(), "created");
    c.start().ok();
    assert_eq!(c.wait_out("seen"), "made\n");
}

fn exec_flags_stop_at_the_command() {
    let c = sleeper();
    let output = exec(&c, &[], &["echo", "--cwd", "-e", "--help"]).run().ok();
    assert_eq!(output.out, "--cwd -e --help\n");
}

fn exec_passes_input_and_output() {
    let c = sleeper();
    let output = exec(&c, &[], &["sh", "-c", "cat; echo err >&2"]).input("in\n").run().ok();
    assert_eq!((output.out.as_str(), output.err.as_str()), ("in\n", "err\n"));
}

fn exec_has_what_the_config_says() {
    need_exec();
    let c = Container::sleeper().edit(|c| {
        c["process"]["cwd"] = json!("/tmp");
        c["process"]["env"] = json!(["PATH=/bin", "FROM=config"]);
        c["process"]["rlimits"] = json!([{"type": "RLIMIT_NOFILE", "soft": 77, "hard": 88}]);
        c["process"]["user"] = json!({"uid": 0, "gid": 0, "umask": 0o027});
        c["process"]["oomScoreAdj"] = json!(400);
    });
    let c = c.caps(&["CAP_KILL"]).up();
    let output = sh(
        &c,
        &[],
        "pwd; echo $FROM; ulimit -n; umask; cat /proc/self/oom_score_adj; grep -e CapEff -e NoNew /proc/self/status",
    );
    let wanted = "/tmp\nconfig\n77\n0027\n400\nCapEff:\t0000000000000020\nNoNewPrivs:\t1\n";
    assert_eq!(output.out, wanted);
}

fn exec_user_and_groups() {
    let c = sleeper();
    let output = sh(
        &c,
        &["--user", "1000:1001", "--additional-gids", "5", "--additional-gids", "6"],
        "id -u; id -g; grep Groups /proc/self/status",
    );
    assert_eq!(output.out.trim(), "1000\n1001\nGroups:\t5 6");
    for bad in ["root", "1000:wheel", "-1", "1000:", "99999999999"] {
        exec(&c, &["--user", bad], &["id"]).run().fails();
    }
}

fn exec_environment() {
    let c = sleeper();
    let output = sh(&c, &["--env", "A=1", "--env", "B=2,3", "--cwd", "/etc"], "echo $A $B $TERM; pwd");
    assert_eq!(output.out, "1 2,3 xterm\n/etc\n");
}

fn exec_process_file() {
    let c = sleeper();
    let process = json!({
        "args": ["/bin/sh", "-c", "pwd; echo $ONLY; id -u; grep CapEff /proc/self/status"],
        "env": ["PATH=/bin", "ONLY=this"], "cwd": "/tmp", "user": {"uid": 1000, "gid": 1000},
        "capabilities": {"bounding": ["CAP_CHOWN"], "effective": ["CAP_CHOWN"], "permitted": ["CAP_CHOWN"]}
    });
    let path = c.dir.join("process.json");
    fs::write(&path, process.to_string()).unwrap();
    let output = c.call(&["exec", "--process", path.to_str().unwrap(), &c.id]).run().ok();
    assert_eq!(output.out, "/tmp\nthis\n1000\nCapEff:\t0000000000000000\n");
}

fn exec_capabilities() {
    let c = sleeper();
    let output = sh(&c, &["--cap", "CAP_CHOWN", "--cap", "CAP_KILL"], "grep -e CapInh -e CapEff /proc/self/status");
    // CVE-2022-29162: added capabilities must not be inheritable.
    assert!(output.out.starts_with("CapInh:\t0000000000000000\n"), "{output:?}");
    let effective = u64::from_str_radix(output.out.trim().rsplit('\t').next().unwrap(), 16).unwrap();
    assert_eq!(effective & 0b10_0001, 0b10_0001);
}

fn exec_detached_writes_its_pid() {
    let c = sleeper();
    let file = c.dir.join("pid");
    let command = ["sh", "-c", "echo >/out/ready; exec sleep 1000"];
    exec(&c, &["--detach", "--pid-file", file.to_str().unwrap()], &command).run().ok().silent();
    c.wait_out("ready");
    let text = fs::read_to_string(file).unwrap();
    text.parse::<i32>().unwrap();
    let members = fs::read_to_string(c.cgroup().join("cgroup.procs")).unwrap();
    assert!(members.lines().any(|line| line == text), "{members}");
}

fn exec_failure_leaves_no_pid_file() {
    let c = sleeper();
    let file = c.dir.join("pid");
    let flags = ["--detach", "--pid-file", file.to_str().unwrap()];
    exec(&c, &flags, &["/no/such"]).run().fails().says("exec: \"/no/such\": stat /no/such: no such file or directory");
    assert!(!file.exists(), "conmon takes the file for success");
}

fn exec_with_a_terminal() {
    let c = sleeper();
    let path = c.dir.join("console.sock");
    let listener = UnixListener::bind(&path).unwrap();
    exec(&c, &["--tty", "--detach", "--console-socket", path.to_str().unwrap()], &["sh", "-c", "tty; exec sleep 1000"])
        .run()
        .ok();
    assert!(kernel::readable(&listener, LIMIT));
    let (stream, _) = listener.accept().unwrap();
    assert!(kernel::readable(&stream, LIMIT));
    let (_, master) = kernel::receive_fd(&stream);
    assert!(kernel::readable(&master.unwrap(), LIMIT));
}

fn exec_has_no_foreign_descriptors() {
    let c = sleeper();
    let script = format!("exec 7</etc; exec \"$0\" --root {} exec {} /probe probe fds", c.state_dir().display(), c.id);
    let output = Call::new(&c.dir, &["/bin/sh", "-c", &script, &crate::harness::runtime::RUNTIME]).run().ok();
    assert_eq!(output.out.lines().count(), 3, "{output:?}");
}

fn exec_preserves_descriptors() {
    let c = sleeper();
    let state = c.state_dir();
    let script = format!(
        "exec 3</etc 4</usr; exec \"$0\" --root {} exec --preserve-fds 1 {} /probe probe fds",
        state.display(),
        c.id
    );
    let output = Call::new(&c.dir, &["/bin/sh", "-c", &script, &crate::harness::runtime::RUNTIME]).run().ok();
    let last: Vec<_> = output.out.lines().skip(3).collect();
    assert_eq!(last, ["3 /etc"], "{output:?}");
}

fn exec_is_a_child_of_the_caller() {
    let c = sleeper();
    let file = c.dir.join("pid");
    exec(&c, &["-d", "--pid-file", file.to_str().unwrap()], &["sleep", "1000"]).run().ok();
    let status = fs::read_to_string(format!("/proc/{}/status", fs::read_to_string(file).unwrap())).unwrap();
    assert!(status.contains(&format!("\nPPid:\t{}\n", std::process::id())), "{status}");
}

fn exec_under_seccomp() {
    need_exec();
    let rule = json!([{"names": ["getpgid"], "action": "SCMP_ACT_ERRNO", "errnoRet": 54}]);
    let c = Container::sleeper();
    let c = c.edit(|c| c["linux"]["seccomp"] = json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rule})).up();
    let call = format!("{},1", libc::SYS_getpgid);
    let output = exec(&c, &[], &["/probe", "probe", "syscall", &call]).run().ok();
    assert_eq!(output.out, "EXFULL\n");
}

/// CVE-2024-21626: a working directory on a leaked file descriptor leads to the host.
fn exec_cwd_on_a_descriptor() {
    let c = sleeper();
    for number in [3, 7, 9] {
        let cwd = format!("/proc/self/fd/{number}");
        let script = format!(
            "exec 7</ 9</sys/fs/cgroup; exec \"$0\" --root {} exec --cwd {cwd} {} echo running",
            c.state_dir().display(),
            c.id
        );
        let output = Call::new(&c.dir, &["/bin/sh", "-c", &script, &crate::harness::runtime::RUNTIME]).run().fails();
        assert!(!output.out.contains("running"), "{output:?}");
    }
}

fn exec_ends_with_the_container() {
    let c = sleeper();
    let run = exec(&c, &[], &["sh", "-c", "echo >/out/ready; exec sleep 1000"]).spawn();
    c.wait_out("ready");
    c.stop();
    assert_ne!(run.finish().code(), 0);
}

/// (name, command, exit code, text)
const EXITS: &[(&str, &[&str], i32, &str)] = &[
    ("zero", &["true"], 0, ""),
    ("seven", &["sh", "-c", "exit 7"], 7, ""),
    ("killed", &["sh", "-c", "kill -9 $$"], 128 + 9, ""),
    ("not-in-path", &["nosuch"], 255, "exec: \"nosuch\": executable file not found in $PATH"),
    ("missing", &["/no/such"], 255, "exec: \"/no/such\": stat /no/such: no such file or directory"),
    ("not-executable", &["/etc/passwd"], 255, "exec: \"/etc/passwd\": permission denied"),
];

fn exit(row: &(&str, &[&str], i32, &str)) {
    let c = sleeper();
    exec(&c, &[], row.1).run().exits(row.2).says(row.3);
    assert_eq!(c.status(), "running");
}

/// (name, status of the container, flags, exit code, text on stderr)
type Status = (&'static str, &'static str, &'static [&'static str], i32, &'static str);

const STATUSES: &[Status] = &[
    ("gone", "gone", &[], 255, "does not exist"),
    ("stopped", "stopped", &[], 255, "cannot exec in a stopped container"),
    ("paused", "paused", &[], 255, "cannot exec in a paused container (use --ignore-paused to override)"),
    ("running", "running", &[], 0, ""),
    ("bad-user", "running", &["--user", "nobody"], 255, ""),
    ("bad-group", "running", &["--user", "0:wheel"], 255, ""),
];

fn status(row: &Status) {
    need_exec();
    let c = crate::pause_ps_update::in_status(row.1);
    exec(&c, row.2, &["true"]).run().exits(row.3).says(row.4);
}
