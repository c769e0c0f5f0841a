//! `NOTIFY_SOCKET` (sd_notify(3)): forwards the readiness of a container's program to the caller's service manager.
//!
//! The program gets a separate socket, in a directory of the state directory that is bound into the container. It never
//! sees the manager's socket. Only `READY=1` is forwarded, with the pid that the manager knows. Received descriptors
//! are closed, which answers `BARRIER=1`.

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

/// The directory in the state directory, and its path in the container.
const DIRECTORY: &str = "notify";
const INSIDE: &str = "/run/notify";
const SOCKET: &str = "notify.sock";

/// How long the manager may take to read the notification.
const PATIENCE: Duration = Duration::from_secs(30);

/// The manager's socket.
fn upstream() -> Option<OsString> {
    std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty())
}

/// What a new container gets if the caller has a manager: a mount, and an environment variable. Only in a new mount
/// namespace: in the host's, all processes would see the directory.
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
        // Regardless of the umask, because the container's user needs access.
        fs::set_permissions(source, Permissions::from_mode(0o755))
    };
    make().with_context(|| format!("make {}", source.display()))
}

/// The container's socket and the manager's.
pub(crate) struct Notices {
    own: OwnedFd,
    manager: OwnedFd,
}

impl Notices {
    /// Listens before the program starts. `None` if there is no manager, or was none when the container was created.
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

    /// Reads the pending messages. If the program is ready, notifies the manager with `pid` and returns true.
    pub(crate) fn take(&self, pid: i32) -> Result<bool> {
        let mut bytes = [0; 4096];
        loop {
            // A received descriptor is closed when it is dropped.
            let length = match socket::receive(self.own.as_fd(), &mut bytes) {
                Ok((length, _)) => length,
                Err(Errno::EAGAIN) => return Ok(false),
                Err(errno) => return Err(io::Error::from(errno)).context("receive a notification"),
            };
            if is_ready(&bytes[..length]) {
                self.tell(format!("MAINPID={pid}\nREADY=1\n").as_bytes(), None)?;
                return Ok(true);
            }
        }
    }

    /// Waits until the program is ready and the manager has read that, or until the program has ended.
    pub(crate) fn wait(&self, pid: i32, pidfd: BorrowedFd<'_>) -> Result<()> {
        loop {
            let [notified, ended] = socket::either_ready(self.own.as_fd(), pidfd)
                .map_err(io::Error::from)
                .context("wait for a notification")?;
            if notified && self.take(pid)? {
                return self.barrier();
            }
            if ended {
                return Ok(());
            }
        }
    }

    /// Waits until the manager has read all earlier messages: it closes the descriptor then (sd_notify_barrier(3)).
    /// Otherwise the sender could have exited before the manager identifies it.
    fn barrier(&self) -> Result<()> {
        let (reader, writer) = pipe::pair().map_err(io::Error::from).context("make a pipe")?;
        self.tell(b"BARRIER=1", Some(writer.as_fd()))?;
        drop(writer);
        // A manager that does not know BARRIER, or is too slow, has the notification anyway.
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

/// Whether a message of sd_notify(3) says that the program is ready.
pub(crate) fn is_ready(message: &[u8]) -> bool {
    message.split(|&byte| byte == b'\n').any(|line| line == b"READY=1")
}

impl AsFd for Notices {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.own.as_fd()
    }
}
