//! Writes the test bundles: a plain one like those of engines, and a rich one that uses nearly every feature.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// Creates the root file system that all bundles share.
pub(crate) fn lay_root(home: &Path) -> Result<PathBuf> {
    let root = home.join("rootfs");
    for directory in ["bin", "dev", "proc", "sys", "tmp", "etc", "data"] {
        fs::create_dir_all(root.join(directory))?;
    }
    let busybox = ["/bin/busybox", "/usr/bin/busybox", "/usr/local/bin/busybox"];
    let busybox = busybox.iter().find(|path| Path::new(path).exists()).context("no busybox: install busybox-static")?;
    fs::copy(busybox, root.join("bin/busybox"))?;
    symlink("busybox", root.join("bin/sh"))?;
    fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n")?;
    fs::write(root.join("data/kept"), "")?;
    Ok(root)
}

/// Writes config.json. The container runs the probe with the argument `word`.
pub(crate) fn write(bundle: &str, cgroup: &str, rich: bool, word: &str) -> Result<()> {
    let mut config = plain(cgroup, word);
    if rich {
        enrich(&mut config);
    }
    fs::write(Path::new(bundle).join("config.json"), serde_json::to_vec_pretty(&config)?)?;
    Ok(())
}

fn plain(cgroup: &str, word: &str) -> Value {
    let capabilities = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"];
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "terminal": false, "user": {"uid": 0, "gid": 0}, "args": ["/probe", "fingerprint", word],
            "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"], "cwd": "/",
            "capabilities": {"bounding": capabilities, "effective": capabilities, "permitted": capabilities},
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
            "noNewPrivileges": true
        },
        "root": {"path": "/run/faults/rootfs", "readonly": true},
        "hostname": "faults",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
             "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
             "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]},
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
             "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
            {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": ["nosuid", "noexec", "nodev"]},
            {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
            {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
             "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]}
        ],
        "linux": {
            "cgroupsPath": cgroup,
            "resources": {"devices": [{"allow": false, "access": "rwm"}]},
            "namespaces": [{"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"},
                           {"type": "cgroup"}],
            "maskedPaths": ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/scsi", "/sys/firmware"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
        }
    })
}

/// Adds a user namespace, hooks of every kind, a seccomp filter, binds, a sysctl, a user, and a missing working
/// directory.
fn enrich(config: &mut Value) {
    // The hook reads its standard input: a hook that does not may cause the runtime to be killed.
    let hook = json!([{"path": "/bin/sh", "args": ["sh", "-c", "read -r state || true"]}]);
    config["hooks"] = json!({
        "createRuntime": hook, "createContainer": hook, "startContainer": hook, "poststart": hook, "poststop": hook,
    });
    let map = json!([{"containerID": 0, "hostID": 100_000, "size": 65_536}]);
    let linux = &mut config["linux"];
    if let Some(namespaces) = linux["namespaces"].as_array_mut() {
        namespaces.push(json!({"type": "user"}));
    }
    linux["uidMappings"] = map.clone();
    linux["gidMappings"] = map;
    linux["sysctl"] = json!({"net.ipv4.ip_forward": "1"});
    linux["seccomp"] = json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["ptrace", "kexec_load"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}]
    });
    let process = &mut config["process"];
    process["user"] = json!({"uid": 1000, "gid": 1000, "additionalGids": [10, 20], "umask": 0o27});
    process["cwd"] = json!("/tmp");
    process["oomScoreAdj"] = json!(100);
    process["capabilities"]["inheritable"] = json!(["CAP_KILL"]);
    process["capabilities"]["ambient"] = json!(["CAP_KILL"]);
    if let Some(mounts) = config["mounts"].as_array_mut() {
        mounts.push(
            json!({"destination": "/data", "type": "bind", "source": "/run/faults/bin", "options": ["rbind", "ro"]}),
        );
        mounts.push(
            json!({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=1777"]}),
        );
    }
}
