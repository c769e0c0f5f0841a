//! Wraps every system call in a typed function. No other module may use `unsafe`; each use carries a SAFETY comment.
//!
//! Policy is left to the callers: a function here makes one kernel call, or the few calls that only make sense
//! together. Every descriptor is close-on-exec from the call that opens it. The restrictive variant of a function has
//! the short name, the permissive one the long name.
#![allow(unsafe_code, reason = "this module is where the kernel is called")]

pub(crate) mod beneath;
pub(crate) mod bpf;
pub(crate) mod file_events;
pub(crate) mod clone;
pub(crate) mod copy_tree;
pub(crate) mod credentials;
pub(crate) mod entry;
pub(crate) mod executable;
pub(crate) mod landlock;
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

/// The result of a system call: a value, or the kernel's error number.
pub(crate) type Result<T> = std::result::Result<T, Errno>;

/// Converts the raw return value of `libc::syscall` into a result.
fn answer(raw: libc::c_long) -> Result<libc::c_long> {
    Errno::result(raw)
}

/// Converts the raw return value of a C library wrapper into a result without a value.
fn done(raw: libc::c_int) -> Result<()> {
    Errno::result(raw).map(drop)
}
