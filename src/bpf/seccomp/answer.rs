//! Evaluates a compiled filter for one call of the native architecture. Leaves the choice of calls to its callers.

use super::arch::Arch;
use crate::bpf::interpreter::{self, Data};
use libc::sock_filter;

/// A filter's answer to a call, as the calling process sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The kernel executes the call.
    Permitted,
    /// A listener decides.
    Notified,
    /// The call fails or ends the process.
    Refused,
}

/// The answer of `program` to the call `number` with these two first arguments. The other arguments are 0.
pub(crate) fn answer(program: &[sock_filter], number: libc::c_long, first: [u64; 2]) -> Answer {
    let data = Data {
        number: number as u32,
        arch: Arch::NATIVE.audit(),
        instruction_pointer: 0,
        arguments: [first[0], first[1], 0, 0, 0, 0],
        big_endian: cfg!(target_endian = "big"),
    };
    match interpreter::run(program, &data) & libc::SECCOMP_RET_ACTION_FULL {
        libc::SECCOMP_RET_ALLOW | libc::SECCOMP_RET_LOG => Answer::Permitted,
        libc::SECCOMP_RET_USER_NOTIF => Answer::Notified,
        _ => Answer::Refused,
    }
}
