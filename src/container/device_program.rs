//! Translates a plan's device rules for the compiler of device programs.

use crate::bpf::device::{self, DeviceProgram};
use crate::plan::resources::DeviceRule;
use crate::plan::resources::devices::DeviceKind;
use anyhow::Result;

/// The program for a list of rules.
pub(crate) fn of(rules: &[DeviceRule]) -> Result<DeviceProgram> {
    let rules: Vec<_> = rules.iter().map(rule).collect();
    device::compile(&rules).map_err(anyhow::Error::msg)
}

fn rule(rule: &DeviceRule) -> device::DeviceRule {
    let kind = match rule.kind {
        DeviceKind::All => device::Kind::All,
        DeviceKind::Block => device::Kind::Block,
        DeviceKind::Char => device::Kind::Char,
    };
    let letters: String = [(rule.read, 'r'), (rule.write, 'w'), (rule.mknod, 'm')]
        .into_iter()
        .filter_map(|(wanted, letter)| wanted.then_some(letter))
        .collect();
    let access = device::Access::from_letters(&letters).unwrap_or(device::Access::ALL);
    device::DeviceRule { allow: rule.allow, kind, major: rule.major, minor: rule.minor, access }
}
