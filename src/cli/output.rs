//! Standard output. A closed pipe (`davit list | head -1`) is not an error.

use anyhow::Context;
use std::io::{self, ErrorKind, Write};

/// Writes `text` to standard output, in one write if the kernel accepts it.
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    // The line buffer writes everything up to the last newline at once.
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // SIGPIPE is ignored (`sys::entry`), so that a closed pipe is an error here.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        done => done.context("write to standard output"),
    }
}
