//! Finds the cgroups that the suite may use on this host, and their controllers. Creating cgroups is left to the
//! runtime.

use crate::harness::skip::skip;
use crate::harness::user::{AS_USER, UID};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
};

static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Whether systemd creates the containers' cgroups: `$CGROUP_DRIVER` is `systemd`.
pub(crate) static BY_SYSTEMD: LazyLock<bool> =
    LazyLock::new(|| std::env::var_os("CGROUP_DRIVER").is_some_and(|name| name == "systemd"));

/// The cgroup delegated to the user: the parent of this process's cgroup.
pub(crate) static DELEGATED: LazyLock<String> = LazyLock::new(|| {
    if *BY_SYSTEMD {
        return format!("/user.slice/user-{UID}.slice/user@{UID}.service");
    }
    let text = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let own = text.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or_default();
    Path::new(own).parent().map(|path| path.display().to_string()).unwrap_or_default()
});

/// The mount point of the host's cgroup v2 hierarchy.
pub(crate) fn cgroup_mount() -> &'static Path {
    static MOUNT: LazyLock<PathBuf> = LazyLock::new(|| {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let found =
            mounts.lines().filter(|line| line.contains(" - cgroup2 ")).filter_map(|line| line.split(' ').nth(4));
        found.min_by_key(|path| path.len()).unwrap_or("/sys/fs/cgroup").into()
    });
    &MOUNT
}

/// The topmost cgroup in which the suite may create others.
pub(crate) fn cgroup_base() -> PathBuf {
    if *AS_USER { cgroup_mount().join(&DELEGATED[1..]) } else { cgroup_mount().to_owned() }
}

/// The cgroup v2 controllers available in `cgroup_base`.
fn controllers() -> String {
    fs::read_to_string(cgroup_base().join("cgroup.controllers")).unwrap_or_default()
}

/// Whether this host has `controller`.
pub(crate) fn has_controller(controller: &str) -> bool {
    controllers().split_whitespace().any(|one| one == controller)
}

/// Skips the test unless this host has `controller`.
pub(crate) fn need_controller(controller: &str) {
    if !has_controller(controller) {
        skip(format!("cgroup controller {controller} is not available (available: {})", controllers().trim()));
    }
}

/// Skips the test unless cgroups with `controller` have this file on this kernel.
pub(crate) fn need_file(controller: &str, file: &str) {
    need_controller(controller);
    let trial = cgroup_base().join(format!("davit-suite-files-{}", COUNT.fetch_add(1, Ordering::Relaxed)));
    // A runtime does the same. The controller may be enabled already.
    fs::write(cgroup_base().join("cgroup.subtree_control"), format!("+{controller}")).ok();
    fs::create_dir(&trial).unwrap();
    let found = trial.join(file).exists();
    fs::remove_dir(&trial).unwrap();
    if !found {
        skip(format!("this kernel has no {file}"));
    }
}

/// Skips the test if systemd creates the cgroups.
pub(crate) fn only_cgroupfs(why: &str) {
    if *BY_SYSTEMD {
        skip(format!("not possible with the systemd driver: {why}"));
    }
}
