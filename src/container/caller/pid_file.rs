//! The file of `--pid-file`: the pid of a container's process, for engines.

use anyhow::{Context, Result};
use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Writes a pid and nothing else, all at once: engines read the file as soon as it exists, and parse all of it as a
/// number. A regular file is replaced. Into anything else, such as a device or /dev/stdout, the pid is written.
///
/// True if there is a file now that goes with the container.
pub(crate) fn write(file: &Path, pid: i32) -> Result<bool> {
    let is_other = fs::metadata(file).is_ok_and(|data| !data.is_file());
    let write = || if is_other { write_into(file, pid) } else { replace(file, pid) };
    write().with_context(|| format!("write pid file {}", file.display()))?;
    Ok(!is_other)
}

fn write_into(file: &Path, pid: i32) -> io::Result<()> {
    // A FIFO that nobody reads is an error (ENXIO), not a wait.
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    write!(OpenOptions::new().write(true).custom_flags(flags).open(file)?, "{pid}")
}

fn replace(file: &Path, pid: i32) -> io::Result<()> {
    let name = file.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    // A name that nobody else can have chosen: in a directory of others it could be a trap, or a file of theirs.
    let mut draft = OsString::from(".");
    draft.push(name);
    draft.push(format!(".{:016x}", RandomState::new().build_hasher().finish()));
    let draft = file.with_file_name(draft);
    let mut out = OpenOptions::new().write(true).create_new(true).mode(0o666).open(&draft)?;
    write!(out, "{pid}").and_then(|()| fs::rename(&draft, file)).inspect_err(|_| {
        // The first error is the one to report.
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

    #[test]
    fn what_is_no_regular_file_is_written_to_and_stays() {
        assert!(!write(std::path::Path::new("/dev/null"), 41).expect("writes"), "it does not go with the container");
        let file = std::env::temp_dir().join(format!("davit-no-pid-{}", std::process::id()));
        std::os::unix::fs::symlink("/dev/null", &file).expect("a link");
        assert!(!write(&file, 41).expect("writes"));
        assert!(file.is_symlink());
        std::fs::remove_file(file).expect("removable");
    }
}
