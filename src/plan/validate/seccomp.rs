//! `linux.seccomp`: what no filter can mean. Names of system calls are judged by the compiler that knows them.

use super::no_nul;
use crate::spec::pointer::Pointer;
use crate::spec::problem::Problems;
use oci_spec::runtime::{LinuxSeccomp, LinuxSeccompAction, LinuxSyscall};

const AT: Pointer = Pointer::of("/linux/seccomp");
/// MAX_ERRNO: the kernel silently lowers greater values in the result of a filter.
const MOST_ERRNO: u32 = 4095;
/// SECCOMP_RET_DATA: what a tracer is told has 16 bits.
const MOST_DATA: u32 = 0xffff;

pub(super) fn check(filter: &LinuxSeccomp, problems: &mut Problems) {
    let default = filter.default_action();
    errno(default, filter.default_errno_ret(), || AT.key("defaultErrnoRet"), problems);
    let mut notified = false;
    for (index, rule) in filter.syscalls().iter().flatten().enumerate() {
        notified |= rule.action() == LinuxSeccompAction::ScmpActNotify;
        check_rule(rule, || AT.key("syscalls").index(index), problems);
    }
    let listener = filter.listener_path().as_ref().is_some_and(|path| !path.as_os_str().is_empty());
    if let Some(path) = filter.listener_path() {
        no_nul(&super::text(path), &AT.key("listenerPath"), problems);
    }
    if filter.listener_metadata().as_ref().is_some_and(|metadata| !metadata.is_empty()) && !listener {
        problems.add(AT.key("listenerMetadata"), "needs listenerPath; there is nobody to tell it to");
    }
    if notified && !listener {
        problems.add(AT.key("listenerPath"), "is missing; SCMP_ACT_NOTIFY needs an agent to ask");
    }
}

/// A profile has hundreds of names: their places are put together only where something is wrong.
fn check_rule(rule: &LinuxSyscall, place: impl Fn() -> Pointer, problems: &mut Problems) {
    if rule.names().is_empty() {
        problems.add(place().key("names"), "is empty; a rule is about at least one system call");
    }
    for (number, name) in rule.names().iter().enumerate() {
        if name.is_empty() {
            let at = place().key("names").index(number);
            problems.add(at, "is empty; expected the name of a system call");
        }
    }
    errno(rule.action(), rule.errno_ret(), || place().key("errnoRet"), problems);
    for (number, argument) in rule.args().iter().flatten().enumerate() {
        if argument.index() > 5 {
            let at = place().key("args").index(number).key("index");
            problems.add(at, format!("{} is out of range; a system call has arguments 0 to 5", argument.index()));
        }
    }
}

fn errno(action: LinuxSeccompAction, value: Option<u32>, at: impl FnOnce() -> Pointer, problems: &mut Problems) {
    let Some(value) = value else { return };
    let most = match action {
        LinuxSeccompAction::ScmpActErrno => MOST_ERRNO,
        LinuxSeccompAction::ScmpActTrace => MOST_DATA,
        action => {
            problems.add(at(), format!("{action} returns no error number; only SCMP_ACT_ERRNO and SCMP_ACT_TRACE do"));
            return;
        }
    };
    if value > most {
        problems.add(at(), format!("{value} is out of range; expected 0 to {most}"));
    }
}
