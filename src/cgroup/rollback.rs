//! Rolls back a change of limits that failed half-way: saves the old content of the files and writes it back.
//!
//! The meaning of the limits is left to `plan::resources`. The module knows only the two formats of cgroup files: one
//! value, or one line for each device.

use crate::cgroup::Cgroup;
use crate::cgroup::error::Refusal;
use crate::plan::resources::{Refused, Write};
use anyhow::{Result, anyhow};
use nix::errno::Errno;

/// Files with one line for each device (the first word), and the value that removes such a line.
const KEYED: [(&str, &str); 5] = [
    ("io.max", "rbps=max wbps=max riops=max wiops=max"),
    ("io.weight", "default"),
    ("io.bfq.weight", "default"),
    ("io.latency", "target=0"),
    ("rdma.max", "hca_handle=max hca_object=max"),
];

/// The content of a cgroup's files before they were changed.
pub(crate) struct Before<'a> {
    cgroup: &'a Cgroup,
    settings: Vec<Setting>,
}

/// One value of a file.
#[derive(PartialEq)]
struct Setting {
    file: String,
    /// The device, if the file has one line for each device.
    key: Option<String>,
    /// The text that restores the old value; `None` if the file could not be read.
    value: Option<String>,
}

impl Cgroup {
    /// Saves the content of the files that `writes` will change.
    pub(crate) fn before<'w>(&self, writes: impl Iterator<Item = &'w Write>) -> Before<'_> {
        let mut settings = Vec::new();
        for write in writes {
            let instead = match &write.when_refused {
                Refused::Instead { file, value } => Some((*file, value.as_str())),
                _ => None,
            };
            for (file, value) in [(&*write.file, write.value.as_str())].into_iter().chain(instead) {
                let key = key(file, value);
                match self.setting(file, key.as_deref()) {
                    // A missing file cannot be changed.
                    Err(error) if Refusal::errno_of(&error) == Some(Errno::ENOENT) => {}
                    value => settings.push(Setting { file: file.to_owned(), key, value: value.ok() }),
                }
            }
        }
        Before { cgroup: self, settings }
    }

    /// The text to write to the file to restore its current value.
    fn setting(&self, file: &str, key: Option<&str>) -> Result<String> {
        let text = self.read(file)?;
        let Some(key) = key else { return Ok(text.trim().to_owned()) };
        let line = text.lines().find(|line| line.split(' ').next() == Some(key));
        let nothing = KEYED.iter().find(|(keyed, _)| *keyed == file).map_or("", |(_, nothing)| nothing);
        Ok(line.map_or_else(|| format!("{key} {nothing}"), |line| line.trim().to_owned()))
    }
}

/// The device that a write to the file concerns. A weight without a device is the default for all devices.
fn key(file: &str, value: &str) -> Option<String> {
    KEYED.iter().any(|(keyed, _)| *keyed == file).then(|| match value.split_once(' ') {
        Some((device, _)) => device.to_owned(),
        None => "default".to_owned(),
    })
}

impl Before<'_> {
    /// Writes back the changed values. Adds those that could not be restored to the error.
    pub(crate) fn put_back(&self, error: anyhow::Error) -> anyhow::Error {
        // One value may block another (cpu.max.burst and cpu.max), so retry all while any write succeeds.
        let mut left = self.changed();
        while !left.is_empty() {
            let refused: Vec<_> = left.iter().rev().map(|setting| self.write(setting).err()).collect();
            let still = self.changed();
            if still.len() == left.len() {
                let lines = still.iter().zip(refused.into_iter().rev());
                let lines = lines.map(|(setting, why)| self.difference(setting, why));
                return anyhow!("{error:#}; and {}", lines.collect::<Vec<_>>().join("; "));
            }
            left = still;
        }
        error
    }

    /// Describes a value that could not be restored.
    fn difference(&self, setting: &Setting, why: Option<anyhow::Error>) -> String {
        let now = self.cgroup.setting(&setting.file, setting.key.as_deref()).unwrap_or_default();
        let before = setting.value.as_deref().unwrap_or("its old value");
        let why = why.map(|why| format!(" ({why:#})")).unwrap_or_default();
        format!("{} is now {now:?} instead of {before:?}{why}", self.cgroup.named(&setting.file))
    }

    fn changed(&self) -> Vec<&Setting> {
        let is_changed = |setting: &&Setting| match self.cgroup.setting(&setting.file, setting.key.as_deref()) {
            Ok(now) => setting.value.as_ref() != Some(&now),
            // A file that cannot be read (memory.reclaim) keeps no value; a removed cgroup has none.
            Err(_) => false,
        };
        self.settings.iter().filter(is_changed).collect()
    }

    fn write(&self, setting: &Setting) -> Result<()> {
        setting.value.as_deref().map_or(Ok(()), |value| self.cgroup.write(&setting.file, value))
    }
}
