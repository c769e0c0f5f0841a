//! Compiles `linux.resources.devices`: an ordered list of rules for device nodes.
//!
//! The last matching rule wins. The list starts from "deny everything" (GHSA-g54h-m393-cpwq: a runtime read the list as
//! exceptions to "allow everything"). It ends with the devices that every container may use.

use crate::spec::pointer::Pointer;
use crate::spec::problem::Problems;
use oci_spec::runtime::{LinuxDeviceCgroup, LinuxDeviceType};

/// The kind of device node that a rule matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeviceKind {
    /// Both.
    All,
    /// Block devices.
    Block,
    /// Character devices.
    Char,
}

/// One rule for device nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DeviceRule {
    /// Whether to allow or deny matching access.
    pub(crate) allow: bool,
    /// Kind of node.
    pub(crate) kind: DeviceKind,
    /// Major number, `None` for all.
    pub(crate) major: Option<u32>,
    /// Minor number, `None` for all.
    pub(crate) minor: Option<u32>,
    /// The rule covers reading.
    pub(crate) read: bool,
    /// The rule covers writing.
    pub(crate) write: bool,
    /// The rule covers creating the node.
    pub(crate) mknod: bool,
}

/// Compiles the rules of the configuration, and appends the default rules.
pub(super) fn compile(
    rules: &[LinuxDeviceCgroup],
    at: &Pointer,
    problems: &mut Problems,
    warnings: &mut Vec<String>,
) -> Vec<DeviceRule> {
    let mut list = Vec::with_capacity(rules.len() + DEFAULTS.len());
    append(rules, at, &mut list, problems, warnings);
    list.extend(defaults());
    list
}

/// Compiles the rules of a running container: those of the configuration and the default rules, and after both the
/// changes since, so that a default device can be denied.
pub(crate) fn changed(
    rules: &[LinuxDeviceCgroup],
    changes: &[LinuxDeviceCgroup],
    problems: &mut Problems,
    warnings: &mut Vec<String>,
) -> Vec<DeviceRule> {
    let mut list = compile(rules, &Pointer::of("/devices"), problems, warnings);
    append(changes, &Pointer::of("/changes"), &mut list, problems, warnings);
    list
}

/// Appends rules to the list, in order.
fn append(
    rules: &[LinuxDeviceCgroup],
    at: &Pointer,
    list: &mut Vec<DeviceRule>,
    problems: &mut Problems,
    warnings: &mut Vec<String>,
) {
    for (i, rule) in rules.iter().enumerate() {
        let at = at.index(i);
        let kind = match rule.typ() {
            None | Some(LinuxDeviceType::A) => {
                all_devices(rule, &at, list, problems, warnings);
                continue;
            }
            Some(LinuxDeviceType::B) => DeviceKind::Block,
            Some(LinuxDeviceType::C) => DeviceKind::Char,
            Some(_) => {
                problems
                    .add(at.key("type"), "is not valid in a device rule; expected a (all), b (block) or c (character)");
                continue;
            }
        };
        let major = number(rule.major(), at.key("major"), problems);
        let minor = number(rule.minor(), at.key("minor"), problems);
        let Some([read, write, mknod]) = access(rule.access().as_deref(), &at, problems, warnings) else { continue };
        list.push(DeviceRule { allow: rule.allow(), kind, major, minor, read, write, mknod });
    }
}

/// Adds a rule of type "a". It replaces all earlier rules: everything is allowed, or everything denied. As on v1, its
/// numbers and access are ignored, so a rule that has them gets a warning.
fn all_devices(
    rule: &LinuxDeviceCgroup,
    at: &Pointer,
    list: &mut Vec<DeviceRule>,
    problems: &mut Problems,
    warnings: &mut Vec<String>,
) {
    let (allow, wildcard) = (rule.allow(), |n: Option<i64>| n.is_none_or(|n| n == -1));
    let letters = match rule.access().as_deref() {
        None | Some("") => true,
        given => access(given, at, problems, warnings).is_none_or(|bits| bits == [true; 3]),
    };
    if !(wildcard(rule.major()) && wildcard(rule.minor()) && letters) {
        let what = if allow { "allows" } else { "denies" };
        warnings.push(format!("{at}: type \"a\" {what} all access to all devices; numbers and access are ignored"));
    }
    list.clear();
    let (major, minor) = (None, None);
    list.push(DeviceRule { allow, kind: DeviceKind::All, major, minor, read: true, write: true, mknod: true });
}

/// Parses a device number. Absent and -1 mean all numbers.
fn number(value: Option<i64>, at: Pointer, problems: &mut Problems) -> Option<u32> {
    let value = value.filter(|value| *value != -1)?;
    u32::try_from(value).map_err(|_| problems.add(at, format!("{value} is not a device number"))).ok()
}

/// Parses `[read, write, mknod]`. Like runc and crun, ignores other letters with a warning if at least one is valid.
fn access(
    letters: Option<&str>,
    at: &Pointer,
    problems: &mut Problems,
    warnings: &mut Vec<String>,
) -> Option<[bool; 3]> {
    let letters = letters.unwrap_or_default();
    let bits = ['r', 'w', 'm'].map(|letter| letters.contains(letter));
    let shown = letters.escape_debug();
    if letters.is_empty() {
        problems.add(at.key("access"), "is empty; expected some of r (read), w (write) and m (mknod)");
    } else if bits == [false; 3] {
        problems.add(at.key("access"), format!("\"{shown}\" is not a combination of r, w and m"));
    } else if letters.chars().any(|letter| !"rwm".contains(letter)) {
        warnings
            .push(format!("{}: \"{shown}\" has letters other than r, w and m, which are ignored", at.key("access")));
    }
    bits.contains(&true).then_some(bits)
}

const fn node(major: u32, minor: Option<u32>) -> DeviceRule {
    let (allow, kind, major) = (true, DeviceKind::Char, Some(major));
    DeviceRule { allow, kind, major, minor, read: true, write: true, mknod: true }
}

const fn any_mknod(kind: DeviceKind) -> DeviceRule {
    DeviceRule { allow: true, kind, major: None, minor: None, read: false, write: false, mknod: true }
}

/// Not in the specification, but runc and crun append these rules, and Docker's configuration relies on them. They
/// allow creating any node (without opening it), and using null, zero, full, random, urandom, tty, ptmx, the
/// pseudo-terminals and tun.
const DEFAULTS: [DeviceRule; 11] = [
    any_mknod(DeviceKind::Char),
    any_mknod(DeviceKind::Block),
    node(1, Some(3)),
    node(1, Some(5)),
    node(1, Some(7)),
    node(1, Some(8)),
    node(1, Some(9)),
    node(5, Some(0)),
    node(5, Some(2)),
    node(136, None),
    node(10, Some(200)),
];

/// The rules at the end of every list.
pub(super) fn defaults() -> Vec<DeviceRule> {
    DEFAULTS.to_vec()
}
