//! `linux.readonlyPaths` and `linux.maskedPaths`.

use crate::plan::act::{Act, InRoot};
use crate::plan::{Notes, Step, c_string};
use crate::spec::pointer::Pointer;
use oci_spec::runtime::Linux;

/// What becomes read-only, then what becomes unreadable: a path in both lists is masked.
pub(super) fn compile(linux: Option<&Linux>, notes: &mut Notes) -> Vec<Step> {
    let readonly = linux.and_then(|l| l.readonly_paths().as_deref()).unwrap_or_default();
    let masked = linux.and_then(|l| l.masked_paths().as_deref()).unwrap_or_default();
    let mut steps = each(readonly, &Pointer::of("/linux/readonlyPaths"), Act::ReadonlyPath, notes);
    steps.extend(each(masked, &Pointer::of("/linux/maskedPaths"), Act::MaskPath, notes));
    steps
}

fn each(paths: &[String], at: &Pointer, act: fn(InRoot) -> Act, notes: &mut Notes) -> Vec<Step> {
    let step = |(number, path): (usize, &String)| {
        let origin = at.index(number);
        let path = InRoot(c_string(path.as_str(), &origin, &mut notes.problems));
        Step { origin, act: act(path) }
    };
    paths.iter().enumerate().map(step).collect()
}
