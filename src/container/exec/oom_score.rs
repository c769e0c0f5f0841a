//! The oom_score_adj of a process that an unprivileged user adds. The process is undumpable, so root owns its `/proc`
//! files; it must inherit the score. Does not know how the process is made.

use anyhow::{Context, Result};
use std::fs::File;
use std::io::{Read, Seek, Write};

/// This process's original score, while it has that of the new process.
pub(super) struct PassedFd {
    file: File,
    before: String,
}

impl PassedFd {
    /// Takes on a score, before this process becomes undumpable and may no longer do so.
    pub(super) fn take_on(score: i32) -> Result<PassedFd> {
        const FILE: &str = "/proc/self/oom_score_adj";
        let take_on = || -> std::io::Result<PassedFd> {
            let mut file = File::options().read(true).write(true).open(FILE)?;
            let mut before = String::new();
            file.read_to_string(&mut before)?;
            write(&mut file, &score.to_string())?;
            Ok(PassedFd { file, before })
        };
        take_on().with_context(|| format!("/oomScoreAdj: write {score} to {FILE}"))
    }

    /// Restores the original score.
    pub(super) fn give_back(mut self) -> Result<()> {
        write(&mut self.file, &self.before).context("/oomScoreAdj: go back to the own score")
    }
}

fn write(file: &mut File, score: &str) -> std::io::Result<()> {
    file.rewind()?;
    file.write_all(score.as_bytes())
}
