//! Finds the cgroup v2 hierarchy of this host, its controllers, and the path of a container's cgroup. Creating that
//! cgroup is left to `create`. Files are read only when a result depends on them.

use crate::cgroup::error::Refusal;
use crate::plan::placement::Place;
use crate::plan::resources::CgroupFacts;
use crate::sys::beneath;
use anyhow::{Result, bail};
use std::cell::OnceCell;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// The mount point on hosts with only cgroup v2.
const UNIFIED: &str = "/sys/fs/cgroup";
/// The mount point on hosts where systemd uses v1 hierarchies too.
const HYBRID: &str = "/sys/fs/cgroup/unified";

/// This host's cgroup v2 hierarchy.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    mount_point: PathBuf,
    root: Rc<OwnedFd>,
    hybrid: bool,
    controllers: OnceCell<Vec<String>>,
    /// The content of /proc/self/cgroup. It can be cached, because this process does not change its cgroup.
    own: OnceCell<String>,
}

impl Layout {
    /// Finds the hierarchy. Fails if none is mounted where engines and systemd expect it.
    pub(crate) fn probe() -> Result<Layout> {
        match Layout::find()? {
            Some(layout) => Ok(layout),
            None => bail!(
                "no cgroup v2 hierarchy is mounted on {UNIFIED} or {HYBRID}; mount one: mount -t cgroup2 none {UNIFIED}"
            ),
        }
    }

    /// Like [`Layout::probe`], but returns `None` if there is no hierarchy.
    pub(crate) fn find() -> Result<Option<Layout>> {
        let mounted = |at: &str| beneath::is_cgroup2(Path::new(at)).unwrap_or(false);
        let found = [(UNIFIED, false), (HYBRID, true)].into_iter().find(|(mount_point, _)| mounted(mount_point));
        found.map(|(mount_point, hybrid)| Layout::at(Path::new(mount_point), hybrid)).transpose()
    }

    /// The hierarchy whose root is the directory `mount_point`.
    pub(crate) fn at(mount_point: &Path, hybrid: bool) -> Result<Layout> {
        let root = beneath::base(mount_point)
            .map_err(|errno| Refusal::of(format!("open {}", mount_point.display()), errno))?;
        let mount_point = mount_point.to_owned();
        Ok(Layout { mount_point, root: Rc::new(root), hybrid, controllers: OnceCell::new(), own: OnceCell::new() })
    }

    /// The directory on which the hierarchy is mounted.
    pub(crate) fn mount_point(&self) -> &Path {
        &self.mount_point
    }

    /// The facts that `plan::resources` needs.
    pub(crate) fn facts(&self) -> Result<CgroupFacts> {
        // On a unified host no controller is on v1, so the file need not be read.
        let v1 = if self.hybrid { v1_controllers(self.own()?) } else { Vec::new() };
        Ok(CgroupFacts { controllers: self.controllers()?.to_vec(), v1 })
    }

    /// The hierarchy's controllers, read once.
    pub(super) fn controllers(&self) -> Result<&[String]> {
        if let Some(known) = self.controllers.get() {
            return Ok(known);
        }
        let file = "cgroup.controllers";
        let list = beneath::read_file(self.root(), file)
            .map_err(|errno| Refusal::of(format!("read {}", self.mount_point.join(file).display()), errno))?;
        Ok(self.controllers.get_or_init(|| words(&list)))
    }

    /// The path of `place` relative to the mount point. Reads the caller's own cgroup if `place` depends on it.
    pub(crate) fn resolve(&self, place: &Place) -> Result<PathBuf> {
        match place {
            Place::BelowMount(path) => Ok(path.clone()),
            Place::BesideOwn(path) => Ok(parent_of_own(self.own()?)?.join(path)),
            Place::Scope(scope) => {
                bail!("{} is a systemd scope, which only the systemd driver can make", scope.unit)
            }
        }
    }

    /// The content of /proc/self/cgroup, read once.
    fn own(&self) -> Result<&str> {
        if let Some(known) = self.own.get() {
            return Ok(known);
        }
        let path = "/proc/self/cgroup";
        let text = beneath::read_pseudo_file(path).map_err(|errno| Refusal::of(format!("read {path}"), errno))?;
        Ok(self.own.get_or_init(|| text))
    }

    pub(super) fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }
}

/// The parent of the cgroup on the line `0::/path`, without leading slash. The root cgroup is its own parent.
fn parent_of_own(file: &str) -> Result<PathBuf> {
    let Some(own) = file.lines().find_map(|line| line.strip_prefix("0::/")) else {
        bail!("/proc/self/cgroup has no line for cgroup v2; give an absolute cgroupsPath");
    };
    // The kernel adds " (deleted)" to the path of a removed cgroup.
    let own = Path::new(own.strip_suffix(" (deleted)").unwrap_or(own));
    if own.components().any(|part| !matches!(part, std::path::Component::Normal(_))) {
        bail!("this process is in a cgroup outside of its cgroup namespace; give an absolute cgroupsPath");
    }
    Ok(own.parent().unwrap_or(Path::new("")).to_owned())
}

/// The controllers on the lines `7:blkio:/path`; named hierarchies (`name=systemd`) have none.
fn v1_controllers(file: &str) -> Vec<String> {
    let lists = file.lines().filter_map(|line| line.split(':').nth(1));
    let names = lists.flat_map(|list| list.split(','));
    names.filter(|name| !name.is_empty() && !name.contains('=')).map(str::to_owned).collect()
}

/// The words of a line, as in `cgroup.controllers`.
pub(super) fn words(line: &str) -> Vec<String> {
    line.split_ascii_whitespace().map(str::to_owned).collect()
}

/// Fuzz target: parses `text` as each of the files (`crate::fuzz`).
#[cfg(any(test, fuzzing))]
pub(crate) fn fuzz(text: &str) {
    use super::{counters, processes};
    counters::counters(text);
    counters::by_device(text);
    counters::pressure(text);
    processes::is_set(text, "frozen");
    words(text);
    v1_controllers(text);
    let beside = parent_of_own(text).unwrap_or_default();
    assert!(beside.components().all(|part| matches!(part, std::path::Component::Normal(_))), "{}", beside.display());
}

#[cfg(test)]
mod tests {
    use super::{parent_of_own, v1_controllers};
    use std::path::Path;

    #[test]
    fn the_default_place_is_beside_the_callers_own_cgroup() {
        for (file, parent) in [
            ("0::/user.slice/session-1.scope\n", "user.slice"),
            ("9:name=systemd:/\n1:cpu:/\n0::/a/b/c\n", "a/b"),
            ("0::/shim\n", ""),
            ("0::/\n", ""),
            ("0::/a/b (deleted)\n", "a"),
        ] {
            assert_eq!(parent_of_own(file).expect(file), Path::new(parent), "{file}");
        }
        parent_of_own("0::/../../x\n").expect_err("a cgroup outside of the namespace");
        // hack/fuzz found the first; a second slash would have made the path one of the host's.
        for odd in ["0::/./.../x", "0:://a/b"] {
            parent_of_own(odd).expect_err("no cgroup the kernel would name");
        }
        parent_of_own("4:memory:/x\n").expect_err("no cgroup v2");
    }

    #[test]
    fn a_hybrid_hosts_controllers_are_read_from_the_numbered_lines() {
        let file = "9:name=systemd:/\n7:blkio:/\n2:cpu,cpuacct:/x\n0::/\n";
        assert_eq!(v1_controllers(file), ["blkio", "cpu", "cpuacct"]);
    }
}
