//! The kernel's refusal of one call on a cgroup: what was tried, in words, and the error number for those who decide.

use anyhow::Error;
use nix::errno::Errno;
use std::fmt;

/// A call that the kernel refused. Find it in an [`anyhow::Error`] with `downcast_ref` or [`Refusal::errno_of`].
#[derive(Debug)]
pub(crate) struct Refusal {
    what: String,
    errno: Errno,
}

impl Refusal {
    /// What was tried, such as `write "max" to /sys/fs/cgroup/x/pids.max`, and the kernel's answer.
    pub(crate) fn of(what: impl Into<String>, errno: Errno) -> Error {
        Error::new(Refusal { what: what.into(), errno })
    }

    /// The error number, when `error` comes from a refused call on a cgroup.
    pub(crate) fn errno_of(error: &Error) -> Option<Errno> {
        error.downcast_ref::<Refusal>().map(|refusal| refusal.errno)
    }

    /// Whether `error` says that the caller may not, as it is for users without a delegated cgroup.
    pub(crate) fn is_permission(error: &Error) -> bool {
        matches!(Refusal::errno_of(error), Some(Errno::EACCES | Errno::EPERM | Errno::EROFS))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, crate::report::errno_words(self.errno))
    }
}

impl std::error::Error for Refusal {}
