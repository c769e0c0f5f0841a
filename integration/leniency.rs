//! Configurations that the specification does not foresee or calls wrong, and that users rely on: runc and crun take them.

use crate::harness::bundle::{Container, push};
use crate::harness::runtime::{only_davit, runtime_name};
use crate::harness::trial::{Test, rows, tests};
use crate::harness::unshared::{apart, mount_tmpfs};
use crate::process::wrapped;
use serde_json::{Value, json};
use std::fs;

pub(crate) fn tests() -> Vec<Test> {
    let mut all = tests![
        rbind_stays_recursive_with_a_later_bind,
        dev_ptmx_as_device_is_the_link,
        keep_original_groups_keeps_the_callers,
        unknown_annotations_of_peers_are_reported,
    ];
    all.extend(rows!("config", CONFIGS, config));
    all
}

/// (name, the change, the script, what it prints, the place of davit's warning)
type Config = (&'static str, fn(&mut Value), &'static str, &'static str, &'static str);

const CONFIGS: &[Config] = &[
    ("no-user", |c| drop(object(&mut c["process"]).remove("user")), "id -u; id -g", "0\n0\n", "/process/user"),
    ("no-gid", |c| c["process"]["user"] = json!({"uid": 7}), "id -u; id -g", "7\n0\n", "/process/user/gid"),
    (
        "no-io-priority",
        |c| c["process"]["ioPriority"] = json!({"class": "IOPRIO_CLASS_BE"}),
        "echo ran",
        "ran\n",
        "/process/ioPriority/priority",
    ),
    (
        "masked-relative",
        |c| c["linux"]["maskedPaths"] = json!(["proc/meminfo"]),
        "cat /proc/meminfo; echo end",
        "end\n",
        "/linux/maskedPaths/0",
    ),
    (
        "masked-twice",
        |c| c["linux"]["maskedPaths"] = json!(["/proc/meminfo", "/proc/meminfo"]),
        "cat /proc/meminfo; grep -c ' /proc/meminfo ' /proc/self/mountinfo",
        "1\n",
        "",
    ),
    (
        "readonly-relative",
        |c| c["linux"]["readonlyPaths"] = json!(["etc"]),
        "touch /etc/x 2>/dev/null || echo refused",
        "refused\n",
        "/linux/readonlyPaths/0",
    ),
    (
        "access-letters",
        |c| push(&mut c["linux"]["resources"]["devices"], rule("rwa")),
        "head -c 1 /dev/zero | wc -c",
        "1\n",
        "/linux/resources/devices/1/access",
    ),
    (
        "device-twice",
        |c| c["linux"]["devices"] = json!([device(1, 3), device(1, 5)]),
        "stat -c %t:%T /dev/x",
        "1:5\n",
        "",
    ),
    (
        "file-mode-beyond",
        |c| {
            c["linux"]["devices"] =
                json!([{"type": "c", "path": "/dev/x", "major": 1, "minor": 3, "fileMode": 0o200_640}])
        },
        "stat -c %a /dev/x",
        "640\n",
        "",
    ),
    ("home-twice", |c| c["process"]["env"] = json!(["PATH=/bin", "HOME=/first", "HOME="]), "echo $HOME", "/root\n", ""),
];

fn object(value: &mut Value) -> &mut serde_json::Map<String, Value> {
    value.as_object_mut().unwrap()
}

fn rule(access: &str) -> Value {
    json!({"allow": true, "type": "c", "major": 1, "minor": 5, "access": access})
}

fn device(major: u32, minor: u32) -> Value {
    json!({"type": "c", "path": "/dev/x", "major": major, "minor": minor})
}

fn config(row: &Config) {
    let (_, change, script, expected, warning) = *row;
    let c = Container::sh(script).edit(change);
    let output = c.run().ok();
    assert_eq!(output.out, expected, "{output:?}");
    if runtime_name() == "davit" {
        assert_eq!(output.err.contains("warning: "), !warning.is_empty(), "{output:?}");
        assert!(output.err.contains(warning), "{output:?} does not name {warning}");
    }
}

/// As the runtimes of Kubernetes write the options of a volume.
fn rbind_stays_recursive_with_a_later_bind() {
    apart(|| {
        let c = Container::sh("cat /m/below/file");
        let volume = c.dir.join("volume");
        mount_tmpfs(&volume);
        mount_tmpfs(&volume.join("below"));
        fs::write(volume.join("below/file"), "below\n").unwrap();
        let c = c.mount("/m", "bind", volume.to_str().unwrap(), &["rbind", "rprivate", "ro", "bind"]);
        assert_eq!(c.prints(), "below\n");
    });
}

fn dev_ptmx_as_device_is_the_link() {
    let c = Container::sh("readlink /dev/ptmx").edit(|c| {
        c["linux"]["devices"] = json!([{"type": "c", "path": "/dev/ptmx", "major": 5, "minor": 2}]);
        // An ordinary user's container has one already.
        if c["linux"]["uidMappings"].is_null() {
            push(&mut c["linux"]["namespaces"], json!({"type": "user"}));
            let map = json!([{"containerID": 0, "hostID": 100_000, "size": 65536}]);
            c["linux"]["uidMappings"] = map.clone();
            c["linux"]["gidMappings"] = map;
        }
    });
    assert_eq!(c.prints(), "pts/ptmx\n");
}

/// `podman run --group-add keep-groups`, which writes an annotation of crun's.
fn keep_original_groups_keeps_the_callers() {
    for (value, expected) in [("1", "0 1234\n"), ("0", "0\n")] {
        let c = Container::sh("id -G").edit(|c| c["annotations"] = json!({"run.oci.keep_original_groups": value}));
        let output = wrapped(&c, "exec setpriv --groups=1234 \"$@\"", "run").run().ok();
        assert_eq!(output.out, expected, "{value}");
    }
}

fn unknown_annotations_of_peers_are_reported() {
    only_davit("others ignore what they do not know");
    let with = |name: &str| Container::sh("true").edit(|c| c["annotations"] = json!({name: "x"}));
    for name in ["run.oci.handler", "org.opencontainers.runc.exec.something"] {
        with(name).run().ok().says(&format!("/annotations/{name}: unknown annotation is ignored"));
    }
    for name in
        ["run.oci.hooks.stdout", "run.oci.pidfd_receiver", "run.oci.systemd.subgroup", "run.oci.mount_context_type"]
    {
        with(name).refused(&format!("/annotations/{name}: "));
    }
}
