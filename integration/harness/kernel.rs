//! Wraps the few system calls that the suite needs and neither std nor nix offers safely. Their policy is left to the
//! callers. This module has the only `unsafe` code of the suite.
#![expect(unsafe_code, reason = "raw system calls: pidfd_open, received descriptors, and the probe's arbitrary calls")]

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::socket::{
        AddressFamily, ControlMessageOwned, MsgFlags, SockFlag, SockType, UnixAddr, connect, recvmsg, socket,
    },
    sys::wait::{WaitPidFlag, WaitStatus, waitpid},
    unistd::Pid,
};
use std::{
    io::IoSliceMut,
    os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd},
    os::unix::net::UnixStream,
    path::Path,
    time::{Duration, Instant},
};

/// Makes a system call by number, for the probe, and returns the result or the errno.
pub(crate) fn syscall(number: i64, words: [u64; 6]) -> Result<i64, Errno> {
    let [a, b, c, d, e, f] = words;
    // SAFETY: sound because the probe is single-threaded and exits after the call, so corrupted memory affects only
    // the probe.
    let result = unsafe { libc::syscall(number, a, b, c, d, e, f) };
    Errno::result(result)
}

/// Opens a pidfd, or returns `None` if the process is already reaped.
pub(crate) fn pidfd(pid: i32) -> Option<OwnedFd> {
    // SAFETY: sound because pidfd_open takes no pointers.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    // SAFETY: sound because a non-negative result is a new descriptor that nothing else owns.
    (fd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(i32::try_from(fd).unwrap()) })
}

/// Sets a terminal's size in characters.
pub(crate) fn set_window_size(fd: &impl AsFd, rows: u16, columns: u16) {
    let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: sound because TIOCSWINSZ only reads the passed structure, which outlives the call.
    let result = unsafe { libc::ioctl(fd.as_fd().as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
    Errno::result(result).unwrap();
}

/// Waits until `fd` is readable or hung up; returns false if `limit` expires first.
pub(crate) fn readable(fd: &impl AsFd, limit: Duration) -> bool {
    let end = Instant::now() + limit;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(fd.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(0) => return false,
            Ok(_) => return true,
            Err(Errno::EINTR) => {}
            Err(errno) => panic!("poll: {errno}"),
        }
    }
}

/// Receives one message with at most one descriptor, as sent to `--console-socket` and `--pidfd-socket`.
pub(crate) fn receive_fd(stream: &UnixStream) -> (Vec<u8>, Option<OwnedFd>) {
    let mut payload = vec![0; 4096];
    let mut control = nix::cmsg_space!([i32; 4]);
    let (length, fd) = {
        let mut parts = [IoSliceMut::new(&mut payload)];
        let message =
            recvmsg::<()>(stream.as_raw_fd(), &mut parts, Some(&mut control), MsgFlags::MSG_CMSG_CLOEXEC).unwrap();
        let mut fds = message.cmsgs().unwrap().flat_map(|one| match one {
            ControlMessageOwned::ScmRights(fds) => fds,
            _ => Vec::new(),
        });
        // SAFETY: sound because the kernel has just installed this descriptor and nothing else owns it.
        let fd = fds.next().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
        assert_eq!(fds.next(), None, "more than one descriptor in the message");
        (message.bytes, fd)
    };
    payload.truncate(length);
    (payload, fd)
}

/// Fills the accept queue of the listener at `path` and returns the connected sockets.
pub(crate) fn fill_queue(path: &Path) -> Vec<OwnedFd> {
    let mut queued = Vec::new();
    loop {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let caller = socket(AddressFamily::Unix, SockType::Stream, flags, None).unwrap();
        match connect(caller.as_raw_fd(), &UnixAddr::new(path).unwrap()) {
            Ok(()) => queued.push(caller),
            Err(Errno::EAGAIN) => return queued,
            Err(errno) => panic!("connect: {errno}"),
        }
    }
}

/// The window size of a terminal: (rows, columns).
pub(crate) fn window_size(fd: &impl AsFd) -> (u16, u16) {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: sound because TIOCGWINSZ only fills the passed structure, which outlives the call.
    let result = unsafe { libc::ioctl(fd.as_fd().as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) };
    Errno::result(result).unwrap();
    (size.ws_row, size.ws_col)
}

/// Waits until all these processes exit, and reaps those that are our children. Reaping is needed because the first
/// process of a pid namespace exits only after every other process in it has been reaped.
pub(crate) fn wait_exit_all(pids: &[i32], limit: Duration) {
    let end = Instant::now() + limit;
    let mut left: Vec<_> = pids.iter().filter_map(|pid| Some((*pid, pidfd(*pid)?))).collect();
    while !left.is_empty() {
        let mut polled: Vec<_> = left.iter().map(|(_, fd)| PollFd::new(fd.as_fd(), PollFlags::POLLIN)).collect();
        let time = end.saturating_duration_since(Instant::now());
        assert!(!time.is_zero(), "processes did not exit in {limit:?}: {pids:?}");
        poll(&mut polled, PollTimeout::try_from(time).unwrap_or(PollTimeout::MAX)).ok();
        let ended: Vec<_> = polled.iter().map(|one| one.any().unwrap_or(false)).collect();
        let mut ended = ended.into_iter();
        left.retain(|(pid, _)| {
            let gone = ended.next().unwrap_or(false);
            if gone {
                waitpid(Pid::from_raw(*pid), Some(WaitPidFlag::WNOHANG)).ok();
            }
            !gone
        });
    }
}

/// Waits until `pid` exits. Returns its wait status if it is our child (the suite is a subreaper).
pub(crate) fn wait_exit(pid: i32, limit: Duration) -> Option<WaitStatus> {
    // The state of a stopped container has pid 0, which waitpid takes as any child.
    if pid <= 0 {
        return None;
    }
    if let Some(fd) = pidfd(pid) {
        assert!(readable(&fd, limit), "process {pid} did not exit in {limit:?}");
    }
    waitpid(Pid::from_raw(pid), Some(WaitPidFlag::WNOHANG)).ok().filter(|status| *status != WaitStatus::StillAlive)
}

/// Reaps processes of containers that were reparented to the suite as subreaper.
pub(crate) fn reap_all() {
    while matches!(waitpid(None, Some(WaitPidFlag::WNOHANG)), Ok(status) if status != WaitStatus::StillAlive) {}
}

/// Whether a notification is pending at the listener. False if no process with the filter is left.
fn notification_pending(listener: &OwnedFd) -> bool {
    let mut polled = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
    let most = PollTimeout::try_from(Duration::from_secs(20)).unwrap_or(PollTimeout::MAX);
    poll(&mut polled, most).is_ok() && polled[0].revents().is_some_and(|seen| seen.contains(PollFlags::POLLIN))
}

/// Answers seccomp notifications until no process with the filter is left. `None` from `answer` lets the call continue.
pub(crate) fn answer_notifications(listener: OwnedFd, answer: impl Fn(i64) -> Option<i32>) {
    /// _IOWR('!', 0, struct seccomp_notif) and _IOWR('!', 1, struct seccomp_notif_resp).
    const RECV: libc::Ioctl = 0xc050_2100_u32 as libc::Ioctl;
    const SEND: libc::Ioctl = 0xc018_2101_u32 as libc::Ioctl;
    let fd = listener.as_raw_fd();
    // Before Linux 6.11, SECCOMP_IOCTL_NOTIF_RECV blocks forever once the last process with the filter is gone.
    // poll(2) reports that case, so it runs first.
    while notification_pending(&listener) {
        // SAFETY: sound because the structure is plain data for which all zeros is a valid value.
        let mut call: libc::seccomp_notif = unsafe { std::mem::zeroed() };
        // SAFETY: sound because the kernel only fills the passed structure, which outlives the call.
        if let Err(errno) = Errno::result(unsafe { libc::ioctl(fd, RECV, &raw mut call) }) {
            // ENOENT: the calling process was killed meanwhile, or the last one is gone.
            if errno == Errno::EINTR {
                continue;
            }
            return;
        }
        let verdict = answer(i64::from(call.data.nr));
        let (error, flags) = match verdict {
            Some(errno) => (-errno, 0),
            None => (0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32),
        };
        let mut reply = libc::seccomp_notif_resp { id: call.id, val: 0, error, flags };
        // SAFETY: sound because the kernel only reads the passed structure, which outlives the call. The result is
        // ignored: a process that is gone needs no answer.
        unsafe { libc::ioctl(fd, SEND, &raw mut reply) };
    }
}

/// Skips a test that needs an idmapped mount of a tmpfs if the kernel is too old for that.
pub(crate) fn need_idmapped_tmpfs() {
    if version() < (6, 3) {
        crate::harness::skip::skip("tmpfs does not support idmapped mounts before Linux 6.3");
    }
}

/// The kernel's major and minor version, such as (6, 1).
pub(crate) fn version() -> (u32, u32) {
    let release = nix::sys::utsname::uname().unwrap().release().to_string_lossy().into_owned();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// A system call that fails with `errno`: always, or only if argument `bits.0` has one of the bits `bits.1`.
pub(crate) struct Lacking {
    pub(crate) call: i64,
    pub(crate) bits: Option<(u32, u32)>,
    pub(crate) errno: i32,
}

/// Installs a seccomp filter that fails these system calls, and fails those numbered `from` or above with ENOSYS.
/// The filter stays across exec and is inherited. It needs CAP_SYS_ADMIN, because no_new_privs must stay unchanged.
pub(crate) fn lack(calls: &[Lacking], from: Option<u32>) -> Result<(), Errno> {
    const LOAD: u16 = 0x20;
    const EQUAL: u16 = 0x15;
    const AT_LEAST: u16 = 0x35;
    const ANY_BIT: u16 = 0x45;
    const RETURN: u16 = 0x06;
    let step = |code: u16, jt: u8, jf: u8, k: u32| libc::sock_filter { code, jt, jf, k };
    let answer = |errno: i32| step(RETURN, 0, 0, 0x0005_0000 | errno as u32);
    // Load the system call number, then compare it with each entry.
    let mut program = vec![step(LOAD, 0, 0, 0)];
    if let Some(from) = from {
        program.extend([step(AT_LEAST, 0, 1, from), answer(libc::ENOSYS)]);
    }
    for one in calls {
        let number = u32::try_from(one.call).unwrap();
        match one.bits {
            None => program.extend([step(EQUAL, 0, 1, number), answer(one.errno)]),
            // Load the low half of the argument, then the number again for the next entries.
            Some((argument, bits)) => program.extend([
                step(EQUAL, 0, 4, number),
                step(LOAD, 0, 0, 16 + 8 * argument),
                step(ANY_BIT, 0, 1, bits),
                answer(one.errno),
                step(LOAD, 0, 0, 0),
            ]),
        }
    }
    program.push(step(RETURN, 0, 0, 0x7fff_0000));
    let length = libc::c_ushort::try_from(program.len()).unwrap();
    let whole = libc::sock_fprog { len: length, filter: program.as_mut_ptr() };
    // SAFETY: sound because the kernel copies the program, whose length is passed, before the call returns.
    let raw = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const whole) };
    Errno::result(raw).map(drop)
}

/// The suite's own seccomp mode and number of filters, from `/proc/self/status`. Containers inherit these filters.
pub(crate) fn own_filters() -> (u32, u32) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let number = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok()).unwrap();
    (number("Seccomp:"), number("Seccomp_filters:"))
}
