//! Checks rules that every plan must keep, independently of `order`. Each rule states its reason.
//!
//! Leaves to the other modules of `plan` how a configuration is compiled: it knows only the acts. Runs on every plan in
//! a debug build, and in tests on recorded and on mutated configurations.
//!
//! A breach is a bug in this program, never a mistake in a configuration.

mod exposure;
mod rules;
#[cfg(test)]
mod tests;

use super::act::{Act, Gate, Source};
use super::landlock::Landlock;
use super::namespaces::{CGROUP, MOUNT, NETWORK, PID, USER};
use super::{PassedFd, Plan, Step};
use crate::sys::credentials::SYS_ADMIN;
use rules::{AFTER, BEFORE, COUNT};

/// Returns every rule that the plan breaks, with the step at fault. Empty for a valid plan.
pub(super) fn breaches(plan: &Plan) -> Vec<String> {
    let mut found = Found { steps: &plan.init, list: Vec::new() };
    count(&mut found, plan);
    before(&mut found);
    after(&mut found);
    waits_for_the_host(&mut found, plan);
    agrees_with_namespaces(&mut found, plan);
    intermediate_joins_what_the_child_cannot(&mut found, plan);
    descriptors_are_used_once(&mut found, plan);
    hooks_are_numbered(&mut found);
    origins_are_places(&mut found);
    domain_may_be_entered(&mut found);
    filter_may_be_installed(&mut found);
    rights_only_shrink(&mut found);
    directory_stays(&mut found);
    exposure::check(&mut found, plan);
    if plan.detach_exe_before_clone && plan.init.iter().any(|step| step.act == Act::DetachExe) {
        found.add(None, "the executable is detached from once, by the parent or by the child");
    }
    if plan.init.len() > usize::from(u16::MAX) {
        found.add(None, "a failure reports its step number in 16 bits");
    }
    found.list
}

/// The breaches found, and the steps of the plan.
struct Found<'a> {
    steps: &'a [Step],
    list: Vec<String>,
}

impl Found<'_> {
    fn add(&mut self, step: Option<usize>, rule: &str) {
        self.list.push(match step.and_then(|number| self.steps.get(number).map(|step| (number, step))) {
            Some((number, step)) => format!("step {number} ({}: {}): {rule}", step.origin, step.act),
            None => rule.to_owned(),
        });
    }

    fn count(&self, is: impl Fn(&Act) -> bool) -> usize {
        self.steps.iter().filter(|step| is(&step.act)).count()
    }

    fn first(&self, is: impl Fn(&Act) -> bool) -> Option<usize> {
        self.steps.iter().position(|step| is(&step.act))
    }

    /// Checks a rule about the plan as a whole.
    fn require(&mut self, holds: bool, rule: &str) {
        if !holds {
            self.add(None, rule);
        }
    }
}

fn count(found: &mut Found<'_>, plan: &Plan) {
    let creates = !plan.passed_fds.contains(&PassedFd::Process);
    for rule in COUNT {
        let (least, most) = if creates { rule.create } else { rule.exec };
        let number = found.count(rule.acts);
        if number < least || number > most {
            found.add(found.first(rule.acts), &format!("{} ({number} times in this plan)", rule.why));
        }
    }
    if found.steps.last().is_none_or(|step| step.act != Act::Execute) {
        found.add(found.steps.len().checked_sub(1), "execve is the last step: nothing returns from it");
    }
}

fn before(found: &mut Found<'_>) {
    for rule in BEFORE {
        let last = found.steps.iter().rposition(|step| (rule.earlier)(&step.act));
        if let (Some(last), Some(first)) = (last, found.first(rule.later))
            && last > first
        {
            found.add(Some(last), rule.why);
        }
    }
}

fn after(found: &mut Found<'_>) {
    for rule in AFTER {
        let Some(first) = found.first(rule.once) else { continue };
        let wrong = found.steps.iter().skip(first + 1).position(|step| !(rule.only)(&step.act));
        if let Some(offset) = wrong {
            found.add(Some(first + 1 + offset), rule.why);
        }
    }
}

fn agrees_with_namespaces(found: &mut Found<'_>, plan: &Plan) {
    let namespaces = &plan.namespaces;
    let new = |kind| namespaces.new & kind != 0;
    let has = |found: &Found<'_>, act: fn(&Act) -> bool| found.count(act) > 0;
    found.require(namespaces.new & namespaces.joined == 0, "a namespace is new or joined, not both");
    found.require(new(USER) == namespaces.maps.is_some(), "a new user namespace has maps, and no other namespace has");
    let waits = has(found, |act| *act == Act::Await(Gate::IdMaps));
    found.require(waits == namespaces.maps.is_some(), "the child waits for the id maps if the plan has id maps");
    let becomes = has(found, |act| *act == Act::BecomeRoot);
    found.require(
        becomes == namespaces.own(USER),
        "in a user namespace the child changes to root, who performs the other steps",
    );
    let makes = has(found, |act| matches!(act, Act::NewTimeNamespace(_)));
    found.require(
        makes == (namespaces.time_offsets.is_some() && namespaces.made_by_user()),
        "the child makes the time namespace if its parent may not",
    );
    let makes = has(found, |act| *act == Act::NewCgroupNamespace);
    found.require(makes == new(CGROUP), "a cgroup namespace is made inside the cgroup, by the child");
    found.require(
        has(found, |act| *act == Act::LoopbackUp) == new(NETWORK),
        "lo is brought up in a new network namespace",
    );
    let propagates = has(found, |act| matches!(act, Act::SetPropagation(_)));
    found.require(propagates == new(MOUNT), "the propagation of a new mount namespace is set, and only of a new one");
    let mounts = has(found, rules::mounts);
    found.require(
        !mounts || namespaces.have_mounts(),
        "nothing is mounted in the caller's mount namespace, except below the bind that `delete` removes",
    );
    let on_host = namespaces.mounts_in_callers;
    found.require(
        !on_host || !namespaces.own(MOUNT) && !namespaces.own(USER),
        "mounts are made in the caller's mount namespace only if the container has none and root may do so",
    );
    let chroots = has(found, |act| *act == Act::ChangeRoot) && has(found, |act| matches!(act, Act::OpenRoot(_)));
    found.require(!on_host || chroots, "the root that the parent has bound is opened, and not bound again");
    // Raising a limit takes a capability in the first user namespace.
    let by_parent = !plan.parent_rlimits.is_empty();
    let waits = has(found, |act| *act == Act::Await(Gate::Limits));
    found.require(waits == by_parent, "the child waits for the resource limits if and only if the parent sets them");
    let sets = has(found, |act| matches!(act, Act::SetRlimit { .. }));
    found.require(!(sets && namespaces.own(USER)), "in a user namespace the parent sets resource limits");
}

/// A plan does not list the host's hooks, so only other reasons for the host gate are checked.
fn waits_for_the_host(found: &mut Found<'_>, plan: &Plan) {
    let runs_hooks = found.count(|act| matches!(act, Act::CreateContainerHook(_))) > 0;
    let host_acts = !plan.net_devices.is_empty() || plan.resctrl.is_some() || !plan.resources.writes_inside.is_empty();
    let waits = found.count(|act| *act == Act::Await(Gate::Host)) > 0;
    found.require(waits || !(runs_hooks || host_acts), "the child waits for the host side if the host side has work");
}

/// The intermediate process joins the user namespace after those that do not belong to it, and before a pid namespace
/// inside it.
fn intermediate_joins_what_the_child_cannot(found: &mut Found<'_>, plan: &Plan) {
    let namespaces = &plan.namespaces;
    let joins: Vec<u64> = plan
        .intermediate
        .iter()
        .filter_map(|step| match step.act {
            Act::JoinNamespace { kind, .. } => Some(kind),
            _ => None,
        })
        .collect();
    found.require(joins.len() == plan.intermediate.len(), "the intermediate process only joins namespaces");
    found.require(joins.is_empty() || namespaces.via_intermediate, "only an intermediate process has steps of its own");
    let all = joins.iter().fold(0, |all, kind| all | kind);
    let before = namespaces.joined_before_user;
    let required = if namespaces.via_intermediate { before | namespaces.joined & (USER | PID) } else { 0 };
    found.require(all == required, "the intermediate process joins what the child has no rights to");
    let user = joins.iter().position(|kind| *kind == USER).unwrap_or(joins.len());
    let in_order = joins.iter().enumerate().all(|(at, kind)| *kind == USER || (at < user) == (before & kind != 0));
    found.require(
        in_order || namespaces.joined & USER == 0,
        "a namespace is joined before the user namespace if and only if it does not belong to it",
    );
    let mount = joins.iter().position(|kind| *kind == MOUNT);
    found.require(mount.is_none_or(|at| at + 1 == user), "paths have another meaning in another mount namespace");
}

/// A descriptor that the parent passes to the child is used by exactly one step of the right kind.
fn descriptors_are_used_once(found: &mut Found<'_>, plan: &Plan) {
    let slot_of = |act: &Act| match act {
        Act::JoinNamespace { slot, .. } | Act::JoinProcess { slot, .. } => Some(*slot),
        Act::BindRoot { passed_fd, .. } => *passed_fd,
        Act::Bind(bind) => match bind.source {
            Source::PassedFd(slot, _) | Source::Reachable(slot, _) => Some(slot),
            Source::Path(_) | Source::InRoot(..) => None,
        },
        _ => None,
    };
    for (number, step) in plan.init.iter().chain(&plan.intermediate).enumerate() {
        let Some(slot) = slot_of(&step.act) else { continue };
        let fits = match (plan.passed_fds.get(slot), &step.act) {
            (Some(PassedFd::Namespace { kind, .. }), Act::JoinNamespace { kind: joined, .. }) => kind == joined,
            (Some(PassedFd::Process), Act::JoinProcess { .. })
            | (Some(PassedFd::Tree { .. }), Act::Bind(_) | Act::BindRoot { .. }) => true,
            _ => false,
        };
        if !fits {
            found.add(Some(number), "the slot holds the kind of descriptor that the step uses");
        }
    }
    for (slot, passed_fds) in plan.passed_fds.iter().enumerate() {
        // The parent itself enters this one, so that the child is made in it.
        let by_parent = matches!(passed_fds, PassedFd::Namespace { kind: PID, .. })
            && !plan.namespaces.enters_pid_last
            && !plan.namespaces.via_intermediate;
        let as_user = |act: &Act| matches!(act, Act::JoinProcess { user: Some(user), .. } if *user == slot);
        let uses = match passed_fds {
            PassedFd::UserNamespace => found.count(as_user),
            _ => plan.init.iter().chain(&plan.intermediate).filter(|step| slot_of(&step.act) == Some(slot)).count(),
        };
        found
            .require(uses == usize::from(!by_parent), &format!("slot {slot} is used once ({uses} times in this plan)"));
    }
}

fn hooks_are_numbered(found: &mut Found<'_>) {
    let (mut create, mut start) = (0, 0);
    for number in 0..found.steps.len() {
        let (expected, is) = match found.steps[number].act {
            Act::CreateContainerHook(is) => (&mut create, is),
            Act::StartContainerHook(is) => (&mut start, is),
            _ => continue,
        };
        let in_sequence = *expected == is;
        *expected += 1;
        if !in_sequence {
            found.add(Some(number), "hooks run once each, in the listed order");
        }
    }
}

/// An origin is a JSON pointer. Only steps that no member requests have the whole document as their origin.
fn origins_are_places(found: &mut Found<'_>) {
    for number in 0..found.steps.len() {
        let step = &found.steps[number];
        let place = step.origin.as_str();
        if place.is_empty() && !rules::has_no_member(&step.act) || !place.is_empty() && !place.starts_with('/') {
            found.add(Some(number), "the origin of a step is the member that requests it");
        }
    }
}

/// Installing a filter needs no_new_privs or CAP_SYS_ADMIN (seccomp(2)).
fn filter_may_be_installed(found: &mut Found<'_>) {
    let why = "a filter is installed with no_new_privs or with CAP_SYS_ADMIN";
    has_admin(found, |act| matches!(act, Act::InstallFilter(_)), why);
}

/// So does entering a Landlock domain (landlock_restrict_self(2)).
fn domain_may_be_entered(found: &mut Found<'_>) {
    let why = "a Landlock domain is entered with no_new_privs or with CAP_SYS_ADMIN";
    has_admin(found, |act| *act == Act::Landlock(Landlock::Restrict), why);
}

fn has_admin(found: &mut Found<'_>, what: fn(&Act) -> bool, why: &'static str) {
    let Some(install) = found.first(what) else { return };
    let before = &found.steps[..install];
    let has_no_new_privs = before.iter().any(|step| step.act == Act::NoNewPrivileges);
    let rights = before.iter().rev().find_map(|step| match &step.act {
        Act::SetCapabilities { sets, .. } => Some(sets.effective),
        _ => None,
    });
    if !has_no_new_privs && rights.is_some_and(|effective| effective & SYS_ADMIN == 0) {
        found.add(Some(install), why);
    }
}

/// Each capability set is a subset of the one before, because dropped capabilities cannot be regained.
fn rights_only_shrink(found: &mut Found<'_>) {
    let mut limit = u64::MAX;
    for number in 0..found.steps.len() {
        let Act::SetCapabilities { sets, ambient } = found.steps[number].act else { continue };
        if sets.permitted & !limit != 0 || sets.effective & !sets.permitted != 0 {
            found.add(Some(number), "permitted capabilities only shrink, effective ones are permitted");
        }
        if ambient & !(sets.permitted & sets.inheritable) != 0 {
            found.add(Some(number), "ambient capabilities are permitted and inheritable");
        }
        limit = sets.permitted;
    }
}

/// `CheckDirectory` checks the directory that `ChangeDirectory` entered.
fn directory_stays(found: &mut Found<'_>) {
    let mut entered = None;
    for number in 0..found.steps.len() {
        match &found.steps[number].act {
            Act::ChangeDirectory(path) => entered = Some(path),
            Act::CheckDirectory(path) if entered != Some(path) => {
                found.add(Some(number), "the checked directory is the entered directory");
            }
            _ => (),
        }
    }
}
