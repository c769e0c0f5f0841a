//! Resolves a profile: decides the outcome of every system call number of every architecture.
//!
//! The result is a list of spans for each architecture that the kernel can report. A span is a range of numbers with
//! one outcome: a return value, or a chain of conditions to test. Leaves the instructions to `emit`.
//!
//! Semantics, the same as those of libseccomp as runc uses it unless stated otherwise:
//!
//! * A rule whose action is the default action is skipped, with its conditions.
//! * For each call, the first rule without conditions decides alone. Rules with conditions, before or after it, and
//!   later rules without conditions have no effect.
//! * If every rule for a call has conditions, the rules are tested in order. The first that matches decides. The
//!   default action applies if none matches.
//! * All conditions of a rule must hold. Exception: a rule with several conditions on one argument is split into rules
//!   with one condition each.
//! * A call on an architecture that is not listed kills the thread. So does an x32 call if x32 is not listed.
//! * Numbers above the largest one that the profile names on an architecture fail with `ENOSYS`, unless the default
//!   action lets calls pass (allow, log, trace). A newer libc then falls back to older calls; the default action would
//!   break it. ARM's private calls are excepted. On s390 and s390x an unknown call arrives as number 0, which also
//!   fails with `ENOSYS`.
//! * A rule for a call that can also be made through `socketcall` or `ipc` applies there too. Its conditions cannot be
//!   checked there, so libseccomp drops them. This compiler drops them only if the filter becomes no weaker: a rule
//!   with conditions that allows more than the default action does not apply to the multiplexed call.

use super::arch::{Arch, X32_BIT};
use super::multiplex::{Multiplexer, multiplexed};
use super::{Action, Profile, UnknownName};
use crate::bpf::syscalls::{self, ARM_PRIVATE_BASE, Call};

/// The outcome of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The filter returns this value.
    Return(u32),
    /// The chain with this index decides.
    Chain(usize),
}

/// The numbers from `start` to the start of the next span have one outcome.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) outcome: Outcome,
}

/// The spans for one value of `seccomp_data.arch`.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) audit: u32,
    pub(super) spans: Vec<Span>,
}

/// One way in which a call can match a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// The rule, as an index into the profile's rules.
    pub(super) rule: usize,
    /// If set, the call was made through a multiplexer. The first argument must be the number of this call, and the
    /// rule's own conditions are not tested.
    pub(super) through: Option<(Multiplexer, u8)>,
}

/// Rules to test in order. The default action applies if none matches.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chain {
    /// Whether arguments are compared as 64 bit values.
    pub(super) wide: bool,
    pub(super) links: Vec<Link>,
}

/// A resolved profile.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) tables: Vec<Table>,
    pub(super) chains: Vec<Chain>,
    pub(super) unknown: Vec<UnknownName>,
}

/// A name of a rule, found in the table.
struct Entry {
    rule: usize,
    call: Call,
    multiplexed: Option<(Multiplexer, u8)>,
    /// The rule's action is the default action, so the name counts only for the largest number.
    redundant: bool,
}

/// Resolves the profile for a container whose own architecture is `native`.
pub(super) fn resolve(profile: &Profile<'_>, native: Arch) -> Resolved {
    let mut unknown = Vec::new();
    let entries = entries(profile, &mut unknown);
    let mut resolver = Resolver {
        profile,
        entries,
        multiplexers: [Multiplexer::Socketcall, Multiplexer::Ipc].map(|m| (m, syscalls::find(m.name()))),
        chains: Vec::new(),
    };

    // No kernel runs programs of the other byte order, so a table for such an architecture would never be used.
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

/// Spans in ascending order. Adjacent spans with the same outcome are merged.
#[derive(Default)]
struct Spans(Vec<Span>);

impl Spans {
    /// Sets the outcome from `start` on.
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

/// A system call number, a position in the profile, and a way in which the rule there applies to the call.
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

    /// All mentions of this architecture's calls, sorted by number, and the largest number of its regular calls.
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

    /// Whether the rule may apply to a multiplexed call, whose arguments cannot be checked.
    fn holds_when_multiplexed(&self, rule: usize) -> bool {
        let rule = &self.profile.rules[rule];
        rule.conditions.is_empty() || rule.action.permits() <= self.profile.default.permits()
    }

    /// The outcome of the rules that mention one number.
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
        Outcome::Chain(index)
    }

    fn unknown_is_enosys(&self) -> bool {
        !matches!(self.profile.default, Action::Allow | Action::Log | Action::Trace(_) | Action::Errno(ENOSYS))
    }

    /// Makes numbers above `largest` fail with `ENOSYS`. Existing spans above it are those of ARM's private calls.
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

/// `ENOSYS` of the architecture that this program was built for, which is the kernel's.
const ENOSYS: u16 = libc::ENOSYS as u16;

/// How many numbers the kernel reserves for ARM's private calls.
const ARM_PRIVATE_CALLS: u32 = 0x1000;
