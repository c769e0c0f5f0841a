//! Creates device nodes and links. Which ones is decided in `plan`.

use super::paths::{Kind, open_or_make};
use super::{Broken, InPart, Init, broken};
use crate::channel::{Cause, Part};
use crate::plan::act::{Device, InRoot, Link};
use crate::sys::mount::Attributes;
use crate::sys::{Errno, mount, path};
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The number of /dev/null.
pub(super) const NULL: u64 = libc::makedev(1, 3);

impl<'a> Init<'a> {
    /// Opens the directory inside the root and keeps it for the next device. Nothing is created by path, because /dev
    /// itself may be a link of the image (CVE-2026-41579).
    fn in_directory<T>(
        &mut self,
        directory: &'a InRoot,
        then: impl FnOnce(&Self, BorrowedFd<'_>) -> Result<T, Broken>,
    ) -> Result<T, Broken> {
        let fd = match self.directory.take() {
            Some((known, fd)) if known == directory => fd,
            _ => open_or_make(self.root()?, directory.as_c_str(), Kind::Directory).part(Part::Target)?,
        };
        let result = then(self, fd.as_fd());
        self.directory = Some((directory, fd));
        result
    }

    pub(super) fn make_device(&mut self, device: &'a Device) -> Result<(), Broken> {
        let node = self.in_directory(&device.directory, |_, directory| {
            let (name, kind) = (&device.name, device.kind | device.mode & 0o777);
            match path::make_node(directory, name, kind, device.number) {
                // Unless a default ACL applies, the node already has its mode, because the umask is 0.
                Ok(()) if device.uid == 0 && device.gid == 0 && device.number != NULL => Ok(None),
                Ok(()) => {
                    // Another process may have replaced the node since it was created.
                    let node = path::open_entry(directory, name, libc::O_PATH)?;
                    if !is_device(&path::status(node.as_fd())?, device) {
                        return Err(broken(Part::Occupied, Errno::EEXIST));
                    }
                    if device.uid != 0 || device.gid != 0 {
                        path::change_owner(node.as_fd(), device.uid, Some(device.gid))?;
                        path::change_mode(node.as_fd(), device.mode)?;
                    }
                    Ok(Some(node))
                }
                // An existing file must be the requested device (config-linux.md, "Devices").
                Err(Errno::EEXIST) if is_same(directory, name, device)? => Ok(None),
                Err(Errno::EEXIST) => Err(broken(Part::Occupied, Errno::EEXIST)),
                Err(errno) => Err(errno.into()),
            }
        });
        match node {
            Ok(Some(node)) if device.number == NULL => return self.masks.use_null(node.as_fd()),
            // Root of an outer user namespace may not create device nodes either; the host's node is bound instead.
            Err(Broken { cause: Cause::Errno(Errno::EPERM), .. }) if device.kind != libc::S_IFIFO => (),
            other => return other.map(drop),
        }
        let (directory, name) = (device.directory.as_c_str().to_bytes(), device.name.to_bytes());
        let host = CString::new([directory, b"/", name].concat()).map_err(|_| Errno::EINVAL)?;
        self.bind_device(device, &host)
    }

    /// Checks that the host's node is the requested device, and binds it.
    pub(super) fn bind_device(&mut self, device: &'a Device, host: &CStr) -> Result<(), Broken> {
        let source = path::open_following_links(host, libc::O_PATH).part(Part::Source)?;
        let status = path::status(source.as_fd())?;
        if status.st_mode & libc::S_IFMT != device.kind || status.st_rdev != device.number {
            return Err(broken(Part::Forged, Errno::ENODEV));
        }
        let tree = mount_of_node(source.as_fd())?;
        self.in_directory(&device.directory, |_, directory| {
            match path::make_file(directory, &device.name, 0o666) {
                Ok(_) | Err(Errno::EEXIST) => (),
                Err(errno) => return Err(broken(Part::Target, errno)),
            }
            let target = path::open_entry(directory, &device.name, libc::O_PATH).part(Part::Target)?;
            mount::attach(tree.as_fd(), target.as_fd()).part(Part::Attach)
        })
    }

    /// Whether a path exists inside the root. Caches the last answer, because consecutive links need the same path.
    fn exists(&mut self, needed: &'a InRoot) -> Result<bool, Broken> {
        if let Some((path, exists)) = self.last_checked
            && path == needed
        {
            return Ok(exists);
        }
        let exists = match path::open_in_root(self.root()?, needed.as_c_str(), libc::O_PATH) {
            Ok(_) => true,
            Err(Errno::ENOENT | Errno::ENOTDIR) => false,
            Err(errno) => return Err(errno.into()),
        };
        self.last_checked = Some((needed, exists));
        Ok(exists)
    }

    pub(super) fn make_link(&mut self, link: &'a Link) -> Result<(), Broken> {
        if let Some(needed) = &link.if_exists
            && !self.exists(needed)?
        {
            return Ok(());
        }
        self.in_directory(&link.directory, |_, directory| {
            match path::make_link(&link.text, directory, &link.name) {
                Err(Errno::EEXIST) if link.replace => {
                    path::remove_entry(directory, &link.name)?;
                    Ok(path::make_link(&link.text, directory, &link.name)?)
                }
                Err(Errno::EEXIST) => Ok(()),
                // A read-only image without a mount on /dev keeps its own links.
                Err(Errno::EROFS) => Ok(()),
                other => Ok(other?),
            }
        })
    }
}

/// A mount of a host device node. It is read-only because the inode is the host's: on a writable mount, chmod(2) in the
/// container would change the host's node. Writing to the device itself still works.
pub(super) fn mount_of_node(node: BorrowedFd<'_>) -> Result<OwnedFd, Broken> {
    let mount = mount::clone_tree_of(node, false).part(Part::Source)?;
    let set = libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NOEXEC;
    mount::set_attributes(mount.as_fd(), false, Attributes { set, ..Attributes::default() }).part(Part::Attributes)?;
    Ok(mount)
}

fn is_same(directory: BorrowedFd<'_>, name: &CStr, device: &Device) -> Result<bool, Broken> {
    Ok(is_device(&path::status_of_entry(directory, name)?, device))
}

fn is_device(status: &libc::stat, device: &Device) -> bool {
    let fifo = device.kind == libc::S_IFIFO;
    status.st_mode & libc::S_IFMT == device.kind && (fifo || status.st_rdev == device.number)
}
