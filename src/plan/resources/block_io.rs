//! Compiles `linux.resources.blockIO`: weights and throttles, for all devices or one device.

use super::{Draft, Refused};
use crate::spec::pointer::Pointer;
use oci_spec::runtime::{LinuxBlockIo, LinuxThrottleDevice, LinuxWeightDevice};
use std::collections::HashSet;

/// The range of weights in the specification and in the BFQ scheduler.
const WEIGHTS: std::ops::RangeInclusive<u16> = 10..=1000;

/// Adds the writes of the io controller.
pub(super) fn compile(block_io: &LinuxBlockIo, at: &Pointer, draft: &mut Draft<'_>) {
    if block_io.leaf_weight().is_some_and(|weight| weight != 0) {
        draft.unsupported(
            at.key("leafWeight"),
            "use weight, and a separate cgroup for the processes that compete inside",
        );
    }
    if let Some(weight) = checked(block_io.weight(), &at.key("weight"), draft) {
        write_weight(at.key("weight"), weight.to_string(), io_weight(weight).to_string(), draft);
    }
    weight_devices(block_io.weight_device().as_deref().unwrap_or_default(), &at.key("weightDevice"), draft);
    for (name, key, list) in [
        ("throttleReadBpsDevice", "rbps", block_io.throttle_read_bps_device()),
        ("throttleWriteBpsDevice", "wbps", block_io.throttle_write_bps_device()),
        ("throttleReadIOPSDevice", "riops", block_io.throttle_read_iops_device()),
        ("throttleWriteIOPSDevice", "wiops", block_io.throttle_write_iops_device()),
    ] {
        throttle(list.as_deref().unwrap_or_default(), key, &at.key(name), draft);
    }
}

/// Writes BFQ's weight if the kernel has BFQ, otherwise the weight of io.cost, which has a different scale.
fn write_weight(origin: Pointer, bfq: String, io_cost: String, draft: &mut Draft<'_>) {
    let instead = Refused::Instead { file: "io.weight", value: io_cost };
    draft.write_or(origin, "io.bfq.weight", bfq, instead);
}

fn weight_devices(devices: &[LinuxWeightDevice], at: &Pointer, draft: &mut Draft<'_>) {
    let mut seen = HashSet::new();
    for (i, device) in devices.iter().enumerate() {
        let at = at.index(i);
        let number = number(device.major(), device.minor(), &at, &mut seen, draft);
        let leaf = device.leaf_weight().is_some_and(|weight| weight != 0);
        if leaf {
            draft.unsupported(
                at.key("leafWeight"),
                "use weight, and a separate cgroup for the processes that compete inside",
            );
        }
        match (checked(device.weight(), &at.key("weight"), draft), number) {
            (Some(weight), Some(number)) => {
                write_weight(at, format!("{number} {weight}"), format!("{number} {}", io_weight(weight)), draft);
            }
            (None, Some(_)) if !leaf && device.weight().unwrap_or(0) == 0 => {
                draft.problems.add(at, "has no weight");
            }
            _ => {}
        }
    }
}

fn throttle(devices: &[LinuxThrottleDevice], key: &str, at: &Pointer, draft: &mut Draft<'_>) {
    let mut seen = HashSet::new();
    for (i, device) in devices.iter().enumerate() {
        let at = at.index(i);
        let Some(number) = number(device.major(), device.minor(), &at, &mut seen, draft) else { continue };
        match device.rate() {
            // A rate of 0 removes the limit on v1. On v2 the kernel refuses 0 (ERANGE) and expects "max".
            0 => draft.lift(at, "io.max", format!("{number} {key}=max")),
            rate => draft.write(at, "io.max", format!("{number} {key}={rate}")),
        }
    }
}

/// A device number in the kernel's form, `MAJOR:MINOR`. Reports an invalid or duplicate number.
fn number(
    major: i64,
    minor: i64,
    at: &Pointer,
    seen: &mut HashSet<(u32, u32)>,
    draft: &mut Draft<'_>,
) -> Option<String> {
    let mut part = |name: &str, value: i64| {
        let number = u32::try_from(value).ok();
        if number.is_none() {
            draft.problems.add(at.key(name), format!("{value} is not a device number"));
        }
        number
    };
    let (major, minor) = (part("major", major), part("minor", minor));
    let (major, minor) = (major?, minor?);
    if !seen.insert((major, minor)) {
        draft.problems.add(at.clone(), format!("device {major}:{minor} is listed twice"));
        return None;
    }
    Some(format!("{major}:{minor}"))
}

/// Returns a weight in range; 0 means "unset". Reports any other weight.
fn checked(weight: Option<u16>, at: &Pointer, draft: &mut Draft<'_>) -> Option<u16> {
    let weight = weight.filter(|weight| *weight != 0)?;
    if WEIGHTS.contains(&weight) {
        return Some(weight);
    }
    draft.problems.add(at.clone(), format!("{weight} is not between {} and {}", WEIGHTS.start(), WEIGHTS.end()));
    None
}

/// Scales a weight of 10..=1000 to the range of `io.weight`, 1..=10000.
pub(super) fn io_weight(weight: u16) -> u32 {
    1 + (u32::from(weight) - 10) * 9999 / 990
}
