//! Decides what a profile means for every system call number of every architecture.
//!
//! The result is, for each architecture the kernel can report, a list of spans of numbers with one outcome each, and
//! the chains of conditions that some outcomes ask. It knows nothing of instructions: `emit` writes them.
//!
//! The rules of meaning, which are those of libseccomp as runc uses it unless said otherwise:
//!
//! * A rule whose action is the default action is skipped, with its conditions.
//! * For one call, the first rule without conditions decides alone; rules with conditions, before it or after it, and
//!   later rules without conditions do not count. Otherwise the rules with conditions are asked in their order, the first
//!   that matches decides, and the default action applies if none does.
//! * All conditions of a rule must hold, but a rule with several conditions on one argument is as many rules with one
//!   condition each.
//! * A call on an architecture that is not listed kills the thread. So does an x32 call where x32 is not listed.
//! * Unless the default action lets calls pass (allow, log, trace), numbers above the largest one that the profile
//!   names on an architecture answer `ENOSYS`: a newer libc then falls back to older calls, where the default action would
//!   break it. ARM's private calls are not such numbers. On s390 and s390x number 0 is how an unknown call arrives.
//! * A rule for a call that is also reached through `socketcall` or `ipc` applies there too. Its conditions cannot be
//!   checked there; libseccomp then drops them. Here that is done only if it makes the filter no weaker: a rule with
//!   conditions that allows more than the default action does not open the multiplexed way.

use super::arch::{Arch, X32_BIT};
use super::multiplex::{Multiplexer, multiplexed};
use super::{Action, Profile, UnknownName};
use crate::bpf::syscalls::{self, ARM_PRIVATE_BASE, Call};

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The filter returns this value.
    Return(u32),
    /// The chain with this index decides.
    Ask(usize),
}

/// Numbers from `start` up to the start of the next span share an outcome.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) outcome: Outcome,
}

/// Everything that holds for one value of `seccomp_data.arch`.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) audit: u32,
    pub(super) spans: Vec<Span>,
}

/// One way in which a call may match a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// The rule, as an index into the profile's rules.
    pub(super) rule: usize,
    /// If set, the call was made through a multiplexer: the first argument must choose this call, and the rule's own
    /// conditions are not asked.
    pub(super) through: Option<(Multiplexer, u8)>,
}

/// Rules to ask in order; the default action ends the chain.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chain {
    /// Whether arguments are compared in 64 bits.
    pub(super) wide: bool,
    pub(super) links: Vec<Link>,
}

/// A profile, decided.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) tables: Vec<Table>,
    pub(super) chains: Vec<Chain>,
    pub(super) unknown: Vec<UnknownName>,
}

/// A name of a rule that the table knows.
struct Entry {
    rule: usize,
    call: Call,
    multiplexed: Option<(Multiplexer, u8)>,
    /// The rule does what the default action does anyway; the name counts only for the largest number.
    redundant: bool,
}

/// Decides the profile for a container whose own architecture is `native`.
pub(super) fn resolve(profile: &Profile<'_>, native: Arch) -> Resolved {
    let mut unknown = Vec::new();
    let entries = entries(profile, &mut unknown);
    let mut resolver = Resolver {
        profile,
        entries,
        multiplexers: [Multiplexer::Socketcall, Multiplexer::Ipc].map(|m| (m, syscalls::find(m.name()))),
        chains: Vec::new(),
    };

    // Arguments are read in the byte order of the kernel, and no kernel runs programs of the other one: a table for
    // such an architecture could never be asked.
    let mut archs: Vec<Arch> = vec![native];
    for &arch in &profile.architectures {
        if !archs.contains(&arch) && arch.little_endian() == native.little_endian() {
            archs.push(arch);
        }
    }
    let mut tables: Vec<Table> = Vec::new();
    for &arch in &archs {
        if tables.iter().any(|table| table.audit == arch.audit()) {
            continue;
        }
        let spans = if arch.audit() == Arch::X86_64.audit() {
            let listed = |arch| archs.contains(&arch);
            resolver.x86_64(listed(Arch::X86_64), listed(Arch::X32))
        } else {
            let mut spans = Spans::default();
            resolver.calls(arch, &mut spans);
            spans.0
        };
        tables.push(Table { audit: arch.audit(), spans });
    }
    Resolved { tables, chains: resolver.chains, unknown }
}

fn entries(profile: &Profile<'_>, unknown: &mut Vec<UnknownName>) -> Vec<Entry> {
    let mut entries = Vec::with_capacity(profile.rules.iter().map(|rule| rule.names.len()).sum());
    for (rule, written) in profile.rules.iter().enumerate() {
        let redundant = written.action == profile.default;
        for (name, text) in written.names.iter().enumerate() {
            match syscalls::find(text) {
                Some(call) => entries.push(Entry { rule, call, multiplexed: multiplexed(text), redundant }),
                None => unknown.push(UnknownName { rule, name }),
            }
        }
    }
    entries
}

/// Spans in rising order; neighbours with one outcome become one span.
#[derive(Default)]
struct Spans(Vec<Span>);

impl Spans {
    /// From `start` on, the outcome is this one.
    fn from(&mut self, start: u32, outcome: Outcome) {
        if self.0.last().is_some_and(|last| last.start == start) {
            self.0.pop();
        }
        if self.0.last().is_none_or(|last| last.outcome != outcome) {
            self.0.push(Span { start, outcome });
        }
    }
}

struct Resolver<'a> {
    profile: &'a Profile<'a>,
    entries: Vec<Entry>,
    multiplexers: [(Multiplexer, Option<Call>); 2],
    chains: Vec<Chain>,
}

/// A system call number and, in the order of the profile, a way in which a rule applies to it.
type Mention = (u32, u32, Link);

impl Resolver<'_> {
    /// x86_64 and x32 share an audit architecture and differ in a bit of the number.
    fn x86_64(&mut self, plain: bool, x32: bool) -> Vec<Span> {
        let foreign = Outcome::Return(Action::KillThread.ret());
        let mut spans = Spans::default();
        if plain {
            self.calls(Arch::X86_64, &mut spans);
        } else {
            spans.from(0, foreign);
        }
        if x32 {
            self.calls(Arch::X32, &mut spans);
        } else {
            spans.from(X32_BIT, foreign);
            // A tracer that skips a call sets its number to -1, which happens to have the bit of x32.
            spans.from(u32::MAX, Outcome::Return(self.profile.default.ret()));
        }
        spans.0
    }

    /// Adds the spans of one architecture.
    fn calls(&mut self, arch: Arch, spans: &mut Spans) {
        let base = if arch == Arch::X32 { X32_BIT } else { 0 };
        let default = Outcome::Return(self.profile.default.ret());
        let (mentions, largest) = self.mentions(arch);
        spans.from(base, default);
        for same in mentions.chunk_by(|one, other| one.0 == other.0) {
            let (number, outcome) = (base + same[0].0, self.outcome(arch, same));
            if outcome != default {
                spans.from(number, outcome);
                spans.from(number + 1, default);
            }
        }
        if let (Some(largest), true) = (largest, self.unknown_is_enosys()) {
            self.enosys(arch, base + largest, spans);
        }
    }

    /// All mentions of calls of this architecture by number, and the largest number among its regular calls.
    fn mentions(&self, arch: Arch) -> (Vec<Mention>, Option<u32>) {
        let column = arch.column();
        let mut largest = None;
        let mut mentions: Vec<Mention> = Vec::with_capacity(self.entries.len() + 8);
        let numbers = self.multiplexers.map(|(_, call)| call.and_then(|call| syscalls::number(call, column)));
        for (order, entry) in self.entries.iter().enumerate() {
            let order = order as u32;
            if let Some(number) = syscalls::number(entry.call, column) {
                if number < ARM_PRIVATE_BASE {
                    largest = largest.max(Some(number));
                }
                if !entry.redundant {
                    mentions.push((number, order, Link { rule: entry.rule, through: None }));
                }
            }
            let Some(through) = entry.multiplexed else { continue };
            if let Some(number) = numbers[through.0 as usize]
                && !entry.redundant
                && self.holds_when_multiplexed(entry.rule)
            {
                mentions.push((number, order, Link { rule: entry.rule, through: Some(through) }));
            }
        }
        mentions.sort_unstable_by_key(|&(number, order, _)| u64::from(number) << 32 | u64::from(order));
        (mentions, largest)
    }

    /// Whether the rule may apply where its conditions cannot be checked.
    fn holds_when_multiplexed(&self, rule: usize) -> bool {
        let rule = &self.profile.rules[rule];
        rule.conditions.is_empty() || rule.action.permits() <= self.profile.default.permits()
    }

    /// What the rules that mention one number make of it.
    fn outcome(&mut self, arch: Arch, mentions: &[Mention]) -> Outcome {
        let rules = &self.profile.rules;
        let alone =
            mentions.iter().find(|(_, _, link)| link.through.is_none() && rules[link.rule].conditions.is_empty());
        if let Some((_, _, link)) = alone {
            return Outcome::Return(rules[link.rule].action.ret());
        }
        let mut links: Vec<Link> = mentions.iter().map(|&(_, _, link)| link).collect();
        links.dedup();
        let chain = Chain { wide: arch.wide(), links };
        let index = self.chains.iter().position(|known| *known == chain).unwrap_or_else(|| {
            self.chains.push(chain);
            self.chains.len() - 1
        });
        Outcome::Ask(index)
    }

    fn unknown_is_enosys(&self) -> bool {
        !matches!(self.profile.default, Action::Allow | Action::Log | Action::Trace(_) | Action::Errno(ENOSYS))
    }

    /// Numbers above `largest` answer `ENOSYS`. Spans above it, if any, are those of ARM's private calls.
    fn enosys(&self, arch: Arch, largest: u32, spans: &mut Spans) {
        let enosys = Outcome::Return(Action::Errno(ENOSYS).ret());
        let default = Outcome::Return(self.profile.default.ret());
        let above = spans.0.partition_point(|span| span.start <= largest + 1);
        let private = spans.0.split_off(above);
        spans.from(largest + 1, enosys);
        if arch == Arch::Arm {
            spans.from(ARM_PRIVATE_BASE, default);
            for span in private {
                spans.from(span.start, span.outcome);
            }
            spans.from(ARM_PRIVATE_BASE + ARM_PRIVATE_CALLS, enosys);
        }
        if matches!(arch, Arch::S390 | Arch::S390x) {
            let first = spans.0[0].outcome;
            spans.0[0].outcome = enosys;
            if spans.0.get(1).is_none_or(|second| second.start > 1) {
                spans.0.insert(1, Span { start: 1, outcome: first });
            }
        }
    }
}

/// `ENOSYS`, "Function not implemented"; the number is the same wherever the kernel's own generic one is used.
const ENOSYS: u16 = libc::ENOSYS as u16;

/// How many numbers the kernel keeps for ARM's private calls.
const ARM_PRIVATE_CALLS: u32 = 0x1000;
