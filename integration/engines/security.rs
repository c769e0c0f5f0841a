//! Tests the restrictions of a container, and the engines' flags that loosen or tighten them.

use super::{
    Check,
    engine::{Engine, Kind},
    place::fresh,
};
use crate::harness::call::Output;
use crate::harness::skip::skip;
use std::{fs, os::unix::fs::MetadataExt};

pub(crate) const CHECKS: &[Check] = &[
    ("security", "default seccomp", seccomp_default),
    ("security", "--security-opt seccomp=FILE", seccomp_file),
    ("security", "no-new-privileges", no_new_privileges),
    ("security", "--cap-add, --cap-drop", capabilities),
    ("security", "--privileged", privileged),
    ("security", "--user", user),
    ("security", "masked and read-only paths", masked),
    ("security", "--device", device),
    ("security", "--sysctl", sysctl),
    ("security", "AppArmor", apparmor),
];
pub(crate) const DOCKER: &[Check] = &[("security", "userns-remap", remapped)];
pub(crate) const PODMAN: &[Check] = &[("security", "--userns=auto", userns)];

fn status(e: &Engine, flags: &[&str], field: &str) -> String {
    let output = e.sh(flags, &format!("grep ^{field}: /proc/self/status")).ok();
    output.out.split_whitespace().last().unwrap_or_default().to_owned()
}

fn seccomp_default(e: &Engine) {
    assert_eq!(status(e, &[], "Seccomp"), "2");
    e.sh(&["--cap-add", "SYS_ADMIN"], "mount -t tmpfs t /tmp").ok();
    // Podman's profile allows every process to create user namespaces.
    if e.kind == Kind::Docker {
        let output = e.sh(&[], "unshare -U true").fails();
        assert!(output.err.contains("Operation not permitted"), "{output:?}");
    }
    assert_eq!(status(e, &["--security-opt", "seccomp=unconfined"], "Seccomp"), "0");
}

/// Writes a seccomp profile that denies mkdir and allows everything else. Returns its path.
pub(crate) fn profile(e: &Engine) -> String {
    let path = format!("{}/profile.json", e.new_dir());
    let calls = r#"{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}"#;
    fs::write(&path, format!(r#"{{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{calls}]}}"#)).unwrap();
    path
}

fn seccomp_file(e: &Engine) {
    let path = profile(e);
    let output = e.sh(&["--security-opt", &format!("seccomp={path}")], "touch /file && mkdir /dir").fails();
    assert!(output.err.contains("Function not implemented"), "{output:?}");
}

fn no_new_privileges(e: &Engine) {
    assert_eq!(status(e, &["--security-opt", "no-new-privileges"], "NoNewPrivs"), "1");
    assert_eq!(status(e, &[], "NoNewPrivs"), "0");
}

fn capabilities(e: &Engine) {
    let mask = |flags: &[&str]| u64::from_str_radix(&status(e, flags, "CapEff"), 16).unwrap();
    assert_eq!(mask(&["--cap-drop", "ALL"]), 0);
    assert_eq!(mask(&["--cap-drop", "ALL", "--cap-add", "NET_ADMIN"]), 1 << 12);
    assert_eq!(mask(&[]) & (1 << 21), 0, "SYS_ADMIN by default");
}

fn privileged(e: &Engine) {
    let script = "grep ^Seccomp: /proc/self/status; mount -t tmpfs t /tmp && ls /dev/kmsg && echo w >/proc/sys/kernel/domainname";
    let output = e.sh(&["--privileged"], script).ok();
    assert!(output.out.contains("Seccomp:\t0"), "{output:?}");
}

fn user(e: &Engine) {
    assert_eq!(e.sh(&["--user", "user"], "id -u; id -g; echo out >/dev/stderr").ok().out, "1000\n1000\n");
    assert_eq!(e.sh(&["--user", "5:6", "--group-add", "7"], "id -u; id -G").ok().out, "5\n6 7\n");
}

/// Counts the bytes in masked files, and tries to write to read-only files. Not every kernel has all of the files.
const MASKED: &str = "cat /proc/timer_list /proc/keys 2>/dev/null | wc -c
ls /proc/acpi /sys/firmware 2>/dev/null | grep -v : | wc -w
for file in /proc/sysrq-trigger /proc/sys/kernel/domainname; do
    test ! -e $file || { echo x >$file && echo written; }
done
true";

/// Checks the output of [`MASKED`].
#[track_caller]
pub(crate) fn masked_by(sh: impl Fn(&str) -> Output) {
    let output = sh(MASKED).ok();
    assert!(output.out.split_whitespace().all(|count| count == "0"), "{output:?}");
    assert!(output.err.contains("domainname: Read-only file system"), "{output:?}");
}

fn masked(e: &Engine) {
    masked_by(|script| e.sh(&[], script));
}

fn device(e: &Engine) {
    e.sh(&["--device", "/dev/null:/dev/extra"], "echo x >/dev/extra && test -c /dev/extra").ok();
    let output = e.sh(&["--cap-add", "MKNOD"], "mknod /tmp/kmsg c 1 11 && head -c 1 /tmp/kmsg").fails();
    assert!(output.err.contains("Operation not permitted"), "{output:?}");
}

fn sysctl(e: &Engine) {
    let output = e.sh(
        &["--sysctl", "net.ipv4.ip_unprivileged_port_start=77"],
        "cat /proc/sys/net/ipv4/ip_unprivileged_port_start",
    );
    assert_eq!(output.ok().out, "77\n");
}

/// The AppArmor profile that the engine loads and applies to every container.
fn apparmor(e: &Engine) {
    if fs::read_to_string("/sys/module/apparmor/parameters/enabled").unwrap_or_default().trim() != "Y" {
        skip("this kernel has no AppArmor, or it is off");
    }
    let current = |flags: &[&str]| e.sh(flags, "cat /proc/self/attr/current").ok().line().to_owned();
    let own = current(&[]);
    assert!(own.ends_with("-default (enforce)") || own.contains("containers-default-"), "{own}");
    assert_eq!(current(&["--security-opt", "apparmor=unconfined"]), "unconfined");
    let output = e.sh(&["--security-opt", "apparmor=no-such-profile"], "true").fails();
    assert!(output.err.to_lowercase().contains("apparmor"), "{output:?}");
}

/// The container's root is not the host's root, and neither is the owner of the files that it creates.
pub(crate) const MAPPED: &str =
    "head -n 1 /proc/self/uid_map; touch /tmp/mine; stat -c %u /tmp/mine; su user -c 'id -u'";

#[track_caller]
pub(crate) fn mapped(output: &Output, count: &str) {
    let words: Vec<_> = output.out.split_whitespace().collect();
    assert!(words.len() == 5 && words[0] == "0" && words[1] != "0", "{output:?}");
    assert_eq!(words[2..], [count, "0", "1000"], "{output:?}");
}

fn userns(e: &Engine) {
    mapped(&e.sh(&["--userns=auto:size=4096"], MAPPED).ok(), "4096");
}

/// A separate daemon that maps the ids of all containers. Checks written files, bind mounts and exec.
fn remapped(e: &Engine) {
    let e = &e.with_flags(&["--userns-remap=containers"]);
    mapped(&e.sh(&[], MAPPED).ok(), "1000000");
    e.sh(&[], "mknod /tmp/null c 1 3").fails();
    let volume = fresh("volume");
    e.sh(
        &["-v", &format!("{volume}:/data"), "--read-only", "--tmpfs", "/scratch"],
        "echo x >/data/x && echo x >/scratch/x",
    )
    .ok();
    e.sh(&["--userns=host"], "grep -q ' 4294967295$' /proc/self/uid_map").ok();
    let up = e.up(&["-m", "64m"], "while :; do sleep 1000; done");
    let pid = e.inspect(&up.name, ".State.Pid");
    assert_eq!(fs::metadata(format!("/proc/{pid}")).unwrap().uid(), 1_000_000);
    mapped(&e.call(&["exec", &up.name, "sh", "-c", MAPPED]).ok(), "1000000");
    e.call(&["pause", &up.name]).ok();
    e.call(&["unpause", &up.name]).ok();
    e.call(&["kill", &up.name]).ok();
    assert_eq!(e.wait(&up.name), "137");
    drop(up);
    e.call(&["volume", "rm", &volume]).ok();
    e.shut_down();
}
