//! Tests the hooks that engines add to a configuration, and what each hook needs from the runtime.

use super::wire::{CONTAINERD, Wire};
use crate::harness::bundle::Container;
use crate::harness::kernel;
use crate::harness::trial::{Test, tests};
use serde_json::{Value, json};
use std::{fs, process::Command};

pub(super) fn tests() -> Vec<Test> {
    tests![
        docker_20_sets_the_network_up,
        nerdctl_reads_annotations_and_bundle,
        nvidia_finds_the_root_where_the_host_has_it,
    ]
}

fn live(c: Container) -> Wire<'static> {
    let wire = Wire::new(&CONTAINERD, c);
    wire.call(CONTAINERD.global, CONTAINERD.create).run().ok().silent();
    wire
}

/// The daemon itself, by `/proc/PID/exe` and under another name: it reads the state to its end, without any
/// environment, and opens the network namespace of the pid in it.
fn docker_20_sets_the_network_up() {
    // In the daemon's place, a shell that waits.
    let mut daemon =
        Command::new("/bin/sh").args(["-c", "read line"]).stdin(std::process::Stdio::piped()).spawn().unwrap();
    let c = Container::sleeper();
    let out = c.root("out").join("hook").display().to_string();
    let script = format!(
        "state=$(cat); pid=${{state##*\\\"pid\\\":}}; pid=${{pid%%,*}}; {{ readlink /proc/$((pid))/ns/net; tr '\\0' ' ' </proc/$$/cmdline; }} >{out}"
    );
    let path = format!("/proc/{}/exe", daemon.id());
    let c = c.edit(|c| {
        c["hooks"]["prestart"] =
            json!([{"path": path, "args": ["libnetwork-setkey", "-c", script, "-exec-root=/run/docker"]}])
    });
    let wire = live(c);
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    let net = fs::read_link(format!("/proc/{}/ns/net", wire.pid("init.pid"))).unwrap();
    let said = fs::read_to_string(out).unwrap();
    assert!(said.starts_with(&format!("{}\nlibnetwork-setkey -c ", net.display())), "{said}");
}

/// It keeps its own state by annotations, and opens the configuration in the bundle: before the program and after it,
/// when containerd has not yet removed the bundle.
fn nerdctl_reads_annotations_and_bundle() {
    let hook = |out: &str| json!([{"path": "/bin/sh", "args": ["nerdctl", "-c", format!("cat >{out}")], "env": ["PATH=/usr/bin:/bin", "HOME=/root"]}]);
    let c = Container::sleeper();
    let place = |name: &str| c.dir.join(name).display().to_string();
    let (before, after) = (place("before"), place("after"));
    let c = c.edit(|c| {
        c["annotations"] = json!({"nerdctl/state-dir": "/var/lib/nerdctl/x", "nerdctl/networks": "[\"bridge\"]"});
        c["hooks"] = json!({"createRuntime": hook(&before), "poststop": hook(&after)});
    });
    let wire = live(c);
    let pid = wire.pid("init.pid");
    wire.plain("kill {id} 9").ok().silent();
    kernel::wait_exit(pid, crate::harness::call::LIMIT);
    wire.plain("delete {id}").ok().silent();
    for (file, expected) in [(before, Some(pid)), (after, None)] {
        let state: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
        assert_eq!(state["id"], wire.c.id);
        assert_eq!(state["annotations"], wire.c.config["annotations"]);
        assert_eq!(state["bundle"], wire.c.dir.to_str().unwrap());
        assert!(expected.is_none_or(|pid| state["pid"] == pid), "{state}");
    }
}

/// Its hook enters the mount namespace of the pid and works on the root by the path that the host has for it: the
/// mounts are there, and nothing has been pivoted.
fn nvidia_finds_the_root_where_the_host_has_it() {
    let c = Container::sleeper();
    let (root, out) = (c.root("").display().to_string(), c.root("out").join("seen").display().to_string());
    let script = format!(
        "state=$(cat); pid=${{state##*\\\"pid\\\":}}; pid=${{pid%%,*}}; nsenter --mount=/proc/$((pid))/ns/mnt sh -c 'test -e {root}/proc/meminfo && test -c {root}/dev/null && echo mounted' >{out}"
    );
    let c = c.edit(|c| {
        c["hooks"]["prestart"] = json!([{"path": "/bin/sh", "args": ["nvidia-container-runtime-hook", "-c", script]}])
    });
    let wire = live(c);
    assert_eq!(fs::read_to_string(wire.c.root("out").join("seen")).unwrap(), "mounted\n");
}
