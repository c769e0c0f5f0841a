//! Runs the intermediate process: a first child that joins a user namespace the parent must not join, and creates the
//! container's process from inside. The plan decides what that process then does.
//!
//! The container's process is the sibling of the intermediate process and so the parent's own child. This module adopts
//! it for the parent.

use crate::channel::{Channel, Failure, Message};
use crate::init::{self, ChildInputs};
use crate::launch::spawn::{self, CgroupPlacement, Spawned};
use crate::launch::{Child, explain, id_maps};
use crate::plan::act::Act;
use crate::plan::namespaces::PID;
use crate::plan::{PassedFd, Plan};
use crate::sys::clone::{self, Made, SharedPid};
use crate::sys::stat::Stat;
use crate::sys::{Errno, credentials, namespace, process};
use anyhow::{Context, Result, bail};
use std::os::fd::{AsFd, OwnedFd};

/// Used if a user namespace is joined. The intermediate process joins it and creates the container's process as its
/// sibling. Namespaces created there belong to that user namespace.
pub(super) fn launch(
    plan: &Plan,
    child_inputs: ChildInputs,
    placement: CgroupPlacement<'_>,
    own: Channel,
    mount: Option<OwnedFd>,
) -> Result<Child> {
    let Some(Spawned { pid: intermediate, .. }) = spawn::spawn(&plan.namespaces, 0, placement)? else {
        // Closes what only the parent needs, as in `crate::launch::launch`, because the new process inherits it
        // otherwise.
        drop((own, mount));
        spawn_init(plan, child_inputs)
    };
    let (timings, shared_pid) = (child_inputs.timings.clone(), child_inputs.shared_pid);
    child_inputs.close();
    // The intermediate process waits for nobody. Its sibling holds the same end of the channel, so the parent waits for
    // its exit before it reads.
    let status = clone::wait(intermediate).context("wait for the intermediate process")?;
    match shared_pid.and_then(SharedPid::pid) {
        Some(pid) => {
            let (pidfd, start_time) = adopt(pid)?;
            let child = Child { pid, pidfd, start_time, channel: own, successor: None, reaped: false, timings, mount };
            id_maps::compare(pid, plan.namespaces.agreed_maps.as_ref())?;
            child.go_on()?;
            Ok(child)
        }
        None => match own.next()? {
            Message::Failed(failure) => Err(explain::failure(plan, &failure)),
            _ => bail!("the intermediate process that joins the container's namespaces ended with status {status}"),
        },
    }
}

/// Opens a pidfd of a child that another child created, and reads its start time (see [`Stat::start_time`]; 0 if it is
/// being killed).
pub(super) fn adopt(pid: libc::pid_t) -> Result<(OwnedFd, u64)> {
    let pidfd = process::open(pid).with_context(|| format!("open a pidfd of {pid}"))?;
    if !clone::is_own_child(pidfd.as_fd()).with_context(|| format!("check process {pid}"))? {
        bail!("process {pid} is not a child of this process");
    }
    let stat = Stat::of_child(pid).with_context(|| format!("read /proc/{pid}/stat"))?;
    Ok((pidfd, stat.map_or(0, |stat| stat.start_time)))
}

fn spawn_init(plan: &Plan, child_inputs: ChildInputs) -> ! {
    let made = || -> Result<Made, Errno> {
        // The new process is visible in a joined pid namespace, where root of the user namespace may trace it
        // (CVE-2016-9962).
        credentials::set_dumpable(false)?;
        // The user namespace may deny setgroups(2).
        credentials::leave_groups()?;
        for wanted in [libc::CLONE_NEWUSER as u64, PID] {
            for (passed_fds, fd) in plan.passed_fds.iter().zip(&child_inputs.passed_fds) {
                if matches!(passed_fds, PassedFd::Namespace { kind, .. } if *kind == wanted) {
                    namespace::setns(fd.as_fd(), wanted)?;
                }
            }
        }
        if let Some(offsets) = &plan.namespaces.time_offsets {
            namespace::new_time_namespace_for_children(offsets.as_bytes())?;
        }
        child_inputs.shared_pid.ok_or(Errno::EBADF)?.spawn(plan.namespaces.clone_flags())
    };
    match made() {
        Ok(Made::Child) => match child_inputs.channel.await_go() {
            Ok(()) => init::perform(plan, child_inputs),
            // The parent has exited.
            Err(_) => clone::exit_now(1),
        },
        Ok(Made::Maker) => clone::exit_now(0),
        Err(errno) => {
            let step = plan.init.iter().position(|step| matches!(step.act, Act::BecomeRoot)).unwrap_or(0) as u16;
            let part = crate::channel::Part::Source;
            child_inputs.channel.fail(&Failure { step, part, cause: errno.into(), output: Vec::new() });
            clone::exit_now(1)
        }
    }
}
