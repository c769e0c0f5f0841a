//! What a command gets from its caller and gives back to it: environment, file descriptors, terminal, pid file,
//! sockets.
//!
//! Knows how to talk to engines, service managers and seccomp agents; does not know how a container is made.

pub(super) mod console;
pub(super) mod foreground;
pub(super) mod listen_fds;
pub(super) mod pid_file;
pub(super) mod pidfd_socket;
pub(super) mod sd_notify;
pub(super) mod seccomp_agent;

use std::ffi::CString;
use std::os::unix::ffi::OsStringExt;

/// The caller's environment, for hooks that have none of their own.
pub(super) fn environment() -> Vec<CString> {
    std::env::vars_os()
        .filter_map(|(name, value)| {
            let mut entry = name.into_vec();
            entry.push(b'=');
            entry.extend_from_slice(&value.into_vec());
            CString::new(entry).ok()
        })
        .collect()
}
