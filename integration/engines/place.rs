//! The environment of the engines: a directory on a tmpfs in the suite's own mount namespace, the file tree of images,
//! users for user namespaces, and features of this kernel. This module does not know engines.

use super::cgroups::OwnCgroup;
use crate::harness::call::Call;
use crate::harness::cgroups::has_controller;
use crate::harness::runtime::{RUNTIME, runtime_name};
use crate::harness::skip::skip;
use nix::mount::{MsFlags, mount};
use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    sync::{
        LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Buildah's default limit of open files and of processes.
const BUILDAH_DEFAULT: u64 = 1 << 20;
/// The directory for all files of the suite.
pub(super) const PLACE: &str = "/run/davit-engines";
/// The user with the subordinate ids for user namespaces. Podman expects this name.
pub(crate) const SUBORDINATE: &str = "containers";

static COUNT: AtomicUsize = AtomicUsize::new(0);

/// A unique name.
pub(crate) fn fresh(what: &str) -> String {
    format!("{what}{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Mounts tmpfs over the host's state, creates the file tree of the image, and brings the loopback interface up. The
/// returned cgroup must live until the end of the run.
pub(super) fn prepare() -> Result<Option<OwnCgroup>, String> {
    let tmpfs = |path: &str| {
        fs::create_dir_all(path).map_err(|error| format!("{path}: {error}"))?;
        let done = mount(Some("tmpfs"), path, Some("tmpfs"), MsFlags::empty(), Some("mode=755"));
        done.map_err(|errno| format!("tmpfs on {path}: {errno}"))
    };
    // Reads the runtime first, because it may be below /run, which is covered next.
    let runtime = fs::read(RUNTIME.as_str()).map_err(|error| format!("{}: {error}", *RUNTIME))?;
    // Opened before it is covered, because it has the sockets of systemd and D-Bus.
    let run = fs::File::open("/run").map_err(|error| format!("/run: {error}"))?;
    for path in ["/run", "/var/lib/containers", "/var/lib/containerd", "/var/lib/docker", "/var/lib/cni"] {
        tmpfs(path)?;
    }
    let cgroups = super::cgroups::cover().map_err(|error| format!("cgroups for engines: {error}"))?;
    let make = || -> std::io::Result<()> {
        super::keep_systemd(&run)?;
        fs::create_dir_all(PLACE)?;
        fs::write(ours(), runtime)?;
        fs::set_permissions(ours(), PermissionsExt::from_mode(0o755))?;
        make_tree(&Path::new(PLACE).join("tree"))?;
        users()
    };
    make().map_err(|error| format!("{PLACE}: {error}"))?;
    let tar = Call::new(Path::new(PLACE), &["tar", "-C", &at("tree"), "-cf", &at("tree.tar"), "."]).run();
    let up = Call::new(Path::new(PLACE), &["ip", "link", "set", "lo", "up"]).run();
    if tar.status.success() && up.status.success() { Ok(cgroups) } else { Err(format!("{tar:?}\n{up:?}")) }
}

/// Adds the user with the subordinate ids to /etc, in this mount namespace only.
fn users() -> std::io::Result<()> {
    let users = fs::read_to_string("/etc/passwd")? + &format!("{SUBORDINATE}:x:999999:999999::/:/bin/false\n");
    let groups = fs::read_to_string("/etc/group")? + &format!("{SUBORDINATE}:x:999999:\n");
    let ids = format!("{SUBORDINATE}:1000000:1000000\n");
    for (name, text) in [("passwd", users), ("group", groups), ("subuid", ids.clone()), ("subgid", ids)] {
        let file = Path::new(PLACE).join(name);
        fs::write(&file, text)?;
        mount(Some(&file), &Path::new("/etc").join(name), None::<&str>, MsFlags::MS_BIND, None::<&str>)?;
    }
    Ok(())
}

/// The path of the runtime under test, which keeps its name.
pub(super) fn ours() -> PathBuf {
    Path::new(PLACE).join(runtime_name())
}

/// The path of a file in the suite's directory.
pub(crate) fn at(name: &str) -> String {
    format!("{PLACE}/{name}")
}

fn make_tree(tree: &Path) -> std::io::Result<()> {
    for name in ["bin", "dev", "etc", "proc", "root", "sys", "tmp", "var"] {
        fs::create_dir_all(tree.join(name))?;
    }
    fs::set_permissions(tree.join("tmp"), PermissionsExt::from_mode(0o1777))?;
    let busybox = ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|path| Path::new(path).exists());
    fs::copy(busybox.unwrap_or("/bin/busybox"), tree.join("bin/busybox"))?;
    let list = Call::new(Path::new(PLACE), &["/bin/busybox", "--list"]).run().ok();
    for applet in list.out.lines().filter(|name| *name != "busybox") {
        symlink("busybox", tree.join("bin").join(applet))?;
    }
    fs::write(tree.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/tmp:/bin/sh\n")?;
    fs::write(tree.join("etc/group"), "root:x:0:\nuser:x:1000:\n")
}

/// The program of this name in PATH.
pub(crate) fn which(name: &str) -> Option<String> {
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':').map(|dir| format!("{dir}/{name}")).find(|path| Path::new(path).is_file())
}

/// Whether this kernel has NAT tables. Container names, published ports and Podman's bridges need them.
pub(crate) fn has_nat() -> bool {
    static ANSWER: LazyLock<bool> = LazyLock::new(|| {
        let words =
            ["sh", "-c", "iptables -t nat -A POSTROUTING -s 192.0.2.1 -j MASQUERADE && iptables -t nat -F POSTROUTING"];
        Call::new(Path::new(PLACE), &words).run().status.success()
    });
    *ANSWER
}

/// Skips if this kernel has no NAT tables.
pub(crate) fn need_nat() {
    if !has_nat() {
        skip("this kernel has no NAT tables");
    }
}

/// Lines of `containers.conf`. By default, Podman and Buildah request limits that some hosts do not support: a pids
/// limit without the pids controller, and higher rlimits than root may set. These lines replace the defaults.
pub(crate) fn allowances() -> String {
    let mut lines = String::from("[containers]\n");
    if !has_controller("pids") {
        lines += "pids_limit = 0\n";
    }
    let limits = fs::read_to_string("/proc/self/limits").unwrap();
    let hard = |name: &str| {
        let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap_or(BUILDAH_DEFAULT)
    };
    let most = [("nofile", "Max open files"), ("nproc", "Max processes")].map(|(key, name)| (key, hard(name)));
    let lower =
        most.iter().filter(|(_, most)| *most < BUILDAH_DEFAULT).map(|(key, most)| format!("'{key}={most}:{most}'"));
    lines + &format!("default_ulimits = [{}]\n", lower.collect::<Vec<_>>().join(", "))
}

/// The cgroup of a process.
pub(crate) fn cgroup_of(pid: &str) -> PathBuf {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let path = text.lines().find_map(|line| line.strip_prefix("0::/")).unwrap();
    crate::harness::cgroups::cgroup_mount().join(path)
}
