//! Tests that `create` refuses invalid configurations, leaves nothing behind, and (davit only) names the JSON pointer
//! of each mistake. Also tests unusual configurations that must be accepted.

use crate::harness::bundle::{Container, push};
use crate::harness::runtime::only_davit;
use crate::harness::runtime::runtime_name;
use crate::harness::trial::{Test, rows, tests};
use serde_json::{Value, json};
use std::fs;

pub(crate) fn tests() -> Vec<Test> {
    let mut all = tests![
        every_problem_is_reported_at_once,
        config_is_missing,
        bundle_is_missing,
        bundle_is_a_file,
        unknown_properties_are_ignored,
        other_platforms_are_ignored,
        null_means_absent,
        duplicate_names_are_refused,
        a_huge_config_is_read,
    ];
    all.extend(rows!("text", TEXTS, text));
    all.extend(rows!("config", CONFIGS, config));
    all.extend(rows!("version", VERSIONS, version));
    all
}

/// (name, the whole config.json)
const TEXTS: &[(&str, &[u8])] = &[
    ("empty", b""),
    ("not-json", b"not json"),
    ("cut", b"{\"ociVersion\": \"1.0.2\","),
    ("not-utf8", b"{\"ociVersion\": \"1.0.2\", \"hostname\": \"\xff\xfe\"}"),
    ("array", b"[]"),
    ("no-object", b"null"),
    ("no-members", b"{}"),
];

fn text(row: &(&str, &[u8])) {
    let c = Container::sleeper();
    fs::write(c.dir.join("config.json"), row.1).unwrap();
    c.call(&["create", "--bundle", c.dir.to_str().unwrap(), &c.id]).run().fails();
    c.nothing_left();
}

type Row = (&'static str, fn(&mut Value), &'static str);

fn remove(c: &mut Value, key: &str) {
    c.as_object_mut().unwrap().remove(key);
}

/// Sets a seccomp filter that allows everything except for one rule.
fn rule(c: &mut Value, rule: Value) {
    c["linux"]["seccomp"] = json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]});
}

/// (name, the mistake, the JSON pointer that davit reports)
const CONFIGS: &[Row] = &[
    ("version-missing", |c| remove(c, "ociVersion"), "/ociVersion"),
    ("version-word", |c| c["ociVersion"] = json!("one"), "/ociVersion"),
    ("version-major", |c| c["ociVersion"] = json!("2.0.0"), "/ociVersion"),
    ("version-number", |c| c["ociVersion"] = json!(1), "/ociVersion"),
    ("root-missing", |c| remove(c, "root"), "/root"),
    ("root-path-missing", |c| c["root"] = json!({}), "/root/path"),
    ("root-does-not-exist", |c| c["root"]["path"] = json!("nowhere"), "/root/path"),
    ("root-is-a-file", |c| c["root"]["path"] = json!("config.json"), "/root/path"),
    ("root-readonly-word", |c| c["root"]["readonly"] = json!("yes"), "/root/readonly"),
    ("cwd-missing", |c| remove(&mut c["process"], "cwd"), "/process/cwd"),
    ("cwd-relative", |c| c["process"]["cwd"] = json!("srv"), "/process/cwd"),
    ("cwd-empty", |c| c["process"]["cwd"] = json!(""), "/process/cwd"),
    ("args-missing", |c| remove(&mut c["process"], "args"), "/process/args"),
    ("args-empty", |c| c["process"]["args"] = json!([]), "/process/args"),
    ("args-number", |c| c["process"]["args"] = json!([1]), "/process/args/0"),
    ("args-nul", |c| c["process"]["args"] = json!(["a\0b"]), "/process/args/0"),
    ("env-nul", |c| c["process"]["env"] = json!(["A=b\0c"]), "/process/env/0"),
    ("env-without-equals", |c| c["process"]["env"] = json!(["PATH=/bin", "word"]), "/process/env/1"),
    ("uid-negative", |c| c["process"]["user"]["uid"] = json!(-1), "/process/user/uid"),
    ("uid-too-big", |c| c["process"]["user"]["uid"] = json!(1_u64 << 33), "/process/user/uid"),
    ("uid-word", |c| c["process"]["user"]["uid"] = json!("root"), "/process/user/uid"),
    ("rlimit-unknown", |c| c["process"]["rlimits"][0]["type"] = json!("RLIMIT_BOGUS"), "/process/rlimits/0/type"),
    ("rlimit-soft-above-hard", |c| c["process"]["rlimits"][0]["soft"] = json!(2000), "/process/rlimits/0"),
    (
        "rlimit-twice",
        |c| push(&mut c["process"]["rlimits"], json!({"type": "RLIMIT_NOFILE", "soft": 1, "hard": 2})),
        "/process/rlimits/1",
    ),
    ("oom-score-range", |c| c["process"]["oomScoreAdj"] = json!(1001), "/process/oomScoreAdj"),
    ("terminal-word", |c| c["process"]["terminal"] = json!("yes"), "/process/terminal"),
    ("mount-without-destination", |c| push(&mut c["mounts"], json!({"type": "tmpfs"})), "/mounts/6/destination"),
    (
        "mount-nul",
        |c| push(&mut c["mounts"], json!({"destination": "/a\0b", "type": "tmpfs", "source": "x"})),
        "/mounts/6/destination",
    ),
    (
        "mount-bind-missing-source",
        |c| {
            push(
                &mut c["mounts"],
                json!({"destination": "/m", "type": "bind", "source": "/no/such", "options": ["bind"]}),
            )
        },
        "/mounts/6",
    ),
    ("mounts-object", |c| c["mounts"] = json!({}), "/mounts"),
    (
        "idmap-one-side",
        |c| {
            let map = json!([{"containerID": 0, "hostID": 0, "size": 1}]);
            push(
                &mut c["mounts"],
                json!({"destination": "/m", "type": "bind", "source": "/sys", "options": ["bind", "idmap"], "uidMappings": map}),
            );
        },
        "/mounts/6",
    ),
    ("namespace-twice", |c| push(&mut c["linux"]["namespaces"], json!({"type": "pid"})), "/linux/namespaces/6"),
    ("namespace-unknown", |c| push(&mut c["linux"]["namespaces"], json!({"type": "moon"})), "/linux/namespaces/6/type"),
    ("namespace-relative", |c| c["linux"]["namespaces"][1]["path"] = json!("ns/net"), "/linux/namespaces/1/path"),
    ("namespace-missing", |c| c["linux"]["namespaces"][1]["path"] = json!("/no/such/net"), "/linux/namespaces/1/path"),
    (
        "namespace-of-another-type",
        |c| c["linux"]["namespaces"][1]["path"] = json!("/proc/self/ns/uts"),
        "/linux/namespaces/1/path",
    ),
    (
        "namespace-no-namespace",
        |c| c["linux"]["namespaces"][1]["path"] = json!("/proc/self/status"),
        "/linux/namespaces/1/path",
    ),
    ("hostname-without-uts", |c| crate::harness::bundle::without_namespace(c, "uts"), "/hostname"),
    ("hostname-too-long", |c| c["hostname"] = json!("h".repeat(65)), "/hostname"),
    (
        "domainname-without-uts",
        |c| {
            crate::harness::bundle::without_namespace(c, "uts");
            remove(c, "hostname");
            c["domainname"] = json!("d");
        },
        "/domainname",
    ),
    (
        "mappings-without-userns",
        |c| c["linux"]["uidMappings"] = json!([{"containerID": 0, "hostID": 0, "size": 1}]),
        "/linux/uidMappings",
    ),
    ("userns-without-mappings", |c| push(&mut c["linux"]["namespaces"], json!({"type": "user"})), "/linux"),
    (
        "device-type",
        |c| c["linux"]["devices"] = json!([{"type": "x", "path": "/dev/x", "major": 1, "minor": 3}]),
        "/linux/devices/0/type",
    ),
    (
        "device-without-numbers",
        |c| c["linux"]["devices"] = json!([{"type": "c", "path": "/dev/x"}]),
        "/linux/devices/0",
    ),
    (
        "device-without-path",
        |c| c["linux"]["devices"] = json!([{"type": "c", "major": 1, "minor": 3}]),
        "/linux/devices/0/path",
    ),
    (
        "device-rule-type",
        |c| c["linux"]["resources"]["devices"][0]["type"] = json!("z"),
        "/linux/resources/devices/0/type",
    ),
    (
        "device-rule-access",
        |c| c["linux"]["resources"]["devices"][0]["access"] = json!("x"),
        "/linux/resources/devices/0/access",
    ),
    (
        "device-rule-without-allow",
        |c| c["linux"]["resources"]["devices"] = json!([{"access": "r"}]),
        "/linux/resources/devices/0/allow",
    ),
    ("propagation", |c| c["linux"]["rootfsPropagation"] = json!("sideways"), "/linux/rootfsPropagation"),
    ("masked-empty", |c| c["linux"]["maskedPaths"] = json!(["/proc/kcore", ""]), "/linux/maskedPaths/1"),
    ("hook-relative", |c| c["hooks"]["prestart"] = json!([{"path": "bin/true"}]), "/hooks/prestart/0/path"),
    ("hook-without-path", |c| c["hooks"]["poststop"] = json!([{}]), "/hooks/poststop/0/path"),
    (
        "hook-timeout-zero",
        |c| c["hooks"]["poststart"] = json!([{"path": "/bin/true", "timeout": 0}]),
        "/hooks/poststart/0/timeout",
    ),
    (
        "hook-timeout-negative",
        |c| c["hooks"]["createRuntime"] = json!([{"path": "/bin/true", "timeout": -5}]),
        "/hooks/createRuntime/0/timeout",
    ),
    ("annotation-number", |c| c["annotations"] = json!({"a": 1}), "/annotations/a"),
    ("annotation-empty-key", |c| c["annotations"] = json!({"": "x"}), "/annotations"),
    ("seccomp-without-default", |c| c["linux"]["seccomp"] = json!({"syscalls": []}), "/linux/seccomp/defaultAction"),
    (
        "seccomp-default-unknown",
        |c| c["linux"]["seccomp"] = json!({"defaultAction": "SCMP_ACT_SHRUG"}),
        "/linux/seccomp/defaultAction",
    ),
    (
        "seccomp-default-notify",
        |c| c["linux"]["seccomp"] = json!({"defaultAction": "SCMP_ACT_NOTIFY"}),
        "/linux/seccomp/defaultAction",
    ),
    (
        "seccomp-action",
        |c| rule(c, json!({"names": ["getpgid"], "action": "SCMP_ACT_SHRUG"})),
        "/linux/seccomp/syscalls/0/action",
    ),
    ("seccomp-no-action", |c| rule(c, json!({"names": ["getpgid"]})), "/linux/seccomp/syscalls/0/action"),
    (
        "seccomp-no-names",
        |c| rule(c, json!({"names": [], "action": "SCMP_ACT_ERRNO"})),
        "/linux/seccomp/syscalls/0/names",
    ),
    ("seccomp-names-missing", |c| rule(c, json!({"action": "SCMP_ACT_ERRNO"})), "/linux/seccomp/syscalls/0/names"),
    (
        "seccomp-errno-without-errno",
        |c| rule(c, json!({"names": ["getpgid"], "action": "SCMP_ACT_KILL", "errnoRet": 1})),
        "/linux/seccomp/syscalls/0/errnoRet",
    ),
    (
        "seccomp-default-errno-without-errno",
        |c| c["linux"]["seccomp"] = json!({"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 1}),
        "/linux/seccomp/defaultErrnoRet",
    ),
    (
        "seccomp-operator",
        |c| {
            rule(
                c,
                json!({"names": ["getpgid"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_XX"}]}),
            )
        },
        "/linux/seccomp/syscalls/0/args/0/op",
    ),
    (
        "seccomp-index",
        |c| {
            rule(
                c,
                json!({"names": ["getpgid"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 6, "value": 1, "op": "SCMP_CMP_EQ"}]}),
            )
        },
        "/linux/seccomp/syscalls/0/args/0/index",
    ),
    (
        "seccomp-flag",
        |c| c["linux"]["seccomp"] = json!({"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_X"]}),
        "/linux/seccomp/flags/0",
    ),
    (
        "seccomp-architecture",
        |c| c["linux"]["seccomp"] = json!({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_Z80"]}),
        "/linux/seccomp/architectures/0",
    ),
    (
        "cgroup-key-slash",
        |c| c["linux"]["resources"]["unified"] = json!({"../pids.max": "1"}),
        "/linux/resources/unified",
    ),
    (
        "swap-below-limit",
        |c| c["linux"]["resources"]["memory"] = json!({"limit": 1 << 26, "swap": 1 << 25}),
        "/linux/resources/memory/swap",
    ),
    ("swap-without-limit", |c| c["linux"]["resources"]["memory"] = json!({"swap": 1 << 25}), "/linux/resources/memory"),
    (
        "hugepage-size",
        |c| c["linux"]["resources"]["hugepageLimits"] = json!([{"pageSize": "../3MB", "limit": 0}]),
        "/linux/resources/hugepageLimits/0",
    ),
    ("io-weight", |c| c["linux"]["resources"]["blockIO"] = json!({"weight": 5}), "/linux/resources/blockIO/weight"),
    ("pids-word", |c| c["linux"]["resources"]["pids"] = json!({"limit": "many"}), "/linux/resources/pids/limit"),
];

fn config(row: &Row) {
    let c = Container::sleeper().edit(row.1);
    let output = c.refused("");
    if runtime_name() == "davit" {
        assert!(output.err.contains(row.2), "{output:?} does not name {}", row.2);
    }
    // The runtime must validate the configuration as a whole, not rely on its first system call to fail.
    assert!(!output.err.contains("panic"), "{output:?}");
}

fn every_problem_is_reported_at_once() {
    only_davit("others do not report all problems at once with JSON pointers");
    let c = Container::sleeper().edit(|c| {
        c["process"]["cwd"] = json!("srv");
        c["linux"]["namespaces"][1]["path"] = json!("/proc/4242424242/ns/net");
        c["linux"]["maskedPaths"] = json!([""]);
        c["hooks"]["prestart"] = json!([{"path": "/bin/true", "timeout": 0}]);
        push(&mut c["process"]["rlimits"], json!({"type": "RLIMIT_X", "soft": 0, "hard": 0}));
    });
    let output = c.refused("5 problems");
    for pointer in [
        "/process/cwd",
        "/linux/namespaces/1/path",
        "/linux/maskedPaths/0",
        "/hooks/prestart/0/timeout",
        "/process/rlimits/1/type",
    ] {
        assert!(output.err.contains(pointer), "{output:?} does not name {pointer}");
    }
}

fn config_is_missing() {
    let c = Container::sleeper();
    c.call(&["create", "--bundle", c.dir.to_str().unwrap(), &c.id]).run().fails().says("config.json");
    c.nothing_left();
}

fn bundle_is_missing() {
    let c = Container::sleeper();
    c.call(&["create", "--bundle", "/no/such/bundle", &c.id]).run().fails().says("/no/such/bundle");
    c.nothing_left();
}

fn bundle_is_a_file() {
    let c = Container::sleeper();
    c.call(&["create", "--bundle", "/etc/passwd", &c.id]).run().fails();
    c.nothing_left();
}

fn good(change: fn(&mut Value)) {
    assert_eq!(Container::sh("echo good").edit(change).prints(), "good\n");
}

fn unknown_properties_are_ignored() {
    good(|c| {
        c["fromTheFuture"] = json!({"a": [1, 2]});
        c["process"]["fromTheFuture"] = json!(true);
        c["process"]["user"]["fromTheFuture"] = json!(1.5);
        c["linux"]["fromTheFuture"] = json!(null);
        c["linux"]["resources"]["fromTheFuture"] = json!([]);
        c["linux"]["namespaces"][0]["fromTheFuture"] = json!("x");
        c["mounts"][0]["fromTheFuture"] = json!("x");
        c["root"]["fromTheFuture"] = json!("x");
    });
}

fn other_platforms_are_ignored() {
    good(|c| {
        c["solaris"] = json!({"milestone": "svc:/milestone/container:default"});
        c["windows"] = json!({"layerFolders": ["C:\\Layers\\layer1"]});
        c["zos"] = json!({"namespaces": []});
        c["freebsd"] = json!({"jail": {}});
        c["process"]["commandLine"] = json!("cmd.exe");
    });
}

fn null_means_absent() {
    good(|c| {
        for key in ["annotations", "hooks", "domainname"] {
            c[key] = json!(null);
        }
        c["process"]["consoleSize"] = json!(null);
        c["process"]["user"]["additionalGids"] = json!(null);
        c["process"]["capabilities"]["ambient"] = json!(null);
        c["mounts"][0]["options"] = json!(null);
        for key in ["uidMappings", "devices", "sysctl", "seccomp", "intelRdt"] {
            c["linux"][key] = json!(null);
        }
        c["linux"]["resources"]["memory"] = json!(null);
        c["linux"]["resources"]["cpu"] = json!({"shares": null, "quota": null, "cpus": null});
    });
}

fn duplicate_names_are_refused() {
    let c = Container::sleeper();
    let text = serde_json::to_string(&c.config).unwrap().replacen('{', "{\"hostname\": \"other\", ", 1);
    fs::write(c.dir.join("config.json"), text).unwrap();
    c.call(&["create", "--bundle", c.dir.to_str().unwrap(), &c.id]).run().fails().says("hostname");
    c.nothing_left();
}

fn a_huge_config_is_read() {
    let c = Container::sh("echo good").edit(|c| {
        let all = (0..2000).map(|number| (format!("key-{number}"), json!("v".repeat(500))));
        c["annotations"] = Value::Object(all.collect());
    });
    assert_eq!(c.prints(), "good\n");
}

const VERSIONS: &[(&str, &str)] = &[
    ("1.0.0", "1.0.0"),
    ("1.0.2-dev", "1.0.2-dev"),
    ("1.1.0-rc.1", "1.1.0-rc.1"),
    ("1.2.1", "1.2.1"),
    ("1.3.0", "1.3.0"),
    ("1.3.0-dev", "1.3.0+dev"),
];

fn version(row: &(&str, &str)) {
    let c = Container::sh("echo good").edit(|c| c["ociVersion"] = json!(row.1));
    assert_eq!(c.prints(), "good\n");
}
