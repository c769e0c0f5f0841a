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
        an_empty_path_means_that_the_flag_is_not_given,
        a_readonly_root_with_a_complete_dev_needs_no_write,
    ];
    all.extend(rows!("config", CONFIGS, config));
    all
}

fn an_empty_path_means_that_the_flag_is_not_given() {
    let c = Container::sh("echo ran");
    c.write();
    let bundle = c.dir.to_str().unwrap();
    let run = [
        "--log",
        "",
        "--log-format",
        "json",
        "run",
        "--pid-file",
        "",
        "--console-socket",
        "",
        "--bundle",
        bundle,
        &c.id,
    ];
    let output = c.call(&run).cwd(&c.dir).run().ok();
    assert_eq!(output.out, "ran\n");
    c.call(&["--log", "", "--log-format", "text", "state", "no-such"]).cwd(&c.dir).run().fails().says("does not exist");
}

/// The root is on a read-only mount, as a squashfs image is.
fn a_readonly_root_with_a_complete_dev_needs_no_write() {
    use nix::mount::{MsFlags, mount};
    use nix::sys::stat::{Mode, SFlag, makedev, mknod};
    apart(|| {
        let c =
            Container::sh("echo x >/dev/null && head -c 2 /dev/zero | wc -c; touch /x 2>/dev/null || echo readonly");
        let c = c.edit(|c| c["mounts"].as_array_mut().unwrap().retain(|mount| mount["destination"] == "/proc"));
        let devices = [("null", 3), ("zero", 5), ("full", 7), ("random", 8), ("urandom", 9)];
        for (name, minor) in devices {
            mknod(&c.root("dev").join(name), SFlag::S_IFCHR, Mode::from_bits_truncate(0o666), makedev(1, minor))
                .unwrap();
        }
        let (root, none) = (c.root("/"), None::<&str>);
        mount(Some(&root), &root, none, MsFlags::MS_BIND, none).unwrap();
        let readonly = || mount(none, &root, none, MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY, none);
        readonly().unwrap();
        // /dev/tty is missing, so this test would notice a write.
        c.create().fails().says("ead-only file system");
        mount(none, &root, none, MsFlags::MS_BIND | MsFlags::MS_REMOUNT, none).unwrap();
        mknod(&c.root("dev/tty"), SFlag::S_IFCHR, Mode::from_bits_truncate(0o666), makedev(5, 0)).unwrap();
        readonly().unwrap();
        assert_eq!(c.prints(), "2\nreadonly\n");
        nix::mount::umount2(&root, nix::mount::MntFlags::MNT_DETACH).unwrap();
    });
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
