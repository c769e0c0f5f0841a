//! Creates, changes and removes resctrl groups: shares of cache and memory bandwidth (`linux.intelRdt`; the kernel's
//! Documentation/filesystems/resctrl.rst). The lifecycle is left to the callers. Not used for a container without
//! `linux.intelRdt`.

mod schemata;

use crate::plan;
use crate::sys::Errno;
use anyhow::{Context, Result, anyhow, bail};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A mounted resctrl file system.
#[derive(Debug)]
pub(crate) struct Resctrl {
    root: PathBuf,
}

/// The groups created for a container (absolute paths), to be removed with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The class of service; only if config.json does not name one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group: Option<PathBuf>,
    /// The monitoring group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    monitor: Option<PathBuf>,
}

impl Record {
    /// Whether no group was created.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Record::default()
    }

    /// Removes the groups; a missing group is no error. The monitoring group is removed explicitly, because its parent
    /// group may stay.
    pub(crate) fn remove(&self) -> Result<()> {
        for group in [&self.monitor, &self.group].into_iter().flatten() {
            match fs::remove_dir(group) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("remove resctrl group {}", group.display()));
                }
                _ => (),
            }
        }
        Ok(())
    }
}

/// The shares of one group, with their values before the change.
#[derive(Debug)]
pub(crate) struct Shares<'a> {
    resctrl: &'a Resctrl,
    group: PathBuf,
    before: String,
}

impl Shares<'_> {
    /// Writes new lines.
    pub(crate) fn change(&self, lines: &[String]) -> Result<()> {
        self.resctrl.write(&self.group, lines, "/linux/intelRdt")
    }

    /// Writes back the changed lines after `error`. If that fails, adds the second error.
    pub(crate) fn put_back(&self, error: anyhow::Error) -> anyhow::Error {
        let back = read_schemata(&self.group).and_then(|now| {
            let lines = schemata::to_go_back(&self.before, &now);
            self.resctrl.write(&self.group, &lines, "rollback")
        });
        match back {
            Ok(()) => error,
            Err(second) => anyhow!("{error:#}; and {second:#}"),
        }
    }
}

fn read_schemata(group: &Path) -> Result<String> {
    let file = group.join("schemata");
    fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))
}

impl Resctrl {
    /// Finds the mounted resctrl file system.
    pub(crate) fn find() -> Result<Resctrl> {
        let mounts = fs::read("/proc/self/mountinfo").context("read /proc/self/mountinfo")?;
        // Anybody who may mount (FUSE) chooses the names of mount points; they need not be UTF-8.
        let root = mount_point(&String::from_utf8_lossy(&mounts));
        root.map(Resctrl::at).context("/linux/intelRdt: no resctrl file system is mounted on this host")
    }

    /// The resctrl file system mounted at `root`.
    pub(crate) fn at(root: PathBuf) -> Resctrl {
        Resctrl { root }
    }

    /// Moves the process `pid` into its group and creates missing groups. `record` lists the created groups, also if a
    /// later step fails.
    pub(crate) fn enter(&self, wanted: &plan::Resctrl, pid: i32, record: &mut Record) -> Result<()> {
        let group = self.group(wanted);
        let made = self.make(&group, wanted)?;
        if made && !wanted.shared {
            record.group = Some(group.clone());
        }
        if made {
            self.write(&group, &wanted.agreed, "/linux/intelRdt")?;
        } else {
            agree(&group, &wanted.agreed)?;
        }
        self.write(&group, &wanted.schemata, "/linux/intelRdt/schemata")?;
        self.put(&group.join("tasks"), &pid.to_string())
            .with_context(|| format!("/linux/intelRdt: move process {pid} into resctrl group {}", group.display()))?;
        let Some(name) = &wanted.monitor else { return Ok(()) };
        let monitor = group.join("mon_groups").join(name);
        let place = || format!("/linux/intelRdt/enableMonitoring: make {}", monitor.display());
        fs::create_dir(&monitor).map_err(|error| self.explained(error)).with_context(place)?;
        record.monitor = Some(monitor.clone());
        self.put(&monitor.join("tasks"), &pid.to_string()).with_context(place)
    }

    /// The current shares of a container's group, saved before a change.
    pub(crate) fn shares(&self, wanted: &plan::Resctrl) -> Result<Shares<'_>> {
        let group = self.group(wanted);
        Ok(Shares { resctrl: self, before: read_schemata(&group)?, group })
    }

    fn group(&self, wanted: &plan::Resctrl) -> PathBuf {
        wanted.group.as_ref().map_or_else(|| self.root.clone(), |name| self.root.join(name))
    }

    /// Creates the group if needed and returns whether it did. A shared group without a schema in config.json must
    /// already exist, because someone else manages its shares.
    fn make(&self, group: &Path, wanted: &plan::Resctrl) -> Result<bool> {
        let has_schema = !wanted.agreed.is_empty() || !wanted.schemata.is_empty();
        if wanted.group.is_none() {
            return Ok(false);
        }
        if wanted.shared && !has_schema {
            return match group.is_dir() {
                true => Ok(false),
                false => Err(anyhow!(
                    "/linux/intelRdt/closID: {} does not exist, and config.json has no schema to create it with",
                    group.display()
                )),
            };
        }
        match fs::create_dir(group) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => {
                let error = self.explained(error);
                Err(error.context(format!("/linux/intelRdt: make resctrl group {}", group.display())))
            }
        }
    }

    fn write(&self, group: &Path, lines: &[String], place: &str) -> Result<()> {
        for line in lines {
            self.put(&group.join("schemata"), &format!("{line}\n"))
                .with_context(|| format!("{place}: write {line:?} to {}/schemata", group.display()))?;
        }
        Ok(())
    }

    fn put(&self, file: &Path, text: &str) -> Result<()> {
        use std::io::Write;
        let open = fs::OpenOptions::new().write(true).open(file);
        open.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| self.explained(error))
    }

    /// Adds the kernel's message about the last failure, which is more precise than the errno.
    fn explained(&self, error: std::io::Error) -> anyhow::Error {
        let words = fs::read_to_string(self.root.join("info/last_cmd_status")).unwrap_or_default();
        let words = words.trim();
        let full = error.raw_os_error() == Some(Errno::ENOSPC as i32);
        match (words, full) {
            ("" | "ok", true) => anyhow!("{error} (the processor has no class of service left)"),
            ("" | "ok", false) => error.into(),
            _ => anyhow!("{error} ({words})"),
        }
    }
}

/// Checks that an existing group has the values of config.json (config-linux.md, "Intel RDT").
fn agree(group: &Path, wanted: &[String]) -> Result<()> {
    if wanted.is_empty() {
        return Ok(());
    }
    let file = group.join("schemata");
    let there = fs::read_to_string(&file).with_context(|| format!("/linux/intelRdt: read {}", file.display()))?;
    for line in wanted {
        if let Err(why) = schemata::agrees(line, &there) {
            bail!("/linux/intelRdt: {} exists and disagrees with {line:?}: {why}", group.display());
        }
    }
    Ok(())
}

/// The mount point of the first resctrl in a mountinfo document (proc_pid_mountinfo(5)).
fn mount_point(mounts: &str) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let kind = after.split(' ').next()?;
        (kind == "resctrl").then(|| before.split(' ').nth(4).map(PathBuf::from)).flatten()
    })
}

/// Fuzz target: parses `text` as each of the files (`crate::fuzz`).
#[cfg(any(test, fuzzing))]
pub(crate) fn fuzz(text: &str) {
    mount_point(text);
    let (line, there) = text.split_once('\n').unwrap_or_default();
    let _ = schemata::agrees(line, there);
}

#[cfg(test)]
mod tests;
