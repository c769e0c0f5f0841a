//! Tests what a container may not do, and how the engines' flags loosen or tighten that.

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
    let said = e.sh(flags, &format!("grep ^{field}: /proc/self/status")).ok();
    said.out.split_whitespace().last().unwrap_or_default().to_owned()
}

fn seccomp_default(e: &Engine) {
    assert_eq!(status(e, &[], "Seccomp"), "2");
    e.sh(&["--cap-add", "SYS_ADMIN"], "mount -t tmpfs t /tmp").ok();
    // Podman's profile lets everybody make user namespaces.
    if e.kind == Kind::Docker {
        let said = e.sh(&[], "unshare -U true").fails();
        assert!(said.err.contains("Operation not permitted"), "{said:?}");
    }
    assert_eq!(status(e, &["--security-opt", "seccomp=unconfined"], "Seccomp"), "0");
}

/// A profile in a file, which lets everything happen but new directories.
pub(crate) fn profile(e: &Engine) -> String {
    let path = format!("{}/profile.json", e.new_dir());
    let calls = r#"{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}"#;
    fs::write(&path, format!(r#"{{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{calls}]}}"#)).unwrap();
    path
}

fn seccomp_file(e: &Engine) {
    let path = profile(e);
    let said = e.sh(&["--security-opt", &format!("seccomp={path}")], "touch /file && mkdir /dir").fails();
    assert!(said.err.contains("Function not implemented"), "{said:?}");
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
    let said = e.sh(&["--privileged"], script).ok();
    assert!(said.out.contains("Seccomp:\t0"), "{said:?}");
}

fn user(e: &Engine) {
    assert_eq!(e.sh(&["--user", "user"], "id -u; id -g; echo out >/dev/stderr").ok().out, "1000\n1000\n");
    assert_eq!(e.sh(&["--user", "5:6", "--group-add", "7"], "id -u; id -G").ok().out, "5\n6 7\n");
}

/// Counts what is to be seen of what is masked, which is nothing, and writes to what is not to be written. Kernels
/// differ in which of the files they have.
const MASKED: &str = "cat /proc/timer_list /proc/keys 2>/dev/null | wc -c
ls /proc/acpi /sys/firmware 2>/dev/null | grep -v : | wc -w
for file in /proc/sysrq-trigger /proc/sys/kernel/domainname; do
    test ! -e $file || { echo x >$file && echo written; }
done
true";

/// What the script has to say where all is as it should be.
#[track_caller]
pub(crate) fn masked_by(sh: impl Fn(&str) -> Output) {
    let said = sh(MASKED).ok();
    assert!(said.out.split_whitespace().all(|count| count == "0"), "{said:?}");
    assert!(said.err.contains("domainname: Read-only file system"), "{said:?}");
}

fn masked(e: &Engine) {
    masked_by(|script| e.sh(&[], script));
}

fn device(e: &Engine) {
    e.sh(&["--device", "/dev/null:/dev/extra"], "echo x >/dev/extra && test -c /dev/extra").ok();
    let said = e.sh(&["--cap-add", "MKNOD"], "mknod /tmp/kmsg c 1 11 && head -c 1 /tmp/kmsg").fails();
    assert!(said.err.contains("Operation not permitted"), "{said:?}");
}

fn sysctl(e: &Engine) {
    let said = e.sh(
        &["--sysctl", "net.ipv4.ip_unprivileged_port_start=77"],
        "cat /proc/sys/net/ipv4/ip_unprivileged_port_start",
    );
    assert_eq!(said.ok().out, "77\n");
}

/// The profile each engine loads and gives to every container.
fn apparmor(e: &Engine) {
    if fs::read_to_string("/sys/module/apparmor/parameters/enabled").unwrap_or_default().trim() != "Y" {
        skip("this kernel has no AppArmor, or it is off");
    }
    let current = |flags: &[&str]| e.sh(flags, "cat /proc/self/attr/current").ok().line().to_owned();
    let own = current(&[]);
    assert!(own.ends_with("-default (enforce)") || own.contains("containers-default-"), "{own}");
    assert_eq!(current(&["--security-opt", "apparmor=unconfined"]), "unconfined");
    let said = e.sh(&["--security-opt", "apparmor=no-such-profile"], "true").fails();
    assert!(said.err.to_lowercase().contains("apparmor"), "{said:?}");
}

/// What root of the container is: not root of the host, nor is what it makes.
pub(crate) const MAPPED: &str =
    "head -n 1 /proc/self/uid_map; touch /tmp/mine; stat -c %u /tmp/mine; su user -c 'id -u'";

#[track_caller]
pub(crate) fn mapped(said: &Output, count: &str) {
    let words: Vec<_> = said.out.split_whitespace().collect();
    assert!(words.len() == 5 && words[0] == "0" && words[1] != "0", "{said:?}");
    assert_eq!(words[2..], [count, "0", "1000"], "{said:?}");
}

fn userns(e: &Engine) {
    mapped(&e.sh(&["--userns=auto:size=4096"], MAPPED).ok(), "4096");
}

/// A daemon of its own, for which all containers are mapped: what they write, what is bound into them, a process
/// joined.
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
