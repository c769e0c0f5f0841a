//! File descriptors that the caller passes to the program: sockets in the manner of systemd, and `--preserve-fds`.
//!
//! Selects their numbers; `launch` keeps them open.

use std::os::fd::RawFd;

/// The number of sockets that the caller passes as systemd does (sd_listen_fds(3)): LISTEN_FDS, if LISTEN_PID is this
/// process.
pub(crate) fn listen_fds() -> u32 {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u32>().ok();
    match number("LISTEN_PID") {
        Some(pid) if pid == std::process::id() => number("LISTEN_FDS").unwrap_or(0),
        _ => 0,
    }
}

/// The environment variables for a program with passed sockets.
pub(crate) fn listen_environment(count: u32) -> Vec<String> {
    match count {
        0 => Vec::new(),
        count => vec![format!("LISTEN_FDS={count}"), "LISTEN_PID=1".to_owned()],
    }
}

/// Those of `count` descriptors from 3 on that the caller passed. Podman passes ranges with holes, in which davit's own
/// descriptors can be (its log, the state directory). The program must not get those.
pub(crate) fn inherited_from_three(count: u32) -> Vec<RawFd> {
    let end = i64::from(count) + 3;
    // The default maximum of descriptors (fs.nr_open). Checking each of 4 billion numbers would take minutes.
    (3..end.min(1 << 20) as RawFd).filter(|fd| crate::sys::program::is_inherited(*fd)).collect()
}
