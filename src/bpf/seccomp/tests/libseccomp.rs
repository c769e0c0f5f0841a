//! The same profiles as libseccomp 2.6 compiled them (`hack/libseccomp`), run over the same calls.

use super::exhaustive::{interesting, numbers};
use super::*;
use crate::bpf::seccomp::arch::X32_BIT;

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

/// Compares both programs; `differs` are the calls where another answer than libseccomp's is meant.
fn agree(profile: &Profile<'_>, theirs: &[u8], newest: &[(Arch, u32)], differs: impl Fn(&Data) -> bool) {
    let (ours, theirs) = (compiled(profile, Arch::X86_64), parse(theirs));
    check(&theirs).expect("libseccomp's program is sound");
    let values = interesting(profile);
    for arch in [Arch::X86_64, Arch::X32, Arch::X86, Arch::Aarch64] {
        let newest = newest.iter().find(|(known, _)| *known == arch).map_or(u32::MAX, |(_, number)| *number);
        for number in numbers(arch) {
            for (one, two) in values.iter().flat_map(|one| values.iter().map(move |two| (*one, *two))) {
                let arguments = [one, two, one, two, one, two];
                let data = Data { number, arch: arch.audit(), arguments, ..Data::default() };
                let (our, their) = (run(&ours, &data), run(&theirs, &data));
                if number > newest {
                    assert_eq!((our, their), (ENOSYS, profile.default.ret()), "{arch:?} {number}");
                } else if differs(&data) {
                    assert_ne!(our, their, "{arch:?} {number} {arguments:x?} is meant to differ");
                } else {
                    assert_eq!(our, their, "{arch:?} {number} {arguments:x?}");
                }
            }
        }
    }
}

#[test]
fn docker() {
    let newest = [(Arch::X86_64, 466), (Arch::X86, 466), (Arch::X32, X32_BIT + 547)];
    agree(&super::docker(), include_bytes!("../../../../tests/seccomp/docker-default.bpf"), &newest, |_| false);
}

#[test]
fn podman() {
    agree(&super::podman(), include_bytes!("../../../../tests/seccomp/podman-default.bpf"), &[], |_| false);
}

#[test]
fn operators() {
    let profile = recorded(include_str!("../../../../tests/seccomp/operators.json"));
    agree(&profile, include_bytes!("../../../../tests/seccomp/operators.bpf"), &[], |_| false);
}
