//! Adds the last steps of every plan, for create and exec: capabilities, filter, pid namespace, wait for the start,
//! execve.
//!
//! Leaves all earlier steps to `order`.
//!
//! Invariant: once other processes can see the process, it holds no more rights than its program.

use super::Step;
use super::act::{Act, Filter, Start};
use super::filter;
use super::identity::Capability;
use super::landlock::{self, Landlock};
use super::steps::Steps;
use crate::spec::pointer::Pointer;
use crate::sys::credentials::SYS_ADMIN;
use oci_spec::runtime::{LinuxSeccomp, Process};

/// What the last steps depend on.
pub(super) struct Last<'a> {
    pub(super) process: &'a Process,
    pub(super) seccomp: Option<&'a LinuxSeccomp>,
    pub(super) at: &'a Pointer,
    pub(super) start: Start,
    pub(super) start_hooks: usize,
    pub(super) preserve: &'a [i32],
    /// Whether the process joins an existing container.
    pub(super) joins: bool,
    /// Whether the process enters a pid namespace, after it has dropped its rights.
    pub(super) enters: bool,
}

/// Adds the steps. A process that others can see holds no more than its program. So the filter is installed before
/// others can see the process and before a hook runs, if it permits the remaining steps. Otherwise it is installed last
/// (docs/decisions/filter-order.md).
pub(super) fn add(
    order: &mut Steps,
    last: &Last<'_>,
    filter: Option<Filter>,
    restrictions: Vec<Landlock>,
    capabilities: Capability,
    no_new_privileges: bool,
) {
    let at = last.at;
    let place = at.key("capabilities");
    let process = last.process;
    // The last of several entries is the effective one.
    let home = process.env().iter().flatten().rev().find_map(|entry| entry.strip_prefix("HOME="));
    let finds_home = home.is_none_or(str::is_empty);
    let terminal = process.terminal().unwrap_or(false);
    // Without no_new_privs, a filter and a Landlock domain need CAP_SYS_ADMIN, so that capability is dropped after the
    // others.
    let admin = if (filter.is_some() || !restrictions.is_empty()) && !no_new_privileges { SYS_ADMIN } else { 0 };
    let remaining = filter::Remaining {
        drops_capabilities: admin != 0,
        enters: last.enters,
        terminal,
        start: last.start,
        hooks: last.start_hooks != 0,
        preserves: !last.preserve.is_empty(),
        finds_home,
    };
    let early = filter.as_ref().is_some_and(|filter| remaining.is_permitted_by(filter));
    let mut sets = capabilities.sets;
    sets.effective |= admin;
    sets.permitted |= admin;
    let ambient = if admin == 0 { capabilities.ambient } else { 0 };
    order.at(place.clone(), Act::SetCapabilities { sets, ambient });
    // Uses the program's own rights, so that a program that cannot be executed is reported now and not at start.
    order.at(at.key("args").index(0), Act::FindProgram);
    // After the mounts, which a domain may not change, and before the filter, which may not permit these calls.
    for step in restrictions {
        order.at(landlock::place(), Act::Landlock(step));
    }
    let drop_admin =
        (admin != 0).then_some(Act::SetCapabilities { sets: capabilities.sets, ambient: capabilities.ambient });
    let notifies = filter.as_ref().is_some_and(|filter| filter.notifies);
    let mut install = Steps::default();
    match filter {
        Some(filter) => {
            install.then("/linux/seccomp", Act::InstallFilter(filter));
            install.0.extend(drop_admin.map(|act| Step { origin: place, act }));
        }
        None => order.0.extend(drop_admin.map(|act| Step { origin: place, act })),
    }
    let mut install = install.0;
    if early {
        order.0.append(&mut install);
    }
    if last.enters {
        order.at(at.clone(), Act::EnterPidNamespace { terminal });
    }
    if notifies {
        // The parent passes the listener on. For create, the parent exits before the start.
        order.0.append(&mut install);
    }
    order.at(at.clone(), Act::AwaitStart(last.start));
    for number in 0..last.start_hooks {
        order.at(Pointer::of("/hooks/startContainer").index(number), Act::StartContainerHook(number));
    }
    if !last.preserve.is_empty() {
        order.at(at.clone(), Act::PreserveDescriptors(last.preserve.to_vec()));
    }
    if finds_home {
        // Reads a file of the image, so it runs with the program's rights, and after the device program is attached.
        order.at(at.key("env"), Act::FindHome { uid: process.user().uid() });
    }
    order.0.append(&mut install);
    order.at(at.key("args").index(0), Act::Execute);
}
