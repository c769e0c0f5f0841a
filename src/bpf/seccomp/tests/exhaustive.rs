//! Tests the engines' profiles with every call number of every architecture.

use super::reference::Reference;
use super::*;
use crate::bpf::interpreter::count;
use crate::bpf::seccomp::arch::X32_BIT;

/// Argument values: each constant that a profile compares with, and its neighbours.
pub(super) fn interesting(profile: &Profile<'_>) -> Vec<u64> {
    let mut values = vec![0, 1, 2, 5, 17, 20, 21, 0x1_0001, 0x1_0000_0001, u64::from(u32::MAX), u64::MAX];
    for condition in profile.rules.iter().flat_map(|rule| &rule.conditions) {
        for value in [condition.value, condition.value_two] {
            values.extend([value.wrapping_sub(1), value, value.wrapping_add(1), value | 1 << 32, !value]);
        }
    }
    values.sort_unstable();
    values.dedup();
    values
}

/// The numbers to test: all numbers that may be calls, and the limits.
pub(super) fn numbers(arch: Arch) -> impl Iterator<Item = u32> {
    let bases: &[u32] = match arch {
        Arch::X32 => &[0, X32_BIT, 0x8000_0000],
        Arch::Mips | Arch::Mipsel => &[0, 4000],
        Arch::Mips64 | Arch::Mipsel64 => &[0, 5000],
        Arch::Mips64N32 | Arch::Mipsel64N32 => &[0, 6000],
        Arch::Arm => &[0, 0x0f_0000, 0x0f_0ff0],
        _ => &[0],
    };
    let edges = [X32_BIT - 1, 0x7fff_ffff, u32::MAX - 1, u32::MAX];
    let below_x32 = move |number: &u32| arch != Arch::X86_64 || *number < X32_BIT;
    let above_x32 = move |number: &u32| arch != Arch::X32 || *number >= X32_BIT;
    bases.iter().flat_map(|base| *base..*base + 1100).chain(edges).filter(below_x32).filter(above_x32)
}

fn agree(profile: &Profile<'_>, native: Arch, asked: &[Arch]) {
    let program = compiled(profile, native);
    let values = interesting(profile);
    for arch in asked {
        let reference = Reference::new(profile, native, *arch);
        for number in numbers(*arch) {
            for value in &values {
                let data = Data { number, arch: arch.audit(), arguments: [*value; 6], ..Data::default() };
                let expected = reference.answer(&data);
                assert_eq!(run(&program, &data), expected, "{arch:?} {number} {value:#x} on {native:?}");
            }
        }
    }
}

#[test]
fn docker_on_x86_64() {
    agree(&docker(), Arch::X86_64, &[Arch::X86_64, Arch::X32, Arch::X86, Arch::Aarch64]);
}

#[test]
fn podman_on_x86_64() {
    agree(&podman(), Arch::X86_64, &[Arch::X86_64, Arch::X32, Arch::X86, Arch::Aarch64]);
}

#[test]
fn docker_without_foreign_architectures() {
    let profile = Profile { architectures: Vec::new(), ..docker() };
    agree(&profile, Arch::X86_64, &[Arch::X86_64, Arch::X32, Arch::X86]);
}

#[test]
fn docker_on_every_little_endian_architecture() {
    for (_, arch) in Arch::ALL.into_iter().filter(|(_, arch)| arch.little_endian() && *arch != Arch::X32) {
        let profile = Profile { architectures: vec![arch], ..docker() };
        agree(&profile, arch, &[arch]);
    }
}

/// The kernel runs the filter for every number when it is installed, and again for every call that is not always
/// allowed. So the program and its paths must stay short.
#[test]
fn programs_and_paths_are_short() {
    for (profile, instructions, path) in [(docker(), 278, 16), (podman(), 310, 28)] {
        let program = compiled(&profile, Arch::X86_64);
        let longest = (0..600u32)
            .map(|number| count(&program, &Data { number, arch: Arch::X86_64.audit(), ..Data::default() }).1)
            .max();
        assert!(program.len() <= instructions, "{} instructions", program.len());
        assert!(longest <= Some(path), "a path of {longest:?} instructions");
    }
}
