//! Compares two plans for people who review a configuration.
//!
//! Compares what each plan does, part by part, as lines of text; the place in the configuration does not count, because
//! one more mount moves the places of all later ones. Leaves reading and compiling the configurations to others.

mod parts;
#[cfg(test)]
mod tests;

use crate::plan::Plan;
use oci_spec::runtime::Spec;
use serde::Serialize;
use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::path::PathBuf;

/// One of the two plans.
pub(crate) struct Side {
    /// Where it comes from, for people: a bundle, a file or a container.
    pub(crate) name: String,
    /// The directory of the bundle. Lines show it as `BUNDLE`, so that equal bundles in two places do not differ.
    pub(crate) bundle: PathBuf,
    pub(crate) spec: Spec,
    pub(crate) plan: Plan,
}

/// What differs between two plans, in the order of the plan.
#[derive(Serialize)]
pub(crate) struct Differences {
    old: String,
    new: String,
    differences: Vec<Difference>,
}

/// A line that only one of the plans has.
#[derive(Serialize)]
struct Difference {
    part: &'static str,
    change: Change,
    /// The place in that configuration.
    origin: String,
    act: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Change {
    Removed,
    Added,
}

/// A line of a part: its place in the configuration, and the text that is compared.
struct Line {
    origin: String,
    text: String,
}

/// Compares the plans. With `ignore_ids`, names that engines generate are equal to each other.
pub(crate) fn between(old: &Side, new: &Side, ignore_ids: bool) -> Differences {
    let both_filter = [old, new].iter().all(|side| parts::has_filter(side));
    let lines = |side: &Side| {
        let mut parts = parts::of(side, both_filter);
        for line in parts.iter_mut().flat_map(|(_, lines)| lines) {
            line.text = without_bundle(&line.text, &side.bundle.to_string_lossy());
            if ignore_ids {
                line.text = without_ids(&line.text);
            }
        }
        parts
    };
    let mut differences = Vec::new();
    for ((part, old), (_, new)) in lines(old).into_iter().zip(lines(new)) {
        compare(part, old, new, &mut differences);
    }
    Differences { old: old.name.clone(), new: new.name.clone(), differences }
}

impl Differences {
    /// Whether the plans are equal.
    pub(crate) fn is_empty(&self) -> bool {
        self.differences.is_empty()
    }
}

/// Adds the lines that only one of the lists has. Lines that both have in another order count as removed and added.
fn compare(part: &'static str, old: Vec<Line>, new: Vec<Line>, differences: &mut Vec<Difference>) {
    let pairs = common(&old, &new);
    let (mut old, mut new) = (old.into_iter(), new.into_iter());
    let (mut at_old, mut at_new) = (0, 0);
    let mut add = |change, lines: &mut dyn Iterator<Item = Line>| {
        let difference = |line: Line| Difference { part, change, origin: line.origin, act: line.text };
        differences.extend(lines.map(difference));
    };
    for (in_old, in_new) in pairs {
        add(Change::Removed, &mut old.by_ref().take(in_old - at_old));
        add(Change::Added, &mut new.by_ref().take(in_new - at_new));
        old.next();
        new.next();
        (at_old, at_new) = (in_old + 1, in_new + 1);
    }
    add(Change::Removed, &mut old);
    add(Change::Added, &mut new);
}

/// Indices of a longest list of lines that both have in the same order, where the Nth of equal lines pairs with the
/// Nth. Takes O(n log n), because a plan may have thousands of mounts.
fn common(old: &[Line], new: &[Line]) -> Vec<(usize, usize)> {
    let mut places: HashMap<&str, VecDeque<usize>> = HashMap::new();
    for (index, line) in old.iter().enumerate() {
        places.entry(&line.text).or_default().push_back(index);
    }
    let pair = |(index, line): (usize, &Line)| Some((places.get_mut(line.text.as_str())?.pop_front()?, index));
    let pairs: Vec<(usize, usize)> = new.iter().enumerate().filter_map(pair).collect();
    // The longest increasing subsequence by patience sorting: `ends[n]` is the pair that ends the best list of n + 1.
    let (mut ends, mut before): (Vec<usize>, Vec<Option<usize>>) = (Vec::new(), Vec::with_capacity(pairs.len()));
    for (number, (in_old, _)) in pairs.iter().enumerate() {
        let length = ends.partition_point(|&end| pairs[end].0 < *in_old);
        before.push(length.checked_sub(1).map(|shorter| ends[shorter]));
        match ends.get_mut(length) {
            Some(end) => *end = number,
            None => ends.push(number),
        }
    }
    let mut longest = Vec::with_capacity(ends.len());
    let mut last = ends.last().copied();
    while let Some(number) = last {
        longest.push(pairs[number]);
        last = before[number];
    }
    longest.reverse();
    longest
}

/// The text with the path of the bundle as `BUNDLE`.
fn without_bundle(text: &str, bundle: &str) -> String {
    if bundle.len() < 2 || !text.contains(bundle) {
        return text.to_owned();
    }
    let word = |word: &str| match word.strip_prefix(bundle) {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("BUNDLE{rest}"),
        _ => word.to_owned(),
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// The text with `ID` for each word of at least 12 hexadecimal digits: an engine's id, or its short form.
fn without_ids(text: &str) -> String {
    let is_id = |word: &str| word.len() >= 12 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let words = text.split_inclusive(|c: char| !c.is_ascii_alphanumeric());
    let shown = words.map(|word| {
        let name = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        if is_id(name) { format!("ID{}", &word[name.len()..]) } else { word.to_owned() }
    });
    shown.collect()
}

/// As `diff -u` begins; then each part with its lines. Adjacent lines that differ in one word are shown as one.
impl fmt::Display for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return Ok(());
        }
        writeln!(f, "--- {}\n+++ {}", self.old, self.new)?;
        let rows = folded(&self.differences);
        let width = rows.iter().map(|row| row.origin.len()).max().unwrap_or(0);
        let mut part = "";
        for row in rows {
            if row.part != part {
                part = row.part;
                writeln!(f, "{part}")?;
            }
            let sign = if row.change == Change::Removed { '-' } else { '+' };
            writeln!(f, "{sign} {:width$}  {}", row.origin, row.act)?;
        }
        Ok(())
    }
}

/// Joins runs of lines that differ only in the same word: `mask /proc/acpi, /proc/kcore`.
fn folded(differences: &[Difference]) -> Vec<Difference> {
    let mut rows = Vec::new();
    let mut rest = differences;
    while let Some(first) = rest.first() {
        let mut names: Vec<&str> = Vec::new();
        let mut place = None;
        let mut origin = first.origin.as_str();
        for next in &rest[1..] {
            let same = next.part == first.part && next.change == first.change;
            let Some((index, name)) = same.then(|| one_word(&first.act, &next.act)).flatten() else { break };
            if *place.get_or_insert(index) != index {
                break;
            }
            names.push(name);
            origin = common_place(origin, &next.origin);
        }
        let mut words: Vec<Cow<'_, str>> = first.act.split(' ').map(Cow::Borrowed).collect();
        if let Some(index) = place {
            words[index] = Cow::Owned(format!("{}, {}", words[index], names.join(", ")));
        }
        let (part, change) = (first.part, first.change);
        rows.push(Difference { part, change, origin: origin.to_owned(), act: words.join(" ") });
        rest = &rest[1 + names.len()..];
    }
    rows
}

/// The only word of `next` that differs from `first`, and its index.
fn one_word<'a>(first: &str, next: &'a str) -> Option<(usize, &'a str)> {
    if first.split(' ').count() != next.split(' ').count() {
        return None;
    }
    let mut differing = first.split(' ').zip(next.split(' ')).enumerate().filter(|(_, (a, b))| a != b);
    let (index, (_, word)) = differing.next()?;
    differing.next().is_none().then_some((index, word))
}

/// The place that contains both places.
fn common_place<'a>(first: &'a str, next: &str) -> &'a str {
    let mut place = first;
    while !(next == place || next.strip_prefix(place).is_some_and(|rest| rest.starts_with('/'))) {
        place = place.rfind('/').map_or("", |slash| &place[..slash]);
    }
    place
}
