//! Sets limits and scheduling of a process: rlimits, umask, scheduling policy, I/O priority, CPUs, memory policy,
//! personality, signals. The values are left to the caller.

use super::{Result, answer, done};

/// Sets a resource limit of the process `pid` (0: this one); u64::MAX means no limit (prlimit(2)).
pub(crate) fn set_rlimit(pid: libc::pid_t, resource: u32, soft: u64, hard: u64) -> Result<()> {
    let limit = libc::rlimit64 { rlim_cur: soft, rlim_max: hard };
    // SAFETY: the kernel reads within bounds, because `limit` is a full structure; a null old limit is allowed.
    answer(unsafe {
        libc::syscall(libc::SYS_prlimit64, pid, resource, &raw const limit, std::ptr::null_mut::<libc::rlimit64>())
    })
    .map(drop)
}

/// The soft and hard limit of open files.
#[derive(Clone, Copy)]
pub(crate) struct OpenFiles(libc::rlimit64);

/// Raises the soft limit of open files to the hard limit. Returns the old limits, if there was something to raise.
pub(crate) fn raise_open_files() -> Option<OpenFiles> {
    let mut limit = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes within bounds, because `limit` is a full structure.
    done(unsafe { libc::getrlimit64(libc::RLIMIT_NOFILE, &raw mut limit) }).ok()?;
    let raised = limit.rlim_cur < limit.rlim_max && set_rlimit(0, NOFILE, limit.rlim_max, limit.rlim_max).is_ok();
    raised.then_some(OpenFiles(limit))
}

/// Restores the limits that [`raise_open_files`] returned.
pub(crate) fn restore_open_files(old: OpenFiles) -> Result<()> {
    set_rlimit(0, NOFILE, old.0.rlim_cur, old.0.rlim_max)
}

const NOFILE: u32 = 7;

/// Sets the umask: the permission bits that new files do not get.
pub(crate) fn set_umask(mask: u32) {
    // SAFETY: no memory is involved, because umask takes a number. It cannot fail.
    unsafe { libc::umask(mask) };
}

/// Sets the scheduling policy and its parameters of this process (sched_setattr(2)).
pub(crate) fn set_scheduler(attributes: &libc::sched_attr) -> Result<()> {
    let (this_process, no_flags) = (0, 0);
    // SAFETY: the kernel reads within bounds, because `attributes` is a full structure that contains its own size.
    answer(unsafe { libc::syscall(libc::SYS_sched_setattr, this_process, std::ptr::from_ref(attributes), no_flags) })
        .map(drop)
}

/// Sets the I/O priority of this process, which its children inherit; `value` is class << 13 | level (ioprio_set(2)).
pub(crate) fn set_io_priority(value: u32) -> Result<()> {
    const WHO_PROCESS: i32 = 1;
    let this_process = 0;
    // SAFETY: no memory is involved, because ioprio_set takes numbers.
    answer(unsafe { libc::syscall(libc::SYS_ioprio_set, WHO_PROCESS, this_process, value) }).map(drop)
}

/// Sets the CPUs this process may run on; bit N of the words is CPU N. Missing CPUs are ignored.
pub(crate) fn set_cpu_affinity(words: &[u64]) -> Result<()> {
    let this_process = 0;
    // SAFETY: the kernel reads within bounds, because the length in bytes and the pointer describe one live slice.
    answer(unsafe { libc::syscall(libc::SYS_sched_setaffinity, this_process, size_of_val(words), words.as_ptr()) })
        .map(drop)
}

/// Sets the NUMA memory policy; bit N of the words is node N (set_mempolicy(2)).
pub(crate) fn set_memory_policy(mode: u32, words: &[u64]) -> Result<()> {
    let bits = words.len() as u64 * 64 + u64::from(!words.is_empty());
    let nodes = if words.is_empty() { std::ptr::null() } else { words.as_ptr() };
    // SAFETY: the kernel reads within bounds, because the mask is null with no bits, or a live slice. The kernel reads
    // one bit less than the given count.
    answer(unsafe { libc::syscall(libc::SYS_set_mempolicy, mode, nodes, bits) }).map(drop)
}

/// Sets the execution domain (personality(2)).
pub(crate) fn set_personality(domain: u64) -> Result<()> {
    // SAFETY: no memory is involved, because personality takes a number.
    done(unsafe { libc::personality(domain) })
}

/// Resets what execve(2) passes on and no configuration asks for: signals, personality flags such as
/// ADDR_NO_RANDOMIZE, the timer slack, and whether huge pages are disabled. The execution domain (`linux32`), nice value
/// and I/O priority stay the caller's.
pub(crate) fn reset_inherited() -> Result<()> {
    /// The kernel's default for processes without a real-time policy, in nanoseconds.
    const TIMER_SLACK: libc::c_ulong = 50_000;
    const ONLY_ASK: libc::c_ulong = 0xffff_ffff;
    const DOMAIN: libc::c_int = 0xff;
    reset_signals()?;
    // SAFETY: no memory is involved, because personality takes a number.
    let inherited = answer(libc::c_long::from(unsafe { libc::personality(ONLY_ASK) }))? as libc::c_int;
    if inherited & !DOMAIN != 0 {
        set_personality((inherited & DOMAIN) as u64)?;
    }
    // SAFETY: no memory is involved, because PR_SET_TIMERSLACK takes a number.
    done(unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, TIMER_SLACK) })?;
    let [off, zero] = [0 as libc::c_ulong; 2];
    // SAFETY: no memory is involved, because PR_SET_THP_DISABLE takes numbers.
    done(unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, off, zero, zero, zero) })
}

/// Resets every signal to its default disposition and unblocks all signals. An ignored SIGPIPE would be inherited by
/// execve(2), and both `entry` and several engines ignore it.
pub(crate) fn reset_signals() -> Result<()> {
    // The kernel's own structure, all zero: the default action with an empty mask. The C library is bypassed, because
    // it reserves two signals and refuses to change them, but passes them on ignored when it spawns a program.
    let default = [0_u64; 4];
    for signal in 1..=64 {
        if signal != libc::SIGKILL && signal != libc::SIGSTOP {
            let (new, old) = (&raw const default, std::ptr::null_mut::<u64>());
            // SAFETY: the kernel reads within bounds, because `default` is at least as large as the kernel's structure;
            // a null old action is allowed.
            answer(unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, new, old, size_of::<u64>()) })?;
        }
    }
    // SAFETY: zero is a valid value, because sigset_t is plain data; it is the empty set.
    let none: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel reads within bounds, because `none` is a full set; a null old set is allowed.
    done(unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut()) })
}
