//! `NOTIFY_SOCKET` (sd_notify(3)): what a container's program tells a service manager, passed on to the caller's.
//!
//! The program gets a socket of the container's own, in a directory of the state directory that is bound into the container;
//! it never sees the manager's. Of what it says only `READY=1` is passed on, with the pid by which the manager knows the
//! container's process. A descriptor sent along (`BARRIER=1`) is closed, which is its answer.

use crate::container::state::dir;
use crate::sys::{Errno, pipe, process, socket};
use anyhow::{Context, Result};
use oci_spec::runtime::{LinuxNamespaceType, Spec};
use std::ffi::OsString;
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The directory in the state directory, and where it is in the container.
const DIRECTORY: &str = "notify";
const INSIDE: &str = "/run/notify";
const SOCKET: &str = "notify.sock";

/// How long the manager may take to read what it was told.
const PATIENCE: Duration = Duration::from_secs(30);

/// The caller's own socket.
fn upstream() -> Option<OsString> {
    std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty())
}

/// What a new container gets when the caller has a manager: a mount, and an entry of the environment. Only with mounts of its
/// own: in the host's the directory would be everybody's.
pub(crate) fn overrides(spec: &Spec, state: &Path) -> Option<((PathBuf, String), String)> {
    let namespaces = spec.linux().as_ref()?.namespaces().as_ref()?;
    let own = |one: &oci_spec::runtime::LinuxNamespace| one.typ() == LinuxNamespaceType::Mount && one.path().is_none();
    upstream().filter(|_| namespaces.iter().any(own))?;
    let source = std::path::absolute(state.join(DIRECTORY)).ok()?;
    Some(((source, INSIDE.to_owned()), format!("NOTIFY_SOCKET={INSIDE}/{SOCKET}")))
}

/// Makes the directory that is bound into the container.
pub(crate) fn make_directory(source: &Path) -> Result<()> {
    let make = || {
        DirBuilder::new().mode(0o755).create(source)?;
        // Whatever the umask is: the container's user has to pass.
        fs::set_permissions(source, Permissions::from_mode(0o755))
    };
    make().with_context(|| format!("make {}", source.display()))
}

/// The container's socket, and the manager's.
pub(crate) struct Notices {
    own: OwnedFd,
    manager: OwnedFd,
}

impl Notices {
    /// Listens, before the program starts. `None` if there is no manager now, or was none when the container was made.
    pub(crate) fn listen(state: &Path) -> Result<Option<Notices>> {
        let Some(name) = upstream() else { return Ok(None) };
        let directory = state.join(DIRECTORY);
        let held = match fs::File::open(&directory) {
            Ok(held) => held,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("open {}", directory.display())),
        };
        let manager = socket::connect_datagram(&name).map_err(io::Error::from);
        let manager = manager.with_context(|| format!("NOTIFY_SOCKET: connect to {}", name.display()))?;
        let path = dir::by_descriptor(&held, SOCKET);
        let listen = || -> io::Result<OwnedFd> {
            let own = socket::listen_for_datagrams(&path)?;
            fs::set_permissions(&path, Permissions::from_mode(0o777))?;
            Ok(own)
        };
        let own = listen().with_context(|| format!("listen in {}", directory.display()))?;
        Ok(Some(Notices { own, manager }))
    }

    /// Takes what has come. Whether the program is ready; the manager then knows, with `pid`.
    pub(crate) fn take(&self, pid: i32) -> Result<bool> {
        let mut bytes = [0; 4096];
        loop {
            // A descriptor that comes along is closed by being dropped.
            let length = match socket::receive(self.own.as_fd(), &mut bytes) {
                Ok((length, _)) => length,
                Err(Errno::EAGAIN) => return Ok(false),
                Err(errno) => return Err(io::Error::from(errno)).context("receive a notification"),
            };
            if bytes[..length].split(|&byte| byte == b'\n').any(|line| line == b"READY=1") {
                self.tell(format!("MAINPID={pid}\nREADY=1\n").as_bytes(), None)?;
                return Ok(true);
            }
        }
    }

    /// Waits until the program is ready, or has ended, and until the manager has read it.
    pub(crate) fn wait(&self, pid: i32, pidfd: BorrowedFd<'_>) -> Result<()> {
        loop {
            let [said, ended] = socket::either_ready(self.own.as_fd(), pidfd)
                .map_err(io::Error::from)
                .context("wait for a notification")?;
            if said && self.take(pid)? {
                return self.barrier();
            }
            if ended {
                return Ok(());
            }
        }
    }

    /// The manager closes the descriptor when it has read everything sent before (sd_notify_barrier(3)): who tells and ends
    /// could otherwise not be found any more by then.
    fn barrier(&self) -> Result<()> {
        let (reader, writer) = pipe::pair().map_err(io::Error::from).context("make a pipe")?;
        self.tell(b"BARRIER=1", Some(writer.as_fd()))?;
        drop(writer);
        // One that does not know the word, or is too slow, has been told all the same.
        process::ended_within(reader.as_fd(), PATIENCE)
            .map_err(io::Error::from)
            .context("wait for the manager")
            .map(drop)
    }

    fn tell(&self, text: &[u8], fd: Option<BorrowedFd<'_>>) -> Result<()> {
        socket::send(self.manager.as_fd(), text, fd)
            .map_err(io::Error::from)
            .context("NOTIFY_SOCKET: notify the manager")
    }
}

impl AsFd for Notices {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.own.as_fd()
    }
}
