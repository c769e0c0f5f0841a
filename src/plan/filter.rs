//! `linux.seccomp` as a filter ready to install. What a profile means is decided in `bpf::seccomp`; here its words are
//! read and its flags chosen.

use super::Notes;
use super::act::Filter;
use crate::bpf::seccomp::{self, Action, Arch, Condition, Operator, Profile, Rule};
use crate::spec::pointer::Pointer;
use oci_spec::runtime::{LinuxSeccomp, LinuxSeccompAction, LinuxSeccompFilterFlag};

/// Compiles the profile, or notes all its problems.
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
        // There may be hundreds: a place is written down only where something is wrong.
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

/// SECCOMP_FILTER_FLAG_*. Without a list of flags, SPEC_ALLOW is set as peers do: the filter is no reason to slow the
/// program down with a mitigation that the kernel itself gave up on by default in 5.16.
fn flags(profile: &LinuxSeccomp, notifies: bool) -> u64 {
    let mut flags = if notifies { libc::SECCOMP_FILTER_FLAG_NEW_LISTENER } else { 0 };
    let Some(listed) = profile.flags() else { return flags | libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW };
    for flag in listed {
        flags |= match flag {
            LinuxSeccompFilterFlag::SeccompFilterFlagLog => libc::SECCOMP_FILTER_FLAG_LOG,
            // Every process has one thread when its filter is installed, and the kernel cannot answer both with a
            // listener and with the thread that could not be synchronised.
            LinuxSeccompFilterFlag::SeccompFilterFlagTsync if notifies => libc::SECCOMP_FILTER_FLAG_TSYNC_ESRCH,
            LinuxSeccompFilterFlag::SeccompFilterFlagTsync => libc::SECCOMP_FILTER_FLAG_TSYNC,
            LinuxSeccompFilterFlag::SeccompFilterFlagSpecAllow => libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW,
            // The kernel takes this flag only together with a listener.
            LinuxSeccompFilterFlag::SeccompFilterFlagWaitKillableRecv if !notifies => 0,
            LinuxSeccompFilterFlag::SeccompFilterFlagWaitKillableRecv => libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
        };
    }
    if flags & libc::SECCOMP_FILTER_FLAG_NEW_LISTENER != 0 && flags & libc::SECCOMP_FILTER_FLAG_TSYNC_ESRCH != 0 {
        flags |= libc::SECCOMP_FILTER_FLAG_TSYNC;
    }
    flags
}
