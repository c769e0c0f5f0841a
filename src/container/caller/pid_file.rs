//! The file of `--pid-file`: the pid of a container's process, for engines.

use anyhow::{Context, Result};
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Writes a pid and nothing else, all at once: engines read the file as soon as they see it, and turn all of it into a
/// number.
pub(crate) fn write(file: &Path, pid: i32) -> Result<()> {
    let name = file.file_name().with_context(|| format!("{} is no name for a pid file", file.display()))?;
    let mut draft_name = std::ffi::OsString::from(".");
    draft_name.push(name);
    let draft = file.with_file_name(draft_name);
    let write = || -> io::Result<()> {
        let mut open = fs::OpenOptions::new();
        let mut out = open.write(true).create_new(true).mode(0o666).open(&draft)?;
        write!(out, "{pid}")?;
        fs::rename(&draft, file)
    };
    write().with_context(|| format!("write pid file {}", file.display())).inspect_err(|_| {
        // The first error is the one to tell; the draft is not there if it could not be made.
        let _ = fs::remove_file(&draft);
    })
}

#[cfg(test)]
mod tests {
    use super::write;

    #[test]
    fn a_pid_file_has_digits_only_and_replaces_an_older_one() {
        let file = std::env::temp_dir().join(format!("davit-pid-{}", std::process::id()));
        write(&file, 41).expect("writes");
        write(&file, 42).expect("replaces");
        assert_eq!(std::fs::read_to_string(&file).expect("reads"), "42");
        std::fs::remove_file(file).expect("removable");
    }
}
