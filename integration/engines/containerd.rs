//! Tests containerd with its own client `ctr`, without Docker.

use super::{
    Check,
    engine::{Engine, IMAGE, Kind},
    layout, leaks, limits,
    place::{cgroup_of, fresh},
    security,
    streams::{BURST, FITTING, NEW, RESIZED, all_came, fits},
    time_limit::{left, until},
    volumes,
};
use crate::harness::call::{Call, Output};
use crate::harness::cgroups::{has_controller, need_controller};
use crate::harness::skip::skip;
use std::{fs, io::Write};

pub(crate) const CHECKS: &[Check] = &[
    ("life cycle", "exit codes", exit_codes),
    ("life cycle", "programs that cannot run", cannot_run),
    ("life cycle", "kill -s", kill),
    ("life cycle", "rm -f leaves nothing", remove),
    ("pause", "pause and unpause", pause),
    ("pause", "kill while paused", kill_paused),
    ("pause", "top", top),
    ("pause", "stats", stats),
    ("exec", "exit codes", exec),
    ("exec", "user, directory, environment", surroundings),
    ("exec", "with a terminal", exec_terminal),
    ("exec", "twenty at once", twenty),
    ("logs and attach", "a burst of 10 MB", burst),
    ("logs and attach", "stdin", input),
    ("logs and attach", "stderr apart", apart),
    ("logs and attach", "size of the terminal", terminal),
    ("logs and attach", "resize of a terminal", resize),
    ("limits", "memory", memory),
    ("limits", "OOM is reported", oom),
    ("limits", "cpus", cpus),
    ("limits", "cpuset", cpuset),
    ("limits", "io throttle", throttle),
    ("images and layers", "the image is unchanged", unchanged),
    ("volumes and binds", "bind, writable and not", bind),
    ("volumes and binds", "propagation", propagation),
    ("volumes and binds", "tmpfs", tmpfs),
    ("volumes and binds", "--read-only", read_only),
    ("networks", "none", none),
    ("networks", "host", host),
    ("security", "default seccomp", seccomp),
    ("security", "--privileged", privileged),
    ("security", "--user", user),
    ("security", "no-new-privileges", no_new_privileges),
    ("security", "--cap-add, --cap-drop", capabilities),
    ("security", "--security-opt seccomp=FILE", seccomp_file),
    ("security", "masked and read-only paths", masked),
    ("security", "a user namespace", mapped),
    ("pods", "shared namespaces", pods),
    ("health", "a storm of 100 execs leaks nothing", storm),
    ("configuration", "config.toml of docs/engines.md", configuration),
];

const IDLE: &str = "while :; do sleep 1000; done";

/// A call of `ctr run`. By default, `ctr` requests CPU shares. On a host without the cpu controller, this call disables
/// them.
fn prepare(e: &Engine, words: &[&str]) -> Call {
    let runtime = e.runtime();
    let shares: &[&str] = if has_controller("cpu") { &[] } else { &["--cpu-shares", "0"] };
    e.prepare(&[&["run", "--runc-binary", &runtime], shares, words].concat())
}

fn ctr(e: &Engine, flags: &[&str], id: &str, program: &[&str]) -> Output {
    let tree = e.file("tree");
    prepare(e, &[flags, &["--rootfs", &tree, id], program].concat()).spawn().finish_within(left())
}

fn sh(e: &Engine, flags: &[&str], script: &str) -> Output {
    ctr(e, &[&["--rm"], flags].concat(), &fresh("task"), &["/bin/sh", "-c", script])
}

struct Task<'a>(&'a Engine, String);

impl Drop for Task<'_> {
    fn drop(&mut self) {
        self.0.call(&["task", "rm", "-f", &self.1]);
        self.0.call(&["container", "rm", &self.1]);
    }
}

impl Task<'_> {
    fn call(&self, verb: &str, flags: &[&str]) -> Output {
        self.0.call(&[&["task", verb], flags, &[&self.1]].concat())
    }

    fn exec(&self, flags: &[&str], script: &str) -> Output {
        let id = fresh("exec");
        self.0.call(&[&["task", "exec", "--exec-id", &id], flags, &[&self.1, "/bin/sh", "-c", script]].concat())
    }

    /// Pid and status of the task, from `ctr task ls`.
    fn listed(&self) -> (String, String) {
        let list = self.0.call(&["task", "ls"]).ok().out;
        let line = list.lines().find(|line| line.split_whitespace().next() == Some(&self.1)).unwrap_or_default();
        let mut words = line.split_whitespace().skip(1).map(str::to_owned);
        (words.next().unwrap_or_default(), words.next().unwrap_or_default())
    }
}

fn up<'a>(e: &'a Engine, flags: &[&str], script: &str) -> Task<'a> {
    let task = Task(e, fresh("task"));
    ctr(e, &[&["-d"], flags].concat(), &task.1, &["/bin/sh", "-c", script]).ok();
    task
}

fn wait_status(task: &Task<'_>, status: &str) {
    until(status, || task.listed().1 == status);
}

fn exit_codes(e: &Engine) {
    for code in [0, 1, 42] {
        sh(e, &[], &format!("exit {code}")).exits(code);
    }
}

fn cannot_run(e: &Engine) {
    ctr(e, &["--rm"], &fresh("task"), &["nonexistent"]).fails().says("executable file not found in $PATH");
    ctr(e, &["--rm"], &fresh("task"), &["/etc/passwd"]).fails().says("permission denied");
}

fn kill(e: &Engine) {
    let task = up(e, &[], "trap 'exit 9' USR1; while :; do sleep 1; done");
    while task.listed().1 == "RUNNING" {
        task.call("kill", &["-s", "USR1"]);
    }
    task.call("delete", &[]).says("exit code 9");
}

fn remove(e: &Engine) {
    let task = up(e, &[], IDLE);
    let cgroup = cgroup_of(&task.listed().0);
    let state = format!("/run/containerd/runc/default/{}", task.1);
    assert!(cgroup.exists() && fs::exists(&state).unwrap());
    let words = [&e.runtime(), "--root", "/run/containerd/runc/default", "list", "-q"];
    let output = Call::new(&e.dir(), &words).run().ok();
    assert!(output.out.lines().any(|id| id == task.1), "{output:?}");
    drop(task);
    assert!(!cgroup.exists() && !fs::exists(&state).unwrap());
}

fn pause(e: &Engine) {
    let task = up(e, &[], IDLE);
    task.call("pause", &[]).ok();
    assert_eq!(task.listed().1, "PAUSED");
    task.call("resume", &[]).ok();
    assert_eq!(task.listed().1, "RUNNING");
}

fn kill_paused(e: &Engine) {
    let task = up(e, &[], IDLE);
    task.call("pause", &[]).ok();
    task.call("kill", &["-s", "KILL"]).ok();
    wait_status(&task, "STOPPED");
    task.call("delete", &[]).says("exit code 137");
}

fn top(e: &Engine) {
    let task = up(e, &[], "sleep 1000 & sleep 1000");
    until("two processes", || task.call("ps", &[]).ok().out.lines().count() >= 3);
}

fn stats(e: &Engine) {
    need_controller("memory");
    let task = up(e, &["--memory-limit", "67108864"], IDLE);
    let output = task.call("metrics", &[]).ok();
    assert!(output.out.contains("67108864"), "{output:?}");
}

fn exec(e: &Engine) {
    let task = up(e, &[], IDLE);
    for code in [0, 1, 42] {
        task.exec(&[], &format!("exit {code}")).exits(code);
    }
    e.call(&["task", "exec", "--exec-id", "missing", &task.1, "nonexistent"]).fails().says("executable file not found");
}

fn surroundings(e: &Engine) {
    let task = up(e, &[], IDLE);
    let output = task.exec(&["--user", "1000:1000", "--cwd", "/tmp"], "id -u; id -g; pwd").ok();
    assert_eq!(output.out, "1000\n1000\n/tmp\n");
}

/// Runs a call on a terminal, because `ctr` needs one if the container has a terminal.
fn on_terminal(call: Call, text: &str) -> i32 {
    let pair = nix::pty::openpty(None, None).unwrap();
    let running = call.stdio(&pair.slave);
    drop(pair.slave);
    let mut output = Vec::new();
    // At the end of a terminal, read(2) fails with EIO. The output before that counts.
    std::io::Read::read_to_end(&mut fs::File::from(pair.master), &mut output).ok();
    let output = String::from_utf8_lossy(&output).into_owned();
    assert!(output.contains(text), "{output}");
    running.finish().code()
}

fn exec_terminal(e: &Engine) {
    let task = up(e, &[], IDLE);
    let words = ["task", "exec", "-t", "--exec-id", "tty", &task.1, "/bin/sh", "-c", "tty; exit 3"];
    assert_eq!(on_terminal(e.prepare(&words), "/dev/pts/0"), 3);
}

fn twenty(e: &Engine) {
    let task = up(e, &[], IDLE);
    let calls = (0..20).map(|number| {
        let (id, script) = (fresh("exec"), format!("exit {number}"));
        e.prepare(&["task", "exec", "--exec-id", &id, &task.1, "/bin/sh", "-c", &script]).spawn()
    });
    for (number, call) in (0..20).zip(calls.collect::<Vec<_>>()) {
        call.finish_within(left()).exits(number);
    }
}

fn terminal(e: &Engine) {
    let words = ["--rm", "-t", "--rootfs", &e.file("tree"), &fresh("task"), "/bin/sh", "-c", FITTING];
    fits(prepare(e, &words), None, 4);
}

fn resize(e: &Engine) {
    let words = ["--rm", "-t", "--rootfs", &e.file("tree"), &fresh("task"), "/bin/sh", "-c", RESIZED];
    fits(prepare(e, &words), Some(NEW), 6);
    let task = up(e, &[], IDLE);
    let words = ["task", "exec", "-t", "--exec-id", "sized", &task.1, "/bin/sh", "-c", RESIZED];
    fits(e.prepare(&words), Some(NEW), 6);
}

/// Skips if this version of `ctr run` does not have the flag.
fn need_flag(e: &Engine, flag: &str) {
    if !e.call(&["run", "--help"]).ok().out.contains(flag) {
        skip(format!("this ctr has no {flag}"));
    }
}

fn cpuset(e: &Engine) {
    need_controller("cpuset");
    need_flag(e, "--cpuset-cpus");
    let task = up(e, &["--cpuset-cpus", "0"], IDLE);
    assert_eq!(fs::read_to_string(cgroup_of(&task.listed().0).join("cpuset.cpus")).unwrap(), "0\n");
}

/// Uses a class from a blockio configuration file, as Kubernetes does.
fn throttle(e: &Engine) {
    need_flag(e, "--blockio-config-file");
    let disk = limits::Disk::new(e);
    let classes = e.file(&fresh("classes"));
    let class =
        format!("Classes:\n  slow:\n  - Devices: [{}]\n    ThrottleReadBps: 1M\n    ThrottleWriteIOPS: 100\n", disk.0);
    fs::write(&classes, class).unwrap();
    let task = up(e, &["--blockio-config-file", &classes, "--blockio-class", "slow"], IDLE);
    let output = fs::read_to_string(cgroup_of(&task.listed().0).join("io.max")).unwrap();
    assert_eq!(output.trim(), disk.throttled("1000000"));
}

fn propagation(e: &Engine) {
    for (option, seen) in [("rslave", 0), ("rprivate", 1)] {
        let dir = volumes::SharedDir::new(e);
        let flag = format!("type=bind,src={},dst=/data,options=rbind:{option}", dir.0);
        let task = up(e, &["--mount", &flag], IDLE);
        dir.mount_inside();
        task.exec(&[], "test -e /data/inner/new").exits(seen);
    }
}

/// The mapped root owns the image's files.
fn mapped(e: &Engine) {
    layout::import_oci(e, "default");
    let flags = ["--rm", "--uidmap", "0:1000000:65536", "--gidmap", "0:1000000:65536"];
    let id = fresh("task");
    let words = [&flags[..], &[IMAGE, &id, "/bin/sh", "-c", security::MAPPED]].concat();
    security::mapped(&prepare(e, &words).spawn().finish_within(left()).ok(), "65536");
}

fn memory(e: &Engine) {
    need_controller("memory");
    let task = up(e, &["--memory-limit", "67108864"], IDLE);
    assert_eq!(fs::read_to_string(cgroup_of(&task.listed().0).join("memory.max")).unwrap(), "67108864\n");
}

fn bind(e: &Engine) {
    let dir = e.new_dir();
    let flag = |options: &str| format!("type=bind,src={dir},dst=/mnt,options=rbind:{options}");
    sh(e, &["--mount", &flag("rw")], "echo written >/mnt/file").ok();
    assert_eq!(fs::read_to_string(format!("{dir}/file")).unwrap(), "written\n");
    sh(e, &["--mount", &flag("ro")], "echo again >/mnt/file").fails().says("Read-only file system");
}

fn read_only(e: &Engine) {
    sh(e, &["--read-only"], "touch /x").fails().says("Read-only file system");
}

fn host(e: &Engine) {
    let own = fs::read_link("/proc/self/ns/net").unwrap();
    assert_eq!(sh(e, &["--net-host"], "readlink /proc/self/ns/net").ok().line(), own.to_str().unwrap());
}

fn seccomp(e: &Engine) {
    let output = sh(e, &["--seccomp"], "grep ^Seccomp: /proc/self/status").ok();
    assert_eq!(output.line(), "Seccomp:\t2");
}

fn privileged(e: &Engine) {
    sh(e, &["--privileged"], "mount -t tmpfs t /tmp").ok();
}

fn user(e: &Engine) {
    need_flag(e, "--user");
    assert_eq!(sh(e, &["--user", "1000:1000"], "id -u; id -g").ok().out, "1000\n1000\n");
}

fn no_new_privileges(e: &Engine) {
    let flag = |flags: &[&str]| sh(e, flags, "grep ^NoNewPrivs: /proc/self/status").ok().line().to_owned();
    assert_eq!((flag(&[]).as_str(), flag(&["--allow-new-privs"]).as_str()), ("NoNewPrivs:\t1", "NoNewPrivs:\t0"));
}

fn capabilities(e: &Engine) {
    let mask = |flags: &[&str]| {
        let output = sh(e, flags, "grep ^CapEff: /proc/self/status").ok();
        u64::from_str_radix(output.out.split_whitespace().last().unwrap(), 16).unwrap()
    };
    let (chown, net_admin) = (1, 1 << 12);
    assert_eq!(mask(&[]) & (chown | net_admin), chown);
    assert_eq!(mask(&["--cap-drop", "CAP_CHOWN", "--cap-add", "CAP_NET_ADMIN"]) & (chown | net_admin), net_admin);
}

fn seccomp_file(e: &Engine) {
    let path = security::profile(e);
    let output = sh(e, &["--seccomp", "--seccomp-profile", &path], "touch /tmp/file && mkdir /tmp/dir").fails();
    assert!(output.err.contains("Function not implemented"), "{output:?}");
}

fn masked(e: &Engine) {
    security::masked_by(|script| sh(e, &[], script));
}

/// Joins another container's namespaces by path, as the containers of a sandbox do.
fn pods(e: &Engine) {
    let first = up(e, &[], "exec sleep 1234");
    let pid = first.listed().0;
    let paths: Vec<_> = ["ipc", "uts", "network", "pid"]
        .map(|kind| format!("{kind}:/proc/{pid}/ns/{}", if kind == "network" { "net" } else { kind }))
        .into();
    let flags: Vec<&str> = paths.iter().flat_map(|path| ["--with-ns", path]).collect();
    let output =
        sh(e, &flags, "for i in ipc uts net pid; do readlink /proc/self/ns/$i; done; ps | grep -c '[s]leep 1234'");
    let own = ["ipc", "uts", "net", "pid"].map(|kind| fs::read_link(format!("/proc/{pid}/ns/{kind}")).unwrap());
    let own: String = own.iter().map(|link| format!("{}\n", link.display())).collect();
    assert_eq!(output.ok().out, own + "1\n");
}

fn burst(e: &Engine) {
    all_came(&sh(e, &[], BURST).ok().out);
}

fn input(e: &Engine) {
    let script = "read line; echo \"got $line\"; cat; echo end";
    let words = ["--rm", "--rootfs", &e.file("tree"), &fresh("task"), "/bin/sh", "-c", script];
    let (reader, mut writer) = std::io::pipe().unwrap();
    let running = prepare(e, &words).stdin(reader.into()).spawn();
    writer.write_all(b"one\n").unwrap();
    // `ctr` forwards the end of its input only after the task has started.
    until("first line", || running.text().contains("got one\n"));
    writer.write_all(b"two\n").unwrap();
    drop(writer);
    assert_eq!(running.finish_within(left()).ok().out, "got one\ntwo\nend\n");
}

fn apart(e: &Engine) {
    let output = sh(e, &[], "echo out; echo err >&2").ok();
    assert_eq!((output.out.as_str(), output.err.as_str()), ("out\n", "err\n"));
}

fn oom(e: &Engine) {
    need_controller("memory");
    let events = e.prepare(&["events"]).spawn();
    sh(e, &["--memory-limit", "16777216"], "exec tail /dev/zero").exits(137);
    until("report of an OOM kill", || events.text().contains("/tasks/oom"));
}

fn cpus(e: &Engine) {
    need_controller("cpu");
    let task = up(e, &["--cpus", "0.5", "--cpu-shares", "512"], IDLE);
    let cgroup = cgroup_of(&task.listed().0);
    assert_eq!(fs::read_to_string(cgroup.join("cpu.max")).unwrap(), "50000 100000\n");
    assert!(fs::read_to_string(cgroup.join("cpu.weight")).unwrap() != "100\n");
}

/// Two containers of one image, with a snapshotter that uses layers.
fn unchanged(e: &Engine) {
    layout::import_oci(e, "default");
    let run = |script: &str| {
        prepare(e, &["--rm", IMAGE, &fresh("task"), "/bin/sh", "-c", script]).spawn().finish_within(left()).ok().out
    };
    run("echo changed >/etc/passwd; rm -r /var; echo new >/new");
    assert_eq!(
        run("head -n 1 /etc/passwd; test -d /var && test ! -e /new && echo same"),
        "root:x:0:0:root:/root:/bin/sh\nsame\n"
    );
}

fn tmpfs(e: &Engine) {
    let output =
        sh(e, &["--mount", "type=tmpfs,dst=/mnt,options=size=4m:noexec"], "grep ' /mnt ' /proc/mounts; touch /mnt/x");
    let output = output.ok();
    for word in ["tmpfs", "noexec", "size=4096k"] {
        assert!(output.out.contains(word), "{output:?}");
    }
}

fn none(e: &Engine) {
    assert_eq!(sh(e, &[], "ls /sys/class/net").ok().out, "lo\n");
}

fn storm(e: &Engine) {
    let task = up(e, &[], IDLE);
    let call = || e.prepare(&["task", "exec", "--exec-id", &fresh("exec"), &task.1, "/bin/true"]);
    leaks::storm_of(&call);
}

/// The daemon has started with the configuration file from the documentation. Checks the effective configuration.
fn configuration(e: &Engine) {
    if !e.ours {
        skip("runc is what containerd has by itself");
    }
    assert!(e.kind == Kind::Containerd);
    let words = ["containerd", "--config", &e.file("config.toml"), "config", "dump"];
    let output = Call::new(&e.dir(), &words).run().ok();
    assert!(output.out.contains(&e.runtime()), "{output:?}");
    assert!(
        output.out.contains("default_runtime_name = 'davit'")
            || output.out.contains("default_runtime_name = \"davit\"")
    );
}
