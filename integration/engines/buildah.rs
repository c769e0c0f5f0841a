//! Tests Buildah: runs in a working container, and builds from a file.

use super::{
    Check,
    engine::{Engine, IMAGE},
    images,
    place::{fresh, need_nat},
    security,
    streams::{BURST, FITTING, all_came, fits},
    time_limit::{left, until},
};
use crate::harness::call::Output;
use crate::harness::cgroups::need_controller;
use crate::harness::skip::skip;
use std::net::Ipv4Addr;

pub(crate) const CHECKS: &[Check] = &[
    ("life cycle", "exit codes", exit_codes),
    ("life cycle", "programs that cannot run", cannot_run),
    ("images and layers", "build", build),
    ("images and layers", "a build that fails", build_fails),
    ("images and layers", "commit", commit),
    ("images and layers", "the image is unchanged", unchanged),
    ("logs and attach", "a burst of 10 MB", burst),
    ("logs and attach", "stdin", input),
    ("logs and attach", "stderr apart", apart),
    ("logs and attach", "size of the terminal", terminal),
    ("limits", "memory", memory),
    ("limits", "cpus", cpus),
    ("limits", "cpuset", cpuset),
    ("limits", "ulimits", ulimits),
    ("limits", "shm size", shm),
    ("volumes and binds", "bind, writable and not", bind),
    ("volumes and binds", "tmpfs", tmpfs),
    ("networks", "none", none),
    ("networks", "host", host),
    ("networks", "bridge: an own address, reached by another", bridge),
    ("security", "default seccomp", seccomp_default),
    ("security", "--security-opt seccomp=FILE", seccomp_file),
    ("security", "no-new-privileges", no_new_privileges),
    ("security", "--cap-add, --cap-drop", capabilities),
    ("security", "--user", user),
    ("security", "masked and read-only paths", masked),
    ("security", "a user namespace", mapped),
];

/// A working container. Dropping it removes the container.
struct Working<'a>(&'a Engine, String);

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.0.call(&["rm", &self.1]);
    }
}

impl Working<'_> {
    fn run(&self, flags: &[&str], program: &[&str]) -> Output {
        self.0.call(&[&["run", "--network", "none"], flags, &[&self.1], program].concat())
    }

    fn sh(&self, flags: &[&str], script: &str) -> Output {
        self.run(flags, &["sh", "-c", script])
    }
}

fn from(e: &Engine) -> Working<'_> {
    with(e, &[])
}

/// Makes a working container with flags for limits and security, which `buildah run` does not accept.
fn with<'a>(e: &'a Engine, flags: &[&str]) -> Working<'a> {
    let name = fresh("working");
    e.call(&[&["from", "--name", &name], flags, &[IMAGE]].concat()).ok();
    Working(e, name)
}

/// The contents of a file in the program's cgroup.
fn cgroup_file(e: &Engine, flags: &[&str], file: &str) -> String {
    let working = with(e, flags);
    working.sh(&[], &format!("cat /sys/fs/cgroup/{file}")).ok().line().to_owned()
}

fn exit_codes(e: &Engine) {
    let working = from(e);
    for code in [0, 1, 42] {
        working.sh(&[], &format!("exit {code}")).exits(code);
    }
}

fn cannot_run(e: &Engine) {
    let working = from(e);
    working.run(&[], &["nonexistent"]).fails().says("not found");
    working.run(&[], &["/etc/passwd"]).fails().says("ermission denied");
}

fn build(e: &Engine) {
    let (name, dir) = (fresh("localhost/built"), images::context(e, images::BUILD));
    let root = images::DefaultRoot::forget(e);
    e.call(&["build", "--network", "none", "-t", &name, &dir]).ok();
    root.is_back();
    let working = Working(e, fresh("working"));
    e.call(&["from", "--name", &working.1, &name]).ok();
    assert_eq!(working.run(&[], &["cat", "/work/made"]).ok().out, images::BUILT);
}

fn build_fails(e: &Engine) {
    let dir = images::context(e, "FROM localhost/bb:latest\nRUN exit 5\n");
    e.call(&["build", "--network", "none", &dir]).fails().says("5");
}

fn commit(e: &Engine) {
    let (working, name) = (from(e), fresh("localhost/committed"));
    working.sh(&[], "echo kept >/kept").ok();
    e.call(&["commit", &working.1, &name]).ok();
    let second = Working(e, fresh("working"));
    e.call(&["from", "--name", &second.1, &name]).ok();
    assert_eq!(second.run(&[], &["cat", "/kept"]).ok().out, "kept\n");
}

fn unchanged(e: &Engine) {
    from(e).sh(&[], "rm -r /var; echo changed >/etc/passwd").ok();
    from(e).sh(&[], "test -d /var && grep -q root /etc/passwd").ok();
}

fn burst(e: &Engine) {
    all_came(&from(e).sh(&[], BURST).ok().out);
}

fn input(e: &Engine) {
    let working = from(e);
    let call = e.prepare(&["run", "--network", "none", &working.1, "sh", "-c", "cat; echo end"]);
    assert_eq!(call.input("one\ntwo\n").run().ok().out, "one\ntwo\nend\n");
}

/// The runtime may print a warning before the program's output: old versions request ambient capabilities that cannot
/// be granted.
fn apart(e: &Engine) {
    let output = from(e).sh(&[], "echo out; echo err >&2").ok();
    assert!(output.out == "out\n" && output.err.ends_with("err\n") && !output.err.contains("out\n"), "{output:?}");
}

/// Buildah passes the initial size of the terminal and ignores later changes.
fn terminal(e: &Engine) {
    let working = from(e);
    fits(e.prepare(&["run", "-t", "--network", "none", &working.1, "sh", "-c", FITTING]), None, 4);
}

fn memory(e: &Engine) {
    need_controller("memory");
    assert_eq!(cgroup_file(e, &["-m", "64m"], "memory.max"), (64 << 20).to_string());
}

fn cpus(e: &Engine) {
    need_controller("cpu");
    assert_eq!(cgroup_file(e, &["--cpu-period", "100000", "--cpu-quota", "50000"], "cpu.max"), "50000 100000");
}

fn cpuset(e: &Engine) {
    need_controller("cpuset");
    assert_eq!(cgroup_file(e, &["--cpuset-cpus", "0"], "cpuset.cpus"), "0");
}

fn ulimits(e: &Engine) {
    let output = with(e, &["--ulimit", "nofile=123:456"]).sh(&[], "ulimit -Sn; ulimit -Hn");
    assert_eq!(output.ok().out, "123\n456\n");
}

fn shm(e: &Engine) {
    let output = with(e, &["--shm-size", "8m"]).sh(&[], "df -k /dev/shm | tail -n 1").ok();
    assert!(output.out.split_whitespace().any(|word| word == "8192"), "{output:?}");
}

fn bind(e: &Engine) {
    let (dir, working) = (e.new_dir(), from(e));
    working.sh(&["-v", &format!("{dir}:/data")], "echo written >/data/file").ok();
    assert_eq!(std::fs::read_to_string(format!("{dir}/file")).unwrap(), "written\n");
    working.sh(&["-v", &format!("{dir}:/data:ro")], "echo again >/data/file").fails().says("Read-only file system");
}

fn tmpfs(e: &Engine) {
    let script = "grep ' /scratch ' /proc/mounts; touch /scratch/x";
    let output = from(e).sh(&["--mount", "type=tmpfs,dst=/scratch,tmpfs-size=4m"], script).ok();
    assert!(output.out.contains("tmpfs") && output.out.contains("size=4096k"), "{output:?}");
}

fn none(e: &Engine) {
    assert_eq!(from(e).sh(&[], "ls /sys/class/net").ok().out, "lo\n");
}

fn host(e: &Engine) {
    let own = std::fs::read_link("/proc/self/ns/net").unwrap();
    let working = from(e);
    let output = e.call(&["run", "--network", "host", &working.1, "readlink", "/proc/self/ns/net"]).ok();
    assert_eq!(output.line(), own.to_str().unwrap());
}

/// Tests Buildah's default network: one container prints its address and serves it, another connects to it.
fn bridge(e: &Engine) {
    need_nat();
    let (working, asking) = (from(e), from(e));
    let script = "ip -o -4 address show scope global | awk '{ print $4 }' | cut -d / -f 1 | tee /address; exec nc -l -p 80 </address";
    let server = e.prepare(&["run", &working.1, "sh", "-c", script]).spawn();
    // A warning of the runtime may come before the address.
    let address =
        || server.text().split_inclusive('\n').find_map(|line| line.strip_suffix('\n')?.parse::<Ipv4Addr>().ok());
    until("address", || address().is_some());
    let address = address().unwrap().to_string();
    let script = format!("until nc {address} 80 </dev/null | grep .; do sleep 1; done");
    assert_eq!(e.call(&["run", &asking.1, "sh", "-c", &script]).ok().line(), address);
    server.finish_within(left()).ok();
}

fn status(working: &Working<'_>, field: &str) -> String {
    let output = working.sh(&[], &format!("grep ^{field}: /proc/self/status")).ok();
    output.out.split_whitespace().last().unwrap_or_default().to_owned()
}

fn seccomp_default(e: &Engine) {
    assert_eq!(status(&from(e), "Seccomp"), "2");
    assert_eq!(status(&with(e, &["--security-opt", "seccomp=unconfined"]), "Seccomp"), "0");
}

fn seccomp_file(e: &Engine) {
    let flag = format!("seccomp={}", security::profile(e));
    let output = with(e, &["--security-opt", &flag]).sh(&[], "touch /tmp/file && mkdir /tmp/dir").fails();
    assert!(output.err.contains("Function not implemented"), "{output:?}");
}

fn no_new_privileges(e: &Engine) {
    let name = fresh("working");
    let output = e.call(&["from", "--name", &name, "--security-opt", "no-new-privileges", IMAGE]);
    if output.err.contains("not supported") {
        skip("this Buildah has no such option");
    }
    output.ok();
    assert_eq!(status(&Working(e, name), "NoNewPrivs"), "1");
    assert_eq!(status(&from(e), "NoNewPrivs"), "0");
}

fn masked(e: &Engine) {
    let working = from(e);
    security::masked_by(|script| working.sh(&[], script));
}

fn mapped(e: &Engine) {
    let version = e.call(&["--version"]).ok().out;
    let minor = version.split("version 1.").nth(1).and_then(|text| text.split('.').next()?.parse::<u32>().ok());
    if minor.is_some_and(|minor| minor <= 28) {
        skip("Buildah 1.28 binds a file where a mapped root may make none, whatever the runtime");
    }
    let flags = ["--userns-uid-map", "0:1000000:65536", "--userns-gid-map", "0:1000000:65536"];
    security::mapped(&with(e, &flags).sh(&[], security::MAPPED).ok(), "65536");
}

fn capabilities(e: &Engine) {
    let mask = |flags: &[&str]| {
        let output = from(e).sh(flags, "grep ^CapEff: /proc/self/status").ok();
        u64::from_str_radix(output.out.split_whitespace().last().unwrap(), 16).unwrap()
    };
    let bit = |flags: &[&str], bit: u32| mask(flags) >> bit & 1;
    let (chown, net_admin) = (0, 12);
    assert_eq!((bit(&[], chown), bit(&[], net_admin)), (1, 0));
    assert_eq!(bit(&["--cap-drop", "CAP_CHOWN"], chown), 0);
    assert_eq!(bit(&["--cap-add", "CAP_NET_ADMIN"], net_admin), 1);
}

fn user(e: &Engine) {
    assert_eq!(from(e).sh(&["--user", "user"], "id -u; id -g").ok().out, "1000\n1000\n");
}
