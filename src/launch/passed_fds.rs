//! Opens descriptors that the parent passes to the child: files that the child cannot reach, or must not find by path.
//!
//! Which ones are needed is decided in `plan`.

use super::{c_path, idmapped_mount};
use crate::init::OwnFile;
use crate::plan::{PassedFd, Plan};
use crate::report::errno_words;
use crate::sys::mount::{self, Attributes};
use crate::sys::{executable, limits, namespace, path};
use anyhow::{Context, Result, anyhow, bail};
use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// Restores the parent's limit of open files when dropped, because the parent may run hooks later. The child restores
/// its own.
pub(super) struct RaisedLimit(pub(super) Option<limits::OpenFiles>);

impl RaisedLimit {
    pub(super) fn raise() -> RaisedLimit {
        RaisedLimit(limits::raise_open_files())
    }
}

impl Drop for RaisedLimit {
    fn drop(&mut self) {
        // Cannot fail: the limits are those that this process had.
        let _ = self.0.map_or(Ok(()), limits::restore_open_files);
    }
}

/// All of `Plan::passed_fds`, by slot.
pub(super) fn all(plan: &Plan, process: Option<&OwnedFd>, user: Option<&OwnedFd>) -> Result<Vec<OwnedFd>> {
    plan.passed_fds.iter().map(|wanted| one(wanted, plan, process, user)).collect()
}

fn one(wanted: &PassedFd, plan: &Plan, process: Option<&OwnedFd>, user: Option<&OwnedFd>) -> Result<OwnedFd> {
    match wanted {
        PassedFd::Namespace { origin, kind, path } => {
            let place = || format!("{origin}/path: {}", path.display());
            let fd = path::open_following_links(&c_path(path)?, libc::O_RDONLY).with_context(place)?;
            // The plan checked the path earlier, but the path may have changed since.
            if namespace::kind_of(fd.as_fd()).with_context(place)? != *kind {
                bail!("{}: no longer a namespace of the same type", place());
            }
            Ok(fd)
        }
        PassedFd::Tree { origin, source, recursive, id_map } => {
            let place = || format!("{origin}/source: {}", source.display());
            let tree = mount::clone_tree_following_links(&c_path(source)?, *recursive)
                .map_err(|errno| anyhow!("{}: {}", place(), errno_words(errno)))?;
            if let Some(map) = id_map {
                idmapped_mount::map(tree.as_fd(), map, plan)
                    .with_context(|| format!("{origin}: map the ids of {}", source.display()))?;
            }
            Ok(tree)
        }
        PassedFd::Process => {
            let process = process.context("no process to join")?;
            Ok(process.try_clone()?)
        }
        PassedFd::UserNamespace => Ok(user.context("no user namespace to join")?.try_clone()?),
    }
}

/// Opens the host's procfs, and checks that it is one.
pub(super) fn host_proc() -> Result<OwnedFd> {
    let proc = path::open_following_links(c"/proc", libc::O_PATH | libc::O_DIRECTORY).context("open /proc")?;
    if path::file_system(proc.as_fd()).context("statfs /proc")? != libc::PROC_SUPER_MAGIC as u64 {
        bail!("/proc is not a proc file system");
    }
    Ok(proc)
}

/// The files that a child needs to replace its own /proc/self/exe: the runtime's executable through a private mount,
/// or, if such a mount cannot be made, a copy in memory. The mount is read-only, because a process that may inspect the
/// mappings of others (CAP_CHECKPOINT_RESTORE, CAP_SYS_PTRACE) can open the file through it, and could write to it.
///
/// Also returns that mount. It is no longer needed, but closing it waits for a kernel grace period.
pub(super) fn own_file() -> Result<(OwnFile, Option<OwnedFd>)> {
    let empty = executable::empty_executable().context("make an empty executable in memory")?;
    let (file, mount) = match mount::clone_tree_following_links(c"/proc/self/exe", false) {
        Ok(tree) => {
            let readonly = Attributes { set: libc::MOUNT_ATTR_RDONLY, ..Attributes::default() };
            mount::set_attributes(tree.as_fd(), false, readonly).context("make the own executable read-only")?;
            let path = CString::new(format!("/proc/self/fd/{}", tree.as_raw_fd()))?;
            let file = path::open_following_links(&path, libc::O_RDONLY).context("open the own executable")?;
            (file, Some(tree))
        }
        Err(_) => (executable::sealed_copy().context("copy the own executable to memory")?, None),
    };
    Ok((OwnFile { file, empty }, mount))
}

/// Detaches the parent itself from the executable, before the clone. Used if processes of a container see the child
/// from the clone on. Returns the mount of [`own_file`].
pub(super) fn detach_exe_before_clone() -> Result<Option<OwnedFd>> {
    let (own, mount) = own_file()?;
    executable::detach_exe(own.file.as_fd(), own.empty.as_fd()).context("detach from the own executable")?;
    Ok(mount)
}
