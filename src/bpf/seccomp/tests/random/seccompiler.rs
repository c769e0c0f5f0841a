//! Compares random profiles with the `seccompiler` crate as far as it supports them.

use std::collections::BTreeMap;

use ::seccompiler::{SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule};

use super::*;

/// `seccompiler` supports two actions and one architecture, and has no ENOSYS rule.
#[test]
fn seccompiler_agrees() {
    let mut random = Random(0x2545_f491_4f6c_dd1d, &[]);
    for round in 0..1000 {
        // With both defaults, calls newer than the profile get the same answer as the default.
        let (default, action, mismatch, matched) = if round % 2 == 0 {
            (Action::Allow, Action::Errno(7), SeccompAction::Allow, SeccompAction::Errno(7))
        } else {
            (Action::Errno(38), Action::Allow, SeccompAction::Errno(38), SeccompAction::Allow)
        };
        let rules: Vec<Rule<'_>> = (0..1 + random.below(8)).map(|_| rule(&mut random, action)).collect();
        let profile = Profile { default, architectures: Vec::new(), rules };
        let ours = compiled(&profile, Arch::X86_64);
        let filter = SeccompFilter::new(translate(&profile), mismatch, matched, ::seccompiler::TargetArch::x86_64);
        let theirs: ::seccompiler::BpfProgram = filter.expect("a filter").try_into().expect("a program");
        let theirs: Vec<sock_filter> =
            theirs.iter().map(|one| sock_filter { code: one.code, jt: one.jt, jf: one.jf, k: one.k }).collect();
        for _ in 0..300 {
            let data = Data {
                number: number(&mut random, Arch::X86_64),
                arch: Arch::X86_64.audit(),
                arguments: [(); 6].map(|()| argument(&mut random)),
                ..Data::default()
            };
            assert_eq!(run(&ours, &data), run(&theirs, &data), "{data:x?} of {profile:#?}");
        }
    }
}

fn translate(profile: &Profile<'_>) -> BTreeMap<i64, Vec<SeccompRule>> {
    let mut calls: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    let mut always = Vec::new();
    for rule in &profile.rules {
        let indexes = rule.conditions.iter().map(|condition| condition.index);
        let distinct = indexes.clone().all(|index| indexes.clone().filter(|other| *other == index).count() == 1);
        for name in &rule.names {
            let column = Arch::X86_64.column();
            let Some(number) = syscalls::find(name).and_then(|call| syscalls::number(call, column)) else { continue };
            let translated: Vec<SeccompCondition> = rule.conditions.iter().map(translate_condition).collect();
            let known = calls.entry(i64::from(number)).or_default();
            match translated.as_slice() {
                [] => always.push(i64::from(number)),
                all if distinct => known.push(SeccompRule::new(all.to_vec()).expect("a rule")),
                alternatives => {
                    known.extend(alternatives.iter().map(|one| SeccompRule::new(vec![one.clone()]).expect("a rule")))
                }
            }
        }
    }
    for number in always {
        calls.insert(number, Vec::new());
    }
    calls
}

fn translate_condition(condition: &Condition) -> SeccompCondition {
    let (operator, value) = match condition.operator {
        Operator::NotEqual => (SeccompCmpOp::Ne, condition.value),
        Operator::Less => (SeccompCmpOp::Lt, condition.value),
        Operator::LessOrEqual => (SeccompCmpOp::Le, condition.value),
        Operator::Equal => (SeccompCmpOp::Eq, condition.value),
        Operator::GreaterOrEqual => (SeccompCmpOp::Ge, condition.value),
        Operator::Greater => (SeccompCmpOp::Gt, condition.value),
        // In `seccompiler`, a value with bits outside the mask never matches. Here and in libseccomp, those bits are
        // ignored.
        Operator::MaskedEqual => (SeccompCmpOp::MaskedEq(condition.value), condition.value & condition.value_two),
    };
    SeccompCondition::new(condition.index, SeccompCmpArgLen::Qword, operator, value).expect("a condition")
}
