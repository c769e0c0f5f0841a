//! A fuzz target: the kernel's verifier accepts the program of every list of rules.

use super::{Access, DeviceRule, Kind, compile};
use nix::errno::Errno;

/// Takes a rule from every four bytes. Without the right to load programs, only compiles them.
pub(crate) fn fuzz(bytes: &[u8]) {
    let rules: Vec<DeviceRule> = bytes.chunks_exact(4).map(rule).collect();
    let Ok(program) = compile(&rules) else { return };
    match crate::sys::bpf::load_device_program(&program.instructions) {
        Err(Errno::EPERM | Errno::ENOSYS) => {}
        loaded => assert!(loaded.is_ok(), "{loaded:?}: {rules:?}"),
    }
}

/// Few numbers, so that rules overlap in every way.
fn rule(bytes: &[u8]) -> DeviceRule {
    let number = |byte: u8| [None, Some(1), Some(u32::from(byte)), Some(0x8000_0001)][usize::from(byte % 4)];
    DeviceRule {
        allow: bytes[0] & 1 == 0,
        kind: [Kind::Char, Kind::Block, Kind::Char, Kind::All][usize::from(bytes[0] >> 6)],
        major: number(bytes[1]),
        minor: number(bytes[2]),
        access: Access(bytes[3] % 8),
    }
}
