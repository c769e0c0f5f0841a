//! Maps the ids of mounts (mount_setattr(2), MOUNT_ATTR_IDMAP). The kernel takes the maps from a user namespace.
//!
//! Which mounts are mapped is decided in `plan::mounts`.

use super::{c_path, id_maps};
use crate::plan::act::{Act, Bind, Source, text};
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
    let no_change = Attributes::default();
    let Err(errno) = mount::set_attributes_and_map(tree, *recursive, no_change, Some(namespace.as_fd())) else {
        return Ok(());
    };
    let hint = match errno {
        Errno::EINVAL => " (this kernel cannot map the ids of this file system)",
        Errno::EPERM => " (a mount with mapped ids cannot be mapped again)",
        _ => "",
    };
    bail!("{}{hint}", errno_words(errno))
}

/// Maps the ids of the detached mount that the child has opened in its root for this step.
pub(super) fn map_source(tree: BorrowedFd<'_>, step: usize, plan: &Plan) -> Result<()> {
    let step = plan.init.get(step).context("the process sent a mount for an unknown step")?;
    let Act::Bind(Bind { source: Source::InRoot(path, Some(id_map)), .. }) = &step.act else {
        bail!("{}: the process sent a mount for a step without an id map", step.origin);
    };
    map(tree, id_map, plan).with_context(|| format!("{}: map the ids of {}", step.origin, text(path.as_c_str())))
}

/// A user namespace with the container's maps: the joined one, or a copy of the one that is about to be made.
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
    bail!("no user namespace has the id map")
}

/// Makes a user namespace with these maps. Its process has exited when this returns; the descriptor keeps the namespace
/// alive.
fn namespace_with(uids: &str, gids: &str) -> Result<OwnedFd> {
    let (own_end, childs_end) = crate::channel::Channel::pair().context("make a socket pair")?;
    let (pid, pidfd) = match clone::clone3(libc::CLONE_NEWUSER as u64, None).context("make a user namespace")? {
        Side::Child => {
            drop(own_end);
            // Returns when the parent closes its end or dies.
            let _ = childs_end.await_go();
            clone::exit_now(0)
        }
        Side::Parent { pid, pidfd } => (pid, pidfd),
    };
    drop(childs_end);
    let maps = Maps { uids: uids.to_owned(), gids: gids.to_owned(), ..Maps::default() };
    let file = std::ffi::CString::new(format!("/proc/{pid}/ns/user"))?;
    let namespace = id_maps::write(pid, Some(&maps))
        .and_then(|()| path::open_following_links(&file, libc::O_RDONLY).context("open a user namespace"));
    process::signal(pidfd.as_fd(), libc::SIGKILL).context("end the process of a user namespace")?;
    clone::wait(pid).context("wait for the process of a user namespace")?;
    namespace
}
