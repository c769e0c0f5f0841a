//! Joins and creates namespaces (setns(2), unshare(2)), and sets what only a member of a namespace can set. Which
//! namespaces is left to the caller.

use super::{Result, answer, done, path};
use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Joins the namespaces behind `fd`: one namespace file, or a pidfd with several CLONE_NEW* `kinds` (Linux 5.8).
pub(crate) fn setns(fd: BorrowedFd<'_>, kinds: u64) -> Result<()> {
    // SAFETY: no memory is involved, because setns takes no pointers.
    done(unsafe { libc::setns(fd.as_raw_fd(), kinds as i32) })
}

/// Moves this process into new namespaces of the CLONE_NEW* `kinds`.
pub(crate) fn unshare(kinds: u64) -> Result<()> {
    // SAFETY: no memory is involved, because unshare takes no pointers and none of the requested kinds changes how
    // threads share memory.
    done(unsafe { libc::unshare(kinds as i32) })
}

/// Creates a time namespace for future children, with these offsets (lines of `/proc/PID/timens_offsets`).
pub(crate) fn new_time_namespace_for_children(offsets: &[u8]) -> Result<()> {
    unshare(libc::CLONE_NEWTIME as u64)?;
    let file = path::open_following_links(c"/proc/self/timens_offsets", libc::O_WRONLY)?;
    path::write(file.as_fd(), offsets)
}

/// Creates a time namespace with these offsets and enters it. The clone of the user namespace cannot create it, because
/// offsets must be written before a process is inside.
pub(crate) fn new_time_namespace(offsets: &CStr) -> Result<()> {
    new_time_namespace_for_children(offsets.to_bytes())?;
    let made = path::open_following_links(c"/proc/self/ns/time_for_children", libc::O_RDONLY)?;
    setns(made.as_fd(), libc::CLONE_NEWTIME as u64)
}

/// The CLONE_NEW* kind of a namespace file (ioctl_ns(2), NS_GET_NSTYPE, Linux 4.11).
pub(crate) fn kind_of(fd: BorrowedFd<'_>) -> Result<u64> {
    // SAFETY: no memory is involved, because the request takes no argument and returns an int.
    let raw = unsafe { libc::ioctl(fd.as_raw_fd(), libc::NS_GET_NSTYPE) };
    nix::errno::Errno::result(raw).map(|kind| kind as u64)
}

/// Returns the user namespace that a namespace belongs to (ioctl_ns(2), NS_GET_USERNS). EPERM if it is outside the
/// caller's own.
pub(crate) fn owner(fd: BorrowedFd<'_>) -> Result<OwnedFd> {
    // SAFETY: no memory is involved, because the request takes no argument and returns a descriptor.
    let raw = nix::errno::Errno::result(unsafe { libc::ioctl(fd.as_raw_fd(), libc::NS_GET_USERNS) })?;
    // SAFETY: nothing else owns the descriptor, because the kernel has just made it.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// Returns the inode number of a namespace file, which is unique while that namespace exists.
pub(crate) fn number(fd: BorrowedFd<'_>) -> Result<u64> {
    path::status(fd).map(|status| status.st_ino)
}

/// Returns the parent of a user or pid namespace (ioctl_ns(2), NS_GET_PARENT). EPERM if the parent is outside the
/// caller's own namespace.
pub(crate) fn parent(fd: BorrowedFd<'_>) -> Result<OwnedFd> {
    // SAFETY: no memory is involved, because the request takes no argument and returns a descriptor.
    let raw = nix::errno::Errno::result(unsafe { libc::ioctl(fd.as_raw_fd(), libc::NS_GET_PARENT) })?;
    // SAFETY: nothing else owns the descriptor, because the kernel has just made it.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// Sets the host name of this UTS namespace; at most 64 bytes.
pub(crate) fn set_hostname(name: &CStr) -> Result<()> {
    // SAFETY: the kernel reads within bounds, because the pointer and the length describe one live string.
    done(unsafe { libc::sethostname(name.as_ptr(), name.count_bytes()) })
}

/// Sets the NIS domain name of this UTS namespace; at most 64 bytes.
pub(crate) fn set_domainname(name: &CStr) -> Result<()> {
    // SAFETY: the kernel reads within bounds, because the pointer and the length describe one live string.
    done(unsafe { libc::setdomainname(name.as_ptr(), name.count_bytes()) })
}

/// Brings up the loopback interface of this network namespace, which is down in a new namespace.
pub(crate) fn loopback_up() -> Result<()> {
    let socket = super::socket::datagram()?;
    // SAFETY: zero is a valid value, because ifreq is plain data.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = *from as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as i16;
    // SAFETY: the kernel stays within bounds, because `request` is a full ifreq with a terminated name, as SIOCSIFFLAGS
    // expects.
    done(unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) })
}

/// Starts a new session. The caller must not lead a process group; a new child never does.
pub(crate) fn setsid() -> Result<()> {
    // SAFETY: no memory is involved, because setsid takes no arguments.
    nix::errno::Errno::result(unsafe { libc::setsid() }).map(drop)
}

/// Joins a new session keyring and grants its possessor and owner the search right (keyctl(2)), so that keys of the
/// caller's session do not reach the container. The keyring is anonymous: anybody with this uid could create a named
/// one earlier, with keys in it, or join it later.
pub(crate) fn new_session_keyring() -> Result<()> {
    let anonymous = std::ptr::null::<libc::c_char>();
    // SAFETY: no memory is read, because a null name is allowed and asks for an anonymous keyring.
    let key =
        answer(unsafe { libc::syscall(libc::SYS_keyctl, libc::KEYCTL_JOIN_SESSION_KEYRING, anonymous, 0, 0, 0) })?;
    const USER_SEARCH: u32 = 0x0008_0000;
    const POSSESSOR_ALL: u32 = 0x3f00_0000;
    const USER_VIEW_READ: u32 = 0x0003_0000;
    let rights = POSSESSOR_ALL | USER_VIEW_READ | USER_SEARCH;
    // SAFETY: no memory is involved, because only numbers are passed.
    answer(unsafe { libc::syscall(libc::SYS_keyctl, libc::KEYCTL_SETPERM, key, rights, 0, 0) }).map(drop)
}
