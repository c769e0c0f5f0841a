//! Changes the credentials of this process: ids, groups, capability sets (capabilities(7)), no_new_privs. The order of
//! the changes is left to the caller.

use super::{Errno, Result, answer};

/// A set of capabilities; bit N is capability N.
pub(crate) type Mask = u64;

/// The highest capability number of kernels since 5.9, CAP_CHECKPOINT_RESTORE.
pub(crate) const LAST_CAPABILITY: u32 = 40;

/// CAP_SYS_ADMIN as a set.
pub(crate) const SYS_ADMIN: Mask = 1 << 21;

/// CAP_SYS_PTRACE as a set.
pub(crate) const SYS_PTRACE: Mask = 1 << 19;

/// The sets capset(2) changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sets {
    /// The effective set: what the thread can do now.
    pub(crate) effective: Mask,
    /// The permitted set: what it may make effective.
    pub(crate) permitted: Mask,
    /// The inheritable set: what survives execve together with the file's sets.
    pub(crate) inheritable: Mask,
}

#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Data {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// _LINUX_CAPABILITY_VERSION_3: two 32-bit halves per set.
const VERSION_3: u32 = 0x2008_0522;

/// Returns the capability sets of this process.
pub(crate) fn capabilities() -> Result<Sets> {
    let mut header = Header { version: VERSION_3, pid: 0 };
    let mut data = [Data::default(); 2];
    // SAFETY: the kernel stays within bounds, because version 3 reads one header and writes two data structures, as
    // passed.
    answer(unsafe { libc::syscall(libc::SYS_capget, &raw mut header, data.as_mut_ptr()) })?;
    let join = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
    Ok(Sets {
        effective: join(data[0].effective, data[1].effective),
        permitted: join(data[0].permitted, data[1].permitted),
        inheritable: join(data[0].inheritable, data[1].inheritable),
    })
}

/// Sets the capability sets of this process to exactly `sets`.
pub(crate) fn set_capabilities(sets: Sets) -> Result<()> {
    let header = Header { version: VERSION_3, pid: 0 };
    let half = |shift: u32| Data {
        effective: (sets.effective >> shift) as u32,
        permitted: (sets.permitted >> shift) as u32,
        inheritable: (sets.inheritable >> shift) as u32,
    };
    let data = [half(0), half(32)];
    // SAFETY: the kernel reads within bounds, because version 3 reads one header and two data structures, as passed.
    answer(unsafe { libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()) }).map(drop)
}

fn prctl(option: i32, a: u64, b: u64) -> Result<libc::c_int> {
    // SAFETY: no memory is involved, because every option used in this file takes only numbers.
    Errno::result(unsafe { libc::prctl(option, a, b, 0, 0) })
}

/// Removes a capability from the bounding set permanently. EINVAL if the kernel does not know it.
pub(crate) fn drop_from_bounding(capability: u32) -> Result<()> {
    prctl(libc::PR_CAPBSET_DROP, u64::from(capability), 0).map(drop)
}

/// Clears the ambient set, which may be inherited from the caller.
pub(crate) fn clear_ambient() -> Result<()> {
    prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL as u64, 0).map(drop)
}

/// Adds a permitted and inheritable capability to the ambient set.
pub(crate) fn raise_ambient(capability: u32) -> Result<()> {
    prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE as u64, u64::from(capability)).map(drop)
}

/// Keeps permitted capabilities across the following change of user id.
pub(crate) fn keep_capabilities(keep: bool) -> Result<()> {
    prctl(libc::PR_SET_KEEPCAPS, u64::from(keep), 0).map(drop)
}

/// Requests SIGKILL for this process when its parent ends, also after an execve (PR_SET_PDEATHSIG). The request is lost
/// when the process gains rights, but not when it loses some. ESRCH if the parent has already ended.
pub(crate) fn die_with(parent: nix::unistd::Pid) -> Result<()> {
    prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as u64, 0)?;
    if nix::unistd::getppid() == parent { Ok(()) } else { Err(Errno::ESRCH) }
}

/// From now on no execve grants a privilege (prctl(2), PR_SET_NO_NEW_PRIVS).
pub(crate) fn no_new_privileges() -> Result<()> {
    prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0).map(drop)
}

/// Sets the dumpable flag. Without it ptrace(2) is denied and root owns the process's `/proc` files. Processes of a
/// container it enters then cannot reach its memory or descriptors (CVE-2016-9962).
pub(crate) fn set_dumpable(yes: bool) -> Result<()> {
    prctl(libc::PR_SET_DUMPABLE, yes.into(), 0).map(drop)
}

/// Makes this process the parent of its orphaned descendants (subreaper).
pub(crate) fn subreaper() -> Result<()> {
    prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0).map(drop)
}

/// Sets real, effective and saved user id.
pub(crate) fn set_user(uid: u32) -> Result<()> {
    // SAFETY: no memory is involved, because setresuid takes numbers. The raw call is used because the C library's
    // wrapper changes all threads.
    answer(unsafe { libc::syscall(libc::SYS_setresuid, uid, uid, uid) }).map(drop)
}

/// Sets real, effective and saved group id.
pub(crate) fn set_group(gid: u32) -> Result<()> {
    // SAFETY: no memory is involved, because setresgid takes numbers.
    answer(unsafe { libc::syscall(libc::SYS_setresgid, gid, gid, gid) }).map(drop)
}

/// Drops the supplementary groups. A caller that may not set groups keeps its own.
pub(crate) fn leave_groups() -> Result<()> {
    match set_groups(&[]) {
        Err(Errno::EPERM) => Ok(()),
        other => other,
    }
}

/// Sets the supplementary groups to exactly `groups`.
pub(crate) fn set_groups(groups: &[u32]) -> Result<()> {
    // SAFETY: the kernel reads within bounds, because the length and the pointer describe one live slice.
    answer(unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) }).map(drop)
}
