//! The bind of the root file system onto itself, for a container with mounts and without a mount namespace.
//!
//! All mounts of such a container are below this one, in the caller's mount namespace. Removing it removes them all. The
//! record has its id, because the path can also be a mount of the engine, which must stay.

use crate::sys::mount::{self, Attributes};
use crate::sys::path;
use anyhow::{Context, Result};
use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// A bind that is not attached yet.
pub(super) struct Detached {
    tree: OwnedFd,
    /// Its mount id, for [`remove`].
    pub(super) id: u64,
}

impl Detached {
    /// Clones the root with all mounts below it.
    pub(super) fn of(rootfs: &Path) -> Result<Detached> {
        let tree = mount::clone_tree_following_links(&c_path(rootfs)?, true)
            .with_context(|| format!("/root/path: bind {} as root", rootfs.display()))?;
        let id = path::mount_id(tree.as_fd()).context("/root/path: get the id of a mount")?;
        Ok(Detached { tree, id })
    }

    /// Attaches it to the root. Mounts below it do not propagate to other mount namespaces.
    pub(super) fn attach(&self, rootfs: &Path) -> Result<()> {
        let attach = || {
            let target = path::open_following_links(&c_path(rootfs)?, libc::O_PATH | libc::O_DIRECTORY)?;
            mount::attach(self.tree.as_fd(), target.as_fd())?;
            // Only now, because attaching to a shared mount makes the tree shared.
            let private = Attributes { propagation: libc::MS_PRIVATE, ..Attributes::default() };
            Ok::<_, anyhow::Error>(mount::set_attributes(self.tree.as_fd(), true, private)?)
        };
        attach().with_context(|| format!("/root/path: bind {} as root", rootfs.display()))
    }
}

/// Detaches the mount `id` from the root, with all mounts below it. Does nothing if another mount is there: the bind was
/// not made, or somebody has removed it.
pub(super) fn remove(rootfs: &Path, id: u64) -> Result<()> {
    let path = c_path(rootfs)?;
    let Ok(top) = path::open_following_links(&path, libc::O_PATH | libc::O_DIRECTORY) else { return Ok(()) };
    if !path::mount_id(top.as_fd()).is_ok_and(|found| found == id) || !path::is_mount_root(top.as_fd())? {
        return Ok(());
    }
    mount::detach(&path).with_context(|| format!("unmount {}", rootfs.display()))
}

fn c_path(path: &Path) -> Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}
