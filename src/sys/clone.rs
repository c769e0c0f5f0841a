//! Creates processes with clone3(2) or clone(2), and waits for them. What a child then does is left to the caller.

use super::{Errno, Result, answer};
use crate::sys::shared_memory;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicI32, Ordering};

/// A flag of clone3 only, above the 32 bits of clone(2).
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// `struct clone_args` of linux/sched.h, which the crate libc does not have for every architecture.
#[repr(C)]
struct CloneArguments {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// The side on which clone3 returns.
pub(crate) enum Side {
    /// The new process. It shares only descriptors and copied memory with its parent.
    Child,
    /// The calling process, with the child's pid in the caller's pid namespace, and a pidfd of it.
    Parent {
        /// Process id of the child.
        pid: libc::pid_t,
        /// A pidfd, which always refers to this process even if the pid is reused.
        pidfd: OwnedFd,
    },
}

/// Shared memory for the pid of a process that a child creates as our child. The kernel writes the pid in the same call
/// that creates the process, so the process never exists without its parent knowing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SharedPid(&'static AtomicI32);

impl SharedPid {
    /// Creates it without a pid.
    pub(crate) fn new() -> Result<SharedPid> {
        shared_memory::shared_zeros(1).map(|numbers| SharedPid(&numbers[0]))
    }

    /// Maker: creates a sibling with the CLONE_NEW* `flags`. Without flags it calls clone(2), which seccomp filters
    /// permit more often than clone3(2).
    pub(crate) fn spawn(self, flags: u64) -> Result<Made> {
        // The write allocates the page, because for a process that is being killed the kernel does not fault pages in.
        self.0.store(0, Ordering::Relaxed);
        // A process of the container may write to the sibling's memory. It must not be able to change the pid that the
        // parent reads here.
        shared_memory::hide_from_children(self.0)?;
        let made = match flags {
            0 => clone(INIT_FLAGS, self.0.as_ptr())?,
            _ => match clone3_storing_pid(flags | INIT_FLAGS, None, self.0.as_ptr())? {
                Side::Child => 0,
                Side::Parent { pid, .. } => pid,
            },
        };
        Ok(if made == 0 { Made::Child } else { Made::Maker })
    }

    /// Parent: returns the pid in the maker's pid namespace, or `None` if there is no process. The maker must have
    /// ended.
    pub(crate) fn pid(self) -> Option<libc::pid_t> {
        Some(self.0.load(Ordering::Relaxed)).filter(|pid| *pid != 0)
    }
}

/// The side on which [`SharedPid::spawn`] returns.
pub(crate) enum Made {
    /// The new process.
    Child,
    /// The process that made it.
    Maker,
}

/// The clone(2) flags of [`SharedPid::spawn`].
const INIT_FLAGS: u64 = (libc::CLONE_PARENT | libc::CLONE_PARENT_SETTID) as u64;

/// Creates a child in the caller's namespaces and cgroup by clone(2), which seccomp filters permit more often than
/// clone3(2).
pub(crate) fn spawn() -> Result<Side> {
    let mut pidfd: RawFd = -1;
    match clone((libc::CLONE_PIDFD | libc::SIGCHLD) as u64, &raw mut pidfd)? {
        0 => Ok(Side::Child),
        // SAFETY: `pidfd` holds a new descriptor that nothing else owns, because CLONE_PIDFD was requested.
        pid => Ok(Side::Parent { pid, pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) } }),
    }
}

/// The first arguments of the clone(2) call of [`SharedPid::spawn`], as a seccomp filter sees them. s390x takes the flags
/// second.
pub(crate) const INIT_ARGUMENTS: [u64; 2] = if cfg!(target_arch = "s390x") { [0, INIT_FLAGS] } else { [INIT_FLAGS, 0] };

/// clone(2) without CLONE_VM and without a new stack. Returns the pid in the parent, 0 in the child.
fn clone(flags: u64, note: *mut libc::pid_t) -> Result<libc::pid_t> {
    let none = std::ptr::null_mut::<libc::c_void>();
    #[cfg(target_arch = "s390x")]
    // SAFETY: as below: the child continues on a copy of this stack, because CLONE_VM is not used, and `note` is
    // accessed only during the call. This architecture takes the stack as the first argument.
    let raw = unsafe { libc::syscall(libc::SYS_clone, none, flags, note, none, none) };
    #[cfg(not(target_arch = "s390x"))]
    // SAFETY: the child continues on a copy of this stack, as after fork, because CLONE_VM is not used. `note` is
    // accessed only during the call, because CLONE_PARENT_SETTID and CLONE_PIDFD are the only flags in use that refer
    // to it.
    let raw = unsafe { libc::syscall(libc::SYS_clone, flags, none, note, none, none) };
    answer(raw).map(|pid| pid as libc::pid_t)
}

/// clone3(2) without CLONE_VM: creates a process with the CLONE_NEW* `flags`, in `cgroup` if one is given
/// (CLONE_INTO_CGROUP, Linux 5.7).
///
/// The caller must be single-threaded; davit starts no thread (clippy.toml bans it).
pub(crate) fn clone3(flags: u64, cgroup: Option<BorrowedFd<'_>>) -> Result<Side> {
    clone3_storing_pid(flags, cgroup, std::ptr::null_mut())
}

fn clone3_storing_pid(flags: u64, cgroup: Option<BorrowedFd<'_>>, note: *mut libc::pid_t) -> Result<Side> {
    let mut pidfd: RawFd = -1;
    let mut flags = flags | libc::CLONE_PIDFD as u64;
    let mut cgroup_number = 0;
    if let Some(directory) = cgroup {
        flags |= CLONE_INTO_CGROUP;
        cgroup_number = directory.as_raw_fd() as u64;
    }
    // The kernel refuses an exit signal together with CLONE_PARENT; the sibling inherits the caller's.
    let exit_signal = if flags & libc::CLONE_PARENT as u64 != 0 { 0 } else { libc::SIGCHLD as u64 };
    let arguments = CloneArguments {
        flags,
        pidfd: (&raw mut pidfd) as u64,
        child_tid: 0,
        parent_tid: note as u64,
        exit_signal,
        stack: 0,
        stack_size: 0,
        tls: 0,
        set_tid: 0,
        set_tid_size: 0,
        cgroup: cgroup_number,
    };
    // SAFETY: the child continues on a copy of this stack, as after fork, because it has neither CLONE_VM nor a stack
    // of its own. `arguments` and `pidfd` outlive the call, because both are locals of this frame. `note` is written
    // only with CLONE_PARENT_SETTID, and stays valid because its target lives as long as the process.
    let raw = unsafe { libc::syscall(libc::SYS_clone3, &raw const arguments, size_of::<CloneArguments>()) };
    match answer(raw)? {
        0 => Ok(Side::Child),
        // SAFETY: `pidfd` holds a new descriptor that nothing else owns, because CLONE_PIDFD was requested.
        pid => Ok(Side::Parent { pid: pid as libc::pid_t, pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) } }),
    }
}

/// Whether the process behind `pidfd` is a child of this one that has not been reaped.
pub(crate) fn is_own_child(pidfd: BorrowedFd<'_>) -> Result<bool> {
    use nix::sys::wait::{Id, WaitPidFlag, waitid};
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    match waitid(Id::PIDFd(pidfd), flags) {
        Ok(_) => Ok(true),
        Err(Errno::ECHILD) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// Ends this process immediately, without exit handlers, which belong to the parent's copy of the program.
pub(crate) fn exit_now(status: i32) -> ! {
    // SAFETY: always sound, because _exit has no preconditions.
    unsafe { libc::_exit(status) }
}

/// Waits for the child `pid` to end. Returns its status as a shell reports it: the exit code, or 128 + signal.
pub(crate) fn wait(pid: libc::pid_t) -> Result<i32> {
    let status = wait_status(pid)?;
    Ok(if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { 128 + libc::WTERMSIG(status) })
}

/// Waits for the child `pid` to end. Returns its status as wait(2) does.
pub(crate) fn wait_status(pid: libc::pid_t) -> Result<i32> {
    loop {
        let mut status = 0;
        // SAFETY: the kernel writes within bounds, because `status` is a live int.
        match Errno::result(unsafe { libc::waitpid(pid, &raw mut status, 0) }) {
            Err(Errno::EINTR) => (),
            Err(errno) => return Err(errno),
            Ok(_) => return Ok(status),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Made, SharedPid, Side, clone3, exit_now, wait};

    #[test]
    fn a_sibling_cannot_overwrite_its_shared_pid() {
        let shared_pid = SharedPid::new().expect("memory");
        let maker = match clone3(0, None).expect("a child") {
            Side::Child => match shared_pid.spawn(0) {
                Ok(Made::Child) => {
                    shared_pid.0.store(1, std::sync::atomic::Ordering::Relaxed);
                    exit_now(0)
                }
                _ => exit_now(0),
            },
            Side::Parent { pid, .. } => pid,
        };
        assert_eq!(wait(maker), Ok(0));
        assert_eq!(wait(shared_pid.pid().expect("it is written down")), Ok(128 + libc::SIGSEGV));
    }

    #[test]
    fn the_pid_of_a_sibling_is_known_after_its_maker_is_killed() {
        let shared_pid = SharedPid::new().expect("memory");
        assert_eq!(shared_pid.pid(), None);
        let maker = match clone3(0, None).expect("a child") {
            Side::Child => match shared_pid.spawn(0) {
                Ok(Made::Child) => exit_now(7),
                _ => {
                    let own = nix::unistd::getpid();
                    _ = nix::sys::signal::kill(own, nix::sys::signal::SIGKILL);
                    exit_now(1)
                }
            },
            Side::Parent { pid, .. } => pid,
        };
        assert_eq!(wait(maker), Ok(128 + libc::SIGKILL));
        assert_eq!(wait(shared_pid.pid().expect("it is written down")), Ok(7));
    }
}
