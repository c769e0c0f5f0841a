//! The resctrl file system: shares of cache and memory bandwidth (`linux.intelRdt`; the kernel's
//! Documentation/filesystems/resctrl.rst). Owns its groups and their schemata; does not know the lifecycle. A container
//! that asks for nothing never gets here.

mod schemata;

use crate::plan;
use crate::sys::Errno;
use anyhow::{Context, Result, anyhow, bail};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A mounted resctrl.
#[derive(Debug)]
pub(crate) struct Resctrl {
    root: PathBuf,
}

/// The groups made for a container, absolute paths: what has to be removed with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The class of service; only where the configuration did not name one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group: Option<PathBuf>,
    /// The monitoring group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    monitor: Option<PathBuf>,
}

impl Record {
    /// Whether nothing was made.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Record::default()
    }

    /// Removes the groups; one that is gone is no error. Removing a group removes what it monitors by itself, but the
    /// monitoring group may lie in one that stays.
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

/// The shares of one group, and what they were before they were changed.
#[derive(Debug)]
pub(crate) struct Shares<'a> {
    resctrl: &'a Resctrl,
    group: PathBuf,
    before: String,
}

impl Shares<'_> {
    /// Writes other lines.
    pub(crate) fn change(&self, lines: &[String]) -> Result<()> {
        self.resctrl.write(&self.group, lines, "/linux/intelRdt")
    }

    /// Writes back what has changed since, because of `error`, and adds to it what could not be.
    pub(crate) fn put_back(&self, error: anyhow::Error) -> anyhow::Error {
        let back = read_schemata(&self.group).and_then(|now| {
            let lines = schemata::to_go_back(&self.before, &now);
            self.resctrl.write(&self.group, &lines, "setting it back")
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
    /// Finds where resctrl is mounted.
    pub(crate) fn find() -> Result<Resctrl> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").context("read /proc/self/mountinfo")?;
        let root = mount_point(&mounts);
        root.map(Resctrl::at).context("/linux/intelRdt: no resctrl file system is mounted on this host")
    }

    /// The one at `root`.
    pub(crate) fn at(root: PathBuf) -> Resctrl {
        Resctrl { root }
    }

    /// Puts the process `pid` into its group, making what has to be made; `record` learns of everything that was, also
    /// when a later step fails.
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
            .with_context(|| format!("/linux/intelRdt: put process {pid} into resctrl group {}", group.display()))?;
        let Some(name) = &wanted.monitor else { return Ok(()) };
        let monitor = group.join("mon_groups").join(name);
        let place = || format!("/linux/intelRdt/enableMonitoring: make {}", monitor.display());
        fs::create_dir(&monitor).map_err(|error| self.explained(error)).with_context(place)?;
        record.monitor = Some(monitor.clone());
        self.put(&monitor.join("tasks"), &pid.to_string()).with_context(place)
    }

    /// The shares of the group that a container is in, as they are before they are changed.
    pub(crate) fn shares(&self, wanted: &plan::Resctrl) -> Result<Shares<'_>> {
        let group = self.group(wanted);
        Ok(Shares { resctrl: self, before: read_schemata(&group)?, group })
    }

    fn group(&self, wanted: &plan::Resctrl) -> PathBuf {
        wanted.group.as_ref().map_or_else(|| self.root.clone(), |name| self.root.join(name))
    }

    /// Whether the group was made. A group without a schema of ours must be there; what it grants is somebody else's wish.
    fn make(&self, group: &Path, wanted: &plan::Resctrl) -> Result<bool> {
        let has_schema = !wanted.agreed.is_empty() || !wanted.schemata.is_empty();
        if wanted.group.is_none() {
            return Ok(false);
        }
        if wanted.shared && !has_schema {
            return match group.is_dir() {
                true => Ok(false),
                false => Err(anyhow!(
                    "/linux/intelRdt/closID: {} does not exist, and there is no schema to make it with",
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

    /// The kernel's sentence about the last mistake says more than the errno.
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

/// A group that exists must grant what the configuration says (config-linux.md, "Intel RDT").
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

/// Any text as the files that are read (`crate::fuzz`).
#[cfg(any(test, fuzzing))]
pub(crate) fn fuzz(text: &str) {
    mount_point(text);
    let (line, there) = text.split_once('\n').unwrap_or_default();
    let _ = schemata::agrees(line, there);
}

#[cfg(test)]
mod tests;
