//! Tests the hooks that engines add to a configuration, and what each hook needs from the runtime.

use super::wire::{CONTAINERD, Wire};
use crate::harness::bundle::Container;
use crate::harness::kernel;
use crate::harness::trial::{Test, tests};
use serde_json::{Value, json};
use std::{fs, process::Command};

pub(super) fn tests() -> Vec<Test> {
    tests![
        docker_20_sets_up_the_network,
        nerdctl_reads_annotations_and_bundle,
        nvidia_hook_finds_the_root_at_its_host_path,
    ]
}

fn live(c: Container) -> Wire<'static> {
    let wire = Wire::new(&CONTAINERD, c);
    wire.call(CONTAINERD.global, CONTAINERD.create).run().ok().silent();
    wire
}

/// Docker's hook is the daemon itself, as `/proc/PID/exe` with another argv[0]. It has no environment, reads the state
/// until end of file, and opens the network namespace of the pid in the state.
fn docker_20_sets_up_the_network() {
    // A waiting shell replaces the daemon.
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
    let output = fs::read_to_string(out).unwrap();
    assert!(output.starts_with(&format!("{}\nlibnetwork-setkey -c ", net.display())), "{output}");
}

/// nerdctl's hooks read nerdctl's state from annotations, and open the configuration in the bundle. They run before the
/// program and after it; at that time, containerd has not yet removed the bundle.
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

/// NVIDIA's hook enters the mount namespace of the pid, and accesses the root by its path on the host. So it must run
/// after the mounts and before pivot_root.
fn nvidia_hook_finds_the_root_at_its_host_path() {
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
