//! `linux.resources.devices`: an ordered list of rules about device nodes, the last match wins.
//!
//! The list starts from "nothing is allowed" (GHSA-g54h-m393-cpwq: a list read as exceptions to "everything") and ends
//! with the devices every container may use.

use crate::spec::pointer::Pointer;
use crate::spec::problem::Problems;
use oci_spec::runtime::{LinuxDeviceCgroup, LinuxDeviceType};

/// What kind of device node a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeviceKind {
    /// Both.
    All,
    /// Block devices.
    Block,
    /// Character devices.
    Char,
}

/// One rule about device nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DeviceRule {
    /// Allow what matches, or deny it.
    pub(crate) allow: bool,
    /// Kind of node.
    pub(crate) kind: DeviceKind,
    /// Major number, `None` for all.
    pub(crate) major: Option<u32>,
    /// Minor number, `None` for all.
    pub(crate) minor: Option<u32>,
    /// The rule is about reading.
    pub(crate) read: bool,
    /// The rule is about writing.
    pub(crate) write: bool,
    /// The rule is about making the node.
    pub(crate) mknod: bool,
}

/// The rules of the configuration, then the default ones.
pub(super) fn compile(
    rules: &[LinuxDeviceCgroup],
    at: &Pointer,
    problems: &mut Problems,
    warnings: &mut Vec<String>,
) -> Vec<DeviceRule> {
    let mut list = Vec::with_capacity(rules.len() + DEFAULTS.len());
    for (i, rule) in rules.iter().enumerate() {
        let at = at.index(i);
        let kind = match rule.typ() {
            None | Some(LinuxDeviceType::A) => {
                everything(rule, &at, &mut list, problems, warnings);
                continue;
            }
            Some(LinuxDeviceType::B) => DeviceKind::Block,
            Some(LinuxDeviceType::C) => DeviceKind::Char,
            Some(_) => {
                problems.add(at.key("type"), "a device rule is about a (all), b (block) or c (character) devices");
                continue;
            }
        };
        let major = number(rule.major(), at.key("major"), problems);
        let minor = number(rule.minor(), at.key("minor"), problems);
        let Some([read, write, mknod]) = access(rule.access().as_deref(), &at, problems, warnings) else { continue };
        list.push(DeviceRule { allow: rule.allow(), kind, major, minor, read, write, mknod });
    }
    list.extend(defaults());
    list
}

/// A rule of type "a" starts the list anew: everything is allowed, or everything denied. As on v1 it has no numbers and
/// no access of its own; a rule that gives some all the same means less than it says, so it is told.
fn everything(
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
        warnings.push(format!("{at}: type \"a\" {what} all access to all devices, whatever else the rule says"));
    }
    list.clear();
    let (major, minor) = (None, None);
    list.push(DeviceRule { allow, kind: DeviceKind::All, major, minor, read: true, write: true, mknod: true });
}

/// Absent and -1 mean all numbers.
fn number(value: Option<i64>, at: Pointer, problems: &mut Problems) -> Option<u32> {
    let value = value.filter(|value| *value != -1)?;
    u32::try_from(value).map_err(|_| problems.add(at, format!("{value} is no device number"))).ok()
}

/// `[read, write, mknod]`. Other letters are ignored with a warning, as by runc and crun, unless there are only those.
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
        problems.add(at.key("access"), "is empty; a rule is about some of r (read), w (write) and m (mknod)");
    } else if bits == [false; 3] {
        problems.add(at.key("access"), format!("\"{shown}\" is no combination of r, w and m"));
    } else if letters.chars().any(|letter| !"rwm".contains(letter)) {
        warnings.push(format!("{}: \"{shown}\" has letters other than r, w and m; they are ignored", at.key("access")));
    }
    bits.contains(&true).then_some(bits)
}

const fn node(major: u32, minor: Option<u32>) -> DeviceRule {
    let (allow, kind, major) = (true, DeviceKind::Char, Some(major));
    DeviceRule { allow, kind, major, minor, read: true, write: true, mknod: true }
}

const fn may_make(kind: DeviceKind) -> DeviceRule {
    DeviceRule { allow: true, kind, major: None, minor: None, read: false, write: false, mknod: true }
}

/// Not in the specification, but what runc and crun append and Docker's configuration counts on: making any node (which
/// then cannot be opened), and using null, zero, full, random, urandom, tty, ptmx, the pseudo-terminals, and tun.
const DEFAULTS: [DeviceRule; 11] = [
    may_make(DeviceKind::Char),
    may_make(DeviceKind::Block),
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
