//! Joins the namespaces of an existing container and enters a pid namespace.
//!
//! Which namespaces is decided in `plan`; the parent opens their descriptors.

use super::{InPart, Init, StepError};
use crate::channel::Part;
use crate::plan::namespaces::USER;
use crate::sys::clone::{self, Made};
use crate::sys::{Errno, credentials, namespace, terminal};
use std::os::fd::AsRawFd;

impl Init<'_> {
    /// Closes host descriptors and joins the namespaces of the process in the slot with one setns(2): the kernel enters
    /// the user namespace first, which gives the rights to the others. If that process has since moved to another user
    /// namespace, the one in the slot `user` is joined instead.
    pub(super) fn join_process(&mut self, kinds: u64, slot: usize, user: Option<usize>) -> Result<(), StepError> {
        self.close_all_but_container(slot, user)?;
        if let Some(user) = user {
            namespace::setns(self.passed_fd(user)?, USER)?;
        }
        let wanted = if user.is_some() { kinds & !USER } else { kinds };
        if wanted != 0 {
            namespace::setns(self.passed_fd(slot)?, wanted)?;
        }
        // Joining the namespace of another user sets the flag to fs.suid_dumpable (proc_sys_fs(5)).
        credentials::set_dumpable(self.plan.namespaces.made_by_user())?;
        self.inputs.passed_fds.clear();
        Ok(())
    }

    /// Only a new child is in a joined pid namespace (setns(2)). It is cloned as a sibling, so that it is the parent's
    /// own child.
    pub(super) fn enter_pid_namespace(&mut self, terminal: bool) -> Result<(), StepError> {
        match self.inputs.shared_pid.ok_or(Errno::EBADF)?.spawn(0).part(Part::Attach)? {
            Made::Maker => clone::exit_now(0),
            Made::Child => namespace::setsid()?,
        }
        let [input, ..] = terminal::standard();
        if terminal {
            terminal::control(input)?;
        }
        Ok(())
    }

    /// Closes all descriptors except the standard streams, those that the program inherits, the channel to the parent,
    /// the container's root if it is held, and the namespaces to join.
    fn close_all_but_container(&mut self, slot: usize, user: Option<usize>) -> Result<(), StepError> {
        self.inputs.proc = None;
        let process = self.passed_fd(slot)?.as_raw_fd();
        let user = user.map(|user| self.passed_fd(user)).transpose()?.map(|fd| fd.as_raw_fd());
        let root = self.root.as_ref().map(AsRawFd::as_raw_fd);
        Ok(self.close_all_but(root.into_iter().chain(user).chain([process]))?)
    }
}
