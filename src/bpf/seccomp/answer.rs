//! Asks a compiled filter what it answers to one call of this architecture. Knows neither which calls matter nor why.

use super::arch::Arch;
use crate::bpf::interpreter::{self, Data};
use libc::sock_filter;

/// What a filter answers to a call, as far as it matters to whoever makes the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The call is made.
    Permitted,
    /// A listener decides.
    Notified,
    /// The call fails, or ends the process.
    Refused,
}

/// The answer of `program` to the call `number` with these first arguments; the others are 0.
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
