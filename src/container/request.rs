//! The parsed arguments of `create`, `run`, `exec`, `checkpoint` and `restore`.

use super::Id;
use crate::criu::{CgroupMode, Flag, Options};
use crate::plan::namespaces::NETWORK;
use std::path::PathBuf;

/// What makes the container's cgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum CgroupManager {
    /// davit, below /sys/fs/cgroup.
    #[default]
    Cgroupfs,
    /// systemd, over D-Bus; `linux.cgroupsPath` is `slice:prefix:name`.
    Systemd,
    /// Nothing: the container stays in the caller's cgroup.
    Disabled,
}

/// Whether to tolerate operations that need root (`--rootless`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Rootless {
    /// Depends on the caller's uid and user namespace.
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
    /// Its id.
    pub(crate) id: Id,
    /// The bundle as given; by default the current directory.
    pub(crate) bundle: PathBuf,
    /// The socket that receives the terminal's master.
    pub(crate) console_socket: Option<PathBuf>,
    /// The socket that receives a pidfd of the first process.
    pub(crate) pidfd_socket: Option<PathBuf>,
    /// The file for the first process's pid.
    pub(crate) pid_file: Option<PathBuf>,
    /// MS_MOVE and chroot instead of pivot_root.
    pub(crate) no_pivot: bool,
    /// Keep the caller's session keyring.
    pub(crate) no_new_keyring: bool,
    /// How many descriptors from 3 on (after LISTEN_FDS) the container gets.
    pub(crate) preserve_fds: u32,
    /// What makes the cgroup.
    pub(crate) cgroup_manager: CgroupManager,
    /// Which operations may fail for callers that are not root.
    pub(crate) rootless: Rootless,
}

/// A container to create, start, wait for and delete.
#[derive(Clone, Debug)]
pub(crate) struct RunRequest {
    /// The container.
    pub(crate) create: CreateRequest,
    /// Return as soon as it runs.
    pub(crate) detach: bool,
    /// Keep state and cgroup for a later `delete`.
    pub(crate) keep: bool,
    /// Do not become the parent of the container's orphans.
    pub(crate) no_subreaper: bool,
}

/// A process to add to a container.
#[derive(Clone, Debug)]
pub(crate) struct ExecRequest {
    /// The container.
    pub(crate) id: Id,
    /// What to run.
    pub(crate) program: Program,
    /// The socket that receives the terminal's master.
    pub(crate) console_socket: Option<PathBuf>,
    /// The socket that receives a pidfd of the process.
    pub(crate) pidfd_socket: Option<PathBuf>,
    /// The file for the pid of the process, written when the program runs.
    pub(crate) pid_file: Option<PathBuf>,
    /// Return as soon as the program runs.
    pub(crate) detach: bool,
    /// How many descriptors from 3 on (after LISTEN_FDS) the program gets.
    pub(crate) preserve_fds: u32,
    /// The cgroup below the container's own to spawn into.
    pub(crate) cgroup: Option<PathBuf>,
    /// Add the process to a paused container too, where it is frozen like the others.
    pub(crate) ignore_paused: bool,
}

/// What `exec` runs.
#[derive(Clone, Debug)]
pub(crate) enum Program {
    /// A `process.json`.
    File(PathBuf),
    /// A command, with changes to the attributes of the container's first process.
    Words(Box<ExecWords>),
}

/// The flags of `exec`.
#[derive(Clone, Debug, Default)]
pub(crate) struct ExecWords {
    /// The program and its arguments.
    pub(crate) arguments: Vec<String>,
    /// Give it a terminal.
    pub(crate) tty: bool,
    /// Working directory.
    pub(crate) cwd: Option<PathBuf>,
    /// Entries added to the environment.
    pub(crate) environment: Vec<String>,
    /// User, and group where it is given.
    pub(crate) user: Option<(u32, Option<u32>)>,
    /// Additional groups.
    pub(crate) groups: Vec<u32>,
    /// Capabilities added to the bounding, effective and permitted sets.
    pub(crate) capabilities: Vec<String>,
    /// Set no_new_privs.
    pub(crate) no_new_privileges: bool,
    /// AppArmor profile.
    pub(crate) apparmor: Option<String>,
    /// SELinux label.
    pub(crate) label: Option<String>,
}

/// The flags that `checkpoint` and `restore` have in common.
#[derive(Clone, Debug)]
pub(crate) struct CriuRequest {
    /// The directory of the images.
    pub(crate) image_path: PathBuf,
    /// The directory of CRIU's log and other work files; the image directory if there is none.
    pub(crate) work_path: Option<PathBuf>,
    /// Accept established TCP connections.
    pub(crate) tcp_established: bool,
    /// Close TCP connections.
    pub(crate) tcp_close: bool,
    /// Accept Unix sockets that lead out of the container.
    pub(crate) ext_unix_sk: bool,
    /// Accept processes whose session or terminal is outside.
    pub(crate) shell_job: bool,
    /// Accept file locks.
    pub(crate) file_locks: bool,
    /// Remove pages from parent images that a later image has.
    pub(crate) auto_dedup: bool,
    /// Transfer memory when it is needed.
    pub(crate) lazy_pages: bool,
    /// Make the network namespace, but not its content.
    pub(crate) empty_network: bool,
    /// What CRIU does with cgroups.
    pub(crate) cgroup_mode: CgroupMode,
}

impl CriuRequest {
    /// Sets the options that both requests have.
    pub(super) fn apply(&self, options: &mut Options) {
        let flags = [
            (Flag::TcpEstablished, self.tcp_established),
            (Flag::TcpClose, self.tcp_close),
            (Flag::ExternalUnixSockets, self.ext_unix_sk),
            (Flag::ShellJob, self.shell_job),
            (Flag::FileLocks, self.file_locks),
            (Flag::AutoDedup, self.auto_dedup),
            (Flag::LazyPages, self.lazy_pages),
            (Flag::Notifications, true),
            (Flag::ExternalSharing, true),
            (Flag::ExternalMasters, true),
        ];
        flags.into_iter().for_each(|(flag, wanted)| options.set(flag, wanted));
        options.cgroup_mode(self.cgroup_mode);
        if self.empty_network {
            options.empty_namespaces(NETWORK);
        }
    }
}

/// A container to checkpoint.
#[derive(Clone, Debug)]
pub(crate) struct CheckpointRequest {
    /// The container.
    pub(crate) id: Id,
    /// Flags in common with `restore`.
    pub(crate) criu: CriuRequest,
    /// The image of an earlier pre-dump, relative to the image directory.
    pub(crate) parent_path: Option<PathBuf>,
    /// The container runs on.
    pub(crate) leave_running: bool,
    /// Save only memory. The container runs on.
    pub(crate) pre_dump: bool,
    /// Leave out TCP connections that are being made.
    pub(crate) tcp_skip_in_flight: bool,
    /// Link unlinked files again where possible.
    pub(crate) link_remap: bool,
    /// The descriptor that gets a byte when pages are served.
    pub(crate) status_fd: Option<i32>,
    /// The host and port to send memory to.
    pub(crate) page_server: Option<(String, u16)>,
}

/// A container to restore.
#[derive(Clone, Debug)]
pub(crate) struct RestoreRequest {
    /// The container, as for `run`.
    pub(crate) run: RunRequest,
    /// Flags in common with `checkpoint`.
    pub(crate) criu: CriuRequest,
    /// The label of the processes, as `TYPE:NAME`.
    pub(crate) lsm_profile: Option<String>,
    /// The label of the mounts.
    pub(crate) lsm_mount_context: Option<String>,
}
