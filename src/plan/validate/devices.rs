//! `linux.devices`.

use super::{absolute, clean, text};
use crate::spec::pointer::Pointer;
use crate::spec::problem::Problems;
use oci_spec::runtime::{Linux, LinuxDevice, LinuxDeviceType};

/// Bits of the kernel's device numbers (MINORBITS is 20 of 32).
const MOST_MAJOR: i64 = (1 << 12) - 1;
const MOST_MINOR: i64 = (1 << 20) - 1;

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
            problems.add(place.key("type"), "\"a\" is for rules; a device is one of c, u, b, p");
        }
        LinuxDeviceType::B | LinuxDeviceType::C | LinuxDeviceType::U => {}
    }
    for (member, number, most) in [("major", device.major(), MOST_MAJOR), ("minor", device.minor(), MOST_MINOR)] {
        if !(0..=most).contains(&number) {
            problems.add(place.key(member), format!("{number} is out of range; expected 0 to {most}"));
        }
    }
}
