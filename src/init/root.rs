//! Binds the root file system and enters it. Mounts inside it are left to `mounts`.

use super::{Broken, InPart, Init};
use crate::channel::Part;
use crate::sys::mount::{self, Attributes};
use crate::sys::{Errno, path};
use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};

impl Init<'_> {
    /// Makes the root file system a mount of its own, as pivot_root(2) requires, and holds it open.
    ///
    /// With `detach` (MS_PRIVATE or MS_SLAVE), inherited mounts may still be in the host's peer groups. Then neither
    /// the mount below nor the new mount may propagate the container's mounts.
    ///
    /// If this process cannot reach the root file system, the passed copy is mounted on "/". It must be attached in
    /// this namespace, but pivot_root(2) accepts any place.
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
        // From now on this descriptor is the root directory, even if the mount moves.
        self.hold(tree)
    }

    /// Holds the root file system open if the container has no mount namespace of its own.
    pub(super) fn open_root(&mut self, from: &CStr) -> Result<(), Broken> {
        self.hold(path::open_following_links(from, libc::O_PATH | libc::O_DIRECTORY)?)
    }

    fn hold(&mut self, root: OwnedFd) -> Result<(), Broken> {
        let status = path::status(root.as_fd())?;
        self.root_identity = (status.st_dev, status.st_ino);
        self.root = Some(root);
        self.masks.prepare(self.plan)
    }

    /// Swaps the root. The old root ends up on top of the new one, at the working directory, and is detached from there
    /// with all host mounts (pivot_root(2), "pivot_root(\".\", \".\")").
    pub(super) fn pivot_root(&mut self) -> Result<(), Broken> {
        let old = path::open_following_links(c"/", libc::O_PATH | libc::O_DIRECTORY).part(Part::Source)?;
        path::change_directory(self.root()?)?;
        mount::pivot_root_here()?;
        if self.shares_with_host {
            // Otherwise detaching the mounts here would also detach them on the host.
            let slave = Attributes { propagation: libc::MS_SLAVE, ..Attributes::default() };
            mount::set_attributes(old.as_fd(), true, slave).part(Part::Attributes)?;
        }
        mount::detach_here().part(Part::Attach)
    }

    /// Enters the root on systems whose root cannot be pivoted (an initramfs). Every other procfs and sysfs is detached
    /// first: after chroot(2) alone, a process that leaves the chroot could still reach them.
    pub(super) fn move_root(&mut self) -> Result<(), Broken> {
        path::change_directory(self.root()?)?;
        for kind in [c"/proc", c"/sys"] {
            // If the path is missing or not a mount, nothing is reachable.
            let _ = mount::detach(kind);
        }
        mount::move_here_to_root().part(Part::Attach)?;
        Ok(path::change_root_to_working_directory()?)
    }

    /// Uses chroot(2) alone, if the container has no mount namespace of its own.
    pub(super) fn change_root(&mut self) -> Result<(), Broken> {
        path::change_directory(self.root()?)?;
        Ok(path::change_root_to_working_directory()?)
    }

    /// Makes the top mount of the root read-only; mounts inside it keep their attributes.
    pub(super) fn readonly_root(&mut self) -> Result<(), Broken> {
        let readonly = Attributes { set: libc::MOUNT_ATTR_RDONLY, ..Attributes::default() };
        Ok(mount::set_attributes(self.root()?, false, readonly)?)
    }
}
