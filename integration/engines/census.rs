//! Lists processes, mounts, cgroups and runtime state on the machine. Comparing two lists shows what an engine leaked.

use super::time_limit::left;
use crate::harness::cgroups::cgroup_mount;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The parent cgroups of the engines' containers.
const PARENTS: [&str; 6] = ["docker", "docker/buildkit", "default", "k8s.io", "libpod_parent", "libpod_parent/conmon"];

/// The names of everything found.
pub(crate) struct Census(BTreeSet<String>);

impl Census {
    pub(super) fn take() -> Self {
        let mut all = BTreeSet::new();
        for entry in fs::read_dir("/proc").unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap_or_default();
            let alive = |stat: String| !stat.contains(") Z ");
            if name.bytes().all(|byte| byte.is_ascii_digit())
                && fs::read_to_string(format!("/proc/{name}/stat")).is_ok_and(alive)
            {
                let words = fs::read_to_string(format!("/proc/{name}/cmdline")).unwrap_or_default();
                all.insert(format!("process {name} {}", words.replace('\0', " ")));
            }
        }
        for line in fs::read_to_string("/proc/self/mountinfo").unwrap().lines() {
            let path = line.split(' ').nth(4).unwrap_or_default();
            // The engines themselves keep these mounts with any runtime: Docker its name for the host's network
            // namespace, Podman the directory of its network namespaces.
            if !path.ends_with("/exec/netns/default") && path != "/run/netns" {
                all.insert(format!("mount {path}"));
            }
        }
        let mount = cgroup_mount();
        below(mount, &mut |path| {
            // Neither the engine nor the runtime removes the parent cgroups.
            if !PARENTS.iter().any(|parent| mount.join(parent) == *path) {
                all.insert(format!("cgroup {}", path.display()));
            }
        });
        for root in ["/run/davit", "/run/runc", "/run/crun", "/run/containerd/runc/default"] {
            for entry in fs::read_dir(root).into_iter().flatten() {
                all.insert(format!("state {}", entry.unwrap().path().display()));
            }
        }
        Self(all)
    }

    /// Waits until everything that is new since this list is gone.
    #[track_caller]
    pub(super) fn until_again(&self) {
        let mut more = self.more();
        while !more.is_empty() {
            assert!(!left().is_zero(), "these are left: {more:#?}");
            more = self.more();
        }
    }

    /// The names that are new since this list.
    pub(crate) fn more(&self) -> Vec<String> {
        Self::take().0.difference(&self.0).cloned().collect()
    }
}

/// Calls `visit` for every directory below `dir`.
fn below(dir: &Path, visit: &mut impl FnMut(&PathBuf)) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            visit(&entry.path());
            below(&entry.path(), visit);
        }
    }
}
