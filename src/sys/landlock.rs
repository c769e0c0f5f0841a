//! Wraps Landlock (landlock(7)): its ABI version, rulesets, their rules, and the entry into a domain. Which rights a
//! ruleset handles is left to `plan::landlock`.

use super::{Result, answer};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// LANDLOCK_CREATE_RULESET_VERSION.
const VERSION: u32 = 1;
/// LANDLOCK_RULE_PATH_BENEATH and LANDLOCK_RULE_NET_PORT.
const PATH_BENEATH: u32 = 1;
const NET_PORT: u32 = 2;

/// `struct landlock_ruleset_attr`: what is denied unless a rule allows it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Handled {
    /// LANDLOCK_ACCESS_FS_*.
    pub(crate) files: u64,
    /// LANDLOCK_ACCESS_NET_*.
    pub(crate) net: u64,
    /// LANDLOCK_SCOPE_*.
    pub(crate) scope: u64,
}

#[repr(C, packed)]
struct Beneath {
    access: u64,
    parent: i32,
}

#[repr(C)]
struct Port {
    access: u64,
    port: u64,
}

/// The ABI version of this kernel; 0 without Landlock.
pub(crate) fn abi() -> u32 {
    let none = std::ptr::null::<Handled>();
    // SAFETY: no memory is involved, because the pointer is null, as the flag requires.
    let version = answer(unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, none, 0_usize, VERSION) });
    version.ok().and_then(|version| u32::try_from(version).ok()).unwrap_or(0)
}

/// Makes a ruleset. Kernels without the later members accept them if they are 0.
pub(crate) fn ruleset(handled: Handled) -> Result<OwnedFd> {
    let size = size_of::<Handled>();
    // SAFETY: the kernel reads within bounds, because `size` is that of the live structure.
    let raw = answer(unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, &raw const handled, size, 0_u32) })?;
    // SAFETY: nothing else owns the descriptor, because the kernel has just made it (close-on-exec).
    Ok(unsafe { OwnedFd::from_raw_fd(raw as RawFd) })
}

/// Allows `access` to a file, or to a directory and everything below.
pub(crate) fn allow_path(ruleset: BorrowedFd<'_>, file: BorrowedFd<'_>, access: u64) -> Result<()> {
    let rule = Beneath { access, parent: file.as_raw_fd() };
    // SAFETY: the kernel reads within bounds, because the live structure has the layout of this type of rule.
    let call = unsafe {
        libc::syscall(libc::SYS_landlock_add_rule, ruleset.as_raw_fd(), PATH_BENEATH, &raw const rule, 0_u32)
    };
    answer(call).map(drop)
}

/// Allows `access` to a TCP port.
pub(crate) fn allow_port(ruleset: BorrowedFd<'_>, port: u16, access: u64) -> Result<()> {
    let rule = Port { access, port: u64::from(port) };
    // SAFETY: the kernel reads within bounds, because the live structure has the layout of this type of rule.
    let call =
        unsafe { libc::syscall(libc::SYS_landlock_add_rule, ruleset.as_raw_fd(), NET_PORT, &raw const rule, 0_u32) };
    answer(call).map(drop)
}

/// Restricts this thread and its future children. Needs no_new_privs or CAP_SYS_ADMIN.
pub(crate) fn restrict(ruleset: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: no memory is involved, because the call takes two integers.
    answer(unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), 0_u32) }).map(drop)
}
