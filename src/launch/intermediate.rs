//! The intermediate process: a first child that joins namespaces the parent must not join, and spawns the init process
//! inside them.
//!
//! Also passes the init process to the parent: it is a sibling of the intermediate process, and so the parent's own
//! child. Leaves to the plan what the init process does.

use crate::channel::{Cause, Channel, Failure, Message, Part};
use crate::init::{self, ChildInputs};
use crate::launch::spawn::{self, CgroupPlacement, Spawned};
use crate::launch::{Child, explain, id_maps};
use crate::plan::Plan;
use crate::plan::act::Act;
use crate::sys::clone::{self, Made, SharedPid};
use crate::sys::stat::Stat;
use crate::sys::{Errno, credentials, namespace, process};
use anyhow::{Context, Result, anyhow, bail};
use std::os::fd::{AsFd, OwnedFd};

/// Launches through an intermediate process, for example because a user namespace is joined: the namespaces that are
/// made inside belong to that user namespace.
pub(super) fn launch(
    plan: &Plan,
    child_inputs: ChildInputs,
    placement: CgroupPlacement<'_>,
    own: Channel,
    mount: Option<OwnedFd>,
) -> Result<Child> {
    let Some(Spawned { pid: intermediate, .. }) = spawn::spawn(&plan.namespaces, 0, placement)? else {
        // Only the parent may keep these, as in `crate::launch::launch`. The init process would inherit them.
        drop((own, mount));
        spawn_init(plan, child_inputs)
    };
    let (timings, shared_pid) = (child_inputs.timings.clone(), child_inputs.shared_pid);
    child_inputs.close();
    // The intermediate process never waits. The init process holds the same end of the channel, so a silent channel
    // means nothing before the intermediate process has ended.
    let status = clone::wait(intermediate).context("wait for the intermediate process")?;
    match shared_pid.and_then(SharedPid::pid) {
        Some(pid) => {
            let (pidfd, start_time) = adopt(pid)?;
            let child = Child { pid, pidfd, start_time, channel: own, successor: None, reaped: false, timings, mount };
            id_maps::check_joined(pid, plan.namespaces.expected_maps.as_ref())?;
            child.go_on()?;
            Ok(child)
        }
        None => match own.next()? {
            Message::Failed(failure) => Err(explain_failure(plan, &failure)),
            _ => bail!("the intermediate process that joins the container's namespaces ended with status {status}"),
        },
    }
}

/// The pidfd of a child that another child spawned, and its start time (see [`Stat::start_time`]; 0 if it is being
/// killed or /proc hides it).
pub(super) fn adopt(pid: libc::pid_t) -> Result<(OwnedFd, u64)> {
    let pidfd = process::open(pid).with_context(|| format!("open a pidfd of {pid}"))?;
    if !clone::is_own_child(pidfd.as_fd()).with_context(|| format!("check process {pid}"))? {
        bail!("process {pid} is not a child of this process");
    }
    let stat = Stat::of_child(pid).with_context(|| format!("read /proc/{pid}/stat"))?;
    Ok((pidfd, stat.map_or(0, |stat| stat.start_time)))
}

/// The error for a failure at one of the intermediate process's steps, or at the clone after them.
fn explain_failure(plan: &Plan, failure: &Failure) -> anyhow::Error {
    match (plan.intermediate.get(usize::from(failure.step)), failure.cause) {
        (Some(step), _) => explain::failed_step(&explain::step_text(step), failure),
        (None, Cause::Errno(errno)) => spawn::clone_error(errno, &plan.namespaces, None),
        (None, _) => anyhow!("the intermediate process failed at an unknown step: {failure:?}"),
    }
}

fn spawn_init(plan: &Plan, child_inputs: ChildInputs) -> ! {
    let mut number = 0;
    let mut spawn = || -> Result<Made, Errno> {
        // The new process is visible in a joined pid namespace, where root of the user namespace may trace it
        // (CVE-2016-9962).
        credentials::set_dumpable(false)?;
        // The user namespace may deny setgroups(2).
        credentials::leave_groups()?;
        for step in &plan.intermediate {
            if let Act::JoinNamespace { kind, slot, .. } = step.act {
                let fd = child_inputs.passed_fds.get(slot).ok_or(Errno::EBADF)?;
                namespace::setns(fd.as_fd(), kind)?;
            }
            // Joining the namespace of another user sets the flag to fs.suid_dumpable (proc_sys_fs(5)).
            credentials::set_dumpable(false)?;
            number += 1;
        }
        if let Some(offsets) = &plan.namespaces.time_offsets {
            namespace::new_time_namespace_for_children(offsets.as_bytes())?;
        }
        child_inputs.shared_pid.ok_or(Errno::EBADF)?.spawn(plan.namespaces.clone_flags())
    };
    match spawn() {
        Ok(Made::Child) => match child_inputs.channel.await_go() {
            Ok(()) => init::perform(plan, child_inputs),
            // The parent has died.
            Err(_) => clone::exit_now(1),
        },
        Ok(Made::Maker) => clone::exit_now(0),
        Err(errno) => {
            let (step, part) = (number, Part::Whole);
            child_inputs.channel.fail(&Failure { step, part, cause: errno.into(), output: Vec::new() });
            clone::exit_now(1)
        }
    }
}
