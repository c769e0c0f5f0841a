//! What the caller hands over and gets back beside words: descriptors, environment, pid file.

use crate::sys::socket;
use anyhow::{Context, Result};
use std::ffi::CString;
use std::fs;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The caller's environment, for hooks that have none of their own.
pub(super) fn environment() -> Vec<CString> {
    std::env::vars_os()
        .filter_map(|(name, value)| {
            let mut entry = name.into_vec();
            entry.push(b'=');
            entry.extend_from_slice(&value.into_vec());
            CString::new(entry).ok()
        })
        .collect()
}

/// How many sockets the caller passes in the manner of systemd (sd_listen_fds(3)): LISTEN_FDS, if meant for this process.
pub(super) fn listen_fds() -> u32 {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u32>().ok();
    match number("LISTEN_PID") {
        Some(pid) if pid == std::process::id() => number("LISTEN_FDS").unwrap_or(0),
        _ => 0,
    }
}

/// What tells a program about the sockets passed to it.
pub(super) fn listen_environment(count: u32) -> Vec<String> {
    match count {
        0 => Vec::new(),
        count => vec![format!("LISTEN_FDS={count}"), "LISTEN_PID=1".to_owned()],
    }
}

/// Those of `count` descriptors from 3 on that the caller gave. Podman passes ranges with holes, and davit's own descriptors (its
/// log, the state directory) have come to lie in those: the program must not get them.
pub(super) fn inherited_from_three(count: u32) -> Vec<RawFd> {
    let end = i64::from(count) + 3;
    // A process has no more descriptors than this by default, and looking at each of four thousand million takes minutes.
    (3..end.min(1 << 20) as RawFd).filter(|fd| crate::sys::program::is_inherited(*fd)).collect()
}

/// Writes a pid and nothing else, all at once: engines read the file as soon as they see it, and turn all of it into a
/// number.
pub(super) fn write_pid(file: &Path, pid: i32) -> Result<()> {
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

/// Sends a pidfd to the AF_UNIX socket of `--pidfd-socket`; the payload says how the process came into the container.
pub(super) fn send_pidfd(path: &Path, payload: &[u8], pidfd: BorrowedFd<'_>) -> Result<()> {
    let failed = || format!("send a pidfd to {}", path.display());
    let socket = socket::connect_stream(path).map_err(io::Error::from).with_context(failed)?;
    socket::send(socket.as_fd(), payload, Some(pidfd)).map_err(io::Error::from).with_context(failed)
}

/// A path below an open directory that is short whatever the directory is called.
pub(super) fn by_descriptor(directory: &fs::File, name: &str) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}/{name}", directory.as_raw_fd()))
}

#[cfg(test)]
mod tests {
    use super::write_pid;

    #[test]
    fn a_pid_file_has_digits_only_and_replaces_an_older_one() {
        let file = std::env::temp_dir().join(format!("davit-pid-{}", std::process::id()));
        write_pid(&file, 41).expect("writes");
        write_pid(&file, 42).expect("replaces");
        assert_eq!(std::fs::read_to_string(&file).expect("reads"), "42");
        std::fs::remove_file(file).expect("removable");
    }
}
