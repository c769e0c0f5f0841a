//! Compares compiled programs with a direct evaluation of the list.

use super::*;

/// Runs a program in a small eBPF interpreter, which decodes instructions by their bits. Returns the answer.
fn run(program: &[u64], kind: u32, access: u32, major: u32, minor: u32) -> u64 {
    let context = [access << 16 | kind, major, minor];
    let mut registers = [0u64; 11];
    let mut at = 0usize;
    loop {
        let bytes = program[at].to_ne_bytes();
        let (code, target, source) = (bytes[0], usize::from(bytes[1] & 15), usize::from(bytes[1] >> 4));
        let offset = i16::from_ne_bytes([bytes[2], bytes[3]]);
        let constant = u32::from_ne_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
        at += 1;
        let value = registers[target] as u32;
        let holds = match code {
            0x95 => return registers[0],
            0xb7 => {
                registers[target] = constant as i32 as i64 as u64;
                false
            }
            0xbc => {
                registers[target] = u64::from(registers[source] as u32);
                false
            }
            0x54 => {
                registers[target] = u64::from(value & constant);
                false
            }
            0x74 => {
                registers[target] = u64::from(value >> constant);
                false
            }
            0x61 => {
                assert_eq!((source, offset % 4), (1, 0), "only aligned words of the context may be read");
                registers[target] = u64::from(context[offset as usize / 4]);
                false
            }
            0x05 => true,
            0x16 => value == constant,
            0x56 => value != constant,
            0x46 => value & constant != 0,
            other => panic!("instruction {} has the unknown code {other:#x}", at - 1),
        };
        if holds {
            assert!(offset >= 0, "a jump backwards");
            at += offset as usize;
        }
    }
}

/// Evaluates the list directly: for each kind of access, the last rule that covers the device decides.
fn granted(rules: &[DeviceRule], kind: Kind, access: u32, major: u32, minor: u32) -> bool {
    let decides = |rule: &&DeviceRule, bit: u32| {
        rule.kind == Kind::All
            || rule.kind == kind
                && rule.major.is_none_or(|own| own == major)
                && rule.minor.is_none_or(|own| own == minor)
                && u32::from(rule.access.0) & bit != 0
    };
    [1, 2, 4]
        .into_iter()
        .filter(|bit| access & bit != 0)
        .all(|bit| rules.iter().rev().find(|rule| decides(rule, bit)).is_some_and(|rule| rule.allow))
}

fn agree(rules: &[DeviceRule]) -> DeviceProgram {
    let program = compile(rules).expect("the list is short");
    let mut numbers = vec![0, 1, 2, 3, 4, 0x7fff_ffff, 0x8000_0000, u32::MAX];
    numbers.extend(rules.iter().flat_map(|rule| [rule.major, rule.minor]).flatten());
    numbers.sort_unstable();
    numbers.dedup();
    for kind in [Kind::Block, Kind::Char] {
        for access in 1..8 {
            for (major, minor) in numbers.iter().flat_map(|major| numbers.iter().map(move |minor| (*major, *minor))) {
                let number = kind.number().expect("a type of its own");
                let answer = run(&program.instructions, number, access, major, minor);
                let expected = granted(rules, kind, access, major, minor);
                assert_eq!(answer, u64::from(expected), "{kind:?} {major}:{minor} access {access} of {rules:?}");
                assert!(expected || !program.grants_all, "{rules:?}");
            }
        }
    }
    program
}

/// Writes rules as the kernel's cgroup v1 interface does: `+c 1:3 rw`.
fn rules(text: &str) -> Vec<DeviceRule> {
    let number = |text: &str| (text != "*").then(|| text.parse().expect("a number"));
    let rule = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (major, minor) = words[1].split_once(':').expect("two numbers");
        DeviceRule {
            allow: words[0].starts_with('+'),
            kind: match &words[0][1..] {
                "a" => Kind::All,
                "b" => Kind::Block,
                _ => Kind::Char,
            },
            major: number(major),
            minor: number(minor),
            access: Access::from_letters(words[2]).expect("letters"),
        }
    };
    text.split(',').map(rule).collect()
}

/// The list that Docker sends (it sends it twice), and the rules that runtimes add.
const DOCKER: &str = "-a *:* rwm, +c 1:5 rwm, +c 1:3 rwm, +c 1:9 rwm, +c 1:8 rwm, +c 5:0 rwm, +c 5:1 rwm, -c 10:229 rwm, \
    -a *:* rwm, +c 1:5 rwm, +c 1:3 rwm, +c 1:9 rwm, +c 1:8 rwm, +c 5:0 rwm, +c 5:1 rwm, -c 10:229 rwm";
const ADDED: &str = "+c *:* m, +b *:* m, +c 1:3 rwm, +c 1:5 rwm, +c 1:7 rwm, +c 1:8 rwm, +c 1:9 rwm, +c 5:0 rwm, \
    +c 5:2 rwm, +c 136:* rwm, +c 10:200 rwm";

#[test]
fn dockers_list_compiles_to_a_short_program() {
    assert_eq!(agree(&rules(DOCKER)).instructions.len(), 19);
    assert_eq!(agree(&rules(&format!("{DOCKER}, {ADDED}"))).instructions.len(), 30);
}

#[test]
fn access_adds_up_over_rules() {
    let program = agree(&rules("+c 1:3 r, +c 1:3 w"));
    assert_eq!(run(&program.instructions, 2, 6, 1, 3), 1, "reading and writing");
    assert_eq!(run(&program.instructions, 2, 7, 1, 3), 0, "mknod, too");
    let program = agree(&rules("+c 1:* r, +c 1:3 w"));
    assert_eq!(run(&program.instructions, 2, 6, 1, 3), 1, "each from another rule");
    assert_eq!(run(&program.instructions, 2, 6, 1, 4), 0);
}

#[test]
fn later_rules_win() {
    agree(&rules("+c 1:* rwm, -c 1:3 w"));
    agree(&rules("+c 1:* rwm, -c 1:3 w, +c 1:3 rw"));
    agree(&rules("+a *:* rwm, -c 1:3 w, +c 1:* w, -b *:* m"));
    agree(&rules("-c 1:3 r, +c 1:3 r"));
    agree(&rules("+b 4294967295:2147483648 rwm"));
}

#[test]
fn type_a_discards_earlier_rules_and_ignores_its_numbers_and_access() {
    let all = agree(&rules("-c 1:3 rwm, +a 1:3 r"));
    assert!(all.grants_all);
    assert_eq!(all.instructions.len(), 2);
    let none = agree(&rules("+c 1:3 rwm, -a 7:7 m"));
    assert!(!none.grants_all);
    assert_eq!(none.instructions.len(), 2);
    assert_eq!(
        compile(&[]).expect("the list is short").instructions,
        none.instructions,
        "no rule at all denies everything"
    );
    assert!(!agree(&rules("+a *:* rwm, -c 1:3 r")).grants_all);
}

#[test]
fn letters() {
    assert_eq!(Access::from_letters("mrw"), Ok(Access::ALL));
    assert_eq!(Access::from_letters(""), Ok(Access(0)));
    assert_eq!(Access::from_letters("rx"), Err('x'));
    agree(&rules("+c 1:3 rwm").iter().map(|rule| DeviceRule { access: Access(0), ..*rule }).collect::<Vec<_>>());
}

/// Pseudo-random numbers below a limit, the same in each run.
fn random_below() -> impl FnMut(u64) -> u64 {
    let mut state = 0x2545_f491_4f6c_dd1du64;
    move |limit| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) % limit
    }
}

/// A list of random rules. It uses few device numbers, so that rules overlap in every way.
fn random_list(below: &mut impl FnMut(u64) -> u64) -> Vec<DeviceRule> {
    let number = |choice: u64| [None, Some(1), Some(3), Some(0x8000_0001)][choice as usize];
    let length = 1 + below(9);
    (0..length)
        .map(|_| DeviceRule {
            allow: below(2) == 0,
            kind: [Kind::All, Kind::Block, Kind::Char, Kind::Char, Kind::Char, Kind::Char][below(6) as usize],
            major: number(below(4)),
            minor: number(below(4)),
            access: Access([0, 1, 2, 3, 4, 5, 6, 7, 7, 7][below(10) as usize]),
        })
        .collect()
}

#[test]
fn random_lists() {
    let mut below = random_below();
    for _ in 0..3000 {
        agree(&random_list(&mut below));
    }
}

/// The kernel refuses, for example, a program with unreachable code.
#[test]
#[expect(clippy::disallowed_macros, reason = "a test that is skipped says why")]
fn the_kernel_loads_every_program() {
    let mut below = random_below();
    for _ in 0..3000 {
        let list = random_list(&mut below);
        let program = compile(&list).expect("is short");
        match crate::sys::bpf::load_device_program(&program.instructions) {
            Err(nix::errno::Errno::EPERM | nix::errno::Errno::ENOSYS) => {
                println!("skipped: loading device programs needs root and a kernel with BPF");
                return;
            }
            loaded => assert!(loaded.is_ok(), "{loaded:?}: {list:?}"),
        }
    }
}

#[test]
fn a_list_longer_than_the_maximum_jump_is_refused() {
    // Each denial restricts the single grant of its type, so `simplify` cannot drop any of them.
    let rule = |n: u32, allow, number| DeviceRule {
        allow,
        kind: if n.is_multiple_of(2) { Kind::Char } else { Kind::Block },
        major: number,
        minor: number,
        access: Access::READ,
    };
    let list = |length: u32| -> Vec<DeviceRule> {
        let grants = (0..2).map(|n| rule(n, true, None));
        grants.chain((2..length).map(|n| rule(n, false, Some(n)))).collect()
    };
    assert!(compile(&list(1000)).is_ok_and(|program| program.instructions.len() > 3000));
    assert!(compile(&list(8300)).is_err_and(|error| error.instructions > 32767));
}

/// The kernel needs no time for lists of this length, and neither must the compiler: no rule is compared with all others.
#[test]
fn a_list_of_300_000_rules_is_compiled_or_refused() {
    let list = |minor: fn(u32) -> u32| -> Vec<DeviceRule> {
        let rule = |n: u32| DeviceRule {
            allow: n.is_multiple_of(2),
            kind: Kind::Char,
            major: Some(1 + n % 400),
            minor: Some(minor(n)),
            access: Access::READ,
        };
        (0..300_000).map(rule).collect()
    };
    // No two rules are for one device, so the denials have no effect.
    assert!(compile(&list(|n| n)).is_err_and(|error| error.instructions > 300_000));
    // 2,000 devices, each again and again.
    assert!(compile(&list(|n| n / 400 % 5)).is_ok());
}
