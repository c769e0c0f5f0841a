//! The source of a bind mount: where it is looked up, by whom and when.

use super::{InRoot, Slot};
use crate::plan::IdMap;
use std::ffi::{CStr, CString};

/// Where a bind mount comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A path of the host.
    Path(CString),
    /// A path of the host, or the detached mount in the slot if this process cannot reach the path. The path is tried
    /// first, because a bind from it in a user namespace keeps the host's restrictions on the mount
    /// (mount_namespaces(7), "locked"). The parent's clone would not keep them.
    Reachable(Slot, CString),
    /// A detached mount that the parent prepared, because this process may not map its ids.
    PassedFd(Slot, CString),
    /// A path inside the container's root, on or above a mount of an earlier step. It is opened in the root when its turn
    /// comes, because the host does not have that mount. The parent maps the ids of the detached mount, if requested.
    InRoot(InRoot, Option<IdMap>),
}

impl Source {
    /// The path, for messages and to check for a symbolic link.
    pub(crate) fn path(&self) -> &CStr {
        let (Source::Path(path)
        | Source::Reachable(_, path)
        | Source::PassedFd(_, path)
        | Source::InRoot(InRoot(path), _)) = self;
        path
    }
}
