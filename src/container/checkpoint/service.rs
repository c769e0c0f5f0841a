//! The process that executes CRIU for a checkpoint.

use crate::container::caller;
use crate::launch::{self, Child, HostSide, LaunchInputs};
use crate::plan::criu::{self, Criu};
use crate::sys::socket;
use anyhow::{Context, Result};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// A running `criu swrk`. Killed on drop, which makes it resume the processes that it has stopped.
pub(super) struct Service {
    child: Child,
    socket: OwnedFd,
}

impl Service {
    /// Starts CRIU.
    pub(super) fn start() -> Result<Service> {
        let (socket, other) = socket::pair().context("make a socket pair")?;
        let plan = criu::checkpoint(&Criu {
            socket: other.as_raw_fd(),
            inherited: Vec::new(),
            environment: caller::environment(),
        });
        let mut child = launch::launch(&plan, LaunchInputs::default())?;
        drop(other);
        child.wait_until_ready(&plan, &mut Nothing)?;
        child.start(&plan)?;
        Ok(Service { child, socket })
    }

    /// The socket for requests.
    pub(super) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Waits until CRIU has exited. It does so when it has answered its request.
    pub(super) fn finish(self) -> Result<()> {
        let Service { mut child, socket } = self;
        drop(socket);
        child.wait_for_end().map(drop)
    }
}

/// There is nothing to do on the host's side for CRIU.
struct Nothing;

impl HostSide for Nothing {
    fn at_host_gate(&mut self, _: i32) -> Result<()> {
        Ok(())
    }

    fn while_it_works(&mut self, _: (i32, u64)) -> Result<()> {
        Ok(())
    }

    fn terminal(&mut self, _: OwnedFd) -> Result<()> {
        Ok(())
    }

    fn listener(&mut self, _: OwnedFd, _: i32) -> Result<()> {
        Ok(())
    }
}
