//! What the parent does for a container as a whole, beside its cgroup: resctrl groups and network devices.

use crate::spec::pointer::Pointer;
use oci_spec::runtime::Linux;

/// `linux.intelRdt`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resctrl {
    /// The group: `None` is the root of resctrl.
    pub(crate) group: Option<String>,
    /// The configuration names the group, so it is not this container's to remove.
    pub(crate) shared: bool,
    /// Lines of `l3CacheSchema`, then of `memBwSchema`: a group that exists must agree with them.
    pub(crate) agreed: Vec<String>,
    /// Lines of `schemata`.
    pub(crate) schemata: Vec<String>,
    /// The name of the monitoring group to make, if one is asked for.
    pub(crate) monitor: Option<String>,
}

/// An interface of the host that moves to the container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NetDevice {
    /// Where the configuration asks for it.
    pub(crate) origin: Pointer,
    /// Its name on the host.
    pub(crate) name: String,
    /// Its name in the container, or a template for one (`eth%d`).
    pub(crate) inside: String,
}

/// `linux.netDevices`, sorted by name: the order of a JSON object means nothing.
pub(super) fn net_devices(linux: Option<&Linux>) -> Vec<NetDevice> {
    let listed = linux.and_then(|linux| linux.net_devices().as_ref()).into_iter().flatten();
    let mut devices: Vec<_> = listed
        .map(|(name, device)| {
            let inside = device.name().as_ref().filter(|inside| !inside.is_empty()).unwrap_or(name);
            let origin = Pointer::of("/linux/netDevices").key(name);
            NetDevice { origin, name: name.clone(), inside: inside.clone() }
        })
        .collect();
    devices.sort_by(|one, other| one.name.cmp(&other.name));
    devices
}

/// `linux.intelRdt` (config-linux.md, "Intel RDT").
pub(super) fn resctrl(linux: Option<&Linux>, id: &str) -> Option<Resctrl> {
    let rdt = linux?.intel_rdt().as_ref()?;
    let lines = |text: &Option<String>| -> Vec<String> {
        text.iter().flat_map(|text| text.lines()).filter(|line| !line.trim().is_empty()).map(str::to_owned).collect()
    };
    let named = rdt.clos_id().as_deref().filter(|name| !name.is_empty());
    let mut agreed = lines(rdt.l3_cache_schema());
    agreed.extend(lines(rdt.mem_bw_schema()));
    Some(Resctrl {
        group: (named != Some("/")).then(|| named.unwrap_or(id).to_owned()),
        shared: named.is_some(),
        agreed,
        schemata: rdt.schemata().clone().unwrap_or_default(),
        monitor: rdt.enable_monitoring().unwrap_or(false).then(|| id.to_owned()),
    })
}
