//! Calls that some architectures also reach through `socketcall(2)` and `ipc(2)`.
//!
//! A filter sees the call `socketcall` with the number of the real call as its first argument. The real call's
//! arguments are behind a pointer, which a filter cannot follow. This module holds the kernel's numbers (`linux/net.h`,
//! `linux/ipc.h`). `resolve` decides about rules whose conditions cannot be checked.

/// The two multiplexing calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Multiplexer {
    /// `socketcall(int call, ...)`
    Socketcall,
    /// `ipc(unsigned int call, ...)`. The upper half of `call` is a version, not a part of the number.
    Ipc,
}

impl Multiplexer {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Multiplexer::Socketcall => "socketcall",
            Multiplexer::Ipc => "ipc",
        }
    }

    /// The bits of the first argument that hold the number of the real call.
    pub(super) const fn mask(self) -> u64 {
        match self {
            Multiplexer::Socketcall => 0xffff_ffff,
            Multiplexer::Ipc => 0xffff,
        }
    }
}

/// The multiplexer through which a call can also be made, and the call's number there.
pub(super) fn multiplexed(name: &str) -> Option<(Multiplexer, u8)> {
    // Every such name begins with one of these letters. The first letter excludes most names.
    if !matches!(name.as_bytes().first(), Some(b'a' | b'b' | b'c' | b'g' | b'l' | b'm' | b'r' | b's')) {
        return None;
    }
    let (through, call) = match name {
        "socket" => (Multiplexer::Socketcall, 1),
        "bind" => (Multiplexer::Socketcall, 2),
        "connect" => (Multiplexer::Socketcall, 3),
        "listen" => (Multiplexer::Socketcall, 4),
        "accept" => (Multiplexer::Socketcall, 5),
        "getsockname" => (Multiplexer::Socketcall, 6),
        "getpeername" => (Multiplexer::Socketcall, 7),
        "socketpair" => (Multiplexer::Socketcall, 8),
        "send" => (Multiplexer::Socketcall, 9),
        "recv" => (Multiplexer::Socketcall, 10),
        "sendto" => (Multiplexer::Socketcall, 11),
        "recvfrom" => (Multiplexer::Socketcall, 12),
        "shutdown" => (Multiplexer::Socketcall, 13),
        "setsockopt" => (Multiplexer::Socketcall, 14),
        "getsockopt" => (Multiplexer::Socketcall, 15),
        "sendmsg" => (Multiplexer::Socketcall, 16),
        "recvmsg" => (Multiplexer::Socketcall, 17),
        "accept4" => (Multiplexer::Socketcall, 18),
        "recvmmsg" => (Multiplexer::Socketcall, 19),
        "sendmmsg" => (Multiplexer::Socketcall, 20),
        "semop" => (Multiplexer::Ipc, 1),
        "semget" => (Multiplexer::Ipc, 2),
        "semctl" => (Multiplexer::Ipc, 3),
        "semtimedop" => (Multiplexer::Ipc, 4),
        "msgsnd" => (Multiplexer::Ipc, 11),
        "msgrcv" => (Multiplexer::Ipc, 12),
        "msgget" => (Multiplexer::Ipc, 13),
        "msgctl" => (Multiplexer::Ipc, 14),
        "shmat" => (Multiplexer::Ipc, 21),
        "shmdt" => (Multiplexer::Ipc, 22),
        "shmget" => (Multiplexer::Ipc, 23),
        "shmctl" => (Multiplexer::Ipc, 24),
        _ => return None,
    };
    Some((through, call))
}
