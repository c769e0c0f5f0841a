//! The stage: a first child that joins what its maker must not be in, and makes the container's process from inside.
//!
//! Owns how the parent comes to know that process, which is the stage's sibling and so the parent's own child. What the process
//! then does is the plan's.

use super::birth::{self, Birthplace, Newborn};
use super::{Child, explain, idmap};
use crate::channel::{Channel, Message};
use crate::init::{self, Given};
use crate::plan::act::Act;
use crate::plan::namespaces::PID;
use crate::plan::{Lent, Plan};
use crate::sys::clone::{self, Sibling, Side};
use crate::sys::stat::Stat;
use crate::sys::{Errno, namespace, process};
use anyhow::{Context, Result, bail};
use std::os::fd::{AsFd, OwnedFd};

/// A user namespace is joined: a first child joins it and makes the container's process from inside, as its sibling.
/// Namespaces made there belong to that user namespace.
pub(super) fn launch(
    plan: &Plan,
    given: Given,
    birthplace: Birthplace<'_>,
    own: Channel,
    mount: Option<OwnedFd>,
) -> Result<Child> {
    let joins = plan.lent.contains(&Lent::Process);
    let Some(Newborn { pid: stage, .. }) = birth::born(&plan.namespaces, 0, birthplace)? else {
        // What is the parent's alone, as in `super::launch`: what the stage makes inherits what it has.
        drop((own, mount));
        // Joining a process is a step of the plan: what comes before it is done by the stage itself.
        if joins { init::perform(plan, given) } else { make_sibling(plan, given) }
    };
    let (board, sibling) = (given.board.clone(), given.sibling);
    given.close();
    // It waits for nobody. Its sibling has the same end of the channel, so until the stage has ended, silence means nothing.
    let status = clone::wait(stage).context("wait for the stage")?;
    match sibling.and_then(Sibling::pid) {
        Some(pid) => {
            let pidfd = process::open(pid).with_context(|| format!("open a pidfd of {pid}"))?;
            let mut child = Child { pid, pidfd, start_time: 0, channel: own, reaped: false, board, mount };
            let stat = Stat::of_child(pid).with_context(|| format!("read /proc/{pid}/stat"))?;
            child.start_time = stat.map_or(0, |stat| stat.start_time);
            idmap::compare(pid, plan.namespaces.agreed_maps.as_ref())?;
            child.go_on()?;
            Ok(child)
        }
        None => match own.next()? {
            Message::Failed(failure) => Err(explain::failure(plan, &failure)),
            _ => bail!("the stage that joins the container's namespaces ended with status {status}"),
        },
    }
}

fn make_sibling(plan: &Plan, given: Given) -> ! {
    let made = || -> Result<Side, Errno> {
        for wanted in [libc::CLONE_NEWUSER as u64, PID] {
            for (lent, fd) in plan.lent.iter().zip(&given.lent) {
                if matches!(lent, Lent::Namespace { kind, .. } if *kind == wanted) {
                    namespace::setns(fd.as_fd(), wanted)?;
                }
            }
        }
        if let Some(offsets) = &plan.namespaces.time_offsets {
            namespace::new_time_namespace_for_children(offsets.as_bytes())?;
        }
        given.sibling.ok_or(Errno::EBADF)?.bear(plan.namespaces.clone_flags())
    };
    match made() {
        Ok(Side::Child) => match given.channel.await_go() {
            Ok(()) => init::perform(plan, given),
            // The parent is gone.
            Err(_) => clone::exit_now(1),
        },
        Ok(Side::Parent { .. }) => clone::exit_now(0),
        Err(errno) => {
            let step = plan.init.iter().position(|step| matches!(step.act, Act::BecomeRoot)).unwrap_or(0) as u16;
            let part = crate::channel::Part::Source;
            given.channel.fail(&crate::channel::Failure { step, part, errno: errno as i32, output: Vec::new() });
            clone::exit_now(1)
        }
    }
}
