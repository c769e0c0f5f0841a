//! What the documents of the OCI runtime specification may look like: which members an object has, which of them are
//! required, what kind of JSON value each one is, and which words an enumeration knows.
//!
//! Owns the vocabulary in which a shape is written; the shapes themselves are tables in `shape/`. Deliberately knows no
//! meaning: that a path must be absolute or a number small is for `plan` to say.

pub(crate) mod config;
pub(crate) mod linux;
pub(crate) mod enums;

/// The shape of one JSON value.
#[derive(Debug)]
pub(crate) enum Shape {
    /// An object with known members; unknown ones are ignored (config.md, "Extensibility").
    Object(&'static [Member]),
    /// An object whose member names are data, and whose values all have one shape.
    Map(&'static Shape),
    /// An array.
    List(&'static Shape),
    /// A string.
    Text,
    /// `true` or `false`.
    Flag,
    /// An integer of a width: lowest and highest value it can hold.
    Integer(i64, u64),
    /// An unsigned 64-bit integer that oci-spec keeps in an `i64`. Values above are stored as `i64::MAX`, which the
    /// kernel's page counters treat alike (both are beyond `PAGE_COUNTER_MAX`).
    Clamped,
    /// One word out of a list.
    Word(&'static [&'static str]),
    /// A word that oci-spec spells differently: as the specification has it, and as oci-spec has it.
    Respelt(&'static [(&'static str, &'static str)]),
    /// The name of a capability; an unknown one is dropped with a warning (config.md, "Linux Process").
    Capability,
    /// A list of processors or memory nodes such as `0-3,7`; the empty string counts as absent.
    Cpus,
    /// A word out of a list, where Go callers also send the empty string for "absent".
    WordOrEmpty(&'static [&'static str]),
    /// A member of another platform, or one that only oci-spec knows: taken out before oci-spec can stumble over it.
    Foreign,
}

/// Whether a member must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// The specification says REQUIRED.
    Required,
    /// It may be absent, or `null`, which means the same (Go decoders read it so).
    Optional,
    /// Required unless the sibling `type` is `p` (config-linux.md, "Devices": a FIFO has no numbers).
    UnlessFifo,
    /// REQUIRED in the specification, but users leave it out: absent it has this value (as JSON), with a warning.
    OrDefault(&'static str),
    /// Optional, and without it the object around it says nothing and is taken out. oci-spec would read 0 instead.
    OrVoid,
}

/// One member of an object.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) name: &'static str,
    pub(crate) need: Need,
    pub(crate) shape: &'static Shape,
}

/// A member that the specification calls REQUIRED.
pub(crate) const fn required(name: &'static str, shape: &'static Shape) -> Member {
    Member { name, need: Need::Required, shape }
}

/// A member that the specification calls REQUIRED, and that has this value without it.
pub(crate) const fn defaulted(name: &'static str, shape: &'static Shape, value: &'static str) -> Member {
    Member { name, need: Need::OrDefault(value), shape }
}

/// A member that may be absent or `null`.
pub(crate) const fn optional(name: &'static str, shape: &'static Shape) -> Member {
    Member { name, need: Need::Optional, shape }
}

pub(crate) const TEXT: Shape = Shape::Text;
pub(crate) const TEXTS: Shape = Shape::List(&Shape::Text);
pub(crate) const FLAG: Shape = Shape::Flag;
pub(crate) const U16: Shape = Shape::Integer(0, u16::MAX as u64);
pub(crate) const U32: Shape = Shape::Integer(0, u32::MAX as u64);
pub(crate) const U64: Shape = Shape::Integer(0, u64::MAX);
pub(crate) const I32: Shape = Shape::Integer(i32::MIN as i64, i32::MAX as u64);
pub(crate) const I64: Shape = Shape::Integer(i64::MIN, i64::MAX as u64);
