//! The device compiler: an ordered list of device rules to one eBPF program of type `BPF_PROG_TYPE_CGROUP_DEVICE`.
//!
//! The kernel asks such a program for every open and mknod of a device; it answers 1 (yes) or 0 (no). The compiler does
//! not know where rules come from, which devices every container gets, or how a program is loaded and attached.
//!
//! What a list means:
//!
//! * A rule of type `a` settles everything before it, whatever its numbers and access say, as writing `a` to
//!   `devices.allow` or `devices.deny` does with cgroup v1. Without one, everything is denied at first.
//! * After that, each kind of access is looked at by itself: of the rules that cover a device and include reading, the last
//!   one decides about reading. A request for several kinds of access is granted if each of them is.
//!
//! The second point is what the specification's "in the order given" comes to. cgroup v1, and runc's emulation of it,
//! look for a single rule that covers the whole request and drop a denial that matches no earlier rule exactly (runc
//! refuses it). Both agree with the meaning here wherever rules do not overlap, and where they do, here a later denial
//! is never lost: `allow c 1:* rwm`, `deny c 1:3 w` refuses to open 1:3 for reading and writing.

#[cfg(any(test, fuzzing))]
mod fuzz;
mod insn;
#[cfg(test)]
mod tests;

#[cfg(any(test, fuzzing))]
pub(crate) use fuzz::fuzz;
use std::fmt;

use insn::{Assembler, Label, Register};

/// Which devices a rule covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `a`: all of them, and all earlier rules are forgotten.
    All,
    /// `b`
    Block,
    /// `c` (and `u`, its other name)
    Char,
}

impl Kind {
    /// `BPF_DEVCG_DEV_BLOCK` or `BPF_DEVCG_DEV_CHAR`.
    const fn number(self) -> Option<u32> {
        match self {
            Kind::All => None,
            Kind::Block => Some(1),
            Kind::Char => Some(2),
        }
    }
}

/// Kinds of access, as bits of `BPF_DEVCG_ACC_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Access(u8);

impl Access {
    /// `m`: making a device node.
    pub(crate) const MKNOD: Access = Access(1);
    /// `r`
    pub(crate) const READ: Access = Access(2);
    /// `w`
    pub(crate) const WRITE: Access = Access(4);
    /// `rwm`
    pub(crate) const ALL: Access = Access(7);

    /// Reads letters such as `rwm`, in any order.
    ///
    /// # Errors
    ///
    /// The first letter that is none of `r`, `w` and `m`.
    pub(crate) fn from_letters(letters: &str) -> Result<Access, char> {
        letters.chars().try_fold(Access(0), |access, letter| match letter {
            'm' => Ok(Access(access.0 | Access::MKNOD.0)),
            'r' => Ok(Access(access.0 | Access::READ.0)),
            'w' => Ok(Access(access.0 | Access::WRITE.0)),
            other => Err(other),
        })
    }
}

/// One rule of `linux.resources.devices`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DeviceRule {
    /// Whether access is granted or denied.
    pub(crate) allow: bool,
    /// Which type of device.
    pub(crate) kind: Kind,
    /// Its major number; all if absent.
    pub(crate) major: Option<u32>,
    /// Its minor number; all if absent.
    pub(crate) minor: Option<u32>,
    /// Which kinds of access.
    pub(crate) access: Access,
}

impl DeviceRule {
    /// Whether some request could concern both rules.
    fn overlaps(&self, other: &DeviceRule) -> bool {
        fn meet(one: Option<u32>, other: Option<u32>) -> bool {
            one.is_none() || other.is_none() || one == other
        }
        self.kind == other.kind
            && meet(self.major, other.major)
            && meet(self.minor, other.minor)
            && self.access.0 & other.access.0 != 0
    }

    /// Whether this rule covers all devices of the other.
    fn covers(&self, other: &DeviceRule) -> bool {
        self.kind == other.kind
            && (self.major.is_none() || self.major == other.major)
            && (self.minor.is_none() || self.minor == other.minor)
    }
}

/// A compiled list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeviceProgram {
    /// Instructions (`struct bpf_insn`, eight bytes each in the byte order of this machine), as `BPF_PROG_LOAD` takes
    /// them.
    pub(crate) instructions: Vec<u64>,
    /// Every request is granted: a container that nothing restricts needs no program.
    pub(crate) grants_all: bool,
}

/// A list that needs more instructions than a jump can skip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLong {
    /// How many it needs.
    pub(crate) instructions: usize,
}

impl fmt::Display for TooLong {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "the device program would need {} instructions, and a jump can skip at most {MAX_INSTRUCTIONS}",
            self.instructions
        )
    }
}

impl std::error::Error for TooLong {}

/// Jumps of eBPF skip a signed 16 bit number of instructions.
const MAX_INSTRUCTIONS: usize = i16::MAX as usize;

/// Compiles a list of rules; every list has a meaning.
///
/// # Errors
///
/// The list is too long: about ten thousand rules that cannot be simplified.
pub(crate) fn compile(rules: &[DeviceRule]) -> Result<DeviceProgram, TooLong> {
    let (default, rules) = simplify(rules);
    let instructions = emit(default, &rules);
    if instructions.len() > MAX_INSTRUCTIONS {
        return Err(TooLong { instructions: instructions.len() });
    }
    Ok(DeviceProgram { instructions, grants_all: default && rules.is_empty() })
}

/// The answer where no rule decides, and the rules that still matter, in an order that is good to write down.
fn simplify(rules: &[DeviceRule]) -> (bool, Vec<DeviceRule>) {
    let reset = rules.iter().rposition(|rule| rule.kind == Kind::All);
    let default = reset.is_some_and(|reset| rules[reset].allow);
    let mut kept: Vec<DeviceRule> = Vec::new();
    for rule in &rules[reset.map_or(0, |reset| reset + 1)..] {
        // The rule counts only after the last one that it contradicts; from there on the order is free.
        let free =
            kept.iter().rposition(|other| other.allow != rule.allow && other.overlaps(rule)).map_or(0, |at| at + 1);
        let says_nothing = rule.access.0 == 0
            || rule.allow == default && free == 0
            || kept[free..].iter().any(|other| {
                other.allow == rule.allow && other.covers(rule) && other.access.0 | rule.access.0 == other.access.0
            });
        if says_nothing {
            continue;
        }
        let same =
            kept[free..].iter_mut().find(|other| other.allow == rule.allow && other.covers(rule) && rule.covers(other));
        match same {
            // Both lie after everything the new rule contradicts, but what the old one was moved past must not
            // contradict the new kinds of access either; `free` has just ensured that.
            Some(same) => same.access.0 |= rule.access.0,
            None => kept.push(*rule),
        }
    }
    // Rules that all say the same can stand in any order: those with a type and a major number in common together, so
    // that each is tested once.
    if kept.iter().all(|rule| rule.allow != default) {
        kept.sort_by_key(|rule| (rule.kind.number(), rule.major, rule.minor));
    }
    (default, kept)
}

/// The registers that hold the request.
const ACCESS: Register = Register(2);
const MAJOR: Register = Register(3);
const MINOR: Register = Register(4);
const KIND: Register = Register(5);

/// Offsets in `struct bpf_cgroup_dev_ctx`.
const CTX_ACCESS_TYPE: i16 = 0;
const CTX_MAJOR: i16 = 4;
const CTX_MINOR: i16 = 8;

/// The last rule is asked first. What it grants is removed from the request. The answer is yes when nothing
/// is left, and no at the first denial.
fn emit(default: bool, rules: &[DeviceRule]) -> Vec<u64> {
    let mut code = Assembler::default();
    if rules.is_empty() {
        code.answer(default);
        return code.finish();
    }
    let other = code.answer(!default);
    let otherwise = code.answer(default);
    let (yes, no) = if default { (otherwise, other) } else { (other, otherwise) };
    for kinds in rules.chunk_by(|one, other| one.kind == other.kind) {
        let next = code.here();
        for majors in kinds.chunk_by(|one, other| one.major == other.major) {
            let next = code.here();
            for rule in majors {
                emit_rule(&mut code, rule, yes, no);
            }
            if let Some(major) = majors[0].major {
                code.unless_equal(MAJOR, major, next);
            }
        }
        if let Some(kind) = kinds[0].kind.number() {
            code.unless_equal(KIND, kind, next);
        }
    }
    code.shift_right(ACCESS, 16);
    code.and(KIND, 0xffff);
    code.copy(KIND, ACCESS);
    code.load(MINOR, CTX_MINOR);
    code.load(MAJOR, CTX_MAJOR);
    code.load(ACCESS, CTX_ACCESS_TYPE);
    code.finish()
}

/// One rule, with type and major number already tested.
fn emit_rule(code: &mut Assembler, rule: &DeviceRule, yes: Label, no: Label) {
    let next = code.here();
    let access = u32::from(rule.access.0);
    if rule.allow && rule.access == Access::ALL {
        match rule.minor {
            Some(minor) => code.if_equal(MINOR, minor, yes),
            None => code.go(yes),
        }
        return;
    }
    if rule.allow {
        code.if_equal(ACCESS, 0, yes);
        code.and(ACCESS, !access);
    } else {
        code.if_any_bit(ACCESS, access, no);
    }
    if let Some(minor) = rule.minor {
        code.unless_equal(MINOR, minor, next);
    }
}
