//! The rule about processes that others can see: such a process holds no more than its program will (CVE-2016-9962).
//!
//! Visible means: in a pid namespace that a process of a container shares, where CAP_SYS_PTRACE reaches it. A process that is
//! added becomes visible when it enters the pid namespace. The first process of a new pid namespace becomes visible when it waits
//! for its start, because `exec` can add processes from then on. A container that is created in a pid namespace that is there
//! already enters it last, like a process that is added. Where it cannot (a user namespace, a kernel before 6.17) it is visible
//! from the clone on; docs/security.md says what that exposes.

use super::{Found, rules};
use crate::plan::act::{Act, Filter, Start};
use crate::plan::filter::Remaining;
use crate::plan::namespaces::PID;
use crate::plan::{PassedFd, Plan, Step};
use crate::sys::credentials::Sets;

/// Adds what is wrong at the step at which the process becomes visible.
pub(super) fn check(found: &mut Found<'_>, plan: &Plan) {
    let joins = plan.passed_fds.contains(&PassedFd::Process);
    let enters = found.first(|act| matches!(act, Act::EnterPidNamespace { .. }));
    if joins {
        found.demand(
            enters.is_some() == (plan.namespaces.joined & PID != 0),
            "a pid namespace that is joined is entered by a clone",
        );
    } else {
        found.demand(
            enters.is_some() == plan.namespaces.enters_pid_last,
            "a pid namespace that is entered last is entered by a clone",
        );
    }
    let alone = plan.namespaces.new & PID != 0;
    let waits = found.first(|act| matches!(act, Act::AwaitStart(_)));
    let Some(visible) = enters.or(waits.filter(|_| alone)) else { return };
    let (before, after) = found.steps.split_at(visible);
    let done = |is: fn(&Act) -> bool| before.iter().any(|step| is(&step.act));
    let mut wrong = Vec::new();
    if !done(|act| matches!(act, Act::SetUser { .. })) {
        wrong.push("a process that others can see has the ids and groups of its program");
    }
    if !done(|act| matches!(act, Act::CloseHost | Act::JoinProcess { .. })) {
        wrong.push("a process that others can see has no descriptors of the host");
    }
    if !joins && !done(|act| matches!(act, Act::PivotRoot | Act::MoveRoot | Act::ChangeRoot)) {
        wrong.push("a process that others can see has left the host's root");
    }
    if after.iter().any(|step| rules::takes_rights(&step.act)) {
        wrong.push("what takes rights is done before others can see the process");
    }
    let late = after.iter().find_map(filter_of);
    if late.is_some_and(|filter| remaining(plan, visible).is_permitted_by(filter)) {
        wrong.push("a filter that permits what is left is installed before others can see the process");
    }
    if let (None, Some(held), Some(final_sets)) = (late, before.iter().rev().find_map(sets), last_sets(found.steps))
        && held.permitted & !final_sets.permitted != 0
    {
        wrong.push("a process that others can see has no more capabilities than its program");
    }
    wrong.into_iter().for_each(|rule| found.add(Some(visible), rule));
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

/// What a filter has to permit to be installed before the step `visible`, as the plan's steps say.
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
