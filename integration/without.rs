//! A kernel that lacks some system calls: a filter answers them with ENOSYS, for a command and all that it starts. Called as
//! `integration without CALLS… -- COMMAND…`, which is what `hack/without-syscalls` does.

use crate::kernel;
use std::{os::unix::process::CommandExt, process::Command, process::ExitCode};

/// Calls by name. From 424 on a call has the same number on every architecture.
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

/// Runs the command that follows `--` without the calls before it.
pub(crate) fn main(words: &[String]) -> ExitCode {
    let Some(end) = words.iter().position(|word| word == "--").filter(|end| end + 1 < words.len()) else {
        eprintln!("usage: without CALL... -- COMMAND [ARGUMENT...]");
        return ExitCode::from(2);
    };
    let mut numbers = Vec::new();
    for name in &words[..end] {
        let Some((_, number)) = CALLS.iter().find(|(known, _)| known == name) else {
            let known: Vec<_> = CALLS.iter().map(|(name, _)| *name).collect();
            eprintln!("without: {name}? known are {}", known.join(" "));
            return ExitCode::from(2);
        };
        numbers.push(*number);
    }
    if let Err(errno) = kernel::answer_enosys(&numbers) {
        eprintln!("without: install the filter: {errno}");
        return ExitCode::from(2);
    }
    let error = Command::new(&words[end + 1]).args(&words[end + 2..]).exec();
    eprintln!("without: {}: {error}", words[end + 1]);
    ExitCode::from(127)
}
