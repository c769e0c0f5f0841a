//! Compiles `linux.readonlyPaths` and `linux.maskedPaths`. Leaves the mounts to `init::masked_paths`.

use crate::plan::act::{Act, InRoot};
use crate::plan::{Notes, Step, c_string};
use crate::spec::pointer::Pointer;
use oci_spec::runtime::Linux;
use std::collections::HashSet;

/// Read-only paths come first, so that a path in both lists is masked.
pub(super) fn compile(linux: Option<&Linux>, notes: &mut Notes) -> Vec<Step> {
    let readonly = linux.and_then(|l| l.readonly_paths().as_deref()).unwrap_or_default();
    let masked = linux.and_then(|l| l.masked_paths().as_deref()).unwrap_or_default();
    let mut steps = each(readonly, &Pointer::of("/linux/readonlyPaths"), Act::ReadonlyPath, notes);
    steps.extend(each(masked, &Pointer::of("/linux/maskedPaths"), Act::MaskPath, notes));
    steps
}

/// One step for each distinct path. Like runc and crun, resolves a relative path from the root, with a warning.
fn each(paths: &[String], at: &Pointer, act: fn(InRoot) -> Act, notes: &mut Notes) -> Vec<Step> {
    let mut seen = HashSet::new();
    let mut steps = Vec::with_capacity(paths.len());
    for (number, path) in paths.iter().enumerate() {
        let origin = at.index(number);
        let absolute = if path.starts_with('/') { path.clone() } else { format!("/{path}") };
        if !path.starts_with('/') {
            notes.warnings.push(format!("{origin}: {path:?} is relative; using {absolute:?}"));
        }
        if seen.insert(absolute.clone()) {
            let path = InRoot(c_string(absolute, &origin, &mut notes.problems));
            steps.push(Step { origin, act: act(path) });
        }
    }
    steps
}
