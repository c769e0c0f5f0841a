//! Types that describe the documents of the OCI runtime specification: the members of an object, whether a member is
//! required, the JSON type of each value, and the values of an enumeration. The tables are in `shape/`.
//!
//! Deliberately knows no meaning: `plan` checks that a path is absolute or a number is in range.

pub(crate) mod config;
pub(crate) mod linux;
pub(crate) mod enums;

/// The shape of one JSON value.
#[derive(Debug)]
pub(crate) enum Shape {
    /// An object with known members; unknown ones are ignored (config.md, "Extensibility").
    Object(&'static [Member]),
    /// An object whose member names are data, and whose values all have the same shape.
    Map(&'static Shape),
    /// An array.
    List(&'static Shape),
    /// A string.
    Text,
    /// `true` or `false`.
    Flag,
    /// An integer: the lowest and the highest value that its type can hold.
    Integer(i64, u64),
    /// An unsigned 64-bit integer that oci-spec keeps in an `i64`. Greater values are stored as `i64::MAX`. The
    /// kernel's page counters treat both the same, because both exceed `PAGE_COUNTER_MAX`.
    Clamped,
    /// One word of a list.
    Word(&'static [&'static str]),
    /// A word that oci-spec spells differently: the specification's spelling, and oci-spec's spelling.
    Respelt(&'static [(&'static str, &'static str)]),
    /// The name of a capability. An unknown name is dropped with a warning (config.md, "Linux Process").
    Capability,
    /// A list of processors or memory nodes such as `0-3,7`. The empty string means absent.
    Cpus,
    /// One word of a list, or the empty string, which Go callers send for "absent".
    WordOrEmpty(&'static [&'static str]),
    /// A member of another platform, or one that only oci-spec knows. Removed before oci-spec reads the document,
    /// because oci-spec could reject it.
    Foreign,
}

/// Whether a member is required.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// REQUIRED in the specification.
    Required,
    /// May be absent or `null`. Both mean the same, as in Go decoders.
    Optional,
    /// Required unless the member `type` of the same object is `p` (config-linux.md, "Devices": a FIFO has no numbers).
    UnlessFifo,
    /// REQUIRED in the specification, but users leave it out. If absent, it gets this value (as JSON) and a warning.
    OrDefault(&'static str),
    /// Optional. Without it the object around it is empty and removed, because oci-spec would read 0.
    OrDropParent,
}

/// One member of an object.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) name: &'static str,
    pub(crate) need: Need,
    pub(crate) shape: &'static Shape,
}

/// A REQUIRED member of the specification.
pub(crate) const fn required(name: &'static str, shape: &'static Shape) -> Member {
    Member { name, need: Need::Required, shape }
}

/// A REQUIRED member of the specification that gets this default value if absent.
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
