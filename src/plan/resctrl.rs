//! Compiles `linux.intelRdt`: the resctrl group of the container's processes. Leaves the state of the host's resctrl to
//! `crate::resctrl`.

use super::Resctrl;
use oci_spec::runtime::Linux;

/// `linux.intelRdt` (config-linux.md, "Intel RDT").
pub(super) fn compile(linux: Option<&Linux>, id: &str) -> Option<Resctrl> {
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
