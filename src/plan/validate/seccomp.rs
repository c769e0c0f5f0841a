//! Validates `linux.seccomp`: values that no filter can express. Deliberately leaves system call names to the filter
//! compiler (`bpf::seccomp`).
//!
//! The compiler reports some of these problems too. The texts come from its `ProfileError`, because `Problems` drops a
//! problem only if place and text are identical.

use super::no_nul;
use crate::bpf::seccomp::ProfileError;
use crate::spec::pointer::Pointer;
use crate::spec::problem::Problems;
use oci_spec::runtime::{LinuxSeccomp, LinuxSeccompAction, LinuxSyscall};

const AT: Pointer = Pointer::of("/linux/seccomp");
/// MAX_ERRNO: the kernel silently lowers greater values in the result of a filter.
const MAX_ERRNO: u32 = 4095;
/// SECCOMP_RET_DATA: the value passed to a tracer has 16 bits.
const MAX_DATA: u32 = 0xffff;

pub(super) fn check(filter: &LinuxSeccomp, problems: &mut Problems) {
    let default = filter.default_action();
    errno(default, filter.default_errno_ret(), || AT.key("defaultErrnoRet"), problems);
    let mut notified = false;
    for (index, rule) in filter.syscalls().iter().flatten().enumerate() {
        notified |= rule.action() == LinuxSeccompAction::ScmpActNotify;
        check_rule(rule, index, problems);
    }
    let listener = filter.listener_path().as_ref().is_some_and(|path| !path.as_os_str().is_empty());
    if let Some(path) = filter.listener_path() {
        no_nul(&super::text(path), &AT.key("listenerPath"), problems);
    }
    if filter.listener_metadata().as_ref().is_some_and(|metadata| !metadata.is_empty()) && !listener {
        problems.add(AT.key("listenerMetadata"), "needs listenerPath; without it no agent receives the metadata");
    }
    if notified && !listener {
        problems.add(AT.key("listenerPath"), "is missing; SCMP_ACT_NOTIFY needs an agent that listens there");
    }
}

/// Builds places only for problems, because a profile has hundreds of names.
fn check_rule(rule: &LinuxSyscall, index: usize, problems: &mut Problems) {
    let place = || AT.key("syscalls").index(index);
    if rule.names().is_empty() {
        problems.add(place().key("names"), ProfileError::NoNames { rule: index }.to_string());
    }
    for (number, name) in rule.names().iter().enumerate() {
        if name.is_empty() {
            let at = place().key("names").index(number);
            problems.add(at, ProfileError::EmptyName { rule: index, name: number }.to_string());
        }
    }
    errno(rule.action(), rule.errno_ret(), || place().key("errnoRet"), problems);
    for (number, argument) in rule.args().iter().flatten().enumerate() {
        if argument.index() > 5 {
            let at = place().key("args").index(number).key("index");
            let argument = argument.index().min(usize::from(u8::MAX)) as u8;
            let error = ProfileError::ArgumentIndex { rule: index, condition: number, index: argument };
            problems.add(at, error.to_string());
        }
    }
}

fn errno(action: LinuxSeccompAction, value: Option<u32>, at: impl FnOnce() -> Pointer, problems: &mut Problems) {
    let Some(value) = value else { return };
    let max = match action {
        LinuxSeccompAction::ScmpActErrno => MAX_ERRNO,
        LinuxSeccompAction::ScmpActTrace => MAX_DATA,
        action => {
            problems.add(at(), format!("{action} returns no error number; only SCMP_ACT_ERRNO and SCMP_ACT_TRACE do"));
            return;
        }
    };
    if value > max {
        problems.add(at(), format!("{value} is out of range; expected 0 to {max}"));
    }
}
