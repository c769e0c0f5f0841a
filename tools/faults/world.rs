//! Where the trials take place: namespaces and directories of their own, bundles, and what may be there when none is under way.

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

/// How long what was killed may take to be gone.
const LEAVING: Duration = Duration::from_secs(3);

/// The place of one worker.
pub(crate) struct World {
    /// The runtime under test, and its name.
    pub(crate) runtime: String,
    pub(crate) name: String,
    pub(crate) bundle: String,
    /// The same with a program that ends.
    pub(crate) bundle_once: String,
    pub(crate) state: String,
    /// Where output goes.
    pub(crate) errors: PathBuf,
    /// A document for `update`, the file of the cgroup that it sets, and what that has then; nothing where no controller is.
    pub(crate) resources: Option<(String, PathBuf, String)>,
    cgroup: PathBuf,
    empty: BTreeSet<String>,
}

fn text(path: &Path) -> Result<String> {
    path.to_str().map(str::to_owned).context("a path that is not UTF-8")
}

impl World {
    /// Makes the place. The caller is the first process of a pid namespace, in mount and network namespaces of its own.
    pub(crate) fn make(options: &Options, part: usize) -> Result<World> {
        let (none, tmpfs) = (None::<&str>, Some("tmpfs"));
        let runtime = fs::read(&options.runtime).with_context(|| options.runtime.clone())?;
        let program = fs::read("/proc/self/exe").context("the own executable")?;
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

    /// What is here now is what may always be.
    pub(crate) fn settle(&mut self) -> Result<()> {
        self.reap();
        self.empty = self.everything()?;
        Ok(())
    }

    /// All that a container could leave behind, by name.
    fn everything(&self) -> Result<BTreeSet<String>> {
        let mut all = BTreeSet::new();
        // Some runtimes remove the parent of an empty cgroup too, which is their right.
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

    /// What is here that should not be; a process that is ending gets time for it.
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

    /// The processes that a command which was killed has left, beside those that were there `before`: of the runtime's own
    /// only that of a container which waits for its start may live on. One that is ending gets time for it.
    pub(crate) fn abandoned(&self, before: &[i32]) -> Result<Vec<String>> {
        let end = Instant::now() + LEAVING;
        loop {
            self.reap();
            let mut left = Vec::new();
            for pid in processes()?.into_iter().filter(|pid| !before.contains(pid)) {
                let command = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default().replace('\0', " ");
                // The container's programs and hooks are not the runtime's.
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

    /// Takes away what trials have left, so that it does not spoil the next.
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
        // The deepest first.
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

    /// The end: the cgroup too.
    pub(crate) fn end(&self) -> Result<()> {
        self.clear()?;
        fs::remove_dir(&self.cgroup).with_context(|| format!("remove {}", self.cgroup.display()))
    }
}

/// Every process of this pid namespace but this one.
pub(crate) fn processes() -> Result<Vec<i32>> {
    let own = i32::try_from(std::process::id())?;
    let names = fs::read_dir("/proc")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    Ok(names.filter(|pid| *pid != own).collect())
}

/// The directories, files and sockets below a directory; of a cgroup only the directories.
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
