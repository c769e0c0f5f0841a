//! Compiles the identity of the program: user, groups and the five capability sets.

use super::{Host, Notes};
use crate::spec::pointer::Pointer;
use crate::spec::problem::Problems;
use crate::sys::credentials::Sets;
use oci_spec::runtime::{Capabilities, Linux, LinuxCapabilities, LinuxIdMapping, User};
use std::collections::BTreeSet;

/// The five sets of capabilities(7), as masks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Capability {
    pub(super) bounding: u64,
    pub(super) sets: Sets,
    pub(super) ambient: u64,
}

/// The masks of `process.capabilities`. Capabilities that cannot be granted are omitted with one warning (config.md:
/// such values should not be an error).
///
/// The first process of a user namespace has every capability, even if the caller has none (user_namespaces(7)).
pub(super) fn capabilities(
    listed: &LinuxCapabilities,
    host: &Host,
    own_user_namespace: bool,
    notes: &mut Notes,
) -> Capability {
    let mut refused = BTreeSet::new();
    let all = u64::MAX >> (63 - host.last_capability.min(63));
    let grantable = if own_user_namespace { all } else { all & host.permitted };
    let mut mask = |list: &Option<Capabilities>| {
        let mut mask = 0;
        for name in list.iter().flatten() {
            match number(&name.to_string()) {
                Some(bit) if grantable >> bit & 1 == 1 => mask |= 1 << bit,
                _ => _ = refused.insert(format!("CAP_{name}")),
            }
        }
        mask
    };
    let bounding = mask(listed.bounding());
    let permitted = mask(listed.permitted());
    let sets = Sets {
        // capset(2) refuses an effective capability that is not permitted.
        effective: mask(listed.effective()) & permitted,
        permitted,
        // capset(2) refuses an inheritable capability outside the bounding set, which is limited before.
        inheritable: mask(listed.inheritable()) & bounding,
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

/// The number of a capability. The name may lack the prefix `CAP_`.
pub(super) fn number(name: &str) -> Option<u8> {
    let full = if name.starts_with("CAP_") { name.to_owned() } else { format!("CAP_{name}") };
    full.parse::<caps::Capability>().ok().map(|capability| capability.index())
}

/// The place of a process setting. `at` is `/process` in config.json, or the root of a process.json.
pub(super) fn place(at: &Pointer, member: &str) -> Pointer {
    at.key(member)
}

/// The additional groups, or `None` if setgroups(2) is denied. Reports ids that the user namespace does not map; the
/// kernel's error for them would be only EINVAL.
pub(super) fn groups(
    user: &User,
    may_be_set: bool,
    linux: Option<&Linux>,
    at: &Pointer,
    problems: &mut Problems,
) -> Option<Vec<u32>> {
    let maps = |list: Option<&Option<Vec<LinuxIdMapping>>>| list.and_then(Option::clone).unwrap_or_default();
    let (uids, gids) = (maps(linux.map(Linux::uid_mappings)), maps(linux.map(Linux::gid_mappings)));
    let mut check = |maps: &[LinuxIdMapping], id: u32, at: Pointer| {
        let has = |map: &LinuxIdMapping| id.checked_sub(map.container_id()).is_some_and(|offset| offset < map.size());
        if !maps.is_empty() && !maps.iter().any(has) {
            problems.add(at, format!("{id} is not mapped in the container's user namespace"));
        }
    };
    check(&uids, user.uid(), at.key("uid"));
    check(&gids, user.gid(), at.key("gid"));
    let groups = user.additional_gids().clone().unwrap_or_default();
    if !may_be_set {
        if !groups.is_empty() {
            let what =
                "cannot set any additional groups in a rootless container: setgroups is denied in its user namespace";
            problems.add(at.key("additionalGids"), what);
        }
        return None;
    }
    for (index, gid) in groups.iter().enumerate() {
        check(&gids, *gid, at.key("additionalGids").index(index));
    }
    Some(groups)
}

#[cfg(test)]
mod tests {
    use super::{Capability, capabilities};
    use crate::plan::{Host, Notes};
    use crate::sys::credentials::Sets;
    use oci_spec::runtime::LinuxCapabilities;

    fn compiled(sets: serde_json::Value, own_user_namespace: bool) -> (Capability, Vec<String>) {
        let mut listed = serde_json::json!({});
        for set in ["bounding", "effective", "inheritable", "permitted", "ambient"] {
            listed[set] = sets.get(set).cloned().unwrap_or_else(|| serde_json::json!([]));
        }
        let listed: LinuxCapabilities = serde_json::from_value(listed).expect("capability sets");
        let host = Host { last_capability: 40, permitted: 0b111, ..Host::default() };
        let mut notes = Notes::default();
        (capabilities(&listed, &host, own_user_namespace, &mut notes), notes.warnings)
    }

    #[test]
    fn no_set_contains_what_capset_would_refuse() {
        let (got, warnings) = compiled(
            serde_json::json!({
                "bounding": ["CAP_CHOWN"], "permitted": ["CAP_CHOWN"],
                "effective": ["CAP_CHOWN", "CAP_DAC_OVERRIDE"], "inheritable": ["CAP_CHOWN", "CAP_DAC_OVERRIDE"],
                "ambient": ["CAP_CHOWN", "CAP_DAC_OVERRIDE"]
            }),
            false,
        );
        let sets = Sets { effective: 1, permitted: 1, inheritable: 1 };
        assert_eq!(got, Capability { bounding: 1, sets, ambient: 1 });
        assert_eq!(warnings, ["ignoring ambient capabilities that are not permitted and inheritable"]);
    }

    #[test]
    fn a_user_namespace_grants_capabilities_that_its_creator_lacks() {
        let asked = serde_json::json!({"bounding": ["CAP_FOWNER", "CAP_SYS_ADMIN"]});
        let (got, warnings) = compiled(asked.clone(), false);
        assert_eq!((got.bounding, warnings.len()), (0, 1));
        let (got, warnings) = compiled(asked, true);
        assert_eq!((got.bounding, warnings.len()), (1 << 3 | 1 << 21, 0));
    }
}
