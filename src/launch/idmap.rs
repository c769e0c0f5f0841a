//! Writing a user namespace's maps from its parent, and user namespaces that exist only to carry maps.

use crate::plan::namespaces::Maps;
use crate::sys::clone::{self, Side};
use crate::sys::{path, process};
use anyhow::{Context, Result};
use std::fs;
use std::os::fd::{AsFd, OwnedFd};

/// Writes the maps of the process `pid`, each in the one write(2) the kernel accepts (user_namespaces(7)).
pub(super) fn write(pid: i32, maps: Option<&Maps>) -> Result<()> {
    let Some(maps) = maps else { return Ok(()) };
    let put = |name: &str, place: &str, text: &str| {
        let file = format!("/proc/{pid}/{name}");
        fs::write(&file, text).with_context(|| format!("{place}: write {:?} to {file}", text.trim_end()))
    };
    if maps.deny_setgroups {
        put("setgroups", "/linux/gidMappings", "deny")?;
    }
    put("uid_map", "/linux/uidMappings", &maps.uids)?;
    put("gid_map", "/linux/gidMappings", &maps.gids)
}

/// A user namespace with these maps. The process that made it is gone when this returns; the descriptor keeps it.
pub(super) fn namespace_with(uids: &str, gids: &str) -> Result<OwnedFd> {
    let (own, childs) = crate::channel::Channel::pair().context("make a socket pair")?;
    let (pid, pidfd) = match clone::clone3(libc::CLONE_NEWUSER as u64, None).context("make a user namespace")? {
        Side::Child => {
            drop(own);
            // Ends when the parent has what it wants, or is gone.
            let _ = childs.await_go();
            clone::exit_now(0)
        }
        Side::Parent { pid, pidfd } => (pid, pidfd),
    };
    drop(childs);
    let maps = Maps { uids: uids.to_owned(), gids: gids.to_owned(), ..Maps::default() };
    let file = std::ffi::CString::new(format!("/proc/{pid}/ns/user"))?;
    let namespace = write(pid, Some(&maps))
        .and_then(|()| path::open_following_links(&file, libc::O_RDONLY).context("open a user namespace"));
    process::signal(pidfd.as_fd(), libc::SIGKILL).context("end the process of a user namespace")?;
    clone::wait(pid).context("wait for the process of a user namespace")?;
    namespace
}
