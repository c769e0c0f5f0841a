//! File descriptors that the caller passes to the program: sockets in the manner of systemd, and `--preserve-fds`.
//!
//! Selects their numbers; `launch` keeps them open.

use std::os::fd::RawFd;

/// How many sockets the caller passes in the manner of systemd (sd_listen_fds(3)): LISTEN_FDS, if meant for this process.
pub(crate) fn listen_fds() -> u32 {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u32>().ok();
    match number("LISTEN_PID") {
        Some(pid) if pid == std::process::id() => number("LISTEN_FDS").unwrap_or(0),
        _ => 0,
    }
}

/// What tells a program about the sockets passed to it.
pub(crate) fn listen_environment(count: u32) -> Vec<String> {
    match count {
        0 => Vec::new(),
        count => vec![format!("LISTEN_FDS={count}"), "LISTEN_PID=1".to_owned()],
    }
}

/// Those of `count` descriptors from 3 on that the caller gave. Podman passes ranges with holes, and davit's own descriptors (its
/// log, the state directory) have come to lie in those: the program must not get them.
pub(crate) fn inherited_from_three(count: u32) -> Vec<RawFd> {
    let end = i64::from(count) + 3;
    // A process has no more descriptors than this by default, and looking at each of four thousand million takes minutes.
    (3..end.min(1 << 20) as RawFd).filter(|fd| crate::sys::program::is_inherited(*fd)).collect()
}
