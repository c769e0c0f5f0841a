//! Compares random profiles with the reference.

// The crate is made for these alone.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"))]
mod seccompiler;

use super::reference::Reference;
use super::*;
use crate::bpf::seccomp::arch::X32_BIT;
use crate::bpf::syscalls;

/// Makes choices from the given bytes; after the last byte from xorshift, which repeats in every run.
struct Random<'a>(u64, &'a [u8]);

impl Random<'_> {
    fn below(&mut self, limit: usize) -> usize {
        if let Some((byte, rest)) = self.1.split_first() {
            self.1 = rest;
            return usize::from(*byte) % limit;
        }
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// Few names, so that rules overlap: adjacent numbers, multiplexed calls, private calls, and an unknown name.
const NAMES: [&str; 24] = [
    "read",
    "write",
    "open",
    "close",
    "stat",
    "socket",
    "socketcall",
    "connect",
    "accept",
    "semop",
    "shmget",
    "ipc",
    "personality",
    "clone",
    "mmap2",
    "set_tls",
    "cacheflush",
    "rt_sigaction",
    "futex_waitv",
    "listns",
    "exit",
    "opnat2",
    "getpid",
    "sendto",
];
const ACTIONS: [Action; 10] = [
    Action::KillThread,
    Action::KillProcess,
    Action::Trap,
    Action::Errno(1),
    Action::Errno(38),
    Action::Notify,
    Action::Trace(1),
    Action::Log,
    Action::Allow,
    Action::Errno(7),
];
const VALUES: [u64; 9] = [0, 1, 2, 40, 0xffff_ffff, 0x1_0000_0000, 0x1_0000_0001, 0x8000_0000_8000_0000, u64::MAX];

fn condition(random: &mut Random<'_>) -> Condition {
    let operator = random.pick(&Operator::ALL).1;
    Condition { index: random.below(6) as u8, operator, value: random.pick(&VALUES), value_two: random.pick(&VALUES) }
}

fn rule(random: &mut Random<'_>, action: Action) -> Rule<'static> {
    Rule {
        names: (0..1 + random.below(3)).map(|_| random.pick(&NAMES)).chain(["getppid"]).collect(),
        action,
        conditions: (0..random.below(4)).map(|_| condition(random)).collect(),
    }
}

/// The number of a call in `NAMES`, or a number next to it, as the architecture's filter sees it.
fn number(random: &mut Random<'_>, arch: Arch) -> u32 {
    let name = random.pick(&NAMES);
    let number = syscalls::find(name).and_then(|call| syscalls::number(call, arch.column()));
    let number = match (number, random.below(10)) {
        (Some(number), 0) => number + 1,
        (Some(number), 1) => number.saturating_sub(1),
        (Some(number), _) => number,
        (None, 0) => u32::MAX,
        (None, _) => random.below(1100) as u32,
    };
    match arch {
        Arch::X32 => number | X32_BIT,
        Arch::X86_64 => number & (X32_BIT - 1),
        _ => number,
    }
}

fn argument(random: &mut Random<'_>) -> u64 {
    let value = random.pick(&VALUES);
    match random.below(5) {
        0 => value.wrapping_add(1),
        1 => value.wrapping_sub(1),
        2 => random.pick(&[1, 2, 11, 13, 17, 21, 0x1_0001, 0x1_0000_0005]),
        _ => value,
    }
}

#[test]
fn filters_agree_with_the_reference() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15, &[]);
    for _ in 0..4000 {
        agrees_with_the_reference(&mut random);
    }
}

/// Tests the profile and the calls that the bytes choose: see `crate::fuzz`.
pub(crate) fn fuzz(bytes: &[u8]) {
    agrees_with_the_reference(&mut Random(0x9e37_79b9_7f4a_7c15, bytes));
}

fn agrees_with_the_reference(random: &mut Random<'_>) {
    let native = random.pick(&Arch::ALL).1;
    let native = if native == Arch::X32 { Arch::X86_64 } else { native };
    let same_order = |arch: &Arch| arch.little_endian() == native.little_endian();
    let default = random.pick(&ACTIONS);
    let rules = (0..random.below(8)).map(|_| {
        let action = random.pick(&ACTIONS);
        rule(random, action)
    });
    let rules = rules.collect();
    let profile = Profile {
        default: if default == Action::Notify { Action::Allow } else { default },
        architectures: (0..random.below(4)).map(|_| random.pick(&Arch::ALL).1).filter(same_order).collect(),
        rules,
    };
    let program = compiled(&profile, native);
    for _ in 0..8 {
        let arch = match random.below(8) {
            0 => random.pick(&Arch::ALL).1,
            _ => random.pick(&[profile.architectures.as_slice(), &[native]].concat()),
        };
        let reference = Reference::new(&profile, native, arch);
        for _ in 0..24 {
            let data = Data {
                number: number(random, arch),
                arch: arch.audit(),
                arguments: [(); 6].map(|()| argument(random)),
                big_endian: !native.little_endian(),
                ..Data::default()
            };
            assert_eq!(run(&program, &data), reference.answer(&data), "{data:x?} on {native:?} of {profile:#?}");
        }
    }
}
