//! Evaluates a profile directly for one call, without tables and spans.

use super::super::arch::X32_BIT;
use super::super::{Action, Arch, Condition, Operator, Profile, Rule};
use crate::bpf::interpreter::Data;
use crate::bpf::syscalls;

const SOCKETCALLS: [&str; 20] = [
    "socket",
    "bind",
    "connect",
    "listen",
    "accept",
    "getsockname",
    "getpeername",
    "socketpair",
    "send",
    "recv",
    "sendto",
    "recvfrom",
    "shutdown",
    "setsockopt",
    "getsockopt",
    "sendmsg",
    "recvmsg",
    "accept4",
    "recvmmsg",
    "sendmmsg",
];
const IPCS: [(u64, &str); 12] = [
    (1, "semop"),
    (2, "semget"),
    (3, "semctl"),
    (4, "semtimedop"),
    (11, "msgsnd"),
    (12, "msgrcv"),
    (13, "msgget"),
    (14, "msgctl"),
    (21, "shmat"),
    (22, "shmdt"),
    (23, "shmget"),
    (24, "shmctl"),
];

/// The actions from the strictest to the most permissive (seccomp(2)).
fn rank(action: Action) -> u8 {
    match action {
        Action::KillProcess => 0,
        Action::KillThread => 1,
        Action::Trap => 2,
        Action::Errno(_) => 3,
        Action::Notify => 4,
        Action::Trace(_) => 5,
        Action::Log => 6,
        Action::Allow => 7,
    }
}

fn holds(condition: &Condition, wide: bool, data: &Data) -> bool {
    let bits = if wide { u64::MAX } else { 0xffff_ffff };
    let argument = data.arguments[usize::from(condition.index)] & bits;
    let value = condition.value & bits;
    match condition.operator {
        Operator::NotEqual => argument != value,
        Operator::Less => argument < value,
        Operator::LessOrEqual => argument <= value,
        Operator::Equal => argument == value,
        Operator::GreaterOrEqual => argument >= value,
        Operator::Greater => argument > value,
        Operator::MaskedEqual => argument & value == condition.value_two & value,
    }
}

fn matches(rule: &Rule<'_>, wide: bool, data: &Data) -> bool {
    let mut indexes: Vec<u8> = rule.conditions.iter().map(|condition| condition.index).collect();
    indexes.sort_unstable();
    let distinct = indexes.windows(2).all(|pair| pair[0] != pair[1]);
    if distinct {
        rule.conditions.iter().all(|condition| holds(condition, wide, data))
    } else {
        rule.conditions.iter().any(|condition| holds(condition, wide, data))
    }
}

/// The real call behind a call of a multiplexer.
fn behind(multiplexer: &str, data: &Data) -> Option<&'static str> {
    let first = data.arguments[0];
    match multiplexer {
        "socketcall" => SOCKETCALLS.get((first as u32 as usize).wrapping_sub(1)).copied(),
        "ipc" => IPCS.iter().find(|(call, _)| *call == first & 0xffff).map(|(_, name)| *name),
        _ => None,
    }
}

/// A profile, evaluated for calls made on one architecture.
pub(super) struct Reference<'a> {
    profile: &'a Profile<'a>,
    native: Arch,
    arch: Arch,
    /// Every name of every rule in order, with its number on the architecture.
    mentions: Vec<(&'a Rule<'a>, &'a str, Option<u32>)>,
    multiplexers: [(&'static str, Option<u32>); 2],
}

fn number_of(name: &str, arch: Arch) -> Option<u32> {
    syscalls::find(name).and_then(|call| syscalls::number(call, arch.column()))
}

impl<'a> Reference<'a> {
    pub(super) fn new(profile: &'a Profile<'a>, native: Arch, arch: Arch) -> Self {
        let names = profile.rules.iter().flat_map(|rule| rule.names.iter().map(move |name| (rule, *name)));
        let mentions = names.map(|(rule, name)| (rule, name, number_of(name, arch))).collect();
        let multiplexers = ["socketcall", "ipc"].map(|name| (name, number_of(name, arch)));
        Reference { profile, native, arch, mentions, multiplexers }
    }

    /// The call's number without the bit of x32, or the answer if the filter does not list its architecture.
    fn known(&self, data: &Data) -> Result<u32, u32> {
        const KILL: u32 = 0;
        if data.arch != self.arch.audit() {
            return Err(KILL);
        }
        let listed = |arch| arch == self.native || self.profile.architectures.contains(&arch);
        match self.arch {
            Arch::X32 if data.number < X32_BIT => Err(KILL),
            Arch::X32 if listed(Arch::X32) => Ok(data.number - X32_BIT),
            Arch::X32 if data.number == u32::MAX && listed(Arch::X86_64) => Err(self.profile.default.ret()),
            arch if listed(arch) => Ok(data.number),
            _ => Err(KILL),
        }
    }

    /// Whether the call is newer than the profile.
    fn newer(&self, number: u32) -> bool {
        let numbers = self.mentions.iter().filter_map(|(_, _, number)| *number);
        let Some(largest) = numbers.filter(|number| *number < 0x0f_0000).max() else { return false };
        let private = self.arch == Arch::Arm && (0x0f_0000..0x0f_1000).contains(&number);
        let setup = matches!(self.arch, Arch::S390 | Arch::S390x) && number == 0;
        rank(self.profile.default) < 5
            && self.profile.default != Action::Errno(38)
            && (number > largest && !private || setup)
    }

    /// The value that the filter must return for this call.
    pub(super) fn answer(&self, data: &Data) -> u32 {
        const ENOSYS: u32 = 0x0005_0000 | 38;
        let number = match self.known(data) {
            Ok(number) if self.newer(number) => return ENOSYS,
            Ok(number) => number,
            Err(answer) => return answer,
        };
        let default = self.profile.default;
        let through = self.multiplexers.iter().find(|(_, own)| *own == Some(number));
        let behind = through.and_then(|(name, _)| behind(name, data));
        let mut conditional = None;
        for &(rule, name, own) in self.mentions.iter().filter(|(rule, ..)| rule.action != default) {
            if own == Some(number) {
                if rule.conditions.is_empty() {
                    return rule.action.ret();
                }
                if conditional.is_none() && matches(rule, self.arch.wide(), data) {
                    conditional = Some(rule.action);
                }
            }
            if behind == Some(name) && (rule.conditions.is_empty() || rank(rule.action) <= rank(default)) {
                conditional = conditional.or(Some(rule.action));
            }
        }
        conditional.unwrap_or(default).ret()
    }
}
