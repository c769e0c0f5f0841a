//! Compiles `linux.netDevices`: the host's interfaces that move into the container, and their names there. Leaves the
//! move to `container::create::net_devices`.

use super::{Host, NetDevice};
use crate::spec::pointer::Pointer;
use crate::spec::problem::Problems;
use oci_spec::runtime::Linux;

/// The interfaces, sorted by name, because the order of a JSON object has no meaning. Moving one needs privilege.
pub(super) fn compile(linux: Option<&Linux>, host: &Host, problems: &mut Problems) -> Vec<NetDevice> {
    let listed = linux.and_then(|linux| linux.net_devices().as_ref()).into_iter().flatten();
    let mut devices: Vec<_> = listed
        .map(|(name, device)| {
            let inside = device.name().as_ref().filter(|inside| !inside.is_empty()).unwrap_or(name);
            let origin = Pointer::of("/linux/netDevices").key(name);
            NetDevice { origin, name: name.clone(), inside: inside.clone() }
        })
        .collect();
    devices.sort_by(|one, other| one.name.cmp(&other.name));
    if !host.privileged && !devices.is_empty() {
        problems.add(Pointer::of("/linux/netDevices"), "network devices cannot be moved into a rootless container");
    }
    devices
}
