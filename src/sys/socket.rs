//! Creates Unix sockets: pairs, listeners, messages that carry descriptors. The content of messages is left to the
//! callers.

use super::{Errno, Result};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, Backlog, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, UnixAddr, accept4, bind,
    connect, listen, recvmsg, sendmsg, setsockopt, socket, socketpair, sockopt::SendTimeout,
};
use nix::sys::stat::{Mode, fchmod};
use nix::sys::time::TimeVal;
use std::ffi::{CString, OsStr};
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

/// Opens a socket for ioctls on network interfaces; nothing is sent on it.
pub(crate) fn datagram() -> Result<OwnedFd> {
    socket(AddressFamily::Unix, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)
}

/// Creates a pair of connected sockets that preserve message boundaries.
pub(crate) fn pair() -> Result<(OwnedFd, OwnedFd)> {
    socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)
}

/// Creates a listener at `path` for sockets that preserve message boundaries. Only this user and root may connect.
pub(crate) fn listen_at(path: &Path) -> Result<OwnedFd> {
    let listener = socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None)?;
    // Only the owner and root may connect, because the file gets the socket's mode minus the umask.
    fchmod(&listener, Mode::S_IRUSR | Mode::S_IWUSR)?;
    bind(listener.as_raw_fd(), &UnixAddr::new(path)?)?;
    listen(&listener, Backlog::new(1)?)?;
    Ok(listener)
}

/// Creates a datagram socket at `path`; reading it never blocks.
pub(crate) fn listen_for_datagrams(path: &Path) -> Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let listener = socket(AddressFamily::Unix, SockType::Datagram, flags, None)?;
    bind(listener.as_raw_fd(), &UnixAddr::new(path)?)?;
    Ok(listener)
}

/// Connects to a datagram socket: a path, or after an `@` an abstract name.
pub(crate) fn connect_datagram(name: &OsStr) -> Result<OwnedFd> {
    let sender = socket(AddressFamily::Unix, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    connect(sender.as_raw_fd(), &address(name)?)?;
    Ok(sender)
}

/// Waits until one of two sockets is readable or closed by its other side; returns which.
pub(crate) fn either_ready(first: BorrowedFd<'_>, second: BorrowedFd<'_>) -> Result<[bool; 2]> {
    let mut fds = [PollFd::new(first, PollFlags::POLLIN), PollFd::new(second, PollFlags::POLLIN)];
    loop {
        match poll(&mut fds, PollTimeout::NONE) {
            Err(Errno::EINTR) => (),
            other => {
                other?;
                return Ok([0, 1].map(|index| fds[index].any().unwrap_or(false)));
            }
        }
    }
}

/// Connects to a listener made by `listen_at`.
pub(crate) fn connect_to(path: &Path) -> Result<OwnedFd> {
    let stream = socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None)?;
    connect(stream.as_raw_fd(), &UnixAddr::new(path)?)?;
    Ok(stream)
}

/// How long a listener of the caller may take to accept a connection.
const PATIENCE: Duration = Duration::from_secs(10);

/// Connects to a stream listener of the caller, such as a console socket. ETIMEDOUT if it accepts no connection.
pub(crate) fn connect_stream(path: &Path) -> Result<OwnedFd> {
    let connect = || -> Result<OwnedFd> {
        if path.as_os_str().len() < LONGEST_PATH {
            return stream_within(&UnixAddr::new(path)?, PATIENCE);
        }
        // A path through an open directory is short enough.
        let name = path.file_name().ok_or(Errno::EINVAL)?;
        let parent =
            CString::new(path.parent().ok_or(Errno::EINVAL)?.as_os_str().as_bytes()).map_err(|_| Errno::EINVAL)?;
        let parent = super::path::open_following_links(&parent, libc::O_PATH | libc::O_DIRECTORY)?;
        let short = Path::new("/proc/self/fd").join(parent.as_raw_fd().to_string()).join(name);
        stream_within(&UnixAddr::new(&short)?, PATIENCE)
    };
    connect().map_err(|errno| match errno {
        Errno::EAGAIN => Errno::ETIMEDOUT,
        other => other,
    })
}

/// Maximum size of a socket path in bytes, including the terminating zero (`sun_path`, unix(7)).
const LONGEST_PATH: usize = 108;

/// Connects to a stream listener: a path, or after an `@` an abstract name. If its queue is full (EAGAIN), retries for
/// at most `patience`.
pub(crate) fn connect_stream_within(name: &OsStr, patience: Duration) -> Result<OwnedFd> {
    stream_within(&address(name)?, patience)
}

fn stream_within(address: &UnixAddr, patience: Duration) -> Result<OwnedFd> {
    let stream = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    let seconds = libc::time_t::try_from(patience.as_secs()).unwrap_or(libc::time_t::MAX);
    setsockopt(&stream, SendTimeout, &TimeVal::new(seconds, libc::suseconds_t::from(patience.subsec_micros())))?;
    connect(stream.as_raw_fd(), address)?;
    Ok(stream)
}

/// Parses an address: a path, or after an `@` a name in the abstract namespace (unix(7)).
fn address(name: &OsStr) -> Result<UnixAddr> {
    match name.as_bytes().strip_prefix(b"@") {
        Some(name) => UnixAddr::new_abstract(name),
        None => UnixAddr::new(name),
    }
}

/// Accepts the next connection.
pub(crate) fn accept(listener: BorrowedFd<'_>) -> Result<OwnedFd> {
    loop {
        match accept4(listener.as_raw_fd(), SockFlag::SOCK_CLOEXEC) {
            Err(Errno::EINTR) => (),
            // SAFETY: nothing else owns the descriptor, because the kernel has just made it.
            other => return other.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }),
        }
    }
}

/// Sends one message, with at most one descriptor. A closed reader is EPIPE, never a signal.
pub(crate) fn send(socket: BorrowedFd<'_>, bytes: &[u8], fd: Option<BorrowedFd<'_>>) -> Result<()> {
    let raw: [RawFd; 1] = [fd.map_or(-1, |fd| fd.as_raw_fd())];
    let rights = [ControlMessage::ScmRights(&raw)];
    let control: &[ControlMessage<'_>] = if fd.is_some() { &rights } else { &[] };
    loop {
        match sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(bytes)], control, MsgFlags::MSG_NOSIGNAL, None) {
            Err(Errno::EINTR) => (),
            sent => return if sent? == bytes.len() { Ok(()) } else { Err(Errno::EMSGSIZE) },
        }
    }
}

/// Sends all of `bytes` on a stream, and a descriptor with the first of them.
pub(crate) fn send_all(socket: BorrowedFd<'_>, bytes: &[u8], fd: BorrowedFd<'_>) -> Result<()> {
    let raw: [RawFd; 1] = [fd.as_raw_fd()];
    let rights = [ControlMessage::ScmRights(&raw)];
    let mut control: &[ControlMessage<'_>] = &rights;
    let mut left = bytes;
    while !left.is_empty() {
        match sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(left)], control, MsgFlags::MSG_NOSIGNAL, None) {
            Err(Errno::EINTR) => (),
            sent => {
                left = &left[sent?..];
                control = &[];
            }
        }
    }
    Ok(())
}

/// Receives one message into `bytes`. Returns its length, 0 at the end, and the descriptor it carried.
pub(crate) fn receive(socket: BorrowedFd<'_>, bytes: &mut [u8]) -> Result<(usize, Option<OwnedFd>)> {
    // As many as one message can carry (SCM_MAX_FD, unix(7)): with less room the message would be an error. All but the
    // last are closed.
    let mut space = nix::cmsg_space!([RawFd; 253]);
    loop {
        let mut parts = [IoSliceMut::new(bytes)];
        let flags = MsgFlags::MSG_CMSG_CLOEXEC;
        let message = match recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut space), flags) {
            Err(Errno::EINTR) => continue,
            other => other?,
        };
        let mut carried = None;
        for control in message.cmsgs()? {
            if let ControlMessageOwned::ScmRights(fds) = control {
                for fd in fds {
                    // SAFETY: nothing else owns the descriptor, because the kernel has just made it and this is the
                    // only place that takes it.
                    carried = Some(unsafe { OwnedFd::from_raw_fd(fd) });
                }
            }
        }
        return Ok((message.bytes, carried));
    }
}

/// Receives one message without descriptors and without allocating memory; 0 at the end.
///
/// The sender relies on the message being received and may already have exited. So a temporary lack of kernel memory
/// must not lose it.
pub(crate) fn receive_bytes(socket: BorrowedFd<'_>, bytes: &mut [u8]) -> Result<usize> {
    let mut attempts = 3;
    loop {
        // SAFETY: the kernel writes within bounds, because the pointer and the length describe one live buffer.
        let raw = unsafe { libc::recv(socket.as_raw_fd(), bytes.as_mut_ptr().cast(), bytes.len(), 0) };
        match Errno::result(raw) {
            Err(Errno::EINTR) => (),
            Err(Errno::ENOMEM) if attempts > 1 => attempts -= 1,
            other => return other.map(|length| length as usize),
        }
    }
}

/// Whether `fd` is readable or closed by its other side; does not wait.
pub(crate) fn is_ready(fd: BorrowedFd<'_>) -> Result<bool> {
    ready_within(fd, Duration::ZERO)
}

/// Waits at most `limit`, or somewhat longer after a signal. Returns whether `fd` is readable or closed by its other
/// side.
pub(crate) fn ready_within(fd: BorrowedFd<'_>, limit: Duration) -> Result<bool> {
    let mut poll = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    let milliseconds = i32::try_from(limit.as_millis()).unwrap_or(i32::MAX);
    loop {
        // SAFETY: the kernel stays within bounds, because one live pollfd is passed with its count.
        match Errno::result(unsafe { libc::poll(&raw mut poll, 1, milliseconds) }) {
            Err(Errno::EINTR) => {}
            polled => return polled.map(|_| poll.revents != 0),
        }
    }
}
