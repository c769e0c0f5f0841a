//! Every system call, typed. The only module in which `unsafe` is allowed; each use carries a SAFETY comment.
//!
//! Holds no policy: a function here is one call of the kernel, or the few calls that only make sense together.
//! Every descriptor is close-on-exec from birth. The safe form has the short name, the loose one the long name.
#![allow(unsafe_code, reason = "this module is where the kernel is called")]

pub(crate) mod beneath;
pub(crate) mod bpf;
pub(crate) mod file_events;
pub(crate) mod clone;
pub(crate) mod copy_tree;
pub(crate) mod credentials;
pub(crate) mod entry;
pub(crate) mod executable;
pub(crate) mod limits;
pub(crate) mod shared_memory;
pub(crate) mod mount;
pub(crate) mod namespace;
pub(crate) mod netlink;
mod openat2;
pub(crate) mod path;
pub(crate) mod pipe;
pub(crate) mod process;
pub(crate) mod program;
pub(crate) mod relay;
pub(crate) mod seccomp;
pub(crate) mod socket;
pub(crate) mod stat;
pub(crate) mod timestamps;
pub(crate) mod terminal;

pub(crate) use nix::errno::Errno;

/// What a system call answers: a value, or the kernel's own reason.
pub(crate) type Result<T> = std::result::Result<T, Errno>;

/// Turns the raw answer of `libc::syscall` into a value.
fn answer(raw: libc::c_long) -> Result<libc::c_long> {
    Errno::result(raw)
}

/// Turns the raw answer of a C library wrapper into nothing or the reason.
fn done(raw: libc::c_int) -> Result<()> {
    Errno::result(raw).map(drop)
}
