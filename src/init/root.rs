//! The root file system: binding it, entering it.

use super::{Broken, InPart, Init};
use crate::channel::Part;
use crate::sys::mount::{self, Attributes};
use crate::sys::{Errno, path};
use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};

impl Init<'_> {
    /// Makes the root file system a mount of its own, as pivot_root(2) asks, and holds it open.
    ///
    /// With `detach` (MS_PRIVATE or MS_SLAVE) inherited mounts may have stayed peers of the host's. Then neither the mount below nor
    /// the new one may pass on what is mounted in the container.
    ///
    /// Where this process may not go to the root file system, the lent copy of it is put on "/": it has to be somewhere in
    /// this namespace, and pivot_root(2) does not ask where.
    pub(super) fn bind_root(
        &mut self,
        from: &CStr,
        detach: Option<u64>,
        passed_fd: Option<usize>,
    ) -> Result<(), Broken> {
        let target = match (path::open_following_links(from, libc::O_PATH | libc::O_DIRECTORY), passed_fd) {
            (Err(Errno::EACCES), Some(slot)) => {
                let tree = self.passed_fd(slot)?.try_clone_to_owned().map_err(|_| Errno::EMFILE)?;
                let top = path::open_following_links(c"/", libc::O_PATH | libc::O_DIRECTORY).part(Part::Target)?;
                mount::attach(tree.as_fd(), top.as_fd()).part(Part::Attach)?;
                self.root = Some(tree);
                return self.masks.prepare(self.plan);
            }
            (target, _) => target.part(Part::Target)?,
        };
        let tree = mount::clone_tree_of(target.as_fd(), true).part(Part::Source)?;
        self.shares_with_host = detach.is_some();
        if let Some(propagation) = detach {
            let private = Attributes { propagation: libc::MS_PRIVATE, ..Attributes::default() };
            let below = mount::root_of_mount(target.as_fd())?;
            mount::set_attributes(below.as_fd(), false, private).part(Part::Attributes)?;
            let detached = Attributes { propagation, ..Attributes::default() };
            mount::set_attributes(tree.as_fd(), true, detached).part(Part::Attributes)?;
        }
        mount::attach(tree.as_fd(), target.as_fd()).part(Part::Attach)?;
        // The mount descriptor is the root directory from now on, wherever the mount will be moved.
        self.hold(tree)
    }

    /// Holds the root file system open in mounts that are not this container's own.
    pub(super) fn open_root(&mut self, from: &CStr) -> Result<(), Broken> {
        self.hold(path::open_following_links(from, libc::O_PATH | libc::O_DIRECTORY)?)
    }

    fn hold(&mut self, root: OwnedFd) -> Result<(), Broken> {
        let status = path::status(root.as_fd())?;
        self.root_identity = (status.st_dev, status.st_ino);
        self.root = Some(root);
        self.masks.prepare(self.plan)
    }

    /// Swaps the root: the old one ends up on top of the new one, at the working directory, and is detached from there
    /// with every mount of the host's (pivot_root(2), "pivot_root(\".\", \".\")").
    pub(super) fn pivot_root(&mut self) -> Result<(), Broken> {
        let old = path::open_following_links(c"/", libc::O_PATH | libc::O_DIRECTORY).part(Part::Source)?;
        path::change_directory(self.root()?)?;
        mount::pivot_root_here()?;
        if self.shares_with_host {
            // Otherwise detaching the host's mounts here would detach them on the host.
            let slave = Attributes { propagation: libc::MS_SLAVE, ..Attributes::default() };
            mount::set_attributes(old.as_fd(), true, slave).part(Part::Attributes)?;
        }
        mount::detach_here().part(Part::Attach)
    }

    /// The way into the root for systems whose root cannot be pivoted (an initramfs). Every other procfs and sysfs is
    /// detached first: with chroot(2) alone they would stay reachable for a process that leaves the chroot.
    pub(super) fn move_root(&mut self) -> Result<(), Broken> {
        path::change_directory(self.root()?)?;
        for kind in [c"/proc", c"/sys"] {
            // Not there, or not a mount: nothing to be reached.
            let _ = mount::detach(kind);
        }
        mount::move_here_to_root().part(Part::Attach)?;
        Ok(path::change_root_to_working_directory()?)
    }

    /// chroot(2) alone, in mounts that are not this container's own.
    pub(super) fn change_root(&mut self) -> Result<(), Broken> {
        path::change_directory(self.root()?)?;
        Ok(path::change_root_to_working_directory()?)
    }

    /// Makes the top mount of the root read-only; mounts in it keep what they are.
    pub(super) fn readonly_root(&mut self) -> Result<(), Broken> {
        let readonly = Attributes { set: libc::MOUNT_ATTR_RDONLY, ..Attributes::default() };
        Ok(mount::set_attributes(self.root()?, false, readonly)?)
    }
}
