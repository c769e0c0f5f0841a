//! Compiles `linux.seccomp` into a filter that is ready to install.
//!
//! Leaves the meaning of a profile to `bpf::seccomp`. This module parses its names and chooses the flags of the filter.

use super::Notes;
use super::act::{Filter, Start};
use crate::bpf::seccomp::{self, Action, Answer, Arch, Condition, Operator, Profile, Rule};
use crate::spec::pointer::Pointer;
use crate::sys::clone;
use oci_spec::runtime::{LinuxSeccomp, LinuxSeccompAction, LinuxSeccompFilterFlag};

/// Compiles the profile, or adds all its problems to `notes`.
pub(super) fn compile(profile: &LinuxSeccomp, notes: &mut Notes) -> Option<Filter> {
    let at = Pointer::of("/linux/seccomp");
    let place = || at.key("defaultErrnoRet");
    let default = action(profile.default_action(), profile.default_errno_ret(), place, notes)?;
    let mut architectures = Vec::new();
    for (index, arch) in profile.architectures().iter().flatten().enumerate() {
        match Arch::from_name(&arch.to_string()) {
            Some(arch) => architectures.push(arch),
            None => notes.problems.add(at.key("architectures").index(index), "unknown architecture"),
        }
    }
    let mut rules = Vec::new();
    for (index, entry) in profile.syscalls().iter().flatten().enumerate() {
        // There may be hundreds of entries, so a place is built only for a problem.
        let place = || at.key("syscalls").index(index);
        let action = action(entry.action(), entry.errno_ret(), || place().key("errnoRet"), notes)?;
        let mut conditions = Vec::new();
        for (number, argument) in entry.args().iter().flatten().enumerate() {
            let Some(operator) = Operator::from_name(&argument.op().to_string()) else {
                notes.problems.add(place().key("args").index(number).key("op"), "unknown operator");
                continue;
            };
            conditions.push(Condition {
                index: argument.index().min(usize::from(u8::MAX)) as u8,
                operator,
                value: argument.value(),
                value_two: argument.value_two().unwrap_or(0),
            });
        }
        rules.push(Rule { names: entry.names().iter().map(String::as_str).collect(), action, conditions });
    }
    match seccomp::compile(&Profile { default, architectures, rules }) {
        Ok(filter) => {
            let flags = flags(profile, filter.notifies);
            Some(Filter { program: filter.program, flags, notifies: filter.notifies })
        }
        Err(problems) => {
            for problem in problems {
                let place = format!("/linux/seccomp{}", problem.place());
                notes.problems.add(Pointer::from_text(place), problem.to_string());
            }
            None
        }
    }
}

fn action(
    action: LinuxSeccompAction,
    errno: Option<u32>,
    place: impl FnOnce() -> Pointer,
    notes: &mut Notes,
) -> Option<Action> {
    match Action::from_name(&action.to_string(), errno) {
        Ok(action) => Some(action),
        Err(why) => {
            notes.problems.add(place(), why.to_string());
            None
        }
    }
}

/// The SECCOMP_FILTER_FLAG_* of a profile. Without a list of flags, SPEC_ALLOW is set as in other runtimes, because the
/// kernel itself no longer enables this slow mitigation for filters by default since 5.16.
fn flags(profile: &LinuxSeccomp, notifies: bool) -> u64 {
    let mut flags = if notifies { libc::SECCOMP_FILTER_FLAG_NEW_LISTENER } else { 0 };
    let Some(listed) = profile.flags() else { return flags | libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW };
    for flag in listed {
        flags |= match flag {
            LinuxSeccompFilterFlag::SeccompFilterFlagLog => libc::SECCOMP_FILTER_FLAG_LOG,
            // The kernel cannot return both a listener and the id of a thread that failed to synchronise. The process
            // has only one thread when its filter is installed.
            LinuxSeccompFilterFlag::SeccompFilterFlagTsync if notifies => libc::SECCOMP_FILTER_FLAG_TSYNC_ESRCH,
            LinuxSeccompFilterFlag::SeccompFilterFlagTsync => libc::SECCOMP_FILTER_FLAG_TSYNC,
            LinuxSeccompFilterFlag::SeccompFilterFlagSpecAllow => libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW,
            // The kernel accepts this flag only with a listener.
            LinuxSeccompFilterFlag::SeccompFilterFlagWaitKillableRecv if !notifies => 0,
            LinuxSeccompFilterFlag::SeccompFilterFlagWaitKillableRecv => libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
        };
    }
    if flags & libc::SECCOMP_FILTER_FLAG_NEW_LISTENER != 0 && flags & libc::SECCOMP_FILTER_FLAG_TSYNC_ESRCH != 0 {
        flags |= libc::SECCOMP_FILTER_FLAG_TSYNC;
    }
    flags
}

/// The remaining actions of the process if the filter is installed early.
pub(super) struct Remaining {
    pub(super) drops_capabilities: bool,
    pub(super) enters: bool,
    pub(super) terminal: bool,
    pub(super) start: Start,
    pub(super) hooks: bool,
    pub(super) preserves: bool,
    pub(super) finds_home: bool,
}

/// The system calls that looking up HOME needs.
const HOME: &[libc::c_long] =
    &[libc::SYS_openat, libc::SYS_fstat, libc::SYS_newfstatat, libc::SYS_fstatfs, libc::SYS_read, libc::SYS_close];

/// The system calls that running a hook needs, besides the hook's own.
const HOOK: &[libc::c_long] = &[
    libc::SYS_memfd_create,
    libc::SYS_write,
    libc::SYS_lseek,
    libc::SYS_pipe2,
    libc::SYS_close,
    libc::SYS_getpid,
    DUPLICATE,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_umask,
    libc::SYS_close_range,
    libc::SYS_capset,
    libc::SYS_prctl,
    libc::SYS_getppid,
    POLL,
    libc::SYS_read,
    libc::SYS_wait4,
    libc::SYS_pidfd_send_signal,
    libc::SYS_exit_group,
];

/// The system calls behind dup2(3) and poll(3) of the C library: newer architectures lack the older calls.
#[cfg(not(any(target_arch = "aarch64", target_arch = "riscv64", target_arch = "loongarch64")))]
const DUPLICATE: libc::c_long = libc::SYS_dup2;
#[cfg(not(any(target_arch = "aarch64", target_arch = "riscv64", target_arch = "loongarch64")))]
const POLL: libc::c_long = libc::SYS_poll;
#[cfg(any(target_arch = "aarch64", target_arch = "riscv64", target_arch = "loongarch64"))]
const DUPLICATE: libc::c_long = libc::SYS_dup3;
#[cfg(any(target_arch = "aarch64", target_arch = "riscv64", target_arch = "loongarch64"))]
const POLL: libc::c_long = libc::SYS_ppoll;

impl Remaining {
    /// Whether the filter permits all remaining actions. A listener decides only calls after it was passed to the
    /// agent.
    pub(super) fn is_permitted_by(&self, filter: &Filter) -> bool {
        let answer = |number, first| seccomp::answer(&filter.program, number, first);
        let permits = |number, first| answer(number, first) == Answer::Permitted;
        let allows = |number, first| match answer(number, first) {
            Answer::Permitted => true,
            Answer::Notified => filter.notifies,
            Answer::Refused => false,
        };
        let before_visible = (!self.drops_capabilities || permits(libc::SYS_capset, [0; 2]))
            && (!self.enters || permits(libc::SYS_clone, clone::INIT_ARGUMENTS));
        let all_allowed = |calls: &[libc::c_long]| calls.iter().all(|number| allows(*number, [0; 2]));
        before_visible
            && all_allowed(&[libc::SYS_sendmsg, libc::SYS_recvfrom, libc::SYS_execve])
            && (!self.enters || all_allowed(&[libc::SYS_setsid]))
            && (!(self.enters && self.terminal) || allows(libc::SYS_ioctl, [0, libc::TIOCSCTTY]))
            && (self.start != Start::Listener || all_allowed(&[libc::SYS_accept4, libc::SYS_close]))
            && (!self.preserves || allows(libc::SYS_fcntl, [3, libc::F_SETFD as u64]))
            && (!self.finds_home || all_allowed(HOME))
            && (!self.hooks
                || all_allowed(HOOK) && allows(libc::SYS_clone, [(libc::CLONE_PIDFD | libc::SIGCHLD) as u64, 0]))
    }
}
