//! Validates the id mappings of a user namespace or a mount: the rules of user_namespaces(7) for one map.

use crate::spec::pointer::Pointer;
use crate::spec::problem::Problems;
use oci_spec::runtime::LinuxIdMapping;

/// The kernel's UID_GID_MAP_MAX_EXTENTS.
const MAX_LINES: usize = 340;

pub(super) fn check(maps: &[LinuxIdMapping], at: &Pointer, problems: &mut Problems) {
    if maps.len() > MAX_LINES {
        problems.add(at.clone(), format!("has {} mappings; the kernel allows at most {MAX_LINES}", maps.len()));
        return;
    }
    for (index, map) in maps.iter().enumerate() {
        let place = at.index(index);
        if map.size() == 0 {
            problems.add(place.key("size"), "is 0; a mapping needs at least one id");
        }
        // The last id, 4294967295, means "no id" to the kernel and cannot be mapped.
        for (member, first) in [("containerID", map.container_id()), ("hostID", map.host_id())] {
            if first.checked_add(map.size()).is_none() {
                problems.add(
                    place.key(member),
                    format!("{first} plus {} ids exceeds the highest id, 4294967294", map.size()),
                );
            }
        }
        for (other, earlier) in maps[..index].iter().enumerate() {
            if overlap((map.container_id(), map.size()), (earlier.container_id(), earlier.size())) {
                problems.add(place.key("containerID"), format!("overlaps with mapping {other}"));
            } else if overlap((map.host_id(), map.size()), (earlier.host_id(), earlier.size())) {
                problems.add(place.key("hostID"), format!("overlaps with mapping {other}"));
            }
        }
    }
}

fn overlap((a, a_size): (u32, u32), (b, b_size): (u32, u32)) -> bool {
    let end = |first: u32, size: u32| u64::from(first) + u64::from(size);
    u64::from(a) < end(b, b_size) && u64::from(b) < end(a, a_size)
}
