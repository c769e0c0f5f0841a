//! Validates `mounts`: destinations, and pairs of id mappings. Deliberately leaves the meaning of options to
//! `plan::options`.

use super::{clean, ids, no_nul, text};
use crate::plan::mounts::may_cover_on_proc;
use crate::spec::pointer::Pointer;
use crate::spec::problem::Problems;
use oci_spec::runtime::{Mount, Spec};
use std::collections::BTreeMap;
use std::path::Path;

/// Maximum number of mounts on one path. The kernel follows all of them at every look-up, so the time grows with the
/// square of their number: 4,096 take about a second, 60,000 take minutes.
const STACKED: usize = 4096;

pub(super) fn check(spec: &Spec, problems: &mut Problems) {
    let mut counts = BTreeMap::<String, usize>::new();
    for (index, mount) in spec.mounts().iter().flatten().enumerate() {
        let at = Pointer::of("/mounts").index(index);
        destination(mount, &at.key("destination"), problems);
        let path = clean(&text(mount.destination()));
        let count = counts.entry(path.clone()).or_default();
        *count += 1;
        if *count == STACKED + 1 {
            problems.add(at.key("destination"), format!("{path:?} has more than {STACKED} mounts"));
        }
        for (member, value) in
            [("type", mount.typ().as_deref()), ("source", mount.source().as_deref().map(text).as_deref())]
        {
            no_nul(value.unwrap_or_default(), &at.key(member), problems);
        }
        for (number, option) in mount.options().iter().flatten().enumerate() {
            no_nul(option, &at.key("options").index(number), problems);
        }
        let uids = mount.uid_mappings().as_deref().unwrap_or_default();
        let gids = mount.gid_mappings().as_deref().unwrap_or_default();
        ids::check(uids, &at.key("uidMappings"), problems);
        ids::check(gids, &at.key("gidMappings"), problems);
        if uids.is_empty() != gids.is_empty() {
            let (given, missing) = if gids.is_empty() { ("uid", "gid") } else { ("gid", "uid") };
            problems.add(
                at.key(&format!("{missing}Mappings")),
                format!("is missing; it is required because {given}Mappings is set"),
            );
        }
    }
}

fn destination(mount: &Mount, at: &Pointer, problems: &mut Problems) {
    let path = text(mount.destination());
    no_nul(&path, at, problems);
    if path.is_empty() {
        problems.add(at.clone(), "is empty; expected a path in the container");
        return;
    }
    let options = mount.options().as_deref().unwrap_or_default();
    let typ = mount.typ().as_deref().unwrap_or_default();
    let bind = typ == "bind" || options.iter().any(|option| option == "bind" || option == "rbind");
    match clean(&path).as_str() {
        "/" => problems.add(at.clone(), format!("{path:?} is the root file system, which a mount must not cover")),
        "/proc" if typ != "proc" && !bind => {
            problems.add(at.clone(), format!("{path:?} cannot be mounted because it is not of type proc"));
        }
        clean if clean.starts_with("/proc/") && !may_cover_on_proc(Path::new(clean)) => {
            problems.add(at.clone(), format!("{path:?} cannot be mounted because it is inside /proc"));
        }
        _ => {}
    }
}
