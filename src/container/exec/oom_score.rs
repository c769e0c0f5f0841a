//! The oom_score_adj of a process that an ordinary user adds: it is hidden, so its `/proc` files are root's, and it has to be
//! born with the score. Knows nothing of how the process comes to be.

use anyhow::{Context, Result};
use std::fs::File;
use std::io::{Read, Seek, Write};

/// This process's score while it is that of the one to be born.
pub(super) struct PassedFd {
    file: File,
    before: String,
}

impl PassedFd {
    /// Takes on a score; before this process is hidden, for it would not be allowed to later.
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

    /// Goes back to the own score.
    pub(super) fn give_back(mut self) -> Result<()> {
        write(&mut self.file, &self.before).context("/oomScoreAdj: go back to the own score")
    }
}

fn write(file: &mut File, score: &str) -> std::io::Result<()> {
    file.rewind()?;
    file.write_all(score.as_bytes())
}
