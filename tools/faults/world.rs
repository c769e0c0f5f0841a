//! Sets up the environment of the trials: namespaces, directories and bundles. Records what exists between trials.

use crate::{Options, bundle};
use anyhow::{Context, Result};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long killed processes and their leftovers may take to disappear.
const LEAVING: Duration = Duration::from_secs(3);

/// The environment of one worker.
pub(crate) struct World {
    /// The runtime under test, and its name.
    pub(crate) runtime: String,
    pub(crate) name: String,
    pub(crate) bundle: String,
    /// The same, with a program that exits.
    pub(crate) bundle_once: String,
    pub(crate) state: String,
    /// The file for output.
    pub(crate) errors: PathBuf,
    /// A resources file for `update`, the cgroup file that it sets, and the expected value. `None` without a
    /// controller.
    pub(crate) resources: Option<(String, PathBuf, String)>,
    cgroup: PathBuf,
    empty: BTreeSet<String>,
}

fn text(path: &Path) -> Result<String> {
    path.to_str().map(str::to_owned).context("a path that is not UTF-8")
}

impl World {
    /// Creates the environment. The caller is the first process of a new pid namespace, with its own mounts and
    /// network.
    pub(crate) fn make(options: &Options, part: usize) -> Result<World> {
        let (none, tmpfs) = (None::<&str>, Some("tmpfs"));
        let runtime = fs::read(&options.runtime).with_context(|| options.runtime.clone())?;
        let program = fs::read("/proc/self/exe").context("/proc/self/exe")?;
        for directory in ["/run", "/tmp"] {
            mount(tmpfs, directory, tmpfs, MsFlags::empty(), none)
                .with_context(|| format!("a tmpfs on {directory}"))?;
        }
        let mounted = nix::sys::statfs::statfs("/sys/fs/cgroup")
            .is_ok_and(|seen| seen.filesystem_type() == nix::sys::statfs::CGROUP2_SUPER_MAGIC);
        if !mounted {
            mount(Some("none"), "/sys/fs/cgroup", Some("cgroup2"), MsFlags::empty(), none).context("mount cgroup2")?;
        }
        let home = Path::new("/run/faults");
        let (bundle, once, state) = (home.join("bundle"), home.join("once"), home.join("state"));
        for directory in [&bundle, &once, &state, &home.join("bin")] {
            fs::create_dir_all(directory)?;
        }
        let name = Path::new(&options.runtime).file_name().context("a runtime's file")?.to_string_lossy().into_owned();
        let own = home.join("bin").join(&name);
        for (path, bytes) in [(&own, &runtime), (&bundle::lay_root(home)?.join("probe"), &program)] {
            fs::write(path, bytes)?;
            fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        }
        let cgroup = format!("faults-{}-{part}", options.stamp);
        let below = Path::new("/sys/fs/cgroup").join(&cgroup);
        fs::create_dir(&below).with_context(|| format!("make {}", below.display()))?;
        let controllers = fs::read_to_string("/sys/fs/cgroup/cgroup.controllers")?;
        let has = |name: &str| controllers.split_whitespace().any(|one| one == name);
        let one = below.join("one");
        let resources = match (has("pids"), has("hugetlb")) {
            (true, _) => Some((r#"{"pids":{"limit":77}}"#, one.join("pids.max"), "77")),
            (_, true) => Some((
                r#"{"hugepageLimits":[{"pageSize":"2MB","limit":4194304}]}"#,
                one.join("hugetlb.2MB.max"),
                "4194304",
            )),
            _ => None,
        };
        let mut world = World {
            runtime: text(&own)?,
            name,
            bundle: text(&bundle)?,
            bundle_once: text(&once)?,
            state: text(&state)?,
            errors: home.join("stderr"),
            resources: None,
            cgroup: below,
            empty: BTreeSet::new(),
        };
        if let Some((document, file, value)) = resources {
            let path = home.join("resources.json");
            fs::write(&path, document)?;
            world.resources = Some((text(&path)?, file, value.to_owned()));
        }
        fs::write(&world.errors, "")?;
        world.settle()?;
        Ok(world)
    }

    /// Writes the configurations.
    pub(crate) fn configure(&self, rich: bool) -> Result<()> {
        let cgroup = format!("/{}/one", self.cgroup.file_name().unwrap_or_default().to_string_lossy());
        bundle::write(&self.bundle, &cgroup, rich, "stay")?;
        bundle::write(&self.bundle_once, &cgroup, rich, "once")
    }

    /// Records what exists now as the baseline for leaks.
    pub(crate) fn settle(&mut self) -> Result<()> {
        self.reap();
        self.empty = self.everything()?;
        Ok(())
    }

    /// The names of everything that a container could leak.
    fn everything(&self) -> Result<BTreeSet<String>> {
        let mut all = BTreeSet::new();
        // Some runtimes also remove the parent of an empty cgroup, which is allowed.
        fs::create_dir_all(&self.cgroup)?;
        for directory in [Path::new("/run"), Path::new("/tmp"), &self.cgroup] {
            walk(directory, &mut all)?;
        }
        for line in fs::read_to_string("/proc/self/mountinfo")?.lines() {
            all.insert(format!("mount {}", line.split(' ').nth(4).unwrap_or_default()));
        }
        for line in fs::read_to_string("/proc/net/dev")?.lines().filter(|line| line.contains(':')) {
            all.insert(format!("network device {}", line.split(':').next().unwrap_or_default().trim()));
        }
        for line in fs::read_to_string("/proc/net/unix")?.lines() {
            all.extend(line.split_whitespace().nth(7).map(|path| format!("socket {path}")));
        }
        for pid in processes()? {
            let command = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default().replace('\0', " ");
            all.insert(format!("process {pid} {command}"));
        }
        Ok(all)
    }

    /// The leaks. Waits for processes that are exiting.
    pub(crate) fn left_behind(&self) -> Result<Vec<String>> {
        let end = Instant::now() + LEAVING;
        loop {
            self.reap();
            let now = self.everything()?;
            let left: Vec<_> = now.difference(&self.empty).cloned().collect();
            let ending = left.iter().any(|what| what.starts_with("process "));
            if !ending || Instant::now() > end {
                return Ok(left);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// The processes that a killed command leaked, except those in `before`. Of the runtime's own processes only one
    /// that waits for `start` may survive. Waits for processes that are exiting.
    pub(crate) fn abandoned(&self, before: &[i32]) -> Result<Vec<String>> {
        let end = Instant::now() + LEAVING;
        loop {
            self.reap();
            let mut left = Vec::new();
            for pid in processes()?.into_iter().filter(|pid| !before.contains(pid)) {
                let command = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default().replace('\0', " ");
                // Programs and hooks of the container are not the runtime's processes.
                if command.contains(&self.name) {
                    left.push((pid, command));
                }
            }
            if left.is_empty() {
                return Ok(Vec::new());
            }
            let waits_for_start =
                self.status().is_ok_and(|status| status == "created").then(|| self.pid().ok()).flatten();
            left.retain(|(pid, _)| Some(Pid::from_raw(*pid)) != waits_for_start);
            if left.is_empty() || Instant::now() > end {
                return Ok(left.into_iter().map(|(pid, command)| format!("process {pid} {command}")).collect());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Removes the leftovers of trials, so that they do not affect the next trial.
    pub(crate) fn clear(&self) -> Result<()> {
        for pid in processes()? {
            kill(Pid::from_raw(pid), Signal::SIGKILL).ok();
        }
        self.left_behind()?;
        for line in fs::read_to_string("/proc/self/mountinfo")?.lines().rev() {
            let at = line.split(' ').nth(4).unwrap_or_default();
            if !self.empty.contains(&format!("mount {at}")) {
                umount2(at, MntFlags::MNT_DETACH).ok();
            }
        }
        let mut left = self.left_behind()?;
        // Remove the deepest cgroups first.
        left.sort_by_key(|path| std::cmp::Reverse(path.len()));
        for path in left {
            if fs::remove_dir(&path).is_err() {
                fs::remove_file(&path).ok();
            }
        }
        Ok(())
    }

    fn reap(&self) {
        while matches!(waitpid(None, Some(WaitPidFlag::WNOHANG)), Ok(status) if status != WaitStatus::StillAlive) {}
    }

    /// Removes everything, including the worker's cgroup.
    pub(crate) fn end(&self) -> Result<()> {
        self.clear()?;
        fs::remove_dir(&self.cgroup).with_context(|| format!("remove {}", self.cgroup.display()))
    }
}

/// All processes of this pid namespace except the calling one.
pub(crate) fn processes() -> Result<Vec<i32>> {
    let own = i32::try_from(std::process::id())?;
    let names = fs::read_dir("/proc")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    Ok(names.filter(|pid| *pid != own).collect())
}

/// Collects directories, files and sockets below a directory. In a cgroup, only directories.
fn walk(directory: &Path, all: &mut BTreeSet<String>) -> Result<()> {
    let in_cgroup = directory.starts_with("/sys");
    for entry in fs::read_dir(directory).with_context(|| format!("read {}", directory.display()))? {
        let Ok(entry) = entry else { continue };
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() || !in_cgroup {
            all.insert(entry.path().to_string_lossy().into_owned());
        }
        if kind.is_dir() {
            walk(&entry.path(), all).ok();
        }
    }
    Ok(())
}
