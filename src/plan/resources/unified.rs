//! Compiles `linux.resources.unified`: cgroup files by name, written unchanged after all other settings.

use super::{Draft, Refused, Write};
use crate::spec::pointer::Pointer;
use std::collections::{BTreeMap, HashMap};

/// Adds one write per line of every file. The files are sorted by name, so that the plan is always the same.
pub(super) fn compile(files: &HashMap<String, String>, at: &Pointer, draft: &mut Draft<'_>) {
    for (file, value) in files.iter().collect::<BTreeMap<_, _>>() {
        let origin = at.key(file);
        if let Err(what) = check_name(file) {
            draft.problems.add(origin, what);
            continue;
        }
        // An empty write to memory.swap.max means 0, but an empty value in the configuration does not ask for 0.
        if value.trim().is_empty() {
            draft.warnings.push(format!("{origin}: is empty; nothing is written"));
            continue;
        }
        if file == "cgroup.freeze" && value.trim() == "1" {
            draft.problems.add(origin, "a frozen container cannot start; pause it after start");
            continue;
        }
        draft.need(file, &origin);
        // The kernel accepts one entry per write(2).
        for line in value.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let write = Write {
                origin: origin.clone(),
                file: file.clone().into(),
                value: line.to_owned(),
                when_refused: Refused::Fail,
            };
            match (file.as_str(), line) {
                // Like pids.limit: 0 would refuse the container's first process.
                ("pids.max", "0") => draft.plan.writes_inside.push(write),
                _ => draft.plan.writes.push(write),
            }
        }
    }
}

/// Checks that the name is a file in the cgroup's own directory: `controller.file`.
fn check_name(file: &str) -> Result<(), String> {
    if file.contains('/') {
        return Err("has a slash; it must name a file in the container's own cgroup".to_owned());
    }
    let named = file.split_once('.').is_some_and(|(controller, rest)| !controller.is_empty() && !rest.is_empty());
    match named && !file.contains(|c: char| c.is_whitespace() || c.is_control()) {
        true => Ok(()),
        false => Err(format!("\"{}\" is not a cgroup file such as \"memory.high\"", file.escape_debug())),
    }
}
