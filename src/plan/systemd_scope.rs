//! Compiles a container's cgroup for systemd: names of slices and units, and the properties of a scope
//! (systemd.resource-control(5), org.freedesktop.systemd1(5)). systemd needs the properties because it can rewrite the
//! cgroup's files at any time.
//!
//! Properties are derived from the writes to the cgroup's files, so that no limit is converted twice. The runtime makes
//! these writes too, because systemd does not have a property for every file. Pure.

use crate::dbus::{Value, parse_text};
use crate::plan::number_list;
use crate::plan::resources::{ResourcePlan, Write};
use crate::spec::pointer::Pointer;
use crate::spec::problem::Problems;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

/// A property of a unit.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Property {
    pub(crate) name: Cow<'static, str>,
    pub(crate) value: Value,
    /// The first version of systemd with this property; 0 if every supported version has it.
    pub(crate) since: u32,
    /// The property can be set only when the unit is created.
    pub(crate) at_start: bool,
}

impl Property {
    fn new(name: &'static str, value: Value) -> Property {
        Property { name: name.into(), value, since: 0, at_start: false }
    }

    fn since(self, since: u32) -> Property {
        Property { since, ..self }
    }
}

/// "No limit" as the value of a property.
const INFINITY: u64 = u64::MAX;
/// systemd rounds CPU quotas to 1 % of a CPU when it re-reads its own files. In microseconds per second.
const PERCENT: u64 = 10_000;
/// The highest CPU or memory node in a mask; more than any kernel supports.
const HIGHEST: u32 = 16_383;

/// The path of a slice below the root of systemd's cgroups: `a.slice/a-b.slice` for `a-b.slice`, empty for `-.slice`.
pub(crate) fn directory(slice: &str) -> Result<PathBuf, String> {
    let Some(name) = slice.strip_suffix(".slice") else {
        return Err(format!("\"{slice}\" is not a slice; the name must end in .slice"));
    };
    if name == "-" {
        return Ok(PathBuf::new());
    }
    if !is_unit(slice) || name.split('-').any(str::is_empty) {
        return Err(format!("\"{slice}\" is not a valid slice name"));
    }
    let ends = name.match_indices('-').map(|(at, _)| at).chain([name.len()]);
    Ok(ends.map(|end| format!("{}.slice", &name[..end])).collect())
}

/// Whether systemd accepts this name of a unit: at most 255 bytes, all from a fixed set.
pub(crate) fn is_unit(name: &str) -> bool {
    !name.is_empty() && name.len() <= 255 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b":-_.\\@".contains(&b))
}

/// Rounds the CPU quota up to a value that systemd can store. Otherwise systemd would change it when it re-reads its
/// files.
pub(crate) fn round_quota(plan: &mut ResourcePlan) {
    for write in plan.writes.iter_mut().filter(|write| write.file == "cpu.max") {
        if let Some((Some(per_second), period)) = bandwidth(&write.value) {
            let quota = u128::from(per_second) * u128::from(period) / 1_000_000;
            write.value = format!("{quota} {period}");
        }
    }
}

/// The properties with the same effect as the writes to cgroup files.
pub(crate) fn of_limits(plan: &ResourcePlan) -> Vec<Property> {
    let mut found: Vec<Property> = Vec::new();
    for property in plan.writes.iter().chain(&plan.writes_inside).flat_map(of_write) {
        // The last property of a name counts, as the last write to a file does.
        found.retain(|other| other.name != property.name);
        found.push(property);
    }
    found
}

fn of_write(write: &Write) -> Vec<Property> {
    let value = write.value.as_str();
    let one = |name, value: Option<Value>| value.map(|value| Property::new(name, value)).into_iter().collect();
    let limit = |name| one(name, amount(value).map(Value::Uint64));
    match write.file.as_ref() {
        "memory.max" => limit("MemoryMax"),
        "memory.high" => limit("MemoryHigh"),
        "memory.low" => limit("MemoryLow"),
        "memory.min" => limit("MemoryMin"),
        "memory.swap.max" => limit("MemorySwapMax"),
        "memory.zswap.max" => {
            let limit: Vec<Property> = limit("MemoryZSwapMax");
            limit.into_iter().map(|property| property.since(253)).collect()
        }
        // systemd does not accept 0. The scope has one process, so a limit of 1 has the same effect.
        "pids.max" => one("TasksMax", amount(value).map(|n| Value::Uint64(n.max(1)))),
        "cpu.weight" => one("CPUWeight", value.parse().ok().map(Value::Uint64)),
        "cpu.idle" if value == "1" => vec![Property::new("CPUWeight", Value::Uint64(0)).since(252)],
        // Like the kernel, resets the weight to the default when a group is no longer idle. A configured weight is a
        // later write.
        "cpu.idle" => vec![Property::new("CPUWeight", Value::Uint64(INFINITY))],
        "cpu.max" => bandwidth(value).map_or_else(Vec::new, |(per_second, period)| {
            vec![
                Property::new("CPUQuotaPerSecUSec", Value::Uint64(per_second.unwrap_or(INFINITY))),
                Property::new("CPUQuotaPeriodUSec", Value::Uint64(period)).since(242),
            ]
        }),
        "cpuset.cpus" => one("AllowedCPUs", mask(value)).into_iter().map(|p: Property| p.since(244)).collect(),
        "cpuset.mems" => one("AllowedMemoryNodes", mask(value)).into_iter().map(|p: Property| p.since(244)).collect(),
        "io.weight" => {
            let weight = value.strip_prefix("default ").unwrap_or(value);
            one("IOWeight", weight.parse().ok().map(Value::Uint64))
        }
        "io.bfq.weight" => one("IOWeight", value.parse().ok().map(|weight| Value::Uint64(before_bfq(weight)))),
        "memory.oom.group" => {
            let policy = if value == "0" { "continue" } else { "kill" };
            let property = Property::new("OOMPolicy", Value::text(policy)).since(253);
            vec![Property { at_start: true, ..property }]
        }
        _ => Vec::new(),
    }
}

/// Parses a number as the kernel does, with an optional unit. `max` is no limit.
fn amount(text: &str) -> Option<u64> {
    if text == "max" {
        return Some(INFINITY);
    }
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// Converts `cpu.max` to the quota in microseconds per second, rounded up to a whole percent (`None` if unlimited), and
/// the period in microseconds.
fn bandwidth(text: &str) -> Option<(Option<u64>, u64)> {
    let (quota, period) = text.split_once(' ').unwrap_or((text, "100000"));
    let period = period.parse().ok().filter(|period| *period > 0)?;
    if quota == "max" {
        return Some((None, period));
    }
    let quota = quota.parse::<u64>().ok()?;
    let per_second = u128::from(quota) * 1_000_000 / u128::from(period);
    let rounded = u64::try_from(per_second).ok()?.checked_next_multiple_of(PERCENT)?;
    Some((Some(rounded.max(PERCENT)), period))
}

/// The inverse of systemd's conversion of an `IOWeight` to BFQ's weight: identical up to 100; above, 1000 is from
/// 10000.
fn before_bfq(weight: u64) -> u64 {
    if weight <= 100 { weight } else { 100 + (weight - 100) * 9900 / 900 }
}

/// A list such as `0-3,7` as a bit mask, the lowest number in the lowest bit of the first byte. `None` for forms of the
/// kernel that depend on the host (`all`, `N`) or have patterns.
fn mask(list: &str) -> Option<Value> {
    let list = list.split(',').map(str::trim).collect::<Vec<_>>().join(",");
    let highest = number_list::ranges(&list).ok()?.iter().map(|(_, last)| *last).max();
    if highest > Some(HIGHEST) {
        return None;
    }
    let mut bytes: Vec<u8> = number_list::bits(&list).iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.truncate(bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1));
    Some(Value::Array("y".to_owned(), bytes.into_iter().map(Value::Byte).collect()))
}

/// The prefix of annotations that set properties.
const ANNOTATION: &str = "org.systemd.property.";

/// Properties that move other processes into the scope or act on other units (org.freedesktop.systemd1(5),
/// systemd.unit(5)).
const NOT_BY_ANNOTATION: [&str; 21] = [
    "PIDs",
    "PIDFDs",
    "Slice",
    "Delegate",
    "DelegateSubgroup",
    "Controller",
    "ControlGroup",
    "BindsTo",
    "Conflicts",
    "OnFailure",
    "OnSuccess",
    "PartOf",
    "PropagatesReloadTo",
    "PropagatesStopTo",
    "Requires",
    "Requisite",
    "RequiresMountsFor",
    "StopPropagatedFrom",
    "StopWhenUnneeded",
    "Upholds",
    "Wants",
];

/// The properties that annotations request: `org.systemd.property.TimeoutStopUSec: "uint64 10000000"`.
pub(crate) fn of_annotations(annotations: Option<&HashMap<String, String>>, problems: &mut Problems) -> Vec<Property> {
    let sorted: BTreeMap<_, _> = annotations.into_iter().flatten().collect();
    let mut found = Vec::new();
    for (key, text) in sorted {
        let Some(name) = key.strip_prefix(ANNOTATION) else { continue };
        if NOT_BY_ANNOTATION.contains(&name) {
            let what = "may not be set by an annotation: it decides which processes and units the scope affects";
            problems.add(Pointer::of("/annotations").key(key), what);
            continue;
        }
        match of_annotation(name, text) {
            Ok(property) => found.push(property),
            Err(what) => problems.add(Pointer::of("/annotations").key(key), what),
        }
    }
    found
}

fn of_annotation(name: &str, text: &str) -> Result<Property, String> {
    if name.len() < 3 || !name.bytes().all(|b| b.is_ascii_alphabetic()) {
        return Err(format!("\"{}\" is not the name of a property", name.escape_debug()));
    }
    let value = parse_text(text)?;
    let property = |name: String, value| Property { name: name.into(), value, since: 0, at_start: true };
    // D-Bus has times in microseconds (`...USec`). Users know the names from unit files, which have seconds (`...Sec`).
    let stem = name.strip_suffix("Sec").filter(|stem| stem.ends_with(|c: char| c.is_ascii_lowercase()));
    let Some(stem) = stem else { return Ok(property(name.to_owned(), value)) };
    match microseconds(&value) {
        Some(time) => Ok(property(format!("{stem}USec"), Value::Uint64(time))),
        None => Err(format!("{text} is not a number of seconds")),
    }
}

fn microseconds(value: &Value) -> Option<u64> {
    let whole = |seconds: u64| seconds.checked_mul(1_000_000);
    match value {
        Value::Byte(n) => whole(u64::from(*n)),
        Value::Int16(n) => whole(u64::try_from(*n).ok()?),
        Value::Uint16(n) => whole(u64::from(*n)),
        Value::Int32(n) => whole(u64::try_from(*n).ok()?),
        Value::Uint32(n) => whole(u64::from(*n)),
        Value::Int64(n) => whole(u64::try_from(*n).ok()?),
        Value::Uint64(n) => whole(*n),
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded on both sides")]
        Value::Double(seconds) => (0.0..1e12).contains(seconds).then_some((seconds * 1e6) as u64),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
