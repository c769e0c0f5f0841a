//! Compares our programs with those that libseccomp 2.6 compiles from the same profiles (`hack/libseccomp`).

use super::exhaustive::{interesting, numbers};
use super::*;
use crate::bpf::seccomp::arch::X32_BIT;
use crate::bpf::syscalls;

const ENOSYS: u32 = 0x0005_0026;

fn parse(bytes: &[u8]) -> Vec<sock_filter> {
    let instruction = |b: &[u8]| sock_filter {
        code: u16::from_le_bytes([b[0], b[1]]),
        jt: b[2],
        jf: b[3],
        k: u32::from_le_bytes([b[4], b[5], b[6], b[7]]),
    };
    bytes.chunks_exact(8).map(instruction).collect()
}

/// Compares both programs. Numbers above `newest`, the largest one in the profile, get ENOSYS from runc's own code, not
/// from libseccomp.
fn agree(profile: &Profile<'_>, theirs: &[u8], newest: &[(Arch, u32)]) {
    let (ours, theirs) = (compiled(profile, Arch::X86_64), parse(theirs));
    check(&theirs).expect("libseccomp's program is sound");
    let values = interesting(profile);
    for arch in [Arch::X86_64, Arch::X32, Arch::X86, Arch::Aarch64] {
        let newest = newest.iter().find(|(known, _)| *known == arch).map_or(u32::MAX, |(_, number)| *number);
        let asked = asked(profile, arch);
        for number in numbers(arch) {
            // Conditions may test two arguments, so they get two values. For other calls, one value for all is enough.
            let pairs = values.iter().flat_map(|one| values.iter().map(move |two| (*one, *two)));
            let conditional = asked.contains(&number);
            for (one, two) in pairs.filter(|(one, two)| conditional || one == two) {
                let arguments = [one, two, one, two, one, two];
                let data = Data { number, arch: arch.audit(), arguments, ..Data::default() };
                let (our, their) = (run(&ours, &data), run(&theirs, &data));
                if number > newest {
                    assert_eq!((our, their), (ENOSYS, profile.default.ret()), "{arch:?} {number}");
                } else {
                    assert_eq!(our, their, "{arch:?} {number} {arguments:x?}");
                }
            }
        }
    }
}

/// The numbers of calls that a rule with conditions names.
fn asked(profile: &Profile<'_>, arch: Arch) -> Vec<u32> {
    let base = if arch == Arch::X32 { X32_BIT } else { 0 };
    let rules = profile.rules.iter().filter(|rule| !rule.conditions.is_empty());
    let calls = rules.flat_map(|rule| &rule.names).filter_map(|name| syscalls::find(name));
    calls.filter_map(|call| syscalls::number(call, arch.column())).map(|number| base + number).collect()
}

#[test]
fn docker() {
    let newest = [(Arch::X86_64, 466), (Arch::X86, 466), (Arch::X32, X32_BIT + 547)];
    agree(&super::docker(), include_bytes!("../../../../tests/seccomp/docker-default.bpf"), &newest);
}

#[test]
fn podman() {
    agree(&super::podman(), include_bytes!("../../../../tests/seccomp/podman-default.bpf"), &[]);
}

#[test]
fn operators() {
    let profile = recorded(include_str!("../../../../tests/seccomp/operators.json"));
    agree(&profile, include_bytes!("../../../../tests/seccomp/operators.bpf"), &[]);
}

/// The kernel runs a program for every call number when it is installed, so a long program slows every start.
#[test]
fn programs_of_engines_are_less_than_half_as_long() {
    for (profile, theirs) in [
        (super::docker(), &include_bytes!("../../../../tests/seccomp/docker-default.bpf")[..]),
        (super::podman(), &include_bytes!("../../../../tests/seccomp/podman-default.bpf")[..]),
    ] {
        let (ours, theirs) = (compiled(&profile, Arch::X86_64).len(), parse(theirs).len());
        assert!(ours * 2 < theirs, "{ours} instructions beside {theirs}");
    }
}
