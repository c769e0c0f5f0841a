//! Traces a command and all its children with ptrace(2), counts their system calls, and injects a fault into exactly
//! one.
//!
//! strace(1) counts per process and cannot select the process: if the parent makes a call as often as the child, it
//! cannot inject a fault into the child's call. This module knows nothing about containers.

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Child;
use std::sync::mpsc;
use std::time::Duration;
use syscalls::Sysno;

/// The PTRACE_GET_SYSCALL_INFO value for a stop at the entry of a system call.
const ENTRY: u8 = libc::PTRACE_SYSCALL_INFO_ENTRY;

/// Programs of containers and hooks, which get no faults. A runtime may also execute itself, under any name.
const STRANGERS: [&str; 5] = ["probe", "busybox", "sh", "dash", "bash"];

/// One system call: the process, the call, and its occurrence in that process, from 1. Processes are numbered in the
/// order in which they are first seen: 0 is the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Point {
    pub(crate) process: usize,
    pub(crate) call: Sysno,
    pub(crate) nth: u32,
}

/// The fault to inject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The process is killed; the call is not made.
    Kill,
    /// The call is not made, and fails.
    Error(Errno),
}

/// The result of tracing a command.
#[derive(Debug)]
pub(crate) struct Seen {
    /// The command's wait status; `None` if it had to be killed.
    pub(crate) ended: Option<WaitStatus>,
    /// Every call up to the fault, in order.
    pub(crate) calls: Vec<Point>,
    /// Whether the fault was injected.
    pub(crate) struck: bool,
}

/// A traced process with all its threads.
struct Followed {
    number: usize,
    counts: BTreeMap<Sysno, u32>,
}

/// A tracer of one command.
struct Tracer<'a> {
    program: &'a str,
    fault: Option<(Point, Fault)>,
    processes: BTreeMap<Pid, Followed>,
    /// Maps a thread to its process.
    threads: BTreeMap<Pid, Pid>,
    /// Threads that stopped before the event that reports their process.
    early: BTreeSet<Pid>,
    /// The thread whose call gets the fault, and the error to return.
    failing: Option<(Pid, Errno)>,
    seen: Seen,
}

/// Traces `child` until it exits, for at most `bound`. `child` waits for the end of its standard input, then executes a
/// program; `program` is a part of that program's name. `adopted` are processes of earlier commands to trace as well.
/// Detaches from processes that execute one of [`STRANGERS`].
pub(crate) fn follow(
    mut child: Child,
    adopted: &[Pid],
    program: &str,
    fault: Option<(Point, Fault)>,
    bound: Duration,
) -> Result<Seen> {
    let main = Pid::from_raw(i32::try_from(child.id())?);
    let options = Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEFORK
        | Options::PTRACE_O_TRACEVFORK
        | Options::PTRACE_O_TRACEEXEC
        | Options::PTRACE_O_EXITKILL;
    let seen = Seen { ended: None, calls: Vec::new(), struck: false };
    let mut tracer = Tracer {
        program,
        fault,
        processes: BTreeMap::new(),
        threads: BTreeMap::new(),
        early: BTreeSet::new(),
        failing: None,
        seen,
    };
    ptrace::seize(main, options).context("seize the command")?;
    tracer.meet(main, main);
    for pid in adopted {
        ptrace::seize(*pid, options).with_context(|| format!("seize process {pid}"))?;
        tracer.meet(*pid, *pid);
        // The kernel reports its calls only after its next stop.
        ptrace::interrupt(*pid).with_context(|| format!("stop process {pid}"))?;
    }
    drop(child.stdin.take());
    let guard = Guard::new(main, bound);
    let ended = tracer.until_end_of(main);
    let late = guard.stop();
    tracer.detach_all();
    let ended = ended?;
    Ok(Seen { ended: (!late).then_some(ended), ..tracer.seen })
}

/// Kills a process that takes too long.
struct Guard {
    stop: mpsc::Sender<()>,
    thread: std::thread::JoinHandle<bool>,
}

impl Guard {
    fn new(pid: Pid, bound: Duration) -> Self {
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let late = stopped.recv_timeout(bound) == Err(mpsc::RecvTimeoutError::Timeout);
            // The process may have exited already.
            late && kill(pid, Signal::SIGKILL).is_ok()
        });
        Self { stop, thread }
    }

    /// Stops the watchdog. Returns whether it killed the process.
    fn stop(self) -> bool {
        self.stop.send(()).ok();
        self.thread.join().unwrap_or(true)
    }
}

impl Tracer<'_> {
    fn meet(&mut self, thread: Pid, process: Pid) {
        let number = self.processes.len();
        self.processes.entry(process).or_insert(Followed { number, counts: BTreeMap::new() });
        self.threads.insert(thread, process);
    }

    /// Handles the stops of all traced processes until `main` exits.
    fn until_end_of(&mut self, main: Pid) -> Result<WaitStatus> {
        loop {
            let status = match waitpid(None, Some(WaitPidFlag::__WALL)) {
                Err(Errno::EINTR) => continue,
                status => status.context("wait for traced processes")?,
            };
            match status {
                WaitStatus::Exited(pid, _) | WaitStatus::Signaled(pid, ..) => {
                    self.threads.remove(&pid);
                    if pid == main {
                        return Ok(status);
                    }
                }
                WaitStatus::PtraceSyscall(pid) => self.at_call(pid)?,
                WaitStatus::PtraceEvent(pid, _, event) => self.at_event(pid, event)?,
                WaitStatus::Stopped(pid, signal) => self.go_on(pid, Some(signal))?,
                _ => (),
            }
        }
    }

    /// Continues a process. After the fault its calls are no longer reported, because stops cost time.
    fn go_on(&self, pid: Pid, signal: Option<Signal>) -> Result<()> {
        let gone = match self.seen.struck && self.failing.is_none() {
            true => ptrace::cont(pid, signal),
            false => ptrace::syscall(pid, signal),
        };
        alive(gone).map(drop)
    }

    fn at_call(&mut self, pid: Pid) -> Result<()> {
        let Some(info) = alive(ptrace::syscall_info(pid))? else { return Ok(()) };
        if info.op != ENTRY {
            if let Some((thread, errno)) = self.failing
                && thread == pid
            {
                self.failing = None;
                if let Some(mut registers) = alive(ptrace::getregs(pid))? {
                    registers.rax = i64::from(-(errno as i32)).cast_unsigned();
                    alive(ptrace::setregs(pid, registers))?;
                }
            }
            return self.go_on(pid, None);
        }
        let Some(registers) = alive(ptrace::getregs(pid))? else { return Ok(()) };
        if let (Some(process), Some(call)) = (self.threads.get(&pid), Sysno::new(registers.orig_rax as usize))
            && let Some(followed) = self.processes.get_mut(process)
            && !self.seen.struck
        {
            let nth = followed.counts.entry(call).or_insert(0);
            *nth += 1;
            let point = Point { process: followed.number, call, nth: *nth };
            self.seen.calls.push(point);
            match self.fault {
                Some((wanted, fault)) if wanted == point => {
                    let process = *process;
                    return self.inject(pid, process, fault, call == Sysno::close);
                }
                _ => (),
            }
        }
        self.go_on(pid, None)
    }

    fn inject(&mut self, thread: Pid, process: Pid, fault: Fault, closes: bool) -> Result<()> {
        self.seen.struck = true;
        match fault {
            Fault::Kill => kill(process, Signal::SIGKILL).context("kill").map(drop),
            Fault::Error(errno) => {
                // The number is invalid, so the kernel makes no call; the result is replaced on return. For close(2)
                // only the result is replaced: the descriptor is closed even if close(2) fails.
                if !closes && let Some(mut registers) = alive(ptrace::getregs(thread))? {
                    registers.orig_rax = u64::MAX;
                    alive(ptrace::setregs(thread, registers))?;
                }
                self.failing = Some((thread, errno));
                self.go_on(thread, None)
            }
        }
    }

    fn at_event(&mut self, pid: Pid, event: i32) -> Result<()> {
        match event {
            libc::PTRACE_EVENT_CLONE | libc::PTRACE_EVENT_FORK | libc::PTRACE_EVENT_VFORK => {
                if let Some(new) = alive(ptrace::getevent(pid))? {
                    let new = Pid::from_raw(i32::try_from(new)?);
                    self.meet(new, process_of(new));
                    if self.early.remove(&new) {
                        self.go_on(new, None)?;
                    }
                }
                self.go_on(pid, None)
            }
            libc::PTRACE_EVENT_EXEC => {
                let executed = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
                let name = executed.file_name().unwrap_or_default().to_string_lossy();
                // The waiting process may itself only now have been executed.
                let early = self.processes.get(&pid).is_some_and(|met| met.number == 0 && met.counts.is_empty());
                match (early && !name.contains(self.program), STRANGERS.contains(&name.as_ref())) {
                    (true, _) => alive(ptrace::cont(pid, None)).map(drop),
                    (false, true) => self.detach(pid),
                    (false, false) => self.go_on(pid, None),
                }
            }
            libc::PTRACE_EVENT_STOP if !self.threads.contains_key(&pid) => {
                self.early.insert(pid);
                Ok(())
            }
            _ => self.go_on(pid, None),
        }
    }

    fn detach(&mut self, pid: Pid) -> Result<()> {
        self.threads.remove(&pid);
        alive(ptrace::detach(pid, None)).map(drop)
    }

    /// Detaches from all processes that outlive the command. Detaching needs a stopped process.
    fn detach_all(&mut self) {
        for pid in std::mem::take(&mut self.early) {
            ptrace::detach(pid, None).ok();
        }
        for pid in std::mem::take(&mut self.threads).into_keys() {
            // An error means that the process has exited.
            if ptrace::interrupt(pid).is_err() {
                continue;
            }
            loop {
                match waitpid(pid, Some(WaitPidFlag::__WALL)) {
                    Err(Errno::EINTR) => continue,
                    Ok(WaitStatus::Stopped(_, signal)) => ptrace::detach(pid, signal).ok(),
                    Ok(WaitStatus::PtraceEvent(..) | WaitStatus::PtraceSyscall(_)) => ptrace::detach(pid, None).ok(),
                    _ => None,
                };
                break;
            }
        }
    }
}

/// Maps ESRCH to `None`: a traced process may be killed at any moment.
fn alive<T>(answer: nix::Result<T>) -> Result<Option<T>> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(Errno::ESRCH) => Ok(None),
        Err(errno) => bail!("ptrace: {errno}"),
    }
}

/// The process of a thread.
fn process_of(thread: Pid) -> Pid {
    let status = std::fs::read_to_string(format!("/proc/{thread}/status")).unwrap_or_default();
    let group = status.lines().find_map(|line| line.strip_prefix("Tgid:")?.trim().parse().ok());
    group.map_or(thread, Pid::from_raw)
}
