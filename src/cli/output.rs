//! Standard output. A reader that has gone away (`davit list | head -1`) is no failure of ours.

use anyhow::Context;
use std::io::{self, ErrorKind, Write};

/// Writes `text` to standard output in one write, as far as the kernel takes it at once.
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    // The line buffer hands everything up to the last newline on in one write.
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // SIGPIPE is ignored (`sys::entry`), so that a closed pipe is an error here.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        done => done.context("write to standard output"),
    }
}
