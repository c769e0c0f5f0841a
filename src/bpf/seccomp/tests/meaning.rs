//! Tests each name, and each rule of the semantics, separately.

use super::super::name::ActionError;
use super::super::problem::ProfileError;
use super::super::resolve;
use super::*;
use crate::bpf::seccomp::arch::X32_BIT;
use crate::bpf::syscalls;

const KILL: u32 = 0;
const ALLOW: u32 = 0x7fff_0000;
const EPERM: u32 = 0x0005_0001;
const ENOSYS: u32 = 0x0005_0026;
const READ: u32 = 0;
const WRITE: u32 = 1;

fn rule<'a>(names: &[&'a str], action: Action, conditions: &[Condition]) -> Rule<'a> {
    Rule { names: names.to_vec(), action, conditions: conditions.to_vec() }
}

fn when(index: u8, operator: Operator, value: u64) -> Condition {
    Condition { index, operator, value, value_two: 0 }
}

fn profile<'a>(default: Action, rules: Vec<Rule<'a>>) -> Profile<'a> {
    Profile { default, architectures: Vec::new(), rules }
}

/// The answer of the profile to this call on an x86_64 kernel.
fn ask(profile: &Profile<'_>, arch: Arch, number: u32, arguments: [u64; 6]) -> u32 {
    let program = compiled(profile, Arch::X86_64);
    run(&program, &Data { number, arch: arch.audit(), arguments, ..Data::default() })
}

#[test]
fn actions_map_to_the_kernels_return_values() {
    for (name, errno, action, value) in [
        ("SCMP_ACT_KILL", None, Action::KillThread, 0x0000_0000),
        ("SCMP_ACT_KILL_THREAD", None, Action::KillThread, 0x0000_0000),
        ("SCMP_ACT_KILL_PROCESS", None, Action::KillProcess, 0x8000_0000),
        ("SCMP_ACT_TRAP", None, Action::Trap, 0x0003_0000),
        ("SCMP_ACT_ERRNO", None, Action::Errno(1), 0x0005_0001),
        ("SCMP_ACT_ERRNO", Some(4095), Action::Errno(4095), 0x0005_0fff),
        ("SCMP_ACT_NOTIFY", None, Action::Notify, 0x7fc0_0000),
        ("SCMP_ACT_TRACE", None, Action::Trace(1), 0x7ff0_0001),
        ("SCMP_ACT_TRACE", Some(65535), Action::Trace(65535), 0x7ff0_ffff),
        ("SCMP_ACT_LOG", None, Action::Log, 0x7ffc_0000),
        ("SCMP_ACT_ALLOW", None, Action::Allow, 0x7fff_0000),
    ] {
        assert_eq!(Action::from_name(name, errno), Ok(action));
        assert!(Action::NAMES.contains(&name));
        // The action under test must not be the default one, or its rule would be skipped.
        let default = if action == Action::Allow { Action::Errno(1) } else { Action::Allow };
        let profile = profile(default, vec![rule(&["read"], action, &[])]);
        assert_eq!(ask(&profile, Arch::X86_64, READ, [0; 6]), value, "{name}");
        if action != Action::Notify {
            let profile = Profile { default: action, architectures: Vec::new(), rules: Vec::new() };
            assert_eq!(ask(&profile, Arch::X86_64, READ, [0; 6]), value, "{name} by default");
        }
    }
}

#[test]
fn actions_refuse_an_errno_they_cannot_return() {
    assert_eq!(Action::from_name("SCMP_ACT_ALLOW", Some(1)), Err(ActionError::ErrnoNotUsed));
    assert_eq!(Action::from_name("SCMP_ACT_EXPLODE", None), Err(ActionError::Unknown));
    let too_large = |errno, most| Err(ActionError::ErrnoTooLarge { errno, most });
    assert_eq!(Action::from_name("SCMP_ACT_ERRNO", Some(4096)), too_large(4096, 4095));
    assert_eq!(Action::from_name("SCMP_ACT_TRACE", Some(65536)), too_large(65536, 65535));
}

#[test]
fn operators_compare_64_bits_unsigned() {
    const PIVOT: u64 = 0x8000_0001_8000_0001;
    let others = [0, 1, PIVOT - 1, PIVOT, PIVOT + 1, PIVOT - (1 << 32), PIVOT + (1 << 32), PIVOT ^ 1 << 63, u64::MAX];
    for (name, operator) in Operator::ALL {
        assert_eq!(Operator::from_name(name), Some(operator));
        for argument in others {
            let expected = match name {
                "SCMP_CMP_NE" => argument != PIVOT,
                "SCMP_CMP_LT" => argument < PIVOT,
                "SCMP_CMP_LE" => argument <= PIVOT,
                "SCMP_CMP_EQ" => argument == PIVOT,
                "SCMP_CMP_GE" => argument >= PIVOT,
                "SCMP_CMP_GT" => argument > PIVOT,
                "SCMP_CMP_MASKED_EQ" => argument & PIVOT == 0x8000_0000_0000_0001,
                _ => panic!("{name} is new"),
            };
            let condition = Condition { index: 3, operator, value: PIVOT, value_two: 0x8000_0000_0000_0001 };
            let profile = profile(Action::Errno(1), vec![rule(&["read"], Action::Allow, &[condition])]);
            let answer = ask(&profile, Arch::X86_64, READ, [9, 9, 9, argument, 9, 9]);
            assert_eq!(answer == ALLOW, expected, "{name} {argument:#x}");
        }
    }
    assert_eq!(Operator::from_name("SCMP_CMP_SAME"), None);
}

#[test]
fn narrow_architectures_compare_the_lower_half() {
    let profile = Profile {
        architectures: vec![Arch::X86],
        ..profile(Action::Errno(1), vec![rule(&["personality"], Action::Allow, &[when(0, Operator::Equal, u64::MAX)])])
    };
    let number = |arch: Arch| syscalls::find("personality").and_then(|call| syscalls::number(call, arch.column()));
    let numbers = [Arch::X86, Arch::X86_64].map(|arch| number(arch).expect("both have it"));
    assert_eq!(ask(&profile, Arch::X86, numbers[0], [0xffff_ffff; 6]), ALLOW);
    assert_eq!(ask(&profile, Arch::X86_64, numbers[1], [0xffff_ffff; 6]), EPERM);
    assert_eq!(ask(&profile, Arch::X86_64, numbers[1], [u64::MAX; 6]), ALLOW);
}

#[test]
fn conditions_on_different_arguments_must_all_hold() {
    let both = [when(0, Operator::Equal, 1), when(1, Operator::Equal, 2)];
    let profile = profile(Action::Errno(1), vec![rule(&["read"], Action::Allow, &both)]);
    assert_eq!(ask(&profile, Arch::X86_64, READ, [1, 2, 0, 0, 0, 0]), ALLOW);
    assert_eq!(ask(&profile, Arch::X86_64, READ, [1, 3, 0, 0, 0, 0]), EPERM);
    assert_eq!(ask(&profile, Arch::X86_64, READ, [0, 2, 0, 0, 0, 0]), EPERM);
}

#[test]
fn conditions_on_one_argument_are_alternatives() {
    let either = [when(0, Operator::Equal, 1), when(1, Operator::Equal, 2), when(0, Operator::Equal, 3)];
    let profile = profile(Action::Errno(1), vec![rule(&["read"], Action::Allow, &either)]);
    for (arguments, answer) in [([1, 0], ALLOW), ([0, 2], ALLOW), ([3, 0], ALLOW), ([0, 0], EPERM)] {
        assert_eq!(ask(&profile, Arch::X86_64, READ, [arguments[0], arguments[1], 0, 0, 0, 0]), answer);
    }
}

#[test]
fn a_rule_without_conditions_decides_alone() {
    let narrow = rule(&["read"], Action::Errno(5), &[when(0, Operator::Equal, 1)]);
    let plain = rule(&["read"], Action::Errno(6), &[]);
    let later = rule(&["read"], Action::Errno(7), &[]);
    for rules in [vec![narrow.clone(), plain.clone(), later.clone()], vec![plain, later, narrow]] {
        assert_eq!(ask(&profile(Action::Allow, rules), Arch::X86_64, READ, [1; 6]), 0x0005_0006);
    }
}

#[test]
fn the_first_condition_that_holds_decides() {
    let small = rule(&["read"], Action::Errno(5), &[when(0, Operator::Less, 10)]);
    let large = rule(&["read"], Action::Errno(6), &[when(0, Operator::Greater, 5)]);
    let profile = profile(Action::Allow, vec![small, large]);
    for (argument, answer) in [(3, 0x0005_0005), (7, 0x0005_0005), (12, 0x0005_0006)] {
        assert_eq!(ask(&profile, Arch::X86_64, READ, [argument; 6]), answer);
    }
}

#[test]
fn rules_that_do_what_the_default_does_are_skipped() {
    let same = rule(&["read"], Action::Errno(1), &[]);
    let other = rule(&["read"], Action::Allow, &[]);
    assert_eq!(ask(&profile(Action::Errno(1), vec![same, other]), Arch::X86_64, READ, [0; 6]), ALLOW);
}

#[test]
fn foreign_architectures_and_unlisted_x32_are_killed() {
    let mut profile = profile(Action::Allow, vec![rule(&["read"], Action::Errno(1), &[])]);
    for arch in [Arch::X86, Arch::Aarch64, Arch::Mips, Arch::Riscv64] {
        assert_eq!(ask(&profile, arch, WRITE, [0; 6]), KILL, "{arch:?}");
    }
    for number in [X32_BIT, X32_BIT + 1, X32_BIT + 512, 0x7fff_ffff, 0x8000_0000, u32::MAX - 1] {
        assert_eq!(ask(&profile, Arch::X86_64, number, [0; 6]), KILL, "{number:#x}");
    }
    assert_eq!(ask(&profile, Arch::X86_64, u32::MAX, [0; 6]), ALLOW, "a call that a tracer skips");
    profile.architectures = vec![Arch::X32, Arch::X86];
    assert_eq!(ask(&profile, Arch::X86_64, X32_BIT, [0; 6]), EPERM);
    assert_eq!(ask(&profile, Arch::X86_64, X32_BIT + 1, [0; 6]), ALLOW);
    assert_eq!(ask(&profile, Arch::X86, 3, [0; 6]), EPERM);
}

#[test]
fn calls_newer_than_the_profile_answer_enosys() {
    let names = ["read", "write"];
    for (default, above) in [
        (Action::Errno(1), ENOSYS),
        (Action::KillThread, ENOSYS),
        (Action::KillProcess, ENOSYS),
        (Action::Trap, ENOSYS),
        (Action::Errno(38), ENOSYS),
        (Action::Allow, ALLOW),
        (Action::Log, 0x7ffc_0000),
        (Action::Trace(3), 0x7ff0_0003),
    ] {
        let profile = profile(default, vec![rule(&names, Action::Errno(5), &[])]);
        assert_eq!(ask(&profile, Arch::X86_64, WRITE, [0; 6]), 0x0005_0005);
        assert_eq!(ask(&profile, Arch::X86_64, 2, [0; 6]), above, "{default:?}");
        assert_eq!(ask(&profile, Arch::X86_64, 5000, [0; 6]), above, "{default:?}");
    }
    // A skipped rule still counts for the largest number of the profile.
    let skipped = rule(&["close"], Action::Errno(1), &[]);
    let profile = profile(Action::Errno(1), vec![rule(&names, Action::Allow, &[]), skipped]);
    assert_eq!(ask(&profile, Arch::X86_64, 3, [0; 6]), EPERM);
    assert_eq!(ask(&profile, Arch::X86_64, 4, [0; 6]), ENOSYS);
}

#[test]
fn an_architecture_without_any_call_of_the_profile_has_no_newer_calls() {
    let profile = Profile { architectures: vec![Arch::X86], ..profile(Action::Errno(1), Vec::new()) };
    assert_eq!(ask(&profile, Arch::X86_64, 5000, [0; 6]), EPERM);
    assert_eq!(ask(&profile, Arch::X86, 5000, [0; 6]), EPERM);
}

#[test]
fn s390_answers_enosys_to_call_0() {
    for (default, expected) in [(Action::Errno(1), ENOSYS), (Action::Allow, ALLOW)] {
        let profile = profile(default, vec![rule(&["exit"], Action::Log, &[])]);
        let resolved = resolve::resolve(&profile, Arch::S390x);
        let first = resolved.tables[0].spans[0];
        assert_eq!((first.start, first.outcome), (0, resolve::Outcome::Return(expected)));
        assert_eq!(resolved.tables[0].spans[1].outcome, resolve::Outcome::Return(0x7ffc_0000));
    }
}

#[test]
fn rules_apply_to_multiplexed_calls_but_conditional_ones_never_allow_them() {
    const SOCKETCALL: u32 = 102;
    let ask_x86 = |default, rules, number, first| {
        let profile = Profile { architectures: vec![Arch::X86], ..profile(default, rules) };
        ask(&profile, Arch::X86, number, [first, 16, 0, 0, 0, 0])
    };
    let vsock = [when(0, Operator::Equal, 40)];
    // Without conditions, the call is allowed directly and through the multiplexer, and no other call is.
    let plain = || vec![rule(&["socket", "semop", "splice"], Action::Allow, &[])];
    assert_eq!(ask_x86(Action::Errno(1), plain(), SOCKETCALL, 1), ALLOW);
    assert_eq!(ask_x86(Action::Errno(1), plain(), SOCKETCALL, 2), EPERM);
    assert_eq!(ask_x86(Action::Errno(1), plain(), 117, 1), ALLOW);
    assert_eq!(ask_x86(Action::Errno(1), plain(), 117, 0x1_0001), ALLOW);
    assert_eq!(ask_x86(Action::Errno(1), plain(), 117, 2), EPERM);
    // The conditions of a denying rule are dropped. Those of an allowing rule are not.
    let forbid = || vec![rule(&["socket"], Action::Errno(1), &vsock)];
    assert_eq!(ask_x86(Action::Allow, forbid(), SOCKETCALL, 1), EPERM);
    assert_eq!(ask_x86(Action::Allow, forbid(), SOCKETCALL, 2), ALLOW);
    let allow = || vec![rule(&["socket"], Action::Allow, &vsock)];
    assert_eq!(ask_x86(Action::Errno(1), allow(), SOCKETCALL, 1), EPERM);
    // A rule that names the multiplexer itself decides.
    let own = || vec![rule(&["socket"], Action::Errno(5), &[]), rule(&["socketcall"], Action::Allow, &[])];
    assert_eq!(ask_x86(Action::Errno(1), own(), SOCKETCALL, 1), ALLOW);
}

#[test]
fn unknown_names_are_skipped_and_reported() {
    let profile = profile(
        Action::Errno(1),
        vec![rule(&["read"], Action::Allow, &[]), rule(&["write", "opnat2", "close"], Action::Allow, &[])],
    );
    let filter = compile(&profile).expect("it compiles");
    assert_eq!(filter.unknown, [UnknownName { rule: 1, name: 1 }]);
    assert!(!filter.notifies);
}

#[test]
fn all_mistakes_are_reported_with_their_places() {
    let far = when(6, Operator::Equal, 0);
    let profile = profile(
        Action::Notify,
        vec![
            rule(&[], Action::Allow, &[]),
            rule(&["read", "", "write"], Action::Notify, &[when(5, Operator::Equal, 0), far]),
        ],
    );
    let places: Vec<(String, String)> = compile(&profile)
        .expect_err("it has mistakes")
        .iter()
        .map(|problem: &ProfileError| (problem.place(), problem.to_string()))
        .collect();
    let expected = [
        ("/defaultAction", "SCMP_ACT_NOTIFY cannot be used as default action"),
        ("/syscalls/0/names", "at least one system call name is needed"),
        ("/syscalls/1/names/1", "empty string is not a valid syscall"),
        ("/syscalls/1/args/1/index", "6 is not the index of a system call argument (0 to 5)"),
    ];
    assert_eq!(places, expected.map(|(place, text)| (place.to_owned(), text.to_owned())));
}

#[test]
fn a_rule_that_notifies_requests_a_listener() {
    let profile = profile(Action::Allow, vec![rule(&["mount"], Action::Notify, &[])]);
    assert!(compile(&profile).expect("it compiles").notifies);
}

#[test]
fn long_programs_use_long_jumps_and_too_long_ones_are_refused() {
    let with = |rules: u64| {
        let rules = (0..rules).map(|n| {
            rule(
                &["read"],
                Action::Errno(2 + (n % 90) as u16),
                &[when(0, Operator::GreaterOrEqual, n << 32 | n), when(1, Operator::Equal, n)],
            )
        });
        profile(Action::Allow, rules.collect())
    };
    let profile = with(400);
    let program = compiled(&profile, Arch::X86_64);
    assert!(program.len() > 3000);
    for n in [0, 1, 89, 90, 200, 399] {
        assert_eq!(
            run(
                &program,
                &Data {
                    number: READ,
                    arch: Arch::X86_64.audit(),
                    arguments: [u64::MAX, n, 0, 0, 0, 0],
                    ..Data::default()
                }
            ),
            0x0005_0002 + n as u32 % 90
        );
    }
    let problems = compile(&with(700)).expect_err("it is too long");
    assert!(matches!(problems[..], [ProfileError::TooLong { instructions: 4097.. }]), "{problems:?}");
}

#[test]
fn every_architecture_has_a_name_and_allows_only_its_own_calls() {
    for (name, arch) in Arch::ALL {
        assert_eq!(Arch::from_name(name), Some(arch));
        let call = syscalls::find("read").expect("every architecture reads");
        let number = syscalls::number(call, arch.column()).expect("every architecture reads");
        let number = if arch == Arch::X32 { number | X32_BIT } else { number };
        let profile = profile(Action::Errno(1), vec![rule(&["read"], Action::Allow, &[])]);
        if arch.little_endian() {
            let listed = Profile { architectures: vec![arch], ..profile.clone() };
            assert_eq!(ask(&listed, arch, number, [0; 6]), ALLOW, "{name}");
        } else {
            // The interpreter reads little endian data here, which makes no difference without conditions.
            let program = compiled(&profile, arch);
            let data = Data { number, arch: arch.audit(), ..Data::default() };
            assert_eq!(run(&program, &data), ALLOW, "{name}");
        }
        assert_eq!(Arch::from_name(&name[5..]), None);
    }
    let audits = Arch::ALL.map(|(_, arch)| arch.audit());
    for (at, audit) in audits.iter().enumerate() {
        let same = audits[..at].iter().filter(|other| *other == audit).count();
        assert_eq!(same, usize::from(*audit == Arch::X32.audit() && Arch::ALL[at].1 == Arch::X32));
    }
}
