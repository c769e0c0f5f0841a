//! Reduces a list of device rules to those that have an effect.
//!
//! Every rule costs a few look-ups, however long the list is: a list of 300,000 rules must not take a minute.

use super::{Access, DeviceRule, Kind};
use std::collections::BTreeMap;

/// A set of rules, by the devices that they name. `None` as a number names all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    /// Rules with exactly these numbers.
    Device(Kind, Option<u32>, Option<u32>),
    /// Rules with this major number, whatever their minor number is.
    Major(Kind, Option<u32>),
    /// Rules with this minor number, whatever their major number is.
    Minor(Kind, Option<u32>),
    /// All rules of a type.
    Kind(Kind),
}

/// The rules kept so far, and where to find them.
#[derive(Default)]
struct Kept {
    rules: Vec<DeviceRule>,
    /// For each group, effect and kind of access: the position after the last such rule.
    ends: BTreeMap<Group, [[usize; 3]; 2]>,
    /// The positions of the rules with exactly these numbers and this effect, in ascending order.
    positions: BTreeMap<(Group, bool), Vec<usize>>,
}

/// Returns the answer for requests that no rule covers, and the rules that have an effect, in an order that makes the
/// program short.
pub(super) fn simplify(rules: &[DeviceRule]) -> (bool, Vec<DeviceRule>) {
    let reset = rules.iter().rposition(|rule| rule.kind == Kind::All);
    let default = reset.is_some_and(|reset| rules[reset].allow);
    let mut kept = Kept::default();
    for rule in &rules[reset.map_or(0, |reset| reset + 1)..] {
        kept.add(rule, default);
    }
    let mut kept = kept.rules;
    // If all rules have the same effect, their order does not matter. Sorting puts rules of one type and major number
    // together, so that the program tests each type and each major number once.
    if kept.iter().all(|rule| rule.allow != default) {
        kept.sort_by_key(|rule| (rule.kind.number(), rule.major, rule.minor));
    }
    (default, kept)
}

impl Kept {
    fn add(&mut self, rule: &DeviceRule, default: bool) {
        // The new rule must come after the last rule that it contradicts. After that rule, the order does not matter.
        let free = self.after_contradictions(rule);
        if rule.access.0 == 0 || rule.allow == default && free == 0 || self.is_implied(rule, free) {
            return;
        }
        // The new kinds of access take the position of an earlier rule for the same devices. No rule from there on
        // contradicts them, because `free` comes after every rule that does.
        let at = self.positions_from(rule.devices(), rule.allow, free).first().copied().unwrap_or(self.rules.len());
        match self.rules.get_mut(at) {
            Some(same) => same.access.0 |= rule.access.0,
            None => {
                self.rules.push(*rule);
                self.positions.entry((rule.devices(), rule.allow)).or_default().push(at);
            }
        }
        let groups = [
            rule.devices(),
            Group::Major(rule.kind, rule.major),
            Group::Minor(rule.kind, rule.minor),
            Group::Kind(rule.kind),
        ];
        for group in groups {
            let ends = &mut self.ends.entry(group).or_default()[usize::from(rule.allow)];
            rule.access.bits().for_each(|bit| ends[bit] = ends[bit].max(at + 1));
        }
    }

    /// The position after the last rule that has the other effect on a request that `rule` covers.
    fn after_contradictions(&self, rule: &DeviceRule) -> usize {
        let groups = match (rule.major, rule.minor) {
            (Some(_), Some(_)) => rule.covering().to_vec(),
            (Some(_), None) => vec![Group::Major(rule.kind, rule.major), Group::Major(rule.kind, None)],
            (None, Some(_)) => vec![Group::Minor(rule.kind, rule.minor), Group::Minor(rule.kind, None)],
            (None, None) => vec![Group::Kind(rule.kind)],
        };
        let ends = groups.iter().filter_map(|group| self.ends.get(group)).map(|ends| ends[usize::from(!rule.allow)]);
        ends.flat_map(|ends| rule.access.bits().map(move |bit| ends[bit])).max().unwrap_or(0)
    }

    /// Whether a rule from position `free` on has the same effect on all that `rule` covers.
    fn is_implied(&self, rule: &DeviceRule, free: usize) -> bool {
        let mut found = rule.covering().into_iter().flat_map(|group| self.positions_from(group, rule.allow, free));
        found.any(|at| self.rules[*at].access.0 | rule.access.0 == self.rules[*at].access.0)
    }

    fn positions_from(&self, devices: Group, allow: bool, from: usize) -> &[usize] {
        let all = self.positions.get(&(devices, allow)).map_or(&[][..], Vec::as_slice);
        &all[all.partition_point(|at| *at < from)..]
    }
}

impl DeviceRule {
    fn devices(&self) -> Group {
        Group::Device(self.kind, self.major, self.minor)
    }

    /// The groups of rules that cover all devices of this one.
    fn covering(&self) -> [Group; 4] {
        let group = |major, minor| Group::Device(self.kind, major, minor);
        [self.devices(), group(self.major, None), group(None, self.minor), group(None, None)]
    }
}

impl Access {
    /// The numbers of its bits, 0 to 2.
    fn bits(self) -> impl Iterator<Item = usize> {
        (0..3).filter(move |bit| self.0 >> bit & 1 == 1)
    }
}
