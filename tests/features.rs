//! Compares `davit features` with davit's behaviour: listed features compile, others are refused. Needs no root and
//! does not depend on the host.

#[path = "cli/harness.rs"]
#[expect(dead_code, reason = "shared with the tests of the command line")]
mod harness;

use harness::{Answer, TestDir, davit};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

fn features() -> Value {
    serde_json::from_str(&davit(&["features"]).ok()).expect("the document is JSON")
}

fn words(list: &Value) -> Vec<String> {
    let list = list.as_array().unwrap_or_else(|| panic!("{list} is no list"));
    list.iter().map(|word| word.as_str().expect("a word").to_owned()).collect()
}

/// A configuration with additional members.
fn config(change: impl FnOnce(&mut Value)) -> Value {
    let mut config = json!({
        "ociVersion": "1.3.0", "root": {"path": "rootfs"},
        "process": {"user": {"uid": 0, "gid": 0}, "cwd": "/", "args": ["/bin/true"]},
        "linux": {"namespaces": [{"type": "mount"}, {"type": "pid"}]}
    });
    change(&mut config);
    config
}

struct Compiler(TestDir);

impl Compiler {
    fn new(test: &str) -> Self {
        Compiler(TestDir::new(&format!("features-{test}")))
    }

    fn ask(&self, config: &Value) -> Answer {
        let bundle = self.0.path("bundle");
        fs::create_dir_all(&bundle).expect("a bundle");
        fs::write(Path::new(&bundle).join("config.json"), config.to_string()).expect("a configuration");
        let host = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/plans/host.json");
        davit(&["plan", "--host", host, &bundle])
    }

    /// Checks that all of these compile without a warning.
    #[track_caller]
    fn takes(&self, listed: &[String], with: impl Fn(&str) -> Value) {
        assert!(!listed.is_empty(), "nothing is listed");
        for word in listed {
            let said = self.ask(&with(word));
            assert!(said.code == Some(0) && said.err.is_empty(), "{word} is listed: {said:?}");
        }
    }

    /// Checks that none of these compiles unless it is listed, nor any word that only resembles a listed one.
    #[track_caller]
    fn refuses(&self, listed: &[String], others: &[&str], with: impl Fn(&str) -> Value) {
        let similar = listed.iter().flat_map(|word| [format!("{word}X"), format!("X{word}")]);
        for word in others.iter().map(|word| (*word).to_owned()).chain(similar) {
            if !listed.contains(&word) {
                let said = self.ask(&with(&word));
                assert!(said.code == Some(1), "{word:?} is not listed: {said:?}");
            }
        }
    }

    #[track_caller]
    fn agrees(&self, listed: &Value, others: &[&str], with: impl Fn(&str) -> Value) {
        let listed = words(listed);
        self.takes(&listed, &with);
        self.refuses(&listed, others, &with);
    }
}

#[test]
fn mount_options() {
    let compiler = Compiler::new("options");
    let ids = json!([{"containerID": 0, "hostID": 1000, "size": 10}]);
    let with = |option: &str| {
        // A bind mount refuses options of a new file system. A new file system refuses nothing: unknown words are
        // passed to the file system.
        let kind = if option == "tmpcopyup" { "tmpfs" } else { "bind" };
        let mut mount = json!({"destination": "/m", "type": kind, "source": "/tmp", "options": [option]});
        if kind == "bind" {
            mount["options"] = json!(["bind", option]);
        }
        if option == "idmap" || option == "ridmap" {
            mount["uidMappings"] = ids.clone();
            mount["gidMappings"] = ids.clone();
        }
        config(|c| c["mounts"] = json!([mount]))
    };
    let others = [
        "_netdev",
        "auto",
        "noauto",
        "user",
        "users",
        "nofail",
        "owner",
        "group",
        "context=x",
        "size=5",
        "uid=5",
        "mode=755",
        "x-systemd.automount",
        "rbinds",
        "noidmap",
        "move",
        "rnolazytime",
        "rdirsync",
        "rmand",
        "rsync",
        "BIND",
    ];
    compiler.agrees(&features()["mountOptions"], &others, with);
}

#[test]
fn namespaces() {
    let with = |kind: &str| {
        config(|c| {
            let mut all = vec![json!({"type": "mount"}), json!({"type": "pid"})];
            if kind != "mount" && kind != "pid" {
                all.push(json!({"type": kind}));
            }
            let map = json!([{"containerID": 0, "hostID": 1000, "size": 10}]);
            if kind == "user" {
                c["linux"]["uidMappings"] = map.clone();
                c["linux"]["gidMappings"] = map;
            }
            c["linux"]["namespaces"] = json!(all);
        })
    };
    let others = ["mnt", "net", "userns", "PID", "", "time_for_children", "syslog"];
    Compiler::new("namespaces").agrees(&features()["linux"]["namespaces"], &others, with);
}

#[test]
fn hooks() {
    let compiler = Compiler::new("hooks");
    let with = |kind: &str| config(|c| c["hooks"][kind] = json!([{"path": "relative"}]));
    // An unknown member is ignored, as the specification asks; a known one is checked.
    for kind in words(&features()["hooks"]) {
        assert_eq!(compiler.ask(&with(&kind)).code, Some(1), "{kind} is listed");
        let sound = config(|c| c["hooks"][&kind] = json!([{"path": "/bin/true"}]));
        assert_eq!(compiler.ask(&sound).code, Some(0), "{kind} is listed");
    }
    for kind in ["preStop", "createruntime", "startcontainer", "checkpoint"] {
        assert_eq!(compiler.ask(&with(kind)).code, Some(0), "{kind} is not listed");
    }
}

#[test]
fn capabilities() {
    let compiler = Compiler::new("capabilities");
    let listed = words(&features()["linux"]["capabilities"]);
    let with = |name: &str| config(|c| c["process"]["capabilities"] = json!({"bounding": [name]}));
    compiler.takes(&listed, with);
    // They must not be an error (config.md), so davit only prints a warning.
    for name in ["CAP_FROM_THE_FUTURE", "chown", "CAP_", "CAP_CHOWNX"] {
        let said = compiler.ask(&with(name));
        assert!(said.code == Some(0) && said.err.contains("capabilities"), "{name}: {said:?}");
    }
    let newest = fs::read_to_string("/proc/sys/kernel/cap_last_cap").expect("the kernel's number");
    let newest: usize = newest.trim().parse().expect("a number");
    assert_eq!(listed.len(), newest + 1, "as many as this kernel has");
}

#[test]
fn seccomp() {
    let compiler = Compiler::new("seccomp");
    let seccomp = &features()["linux"]["seccomp"];
    assert_eq!(seccomp["enabled"], true);
    let profile = |change: &dyn Fn(&mut Value)| {
        config(|c| {
            let all = json!({
                "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/run/agent",
                "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]}]
            });
            c["linux"]["seccomp"] = all;
            change(&mut c["linux"]["seccomp"]);
        })
    };
    let action = |name: &str| profile(&|p| p["syscalls"][0]["action"] = json!(name));
    compiler.agrees(
        &seccomp["actions"],
        &["SCMP_ACT_USER_NOTIF", "ALLOW", "scmp_act_allow", "", "SCMP_ACT_SKIP"],
        action,
    );
    let operator = |name: &str| profile(&|p| p["syscalls"][0]["args"][0]["op"] = json!(name));
    compiler.agrees(&seccomp["operators"], &["EQ", "==", "SCMP_CMP_NEQ", ""], operator);
    let arch = |name: &str| profile(&|p| p["architectures"] = json!([name]));
    compiler.agrees(
        &seccomp["archs"],
        &["x86_64", "SCMP_ARCH_NATIVE", "SCMP_ARCH_RISCV32", "SCMP_ARCH_ARMEB", ""],
        arch,
    );
    let flag = |name: &str| {
        profile(&|p| {
            p["flags"] = json!([name]);
            if name.ends_with("WAIT_KILLABLE_RECV") {
                p["syscalls"][0]["action"] = json!("SCMP_ACT_NOTIFY");
            }
        })
    };
    let others = ["SECCOMP_FILTER_FLAG_NEW_LISTENER", "SECCOMP_FILTER_FLAG_TSYNC_ESRCH", "TSYNC", ""];
    compiler.agrees(&seccomp["knownFlags"], &others, flag);
    let known = words(&seccomp["knownFlags"]);
    assert!(words(&seccomp["supportedFlags"]).iter().all(|flag| known.contains(flag)), "{seccomp}");
}

#[test]
fn memory_policy() {
    let compiler = Compiler::new("memory-policy");
    let policy = &features()["linux"]["memoryPolicy"];
    let mode = |name: &str| {
        config(|c| {
            let nodes = if ["MPOL_DEFAULT", "MPOL_LOCAL"].contains(&name) { "" } else { "0" };
            c["linux"]["memoryPolicy"] = json!({"mode": name, "nodes": nodes});
        })
    };
    compiler.agrees(&policy["modes"], &["MPOL_MAX", "BIND", "mpol_bind", ""], mode);
    let flag = |name: &str| {
        config(|c| {
            c["linux"]["memoryPolicy"] = json!({"mode": "MPOL_BIND", "nodes": "0", "flags": [name]});
        })
    };
    compiler.agrees(&policy["flags"], &["MPOL_MF_MOVE", "MPOL_F_NODE", "STATIC_NODES", ""], flag);
}

/// Whether the document lists a feature, and a configuration that needs it.
#[test]
fn switches() {
    let compiler = Compiler::new("switches");
    let features = features();
    let linux = &features["linux"];
    let resources = |resources: Value| config(|c| c["linux"]["resources"] = resources);
    let network = |c: &mut Value| c["linux"]["namespaces"] = json!([{"type": "mount"}, {"type": "network"}]);
    let rows = [
        (&linux["cgroup"]["v1"], resources(json!({"network": {"classID": 5}}))),
        (&linux["cgroup"]["v2"], resources(json!({"unified": {"memory.high": "max"}}))),
        (&linux["cgroup"]["rdma"], resources(json!({"rdma": {"mlx5_1": {"hcaHandles": 3}}}))),
        (&linux["intelRdt"]["enabled"], config(|c| c["linux"]["intelRdt"] = json!({"closID": "a"}))),
        (&linux["intelRdt"]["schemata"], config(|c| c["linux"]["intelRdt"] = json!({"schemata": ["L3:0=f"]}))),
        (&linux["intelRdt"]["monitoring"], config(|c| c["linux"]["intelRdt"] = json!({"enableMonitoring": true}))),
        (
            &linux["netDevices"]["enabled"],
            config(|c| {
                network(c);
                c["linux"]["netDevices"] = json!({"eth0": {}});
            }),
        ),
        (&linux["apparmor"]["enabled"], config(|c| c["process"]["apparmorProfile"] = json!("p"))),
        (&linux["selinux"]["enabled"], config(|c| c["process"]["selinuxLabel"] = json!("l"))),
        (
            &linux["mountExtensions"]["idmap"]["enabled"],
            config(|c| {
                let map = json!([{"containerID": 0, "hostID": 1000, "size": 10}]);
                c["mounts"] = json!([{"destination": "/m", "type": "bind", "source": "/tmp", "options": ["bind"],
                                  "uidMappings": map, "gidMappings": map}]);
            }),
        ),
    ];
    for (listed, config) in rows {
        let said = compiler.ask(&config);
        let expected = if *listed == json!(true) { Some(0) } else { Some(1) };
        assert_eq!(said.code, expected, "the document says {listed}: {config} {said:?}");
    }
}

#[test]
fn versions() {
    let compiler = Compiler::new("versions");
    let features = features();
    let with = |version: &str| config(|c| c["ociVersion"] = json!(version));
    for end in ["ociVersionMin", "ociVersionMax"] {
        let version = features[end].as_str().expect("a version");
        assert_eq!(compiler.ask(&with(version)).code, Some(0), "{end}");
    }
    for version in ["0.9.0", "2.0.0", "1", ""] {
        assert_eq!(compiler.ask(&with(version)).code, Some(1), "{version}");
    }
}
