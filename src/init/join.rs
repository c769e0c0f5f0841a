//! Becoming a process of a container that exists.

use super::{Broken, InPart, Init, identity};
use crate::channel::Part;
use crate::plan::namespaces::PID;
use crate::sys::clone::{self, Side};
use crate::sys::{Errno, namespace};
use std::os::fd::AsRawFd;

impl Init<'_> {
    /// Closes what leads back to the host and joins the namespaces of the process in the slot, all at once: the kernel
    /// takes the user namespace first, which gives the rights to the others, and joins all of them or none.
    ///
    /// A staged join includes the pid namespace, which setns(2) gives to children only: a sibling is born inside and
    /// goes on with the plan, and this process ends. Whoever may trace in the container can seize the sibling, so most
    /// rights of the host's are given up before it is born (CVE-2016-9962).
    pub(super) fn join_process(&mut self, kinds: u64, slot: usize, staged: Option<u64>) -> Result<(), Broken> {
        self.close_all_but_container(slot)?;
        let wanted = if staged.is_some() { kinds } else { kinds & !PID };
        if wanted != 0 {
            namespace::setns(self.lent(slot)?, wanted)?;
        }
        self.given.lent.clear();
        let Some(keep) = staged else { return Ok(()) };
        if keep != u64::MAX {
            identity::limit_capabilities(keep)?;
        }
        match self.given.sibling.ok_or(Errno::EBADF)?.bear(0).part(Part::Attach)? {
            Side::Child => self.given.channel.await_go().part(Part::Abandoned),
            Side::Parent { .. } => clone::exit_now(0),
        }
    }

    /// Nothing stays open but the standard streams, what the caller wants the program to have, the way to the parent, the
    /// container's root where it is held, and the process to join.
    fn close_all_but_container(&mut self, slot: usize) -> Result<(), Broken> {
        self.given.proc = None;
        let process = self.lent(slot)?.as_raw_fd();
        let root = self.root.as_ref().map(AsRawFd::as_raw_fd);
        Ok(self.close_all_but(root.into_iter().chain([process]))?)
    }
}
