//! What may be asked of `create` and `run`, in words of the command line, already parsed.

use super::Id;
use std::path::PathBuf;

/// Who makes the container's cgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum CgroupManager {
    /// davit does, below /sys/fs/cgroup.
    #[default]
    Cgroupfs,
    /// systemd does, asked over D-Bus; `linux.cgroupsPath` is `slice:prefix:name`.
    Systemd,
    /// Nobody: the container stays in the caller's cgroup.
    Disabled,
}

/// Whether what only root may do is left undone instead of being an error (`--rootless`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Rootless {
    /// As the caller's uid and user namespace say.
    #[default]
    Auto,
    /// Yes.
    True,
    /// No.
    False,
}

/// A container to create.
#[derive(Clone, Debug)]
pub(crate) struct CreateRequest {
    /// Its name.
    pub(crate) id: Id,
    /// The bundle, as given; the current directory when it was not.
    pub(crate) bundle: PathBuf,
    /// A socket that gets the terminal's master.
    pub(crate) console_socket: Option<PathBuf>,
    /// A socket that gets a pidfd of the first process.
    pub(crate) pidfd_socket: Option<PathBuf>,
    /// A file that gets the first process's pid.
    pub(crate) pid_file: Option<PathBuf>,
    /// MS_MOVE and chroot instead of pivot_root.
    pub(crate) no_pivot: bool,
    /// Stay in the caller's session keyring.
    pub(crate) no_new_keyring: bool,
    /// How many descriptors from 3 on (after LISTEN_FDS) the container gets.
    pub(crate) preserve_fds: u32,
    /// Who makes the cgroup.
    pub(crate) cgroup_manager: CgroupManager,
    /// What is forgiven to callers that are not root.
    pub(crate) rootless: Rootless,
}

/// A container to create, start, wait for and delete.
#[derive(Clone, Debug)]
pub(crate) struct RunRequest {
    /// The container.
    pub(crate) create: CreateRequest,
    /// Return as soon as it runs.
    pub(crate) detach: bool,
    /// Leave state and cgroup for a later `delete`.
    pub(crate) keep: bool,
    /// Do not take over the container's orphans.
    pub(crate) no_subreaper: bool,
}
