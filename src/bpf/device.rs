//! The device compiler: an ordered list of device rules to one eBPF program of type `BPF_PROG_TYPE_CGROUP_DEVICE`.
//!
//! The kernel runs such a program for every open and mknod of a device. The program returns 1 (granted) or 0 (denied).
//! The compiler does not know where rules come from, which devices every container gets, or how a program is loaded and
//! attached.
//!
//! Semantics of a list:
//!
//! * A rule of type `a` discards all earlier rules, whatever its numbers and access are, as writing `a` to
//!   `devices.allow` or `devices.deny` does with cgroup v1. Without such a rule, the list starts by denying everything.
//! * After that, each kind of access is decided separately: the last rule that covers the device and includes reading
//!   decides about reading. A request for several kinds of access is granted if each of them is granted.
//!
//! The second point follows from the specification's "in the order given". cgroup v1, and runc's emulation of it,
//! search for a single rule that covers the whole request. They drop a denial that matches no earlier rule exactly
//! (runc refuses it). The results are the same as here if rules do not overlap. If rules overlap, a later denial is
//! never lost here: `allow c 1:* rwm`, `deny c 1:3 w` refuses to open 1:3 for reading and writing.

#[cfg(any(test, fuzzing))]
mod fuzz;
mod insn;
mod simplify;
#[cfg(test)]
mod tests;

#[cfg(any(test, fuzzing))]
pub(crate) use fuzz::fuzz;
use std::fmt;

use insn::{Assembler, Label, Register};

/// Which devices a rule covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// `a`: all devices; discards all earlier rules.
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
    /// `m`: creating a device node.
    pub(crate) const MKNOD: Access = Access(1);
    /// `r`
    pub(crate) const READ: Access = Access(2);
    /// `w`
    pub(crate) const WRITE: Access = Access(4);
    /// `rwm`
    pub(crate) const ALL: Access = Access(7);

    /// Parses letters such as `rwm`, in any order.
    ///
    /// # Errors
    ///
    /// Returns the first letter other than `r`, `w` and `m`.
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
    /// Whether the rule grants or denies access.
    pub(crate) allow: bool,
    /// The type of device.
    pub(crate) kind: Kind,
    /// The major number; `None` covers all.
    pub(crate) major: Option<u32>,
    /// The minor number; `None` covers all.
    pub(crate) minor: Option<u32>,
    /// The kinds of access.
    pub(crate) access: Access,
}

/// A compiled list of device rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeviceProgram {
    /// Instructions for `BPF_PROG_LOAD` (`struct bpf_insn`, eight bytes each in the byte order of this machine).
    pub(crate) instructions: Vec<u64>,
    /// Whether the program grants every request, so that it need not be attached.
    pub(crate) grants_all: bool,
}

/// Error for a list that needs more instructions than a jump can skip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLong {
    /// The number of instructions that the list needs.
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

/// The distance of an eBPF jump is a signed 16 bit number of instructions.
const MAX_INSTRUCTIONS: usize = i16::MAX as usize;

/// Compiles a list of rules. Every list is valid unless it is too long.
///
/// # Errors
///
/// Fails if the list is too long: about ten thousand rules that cannot be simplified.
pub(crate) fn compile(rules: &[DeviceRule]) -> Result<DeviceProgram, TooLong> {
    let (default, rules) = simplify::simplify(rules);
    let instructions = emit(default, &rules);
    if instructions.len() > MAX_INSTRUCTIONS {
        return Err(TooLong { instructions: instructions.len() });
    }
    Ok(DeviceProgram { instructions, grants_all: default && rules.is_empty() })
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

/// Writes the program, which tests the last rule first. A granting rule removes its kinds of access from the request.
/// The answer is yes when no kind of access is left, and no at the first denial.
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

/// Writes one rule. The program has tested the type and the major number before.
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
