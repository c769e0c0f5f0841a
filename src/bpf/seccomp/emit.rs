//! Encodes a resolved profile as instructions.
//!
//! The program is written from its end, in this order:
//!
//! 1. the chains of conditions;
//! 2. one balanced tree of comparisons for each architecture, the native one last, so that it comes first in the
//!    program;
//! 3. the choice of the architecture.
//!
//! When a filter is installed, the kernel runs it for every call number, so short programs and short paths save time.

use libc::sock_filter;

use super::arch::Arch;
use super::assembler::{Assembler, Label, Test};
use super::resolve::{Chain, Link, Outcome, Resolved, Span};
use super::{Action, Condition, Operator, Profile};

/// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const ARGUMENTS: u32 = 16;

/// Writes the program.
pub(super) fn emit(profile: &Profile<'_>, resolved: &Resolved, native: Arch) -> Vec<sock_filter> {
    let mut writer = Writer { profile, code: Assembler::new(), little_endian: native.little_endian() };
    let chains: Vec<Label> = resolved.chains.iter().map(|chain| writer.chain(chain)).collect();
    let mut archs: Vec<(u32, Label)> = Vec::with_capacity(resolved.tables.len());
    for table in resolved.tables.iter().rev() {
        let tree = writer.tree(&table.spans, &chains);
        archs.push((table.audit, writer.code.load(NUMBER, tree)));
    }
    let mut choice = writer.code.ret(Action::KillThread.ret());
    for (audit, tree) in archs {
        choice = writer.code.branch(Test::Equal, audit, tree, choice);
    }
    writer.code.load(ARCH, choice);
    writer.code.finish()
}

struct Writer<'a> {
    profile: &'a Profile<'a>,
    code: Assembler,
    little_endian: bool,
}

/// Whether the spans are a single number with the same other outcome on both sides.
fn is_point(spans: &[Span]) -> bool {
    matches!(spans, [before, number, after] if before.outcome == after.outcome && after.start - number.start == 1)
}

/// The index at which to split: the middle. A short list is split so that a point (see `is_point`) stays in one half.
fn middle(spans: &[Span]) -> usize {
    match spans.len() {
        4 | 5 if is_point(&spans[..3]) => 3,
        len @ (4 | 5) if is_point(&spans[len - 3..]) => len - 3,
        len => len / 2,
    }
}

/// One test of a chain: if all conditions hold, the filter returns the answer.
struct Question {
    conditions: Vec<Condition>,
    answer: u32,
}

impl Writer<'_> {
    /// A balanced search over spans; the accumulator holds the system call number.
    fn tree(&mut self, spans: &[Span], chains: &[Label]) -> Label {
        match spans {
            [only] => match only.outcome {
                Outcome::Return(value) => self.code.ret(value),
                Outcome::Chain(chain) => chains[chain],
            },
            // A single number inside another span needs one test for equality instead of two for order.
            [_, number, _] if is_point(spans) => {
                let around = self.tree(&spans[..1], chains);
                let at = self.tree(&spans[1..2], chains);
                self.code.branch(Test::Equal, number.start, at, around)
            }
            _ => {
                let middle = middle(spans);
                let above = self.tree(&spans[middle..], chains);
                let below = self.tree(&spans[..middle], chains);
                self.code.branch(Test::GreaterOrEqual, spans[middle].start, above, below)
            }
        }
    }

    /// Tests the links of a chain in order. The default action applies if none matches.
    fn chain(&mut self, chain: &Chain) -> Label {
        let mut questions = Vec::new();
        for link in &chain.links {
            self.questions(link, &mut questions);
        }
        let mut next = self.code.ret(self.profile.default.ret());
        let mut rest = questions.as_slice();
        while let Some(last) = rest.last() {
            let run = rest.iter().rev().take_while(|other| last.joins(other, chain.wide)).count();
            if run > 1 {
                let (before, same) = rest.split_at(rest.len() - run);
                next = self.one_of(same, chain.wide, next);
                rest = before;
                continue;
            }
            let mut holds = self.code.ret(last.answer);
            for condition in last.conditions.iter().rev() {
                holds = self.compare(condition, chain.wide, holds, next);
            }
            next = holds;
            rest = &rest[..rest.len() - 1];
        }
        next
    }

    /// Adds the questions of a link. Several conditions on one argument are alternatives.
    fn questions(&self, link: &Link, questions: &mut Vec<Question>) {
        let rule = &self.profile.rules[link.rule];
        let answer = rule.action.ret();
        if let Some((multiplexer, call)) = link.through {
            let (mask, call) = (multiplexer.mask(), u64::from(call));
            let condition = Condition { index: 0, operator: Operator::MaskedEqual, value: mask, value_two: call };
            questions.push(Question { conditions: vec![condition], answer });
            return;
        }
        let mut seen = 0u8;
        let repeated = rule.conditions.iter().any(|condition| {
            let bit = 1u8 << condition.index;
            let again = seen & bit != 0;
            seen |= bit;
            again
        });
        if repeated {
            questions.extend(rule.conditions.iter().map(|&one| Question { conditions: vec![one], answer }));
        } else {
            questions.push(Question { conditions: rule.conditions.clone(), answer });
        }
    }

    /// Writes several questions about one argument. The program loads the argument and tests its upper half only once.
    fn one_of(&mut self, questions: &[Question], wide: bool, no: Label) -> Label {
        let first = questions[0].equality().unwrap_or_default();
        let mut found = no;
        for question in questions.iter().rev() {
            let answer = self.code.ret(question.answer);
            found = self.code.branch(Test::Equal, question.equality().unwrap_or_default().value as u32, answer, found);
        }
        let low = self.code.and(first.mask as u32, found);
        let low = self.code.load(self.low(first.index), low);
        if wide { self.upper_half(&first, low, no) } else { low }
    }

    /// Tests the upper half. Continues at `low` if it is equal.
    fn upper_half(&mut self, equality: &Equality, low: Label, no: Label) -> Label {
        let mask = (equality.mask >> 32) as u32;
        if mask == 0 {
            return low;
        }
        let equal = self.code.branch(Test::Equal, (equality.value >> 32) as u32, low, no);
        if equal == low {
            return low;
        }
        let masked = self.code.and(mask, equal);
        self.code.load(self.high(equality.index), masked)
    }

    fn compare(&mut self, condition: &Condition, wide: bool, yes: Label, no: Label) -> Label {
        let &Condition { index, operator, value, value_two } = condition;
        match operator {
            Operator::Equal => self.equal(&Equality { index, mask: u64::MAX, value }, wide, yes, no),
            Operator::NotEqual => self.equal(&Equality { index, mask: u64::MAX, value }, wide, no, yes),
            Operator::MaskedEqual => {
                self.equal(&Equality { index, mask: value, value: value & value_two }, wide, yes, no)
            }
            Operator::Greater => self.order(Test::Greater, index, value, wide, yes, no),
            Operator::GreaterOrEqual => self.order(Test::GreaterOrEqual, index, value, wide, yes, no),
            Operator::Less => self.order(Test::GreaterOrEqual, index, value, wide, no, yes),
            Operator::LessOrEqual => self.order(Test::Greater, index, value, wide, no, yes),
        }
    }

    fn equal(&mut self, equality: &Equality, wide: bool, yes: Label, no: Label) -> Label {
        if yes == no {
            return yes;
        }
        let low = if equality.mask as u32 == 0 {
            yes
        } else {
            let equal = self.code.branch(Test::Equal, equality.value as u32, yes, no);
            let masked = self.code.and(equality.mask as u32, equal);
            self.code.load(self.low(equality.index), masked)
        };
        if wide { self.upper_half(equality, low, no) } else { low }
    }

    fn order(&mut self, test: Test, index: u8, value: u64, wide: bool, yes: Label, no: Label) -> Label {
        if yes == no {
            return yes;
        }
        let low = self.code.branch(test, value as u32, yes, no);
        let low = self.code.load(self.low(index), low);
        if !wide {
            return low;
        }
        let upper = (value >> 32) as u32;
        let not_above = self.code.branch(Test::Equal, upper, low, no);
        let above = self.code.branch(Test::Greater, upper, yes, not_above);
        self.code.load(self.high(index), above)
    }

    /// Offset of the lower half of an argument.
    fn low(&self, index: u8) -> u32 {
        ARGUMENTS + 8 * u32::from(index) + if self.little_endian { 0 } else { 4 }
    }

    /// Offset of the upper half of an argument.
    fn high(&self, index: u8) -> u32 {
        ARGUMENTS + 8 * u32::from(index) + if self.little_endian { 4 } else { 0 }
    }
}

/// `arg & mask == value`. The value has no bits outside the mask.
#[derive(Default)]
struct Equality {
    index: u8,
    mask: u64,
    value: u64,
}

impl Question {
    /// The question as a single test for equality, or `None` if it is something else.
    fn equality(&self) -> Option<Equality> {
        let &[Condition { index, operator, value, value_two }] = self.conditions.as_slice() else { return None };
        match operator {
            Operator::Equal => Some(Equality { index, mask: u64::MAX, value }),
            Operator::MaskedEqual => Some(Equality { index, mask: value, value: value & value_two }),
            _ => None,
        }
    }

    /// Whether both test the same bits of one argument and differ at most in the lower half of the value.
    fn joins(&self, other: &Question, wide: bool) -> bool {
        let (Some(this), Some(other)) = (self.equality(), other.equality()) else { return false };
        this.index == other.index
            && this.mask == other.mask
            && this.mask as u32 != 0
            && (!wide || this.value >> 32 == other.value >> 32)
    }
}
