//! Lists processes, mounts, cgroups and runtime state on the machine. Comparing two lists shows what an engine leaked.

use super::bound::left;
use crate::harness::cgroups::cgroup_mount;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The cgroups below which engines have their runtime make those of containers.
const PARENTS: [&str; 6] = ["docker", "docker/buildkit", "default", "k8s.io", "libpod_parent", "libpod_parent/conmon"];

/// What is there, each thing by its name.
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
            // What the engines themselves keep, whatever runtime there was: Docker's name for the host's network, and
            // the directory that Podman has its networks in.
            if !path.ends_with("/exec/netns/default") && path != "/run/netns" {
                all.insert(format!("mount {path}"));
            }
        }
        let mount = cgroup_mount();
        below(mount, &mut |path| {
            // What engines put their containers below is nobody's to remove.
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

    /// Waits until nothing is there that was not there then.
    #[track_caller]
    pub(super) fn until_again(&self) {
        let mut more = self.more();
        while !more.is_empty() {
            assert!(!left().is_zero(), "these are left: {more:#?}");
            more = self.more();
        }
    }

    /// What is there now and was not then.
    pub(crate) fn more(&self) -> Vec<String> {
        Self::take().0.difference(&self.0).cloned().collect()
    }
}

/// Every directory below.
fn below(dir: &Path, told: &mut impl FnMut(&PathBuf)) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            told(&entry.path());
            below(&entry.path(), told);
        }
    }
}
