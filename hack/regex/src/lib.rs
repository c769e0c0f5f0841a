//! The part of the crate `regex` that oci-spec uses, by `regex-lite`.

pub use regex_lite::{Captures, Error, Match, Regex, RegexBuilder};
