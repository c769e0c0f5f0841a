//! Masks paths and makes paths read-only. `plan::masked_paths` decides which paths.

use super::devices::{NULL, mount_of_node};
use super::{Broken, InPart, Init, broken};
use crate::channel::Part;
use crate::plan::act::{Act, InRoot};
use crate::plan::{Plan, Step};
use crate::sys::mount::{self, Attributes};
use crate::sys::{Errno, path};
use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// The mounts that cover masked paths. The first mask of each kind is attached; later ones are bound from it, so that
/// hundreds of masked paths share one superblock.
#[derive(Default)]
pub(super) struct Masks {
    null: Option<OwnedFd>,
    empty: Option<OwnedFd>,
    null_attached: bool,
}

impl Masks {
    /// Their descriptors.
    pub(super) fn fds(&self) -> impl Iterator<Item = RawFd> {
        self.null.iter().chain(&self.empty).map(AsRawFd::as_raw_fd)
    }

    /// Opens the host's /dev/null while the path still leads to it. The image can have any file at that path
    /// (CVE-2025-31133).
    pub(super) fn prepare(&mut self, plan: &Plan) -> Result<(), Broken> {
        if !plan.init.iter().any(|step| matches!(step.act, Act::MaskPath(_))) {
            return Ok(());
        }
        let null = path::open_following_links(c"/dev/null", libc::O_PATH | libc::O_NOFOLLOW)?;
        let status = path::status(null.as_fd())?;
        if status.st_mode & libc::S_IFMT != libc::S_IFCHR || status.st_rdev != NULL {
            return Err(broken(Part::Forged, Errno::ENODEV));
        }
        self.null = Some(mount_of_node(null.as_fd())?);
        Ok(())
    }

    /// Masks with the container's own /dev/null, which this process has just created and checked. With the host's inode
    /// the container could watch its use by others (inotify(7)).
    pub(super) fn use_null(&mut self, node: BorrowedFd<'_>) -> Result<(), Broken> {
        if self.null.is_some() {
            self.null = Some(mount_of_node(node)?);
        }
        Ok(())
    }

    fn cover_file(&mut self, target: BorrowedFd<'_>) -> Result<(), Broken> {
        let null = self.null.as_ref().ok_or_else(|| broken(Part::Source, Errno::EBADF))?;
        if self.null_attached {
            let copy = mount::clone_tree_of(null.as_fd(), false).part(Part::Source)?;
            return mount::attach(copy.as_fd(), target).part(Part::Attach);
        }
        mount::attach(null.as_fd(), target).part(Part::Attach)?;
        self.null_attached = true;
        Ok(())
    }

    fn cover_directory(&mut self, target: BorrowedFd<'_>) -> Result<(), Broken> {
        if let Some(empty) = &self.empty {
            let copy = mount::clone_tree_of(empty.as_fd(), false).part(Part::Source)?;
            return mount::attach(copy.as_fd(), target).part(Part::Attach);
        }
        let options = [(c"nr_blocks", Some(c"1")), (c"nr_inodes", Some(c"1"))];
        let attributes = libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;
        let empty = mount::detached(c"tmpfs", options, attributes | libc::MOUNT_ATTR_NOEXEC).part(Part::Source)?;
        mount::attach(empty.as_fd(), target).part(Part::Attach)?;
        self.empty = Some(empty);
        Ok(())
    }
}

/// The rest of a path inside the mount at `mount`: "" for the mount itself, otherwise from the slash on. `None` for a
/// path outside, or one with `..`.
pub(super) fn below<'a>(at: &'a InRoot, mount: &InRoot) -> Option<&'a CStr> {
    let (at, mount) = (at.as_c_str(), mount.as_c_str().to_bytes());
    let rest = at.to_bytes().strip_prefix(mount)?;
    let leads_up = rest.split(|byte| *byte == b'/').any(|name| name == b"..");
    let is_inside = rest.is_empty() || rest.starts_with(b"/");
    (is_inside && !leads_up).then(|| CStr::from_bytes_with_nul(&at.to_bytes_with_nul()[mount.len()..]).ok()).flatten()
}

/// The paths that steps change after the mounts are made.
pub(super) fn changed_later(plan: &Plan) -> Vec<&InRoot> {
    fn path(step: &Step) -> Option<&InRoot> {
        match &step.act {
            Act::MaskPath(path) | Act::ReadonlyPath(path) | Act::MakeReadonly(path) => Some(path),
            Act::Remount { target, .. } => Some(target),
            _ => None,
        }
    }
    plan.init.iter().filter_map(path).collect()
}

impl Init<'_> {
    /// Opens a path inside the root; `None` if it does not exist.
    fn existing(&self, at: &InRoot) -> Result<Option<OwnedFd>, Broken> {
        match self.open_made(at, libc::O_PATH) {
            // If a parent is a regular file, the path is just as unreachable.
            Err(Errno::ENOENT | Errno::ENOTDIR) => Ok(None),
            other => other.map(Some).part(Part::Target),
        }
    }

    /// A missing path needs no mask (config-linux.md, "Masked Paths"); any other error is reported.
    pub(super) fn mask_path(&mut self, at: &InRoot) -> Result<(), Broken> {
        let Some(target) = self.existing(at)? else { return Ok(()) };
        let status = path::status(target.as_fd())?;
        if status.st_mode & libc::S_IFMT == libc::S_IFDIR {
            self.masks.cover_directory(target.as_fd())
        } else {
            self.masks.cover_file(target.as_fd())
        }
    }

    /// Binds the path onto itself, read-only with everything below. Other restrictions of the mounts stay.
    pub(super) fn readonly_path(&mut self, at: &InRoot) -> Result<(), Broken> {
        let Some(target) = self.existing(at)? else { return Ok(()) };
        let tree = mount::clone_tree_of(target.as_fd(), true).part(Part::Source)?;
        let readonly = Attributes { set: libc::MOUNT_ATTR_RDONLY, ..Attributes::default() };
        mount::set_attributes(tree.as_fd(), true, readonly).part(Part::Attributes)?;
        mount::attach(tree.as_fd(), target.as_fd()).part(Part::Attach)
    }
}
