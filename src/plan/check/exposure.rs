//! Checks that a process visible to others holds no more rights than its program (CVE-2016-9962).
//!
//! Leaves all other rules to its parent module and `rules`.
//!
//! A process is visible if it is in a pid namespace with a process of a container, because CAP_SYS_PTRACE reaches it
//! there:
//! * An additional process is visible when it enters the pid namespace.
//! * The init process of a new pid namespace is visible when it waits for its start, because `exec` can add processes
//!   from then on.
//! * A container that is created in an existing pid namespace enters it last, like an additional process. If it cannot
//!   (a user namespace, a kernel before 6.17), it is visible from the clone on. docs/security.md describes what that
//!   exposes.

use super::{Found, rules};
use crate::plan::act::{Act, Filter, Start};
use crate::plan::filter::Remaining;
use crate::plan::namespaces::PID;
use crate::plan::{PassedFd, Plan, Step};
use crate::sys::credentials::Sets;

/// Adds the breaches at the step at which the process becomes visible.
pub(super) fn check(found: &mut Found<'_>, plan: &Plan) {
    let joins = plan.passed_fds.contains(&PassedFd::Process);
    let enters = found.first(|act| matches!(act, Act::EnterPidNamespace { .. }));
    if joins {
        found.require(
            enters.is_some() == (plan.namespaces.joined & PID != 0),
            "a joined pid namespace is entered by a clone",
        );
    } else {
        found.require(
            enters.is_some() == plan.namespaces.enters_pid_last,
            "a pid namespace that is entered last is entered by a clone",
        );
    }
    let alone = plan.namespaces.new & PID != 0;
    let waits = found.first(|act| matches!(act, Act::AwaitStart(_)));
    let Some(visible) = enters.or(waits.filter(|_| alone)) else { return };
    let (before, after) = found.steps.split_at(visible);
    let has_done = |is: fn(&Act) -> bool| before.iter().any(|step| is(&step.act));
    let mut breaches = Vec::new();
    if !has_done(|act| matches!(act, Act::SetUser { .. })) {
        breaches.push("a process that others can see has the ids and groups of its program");
    }
    if !has_done(|act| matches!(act, Act::CloseHost | Act::JoinProcess { .. })) {
        breaches.push("a process that others can see has no descriptors of the host");
    }
    if !joins && !has_done(|act| matches!(act, Act::PivotRoot | Act::MoveRoot | Act::ChangeRoot)) {
        breaches.push("a process that others can see has left the host's root");
    }
    if after.iter().any(|step| rules::needs_rights(&step.act)) {
        breaches.push("steps that need rights are done before others can see the process");
    }
    let late_filter = after.iter().find_map(filter_of);
    if late_filter.is_some_and(|filter| remaining(plan, visible).is_permitted_by(filter)) {
        breaches.push("a filter that permits the remaining steps is installed before others can see the process");
    }
    if let (None, Some(held), Some(final_sets)) =
        (late_filter, before.iter().rev().find_map(sets), last_sets(found.steps))
        && held.permitted & !final_sets.permitted != 0
    {
        breaches.push("a process that others can see has no more capabilities than its program");
    }
    breaches.into_iter().for_each(|rule| found.add(Some(visible), rule));
}

fn filter_of(step: &Step) -> Option<&Filter> {
    match &step.act {
        Act::InstallFilter(filter) => Some(filter),
        _ => None,
    }
}

fn sets(step: &Step) -> Option<Sets> {
    match step.act {
        Act::SetCapabilities { sets, .. } => Some(sets),
        _ => None,
    }
}

fn last_sets(steps: &[Step]) -> Option<Sets> {
    steps.iter().rev().find_map(sets)
}

/// The actions that a filter must permit to be installed before the step `visible`, taken from the plan's steps.
fn remaining(plan: &Plan, visible: usize) -> Remaining {
    let steps = &plan.init;
    let has = |is: fn(&Act) -> bool| steps.iter().any(|step| is(&step.act));
    let starts = steps.iter().find_map(|step| match step.act {
        Act::AwaitStart(start) => Some(start),
        _ => None,
    });
    Remaining {
        drops_capabilities: steps[visible..].iter().any(|step| sets(step).is_some()),
        enters: matches!(steps[visible].act, Act::EnterPidNamespace { .. }),
        terminal: has(|act| matches!(act, Act::EnterPidNamespace { terminal: true })),
        start: starts.unwrap_or(Start::Parent),
        hooks: has(|act| matches!(act, Act::StartContainerHook(_))),
        preserves: has(|act| matches!(act, Act::PreserveDescriptors(_))),
        finds_home: has(|act| matches!(act, Act::FindHome { .. })),
    }
}
