//! Runs a command with a seccomp filter that fails some system calls with ENOSYS, as a kernel without them would.
//! The filter itself is built in `kernel`.
//!
//! `hack/without-syscalls` calls it as `integration without CALLS… -- COMMAND…`. The filter applies to the command and
//! its descendants. `--old` among the calls selects every call that the oldest supported kernel, Linux 5.14, lacks.

use crate::harness::kernel;
use crate::harness::kernel::Lacking;
use std::{os::unix::process::CommandExt, process::Command, process::ExitCode};

/// System calls by name. From 424 on, a call has the same number on every architecture.
const CALLS: &[(&str, i64)] = &[
    ("bpf", libc::SYS_bpf),
    ("copy_file_range", libc::SYS_copy_file_range),
    ("execveat", libc::SYS_execveat),
    ("keyctl", libc::SYS_keyctl),
    ("memfd_create", libc::SYS_memfd_create),
    ("renameat2", libc::SYS_renameat2),
    ("sched_setattr", libc::SYS_sched_setattr),
    ("seccomp", libc::SYS_seccomp),
    ("set_mempolicy", libc::SYS_set_mempolicy),
    ("statx", libc::SYS_statx),
    ("pidfd_send_signal", 424),
    ("open_tree", 428),
    ("move_mount", 429),
    ("fsopen", 430),
    ("fsconfig", 431),
    ("fsmount", 432),
    ("fspick", 433),
    ("pidfd_open", 434),
    ("clone3", 435),
    ("close_range", 436),
    ("openat2", 437),
    ("pidfd_getfd", 438),
    ("faccessat2", 439),
    ("process_madvise", 440),
    ("epoll_pwait2", 441),
    ("mount_setattr", 442),
    ("quotactl_fd", 443),
    ("landlock_create_ruleset", 444),
    ("memfd_secret", 447),
    ("process_mrelease", 448),
    ("futex_waitv", 449),
    ("set_mempolicy_home_node", 450),
    ("cachestat", 451),
    ("fchmodat2", 452),
    ("map_shadow_stack", 453),
    ("statmount", 457),
    ("listmount", 458),
    ("mseal", 462),
    ("setxattrat", 463),
    ("open_tree_attr", 467),
    ("file_getattr", 468),
];

/// The lowest system call number that Linux 5.14 does not implement.
const FIRST_NEWER: u32 = 448;

/// Flags that Linux 5.14 rejects: (system call, argument index, bits).
const NEWER_FLAGS: &[(i64, u32, u32)] = &[
    // MFD_NOEXEC_SEAL and MFD_EXEC, 6.3.
    (libc::SYS_memfd_create, 1, 0x18),
    // MOVE_MOUNT_SET_GROUP, 5.15, and MOVE_MOUNT_BENEATH, 6.5.
    (libc::SYS_move_mount, 4, 0x300),
    // PIDFD_THREAD, 6.9.
    (libc::SYS_pidfd_open, 1, 0x80),
    // PIDFD_SIGNAL_THREAD and the two flags next to it, 6.9.
    (libc::SYS_pidfd_send_signal, 3, 0x7),
];

/// System calls that Linux 5.14 has, but that davit never needs. `--old` blocks them too.
const NEVER_NEEDED: &[&str] = &[
    "copy_file_range",
    "epoll_pwait2",
    "faccessat2",
    "fspick",
    "keyctl",
    "memfd_secret",
    "process_madvise",
    "quotactl_fd",
];

/// `keyctl` fails with ENOSYS, `keyctl=122` with errno 122.
fn absent(word: &str) -> Option<Lacking> {
    let (name, errno) = match word.split_once('=') {
        Some((name, errno)) => (name, errno.parse().ok()?),
        None => (word, libc::ENOSYS),
    };
    let call = CALLS.iter().find(|(known, _)| *known == name)?.1;
    Some(Lacking { call, bits: None, errno })
}

/// Runs the command after `--` and blocks the system calls listed before it.
pub(crate) fn main(words: &[String]) -> ExitCode {
    let Some(end) = words.iter().position(|word| word == "--").filter(|end| end + 1 < words.len()) else {
        eprintln!("usage: without [--old] CALL... -- COMMAND [ARGUMENT...]");
        return ExitCode::from(2);
    };
    let (mut lacking, mut from) = (Vec::new(), None);
    for name in &words[..end] {
        if name == "--old" {
            from = Some(FIRST_NEWER);
            lacking.extend(NEVER_NEEDED.iter().map(|name| absent(name).unwrap()));
            let rejected =
                |&(call, argument, bits)| Lacking { call, bits: Some((argument, bits)), errno: libc::EINVAL };
            lacking.extend(NEWER_FLAGS.iter().map(rejected));
            continue;
        }
        let Some(one) = absent(name) else {
            let known: Vec<_> = CALLS.iter().map(|(name, _)| *name).collect();
            eprintln!("without: {name}: unknown system call (known: {})", known.join(" "));
            return ExitCode::from(2);
        };
        lacking.push(one);
    }
    if let Err(errno) = kernel::lack(&lacking, from) {
        eprintln!("without: cannot install the filter: {errno}");
        return ExitCode::from(2);
    }
    let error = Command::new(&words[end + 1]).args(&words[end + 2..]).exec();
    eprintln!("without: {}: {error}", words[end + 1]);
    ExitCode::from(127)
}
