//! Who the program is: user, groups and the five capability sets.

use super::{Host, Notes};
use crate::spec::pointer::Pointer;
use crate::sys::credentials::Sets;
use oci_spec::runtime::{Capabilities, LinuxCapabilities};
use std::collections::BTreeSet;

/// The five sets of capabilities(7), as masks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Capability {
    pub(super) bounding: u64,
    pub(super) sets: Sets,
    pub(super) ambient: u64,
}

/// The masks of `process.capabilities`. What cannot be granted is left out with one warning (config.md: such values
/// should not be an error).
pub(super) fn capabilities(
    listed: &LinuxCapabilities,
    host: &Host,
    own_user_namespace: bool,
    notes: &mut Notes,
) -> Capability {
    let mut refused = BTreeSet::new();
    let known = u64::MAX >> (63 - host.last_capability.min(63));
    // The first process of a user namespace has every capability in it.
    let available = if own_user_namespace { known } else { known & host.permitted };
    let mut mask = |list: &Option<Capabilities>| {
        let mut mask = 0;
        for name in list.iter().flatten() {
            match number(&name.to_string()) {
                Some(bit) if available >> bit & 1 == 1 => mask |= 1 << bit,
                _ => _ = refused.insert(format!("CAP_{name}")),
            }
        }
        mask
    };
    let bounding = mask(listed.bounding());
    let permitted = mask(listed.permitted());
    let sets = Sets {
        // The kernel refuses an effective capability that is not permitted, so such a one cannot be granted.
        effective: mask(listed.effective()) & permitted,
        permitted,
        inheritable: mask(listed.inheritable()),
    };
    // An ambient capability must be permitted and inheritable.
    let wanted = mask(listed.ambient());
    let ambient = wanted & sets.permitted & sets.inheritable;
    if !refused.is_empty() {
        let names: Vec<_> = refused.into_iter().collect();
        notes.warnings.push(format!("ignoring unknown or unavailable capabilities: [{}]", names.join(" ")));
    }
    if ambient != wanted {
        notes.warnings.push("ignoring ambient capabilities that are not permitted and inheritable".to_owned());
    }
    Capability { bounding, sets, ambient }
}

/// The number of a capability from its name with or without `CAP_`.
pub(super) fn number(name: &str) -> Option<u8> {
    let full = if name.starts_with("CAP_") { name.to_owned() } else { format!("CAP_{name}") };
    full.parse::<caps::Capability>().ok().map(|capability| capability.index())
}

/// Where process settings come from in the document at hand: `/process` of config.json, or a process.json itself.
pub(super) fn place(at: &Pointer, member: &str) -> Pointer {
    at.key(member)
}
