//! The error for a failed system call on a cgroup: the operation as text, and the errno. Callers decide how to react.

use anyhow::Error;
use nix::errno::Errno;
use std::fmt;

/// A failed system call. Find it in an [`anyhow::Error`] with `downcast_ref` or [`Refusal::errno_of`].
#[derive(Debug)]
pub(crate) struct Refusal {
    what: String,
    errno: Errno,
}

impl Refusal {
    /// Makes the error from the operation, such as `write "max" to /sys/fs/cgroup/x/pids.max`, and the errno.
    pub(crate) fn of(what: impl Into<String>, errno: Errno) -> Error {
        Error::new(Refusal { what: what.into(), errno })
    }

    /// The errno, if `error` comes from a failed call on a cgroup.
    pub(crate) fn errno_of(error: &Error) -> Option<Errno> {
        error.downcast_ref::<Refusal>().map(|refusal| refusal.errno)
    }

    /// Whether `error` is a permission error, as for users without a delegated cgroup.
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
