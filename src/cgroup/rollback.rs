//! Taking back a change of limits that failed half-way: what the files said before, and writing it again.
//!
//! Knows the two grammars of cgroup files, one value or a line for each device, and nothing of which limit means what.

use crate::cgroup::Cgroup;
use crate::cgroup::error::Refusal;
use crate::plan::resources::{Refused, Write};
use anyhow::{Result, anyhow};
use nix::errno::Errno;

/// Files with a line for each device, which its first word names, and what takes a line away again.
const KEYED: [(&str, &str); 5] = [
    ("io.max", "rbps=max wbps=max riops=max wiops=max"),
    ("io.weight", "default"),
    ("io.bfq.weight", "default"),
    ("io.latency", "target=0"),
    ("rdma.max", "hca_handle=max hca_object=max"),
];

/// What a cgroup's files said before they were written to.
pub(crate) struct Before<'a> {
    cgroup: &'a Cgroup,
    settings: Vec<Setting>,
}

/// One value of a file.
#[derive(PartialEq)]
struct Setting {
    file: String,
    /// The device, where the file has a line for each.
    key: Option<String>,
    /// What to write to have it so again; `None` if it could not be read.
    value: Option<String>,
}

impl Cgroup {
    /// What the files say now that these writes are about to change.
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
                    // A file that is not there cannot be changed.
                    Err(error) if Refusal::errno_of(&error) == Some(Errno::ENOENT) => {}
                    value => settings.push(Setting { file: file.to_owned(), key, value: value.ok() }),
                }
            }
        }
        Before { cgroup: self, settings }
    }

    /// What to write to the file to have it as it is now.
    fn setting(&self, file: &str, key: Option<&str>) -> Result<String> {
        let text = self.read(file)?;
        let Some(key) = key else { return Ok(text.trim().to_owned()) };
        let line = text.lines().find(|line| line.split(' ').next() == Some(key));
        let nothing = KEYED.iter().find(|(keyed, _)| *keyed == file).map_or("", |(_, nothing)| nothing);
        Ok(line.map_or_else(|| format!("{key} {nothing}"), |line| line.trim().to_owned()))
    }
}

/// The device that a write to the file is about. A weight alone is that of every device which has none of its own.
fn key(file: &str, value: &str) -> Option<String> {
    KEYED.iter().any(|(keyed, _)| *keyed == file).then(|| match value.split_once(' ') {
        Some((device, _)) => device.to_owned(),
        None => "default".to_owned(),
    })
}

impl Before<'_> {
    /// Writes back what has changed since, and adds to the error what could not be.
    pub(crate) fn put_back(&self, error: anyhow::Error) -> anyhow::Error {
        // One value may be in the way of another (cpu.max.burst and cpu.max): as long as any can be written, all are tried.
        let mut left = self.changed();
        while !left.is_empty() {
            let refused: Vec<_> = left.iter().rev().map(|setting| self.write(setting).err()).collect();
            let still = self.changed();
            if still.len() == left.len() {
                let told = still.iter().zip(refused.into_iter().rev()).map(|(setting, why)| self.told(setting, why));
                return anyhow!("{error:#}; and {}", told.collect::<Vec<_>>().join("; "));
            }
            left = still;
        }
        error
    }

    /// What is so now although it was otherwise before.
    fn told(&self, setting: &Setting, why: Option<anyhow::Error>) -> String {
        let now = self.cgroup.setting(&setting.file, setting.key.as_deref()).unwrap_or_default();
        let before = setting.value.as_deref().unwrap_or("what it was");
        let why = why.map(|why| format!(" ({why:#})")).unwrap_or_default();
        format!("{} is now {now:?} instead of {before:?}{why}", self.cgroup.named(&setting.file))
    }

    fn changed(&self) -> Vec<&Setting> {
        let is_changed = |setting: &&Setting| match self.cgroup.setting(&setting.file, setting.key.as_deref()) {
            Ok(now) => setting.value.as_ref() != Some(&now),
            // A file that cannot be read (memory.reclaim) has nothing that could stay; a cgroup that is gone has none.
            Err(_) => false,
        };
        self.settings.iter().filter(is_changed).collect()
    }

    fn write(&self, setting: &Setting) -> Result<()> {
        setting.value.as_deref().map_or(Ok(()), |value| self.cgroup.write(&setting.file, value))
    }
}
