//! The options of one request (`criu_opts` of CRIU's rpc.proto).
//!
//! Owns the field numbers. Deliberately does not decide which options are set.

use super::wire::Message;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// An option without a value; the numbers are those of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Flag {
    /// The processes run on after the dump.
    LeaveRunning = 3,
    /// Sockets that lead out of the container are dumped.
    ExternalUnixSockets = 4,
    /// Established TCP connections are dumped.
    TcpEstablished = 5,
    /// Processes whose session leader is outside are dumped.
    ShellJob = 7,
    /// File locks are dumped.
    FileLocks = 8,
    /// CRIU announces the stages of its work.
    Notifications = 12,
    /// The kernel records which pages change from now on.
    TrackMemory = 15,
    /// Pages that a parent image has are removed from it.
    AutoDedup = 16,
    /// Unlinked files are linked again.
    LinkRemap = 18,
    /// The restored process is a child of the caller.
    RestoreSibling = 26,
    /// Mounts that share with mounts outside are accepted.
    ExternalSharing = 29,
    /// Mounts that receive from mounts outside are accepted.
    ExternalMasters = 30,
    /// TCP connections that are being made are skipped.
    TcpSkipInFlight = 46,
    /// Pages are transferred when they are needed.
    LazyPages = 48,
    /// The master of a terminal without one is passed to the caller.
    OrphanTerminal = 50,
    /// TCP connections are closed.
    TcpClose = 52,
}

/// What CRIU does with cgroups; the numbers are those of the protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum CgroupMode {
    /// Nothing: the processes stay in the cgroup of the process that restores them.
    Ignore = 0,
    /// Cgroups are made where they are missing, and only then get their properties.
    #[default]
    Soft = 3,
    /// Cgroups are made, and get their properties.
    Full = 4,
    /// As `Full`, and it is an error if they exist.
    Strict = 5,
}

/// The options of a request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options(Message);

impl Options {
    /// The options that every request has: the directory of the images, that of the log and other work files, and the
    /// name of the log. CRIU opens both directories through /proc, so the descriptors need not be inherited.
    pub(crate) fn new(images: BorrowedFd<'_>, work: BorrowedFd<'_>, log: &str) -> Options {
        /// Errors, warnings and what CRIU does.
        const LOG_LEVEL: u64 = 4;
        let mut options = Message::default();
        options.number(1, number(images));
        options.number(17, number(work));
        options.number(9, LOG_LEVEL);
        options.bytes(10, log.as_bytes());
        Options(options)
    }

    /// Sets the option if `wanted`.
    pub(crate) fn set(&mut self, flag: Flag, wanted: bool) {
        if wanted {
            self.0.number(flag as u32, 1);
        }
    }

    /// The first process to dump.
    pub(crate) fn process(&mut self, pid: i32) {
        self.0.number(2, pid as u64);
    }

    /// Where pages are sent instead of the image directory.
    pub(crate) fn page_server(&mut self, address: &str, port: u16) {
        let mut server = Message::default();
        server.bytes(1, address.as_bytes());
        server.number(2, u64::from(port));
        self.0.nested(11, &server);
    }

    /// The root of the restored mount tree, which must be a mount point.
    pub(crate) fn root(&mut self, path: &Path) {
        self.0.bytes(13, path.as_os_str().as_bytes());
    }

    /// The image that this one is based on, relative to the image directory.
    pub(crate) fn parent_image(&mut self, path: &Path) {
        self.0.bytes(14, path.as_os_str().as_bytes());
    }

    /// A mount that CRIU does not save. For a dump: the mount point and the key under which it is known. For a restore:
    /// the key and the source.
    pub(crate) fn external_mount(&mut self, key: &[u8], value: &[u8]) {
        let mut mount = Message::default();
        mount.bytes(1, key);
        mount.bytes(2, value);
        self.0.nested(23, &mount);
    }

    /// The cgroup, from the root of its hierarchy, in which the first process is restored. The controller is empty for
    /// cgroup v2.
    pub(crate) fn cgroup_root(&mut self, controller: &str, path: &[u8]) {
        let mut root = Message::default();
        root.bytes(1, controller.as_bytes());
        root.bytes(2, path);
        self.0.nested(25, &root);
    }

    /// A descriptor of the CRIU process that a restored process gets for the file `key` of the dump.
    pub(crate) fn inherit(&mut self, key: &str, fd: i32) {
        let mut inherited = Message::default();
        inherited.bytes(1, key.as_bytes());
        inherited.number(2, fd as u64);
        self.0.nested(27, &inherited);
    }

    /// What CRIU does with cgroups.
    pub(crate) fn cgroup_mode(&mut self, mode: CgroupMode) {
        self.0.number(34, mode as u64);
    }

    /// A resource that CRIU does not save, as in its `--external`.
    pub(crate) fn external(&mut self, what: &str) {
        self.0.bytes(37, what.as_bytes());
    }

    /// Namespaces (CLONE_NEW*) that are made empty.
    pub(crate) fn empty_namespaces(&mut self, kinds: u64) {
        self.0.number(38, kinds);
    }

    /// A namespace that the restored processes join instead of having their own.
    pub(crate) fn join_namespace(&mut self, kind: &str, path: &str) {
        let mut join = Message::default();
        join.bytes(1, kind.as_bytes());
        join.bytes(2, path.as_bytes());
        self.0.nested(39, &join);
    }

    /// The cgroup whose freezer stops the processes.
    pub(crate) fn freeze_cgroup(&mut self, path: &Path) {
        self.0.bytes(44, path.as_os_str().as_bytes());
    }

    /// The descriptor of this process to which CRIU writes a byte when it serves lazy pages.
    pub(crate) fn status_fd(&mut self, fd: i32) {
        self.0.number(49, fd as u64);
    }

    /// A configuration file of CRIU, which overrides these options.
    pub(crate) fn config_file(&mut self, path: &Path) {
        self.0.bytes(51, path.as_os_str().as_bytes());
    }

    /// The label of the restored processes, as `TYPE:NAME`.
    pub(crate) fn lsm_profile(&mut self, profile: &str) {
        self.0.bytes(53, profile.as_bytes());
    }

    /// The label of the restored mounts.
    pub(crate) fn lsm_mount_context(&mut self, context: &str) {
        self.0.bytes(63, context.as_bytes());
    }

    pub(super) fn message(&self) -> &Message {
        &self.0
    }
}

fn number(fd: BorrowedFd<'_>) -> u64 {
    fd.as_raw_fd() as u64
}
