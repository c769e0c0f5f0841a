//! The cgroups that the suite may use on this host, and which controllers they have.

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

/// Whether systemd makes the cgroups of containers: `$CGROUP_DRIVER` is `systemd`.
pub(crate) static BY_SYSTEMD: LazyLock<bool> =
    LazyLock::new(|| std::env::var_os("CGROUP_DRIVER").is_some_and(|name| name == "systemd"));

/// The cgroup that the user was given: the parent of this process's own.
pub(crate) static DELEGATED: LazyLock<String> = LazyLock::new(|| {
    if *BY_SYSTEMD {
        return format!("/user.slice/user-{UID}.slice/user@{UID}.service");
    }
    let text = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let own = text.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or_default();
    Path::new(own).parent().map(|path| path.display().to_string()).unwrap_or_default()
});

/// Where the one cgroup v2 hierarchy of this host is mounted.
pub(crate) fn cgroup_mount() -> &'static Path {
    static MOUNT: LazyLock<PathBuf> = LazyLock::new(|| {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let found =
            mounts.lines().filter(|line| line.contains(" - cgroup2 ")).filter_map(|line| line.split(' ').nth(4));
        found.min_by_key(|path| path.len()).unwrap_or("/sys/fs/cgroup").into()
    });
    &MOUNT
}

/// The topmost cgroup that the suite may do something in.
pub(crate) fn cgroup_base() -> PathBuf {
    if *AS_USER { cgroup_mount().join(&DELEGATED[1..]) } else { cgroup_mount().to_owned() }
}

/// The controllers that it has of version 2.
fn controllers() -> String {
    fs::read_to_string(cgroup_base().join("cgroup.controllers")).unwrap_or_default()
}

/// Whether this host can control `controller`.
pub(crate) fn has_controller(controller: &str) -> bool {
    controllers().split_whitespace().any(|one| one == controller)
}

/// Skips where this host cannot control `controller`.
pub(crate) fn need_controller(controller: &str) {
    if !has_controller(controller) {
        skip(format!("the cgroup controller {controller} is not here (there are: {})", controllers().trim()));
    }
}

/// Skips where this kernel's cgroups with `controller` have no such file.
pub(crate) fn need_file(controller: &str, file: &str) {
    need_controller(controller);
    let trial = cgroup_base().join(format!("davit-suite-files-{}", COUNT.fetch_add(1, Ordering::Relaxed)));
    // As a runtime does; it may be enabled already.
    fs::write(cgroup_base().join("cgroup.subtree_control"), format!("+{controller}")).ok();
    fs::create_dir(&trial).unwrap();
    let found = trial.join(file).exists();
    fs::remove_dir(&trial).unwrap();
    if !found {
        skip(format!("this kernel has no {file}"));
    }
}

/// Skips where systemd makes the cgroups.
pub(crate) fn only_cgroupfs(why: &str) {
    if *BY_SYSTEMD {
        skip(format!("not with the systemd driver: {why}"));
    }
}
