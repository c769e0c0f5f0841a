//! Validates `linux.devices`. Deliberately leaves device rules to `plan::resources`.

use super::{absolute, clean, text};
use crate::spec::pointer::Pointer;
use crate::spec::problem::Problems;
use oci_spec::runtime::{Linux, LinuxDevice, LinuxDeviceType};

/// The highest device numbers of the kernel: 12 bits for the major number, 20 for the minor (MINORBITS).
const MAX_MAJOR: i64 = (1 << 12) - 1;
const MAX_MINOR: i64 = (1 << 20) - 1;

pub(super) fn check(linux: &Linux, problems: &mut Problems) {
    let at = Pointer::of("/linux/devices");
    for (index, device) in linux.devices().iter().flatten().enumerate() {
        let place = at.index(index);
        let path = text(device.path());
        absolute(&path, &place.key("path"), problems);
        let clean = clean(&path);
        if clean == "/" && !path.is_empty() {
            problems.add(place.key("path"), "is the root directory; it must name a file");
        }
        numbers(device, &place, problems);
    }
}

fn numbers(device: &LinuxDevice, place: &Pointer, problems: &mut Problems) {
    match device.typ() {
        LinuxDeviceType::P => return,
        LinuxDeviceType::A => {
            problems.add(place.key("type"), "\"a\" is valid only in device rules; expected one of c, u, b, p");
        }
        LinuxDeviceType::B | LinuxDeviceType::C | LinuxDeviceType::U => {}
    }
    for (member, number, max) in [("major", device.major(), MAX_MAJOR), ("minor", device.minor(), MAX_MINOR)] {
        if !(0..=max).contains(&number) {
            problems.add(place.key(member), format!("{number} is out of range; expected 0 to {max}"));
        }
    }
}
