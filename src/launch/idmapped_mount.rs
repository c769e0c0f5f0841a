//! Maps the ids of mounts (mount_setattr(2), MOUNT_ATTR_IDMAP). The kernel takes the maps from a user namespace.
//! `plan::mounts` decides which mounts are mapped.

use super::{c_path, id_maps};
use crate::plan::namespaces::Maps;
use crate::plan::{IdMap, PassedFd, Plan};
use crate::report::errno_words;
use crate::sys::clone::{self, Side};
use crate::sys::mount::{self, Attributes};
use crate::sys::{Errno, path, process};
use anyhow::{Context, Result, bail};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Maps the ids of a detached mount.
pub(super) fn map(tree: BorrowedFd<'_>, map: &IdMap, plan: &Plan) -> Result<()> {
    let (recursive, namespace) = match map {
        IdMap::Own { recursive, uids, gids } => (recursive, namespace_with(uids, gids)?),
        IdMap::Container { recursive } => (recursive, container_map(plan)?),
    };
    let nothing_else = Attributes::default();
    let Err(errno) = mount::set_attributes_and_map(tree, *recursive, nothing_else, Some(namespace.as_fd())) else {
        return Ok(());
    };
    let hint = match errno {
        Errno::EINVAL => " (this kernel cannot map the ids of that file system)",
        Errno::EPERM => " (a mount with mapped ids cannot be mapped again)",
        _ => "",
    };
    bail!("{}{hint}", errno_words(errno))
}

/// Returns a user namespace with the container's maps: the joined one, or a new one with the same maps.
fn container_map(plan: &Plan) -> Result<OwnedFd> {
    if let Some(maps) = &plan.namespaces.maps {
        return namespace_with(&maps.uids, &maps.gids);
    }
    for passed in &plan.passed_fds {
        if let PassedFd::Namespace { kind, path, .. } = passed
            && *kind == libc::CLONE_NEWUSER as u64
        {
            return path::open_following_links(&c_path(path)?, libc::O_RDONLY)
                .with_context(|| format!("open {}", path.display()));
        }
    }
    bail!("there is no user namespace to take the id map from")
}

/// Creates a user namespace with these maps. Its process has ended on return; the descriptor keeps the namespace.
fn namespace_with(uids: &str, gids: &str) -> Result<OwnedFd> {
    let (own, child_end) = crate::channel::Channel::pair().context("make a socket pair")?;
    let (pid, pidfd) = match clone::clone3(libc::CLONE_NEWUSER as u64, None).context("make a user namespace")? {
        Side::Child => {
            drop(own);
            // Exits when the parent has opened the namespace or has itself exited.
            let _ = child_end.await_go();
            clone::exit_now(0)
        }
        Side::Parent { pid, pidfd } => (pid, pidfd),
    };
    drop(child_end);
    let maps = Maps { uids: uids.to_owned(), gids: gids.to_owned(), ..Maps::default() };
    let file = std::ffi::CString::new(format!("/proc/{pid}/ns/user"))?;
    let namespace = id_maps::write(pid, Some(&maps))
        .and_then(|()| path::open_following_links(&file, libc::O_RDONLY).context("open a user namespace"));
    process::signal(pidfd.as_fd(), libc::SIGKILL).context("end the process of a user namespace")?;
    clone::wait(pid).context("wait for the process of a user namespace")?;
    namespace
}
