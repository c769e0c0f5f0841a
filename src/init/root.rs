//! Binds the root file system and enters it.
//!
//! Which method is used is decided in `plan::order`.

use super::{InPart, Init, StepError};
use crate::channel::Part;
use crate::sys::mount::{self, Attributes};
use crate::sys::{Errno, path};
use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};

impl Init<'_> {
    /// Makes the root file system a separate mount, which pivot_root(2) requires, and holds it open.
    ///
    /// `detach` (MS_PRIVATE or MS_SLAVE) is set if inherited mounts may still be peers of the host's. Then neither the
    /// mount below nor the new one may propagate the container's mounts to the host.
    ///
    /// If this process may not reach the root file system, the clone passed by the parent is attached to "/". It has to
    /// be attached somewhere in this namespace, and pivot_root(2) accepts any place.
    pub(super) fn bind_root(
        &mut self,
        from: &CStr,
        detach: Option<u64>,
        passed_fd: Option<usize>,
    ) -> Result<(), StepError> {
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
        // The mount descriptor stays the root directory, wherever the mount is moved later.
        self.hold(tree)
    }

    /// Holds the root file system open without a new mount namespace.
    pub(super) fn open_root(&mut self, from: &CStr) -> Result<(), StepError> {
        self.hold(path::open_following_links(from, libc::O_PATH | libc::O_DIRECTORY)?)
    }

    /// Unmounts the root with everything on it. The mount points that were made stay.
    pub(super) fn unmount_root(&mut self) -> Result<(), StepError> {
        self.held.clear();
        self.directory = None;
        path::change_directory(self.root()?)?;
        self.root = None;
        mount::detach_here().part(Part::Attach)?;
        let top = path::open_following_links(c"/", libc::O_PATH | libc::O_DIRECTORY)?;
        Ok(path::change_directory(top.as_fd())?)
    }

    /// Mounts the tmpfs in which the sources of bind mounts have paths that nothing in the container can change.
    pub(super) fn mount_stage(&mut self, at: &CStr) -> Result<(), StepError> {
        let open = || path::open_following_links(at, libc::O_PATH | libc::O_DIRECTORY | libc::O_NOFOLLOW);
        let target = match open() {
            Err(Errno::ENOENT) => {
                path::make_directory_at(at, 0o700).part(Part::Target)?;
                open()
            }
            found => found,
        };
        let tree = mount::detached(c"tmpfs", [(c"mode", Some(c"0700"))], 0).part(Part::Source)?;
        mount::attach(tree.as_fd(), target.part(Part::Target)?.as_fd()).part(Part::Attach)?;
        self.hold(tree)
    }

    fn hold(&mut self, root: OwnedFd) -> Result<(), StepError> {
        let status = path::status(root.as_fd())?;
        self.root_identity = (status.st_dev, status.st_ino);
        self.root = Some(root);
        self.masks.prepare(self.plan)
    }

    /// Enters the root with pivot_root(2). The old root ends up stacked on the new one, at the working directory, and
    /// is detached there with all host mounts (pivot_root(2), "pivot_root(\".\", \".\")").
    pub(super) fn pivot_root(&mut self) -> Result<(), StepError> {
        let old = path::open_following_links(c"/", libc::O_PATH | libc::O_DIRECTORY).part(Part::Source)?;
        path::change_directory(self.root()?)?;
        mount::pivot_root_here()?;
        if self.shares_with_host {
            // Otherwise the unmount would propagate to the host.
            let slave = Attributes { propagation: libc::MS_SLAVE, ..Attributes::default() };
            mount::set_attributes(old.as_fd(), true, slave).part(Part::Attributes)?;
        }
        mount::detach_here().part(Part::Attach)
    }

    /// Enters the root on systems whose root cannot be pivoted (an initramfs). Detaches the host's procfs and sysfs
    /// first: with chroot(2) alone, a process that escapes the chroot could reach them.
    pub(super) fn move_root(&mut self) -> Result<(), StepError> {
        path::change_directory(self.root()?)?;
        for kind in [c"/proc", c"/sys"] {
            // An error means that it does not exist or is no mount, so nothing is reachable there.
            let _ = mount::detach(kind);
        }
        mount::move_here_to_root().part(Part::Attach)?;
        Ok(path::change_root_to_working_directory()?)
    }

    /// Enters the root with chroot(2) alone, without a new mount namespace.
    pub(super) fn change_root(&mut self) -> Result<(), StepError> {
        path::change_directory(self.root()?)?;
        Ok(path::change_root_to_working_directory()?)
    }

    /// Makes the top mount of the root read-only. Mounts below it do not change.
    pub(super) fn readonly_root(&mut self) -> Result<(), StepError> {
        let readonly = Attributes { set: libc::MOUNT_ATTR_RDONLY, ..Attributes::default() };
        Ok(mount::set_attributes(self.root()?, false, readonly)?)
    }
}
