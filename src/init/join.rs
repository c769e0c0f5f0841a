//! Joins the namespaces of an existing container, and enters a pid namespace. Which ones is decided in `plan`.

use super::{Broken, InPart, Init};
use crate::channel::Part;
use crate::plan::namespaces::USER;
use crate::sys::clone::{self, Made};
use crate::sys::{Errno, namespace, terminal};
use std::os::fd::AsRawFd;

impl Init<'_> {
    /// Closes descriptors that lead back to the host, then joins the namespaces of the process in the slot. One
    /// setns(2) joins all of them: the kernel enters the user namespace first, which grants the rights for the others.
    /// If that process has since entered another user namespace, the one in the slot `user` is joined instead.
    pub(super) fn join_process(&mut self, kinds: u64, slot: usize, user: Option<usize>) -> Result<(), Broken> {
        self.close_all_but_container(slot, user)?;
        if let Some(user) = user {
            namespace::setns(self.passed_fd(user)?, USER)?;
        }
        let wanted = if user.is_some() { kinds & !USER } else { kinds };
        if wanted != 0 {
            namespace::setns(self.passed_fd(slot)?, wanted)?;
        }
        self.inputs.passed_fds.clear();
        Ok(())
    }

    /// Only a child enters a pid namespace (setns(2)). The clone creates a sibling, so that the new process is the
    /// parent's child.
    pub(super) fn enter_pid_namespace(&mut self, terminal: bool) -> Result<(), Broken> {
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

    /// Closes everything except the standard streams, the descriptors the caller preserves, the channel to the parent,
    /// the container's root if it is held, and the namespaces to join.
    fn close_all_but_container(&mut self, slot: usize, user: Option<usize>) -> Result<(), Broken> {
        self.inputs.proc = None;
        let process = self.passed_fd(slot)?.as_raw_fd();
        let user = user.map(|user| self.passed_fd(user)).transpose()?.map(|fd| fd.as_raw_fd());
        let root = self.root.as_ref().map(AsRawFd::as_raw_fd);
        Ok(self.close_all_but(root.into_iter().chain(user).chain([process]))?)
    }
}
