//! Tests real input: recorded configs of engines (tests/configs), and a Debian system as root file system. Running the
//! engines themselves is left to `engines`.
//!
//! In a recorded config only host-specific values are replaced: the root, bind sources, the cgroup path, and paths of
//! namespaces that no longer exist.

use crate::harness::bundle::Container;
use crate::harness::cgroups::need_controller;
use crate::harness::skip::skip;
use crate::harness::trial::{Test, rows, tests};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::chown;
use std::path::Path;

macro_rules! recorded {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../tests/configs/", $name, ".json")))),*]
    };
}

const CONFIGS: &[(&str, &str)] = recorded![
    "containerd-ctr",
    "docker-default",
    "docker-privileged",
    "docker-run-it-limits",
    "docker-userns-host-net",
    "docker-userns-remap",
    "podman-default",
    "podman-pod-member",
    "podman-rootful-limits",
];

/// Programs of a Debian system and a word that each prints.
const PROGRAMS: &[(&str, &[&str], &str)] = &[
    ("bash", &["/bin/bash", "-c", "echo ${BASH_VERSINFO[0]}; ulimit -n"], "1024"),
    ("dpkg", &["dpkg-query", "-W", "-f", "${Package} ", "bash", "apt"], "apt bash"),
    ("apt", &["apt-get", "--version"], "apt "),
    ("perl", &["perl", "-e", "print join ',', map { $_ * 2 } 1..3"], "2,4,6"),
    ("users", &["su", "-s", "/bin/bash", "games", "-c", "id -un; echo $HOME"], "games"),
    ("interpreter", &["/usr/bin/ldd", "/bin/ls"], "libc.so"),
];

pub(crate) fn tests() -> Vec<Test> {
    let mut all = tests![debian_system_with_dockers_configuration];
    all.extend(rows!("config", CONFIGS, config));
    all.extend(rows!("debian", PROGRAMS, debian));
    all
}

/// Adapts the recorded config to this host.
fn adapted(text: &str, root: &Path, container: &Container) -> Value {
    let mut config: Value = serde_json::from_str(text).unwrap();
    config["root"]["path"] = json!(root);
    config["linux"]["cgroupsPath"] = container.config["linux"]["cgroupsPath"].clone();
    config["process"]["terminal"] = json!(false);
    // The config was recorded on a host with AppArmor.
    config["process"].as_object_mut().unwrap().remove("apparmorProfile");
    for mount in config["mounts"].as_array_mut().unwrap() {
        let bound = mount["type"] == "bind";
        let source = mount["source"].as_str().unwrap_or_default().to_owned();
        if bound && !Path::new(&source).exists() {
            let stand_in = container.dir.join(source.replace('/', "_"));
            match mount["destination"].as_str() {
                Some("/dev/shm") => fs::create_dir_all(&stand_in).unwrap(),
                _ => fs::write(&stand_in, "stand-in\n").unwrap(),
            }
            mount["source"] = json!(stand_in);
        }
    }
    for namespace in config["linux"]["namespaces"].as_array_mut().unwrap() {
        namespace.as_object_mut().unwrap().remove("path");
    }
    // Devices of the host where the config was recorded.
    if let Some(devices) = config["linux"].get_mut("devices").and_then(Value::as_array_mut) {
        devices.retain(|device| Path::new(device["path"].as_str().unwrap_or_default()).exists());
    }
    config
}

fn config((_, text): &(&str, &str)) {
    let mut c = Container::sleeper();
    let recorded: Value = serde_json::from_str(text).unwrap();
    for (member, controller) in [("memory", "memory"), ("cpu", "cpu"), ("pids", "pids")] {
        let asked = recorded["linux"]["resources"][member].as_object();
        if asked.is_some_and(|object| !object.is_empty()) {
            need_controller(controller);
        }
    }
    c.config = adapted(text, &c.dir.join("rootfs"), &c);
    let script = "id -u; id -g; cat /proc/1/comm; grep -E '^(Seccomp|CapEff):' /proc/self/status; echo end";
    c.config["process"]["args"] = json!(["/bin/sh", "-c", script]);
    if let Some(host) = c.config["linux"]["uidMappings"][0]["hostID"].as_u64() {
        give_away(&c.dir.join("rootfs"), host as u32);
    }
    let output = c.run().ok();
    let lines: Vec<_> = output.out.lines().collect();
    assert_eq!(lines[0], c.config["process"]["user"]["uid"].to_string(), "{output:?}");
    assert_eq!(lines[1], c.config["process"]["user"]["gid"].to_string(), "{output:?}");
    let mode = if c.config["linux"]["seccomp"].is_object() { 2 } else { crate::harness::kernel::own_filters().0 };
    let filter = format!("Seccomp:\t{mode}");
    assert!(lines.contains(&filter.as_str()), "{filter} is not in {output:?}");
    assert_eq!(lines.last(), Some(&"end"));
    c.nothing_left();
}

/// Makes `uid`, the host uid of the container's root, own the root file system. Files are hard links shared with other
/// tests, so only directories and symbolic links change owner.
fn give_away(root: &Path, uid: u32) {
    chown(root, Some(uid), Some(uid)).unwrap();
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            chown(&path, Some(uid), Some(uid)).unwrap();
        }
    }
}

/// The path of a Debian system made by debootstrap, which hack/test passes in DEBIAN_TREE.
fn tree() -> String {
    match std::env::var("DEBIAN_TREE") {
        Ok(path) if Path::new(&path).join("usr/bin/dpkg").exists() => path,
        _ => skip("DEBIAN_TREE is not the path of a tree made by debootstrap"),
    }
}

fn debian((_, program, word): &(&str, &[&str], &str)) {
    let tree = tree();
    // Read-only, because all tests share the tree; programs write to a tmpfs.
    let c = Container::new(program).edit(|c| {
        c["root"] = json!({"path": tree, "readonly": true});
        c["process"]["env"] = json!(["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"]);
        c["process"]["cwd"] = json!("/");
    });
    let names = ["CAP_SETUID", "CAP_SETGID", "CAP_AUDIT_WRITE", "CAP_DAC_OVERRIDE"];
    let c = c.caps(&names).mount("/tmp", "tmpfs", "tmpfs", &["nosuid", "nodev"]);
    let output = c.run().ok();
    assert!(output.out.contains(word), "{word:?} is not in {output:?}");
}

fn debian_system_with_dockers_configuration() {
    let tree = tree();
    let mut c = Container::sleeper();
    let (_, text) = CONFIGS.iter().find(|(name, _)| *name == "docker-default").unwrap();
    c.config = adapted(text, Path::new(&tree), &c);
    c.config["root"]["readonly"] = json!(true);
    // Docker binds files here, so the read-only tree must contain the targets.
    c.config["process"]["args"] = json!(["/bin/bash", "-c", "apt-get --version >/dev/null && head -n1 /etc/hosts"]);
    let output = c.run().ok();
    assert_eq!(output.line(), "stand-in", "{output:?}");
}
