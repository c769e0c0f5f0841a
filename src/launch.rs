//! The parent: spawns the child with one clone3, serves its gates, and reports its failures.
//!
//! Also prepares on the host's side what the child cannot do itself: descriptors passed to the child, namespaces that
//! only a parent can enter for it, id maps. Leaves to its callers state directories, subcommands, and what happens at
//! the host's gate.

mod spawn;
mod explain;
mod id_maps;
mod idmapped_mount;
mod passed_fds;
mod intermediate;
pub(crate) mod message;

use crate::channel::{Channel, Message};
use crate::init::{self, ChildInputs, ContainerHooks};
use crate::plan::act::{Act, Gate};
use crate::plan::namespaces::{Namespaces, PID, TIME};
use crate::plan::{PassedFd, Plan, Step};
use crate::report::ProcessStep;
use crate::report::errno_words;
use crate::sys::clone::{self, SharedPid};
use crate::sys::program::Strings;
use crate::sys::timestamps::StepTimings;
use crate::sys::{Errno, credentials, limits, namespace, path, process, socket};
use anyhow::{Context, Result, anyhow};
use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use spawn::Spawned;

pub(crate) use explain::{after_start, cause_text, spawn_refused, steps_after_start};
#[cfg(any(test, fuzzing))]
pub(crate) use id_maps::fuzz;
pub(crate) use id_maps::host_uid;
pub(crate) use spawn::CgroupPlacement;

/// What the child gets besides the plan.
#[derive(Default)]
pub(crate) struct LaunchInputs<'a> {
    /// The cgroup in which the child is spawned.
    pub(crate) placement: CgroupPlacement<'a>,
    /// The host path of its cgroup.
    pub(crate) cgroup_path: Option<CString>,
    /// The listening socket on which it waits for `start`.
    pub(crate) listener: Option<OwnedFd>,
    /// The hooks it runs.
    pub(crate) hooks: ContainerHooks,
    /// The process whose namespaces it joins.
    pub(crate) process: Option<OwnedFd>,
    /// The user namespace it joins, if that process has since moved to another one.
    pub(crate) user_namespace: Option<OwnedFd>,
    /// Record step timings.
    pub(crate) timed: bool,
}

/// What the caller does on the host's side while the child works.
pub(crate) trait HostSide {
    /// Sets limits and devices and runs the hooks of the runtime namespace. The child waits: its mounts are ready, or,
    /// if the plan has no host gate, it waits for its start.
    fn at_host_gate(&mut self, pid: i32) -> Result<()>;
    /// Does work in parallel to the child, after the host gate if the plan has one. Otherwise this work would delay the
    /// start.
    ///
    /// If the child has a successor in another pid namespace, this is called when the successor waits for its start.
    /// `process` is the pid and the start time of the process that will execute the program.
    fn while_it_works(&mut self, process: (i32, u64)) -> Result<()>;
    /// Receives the master of the child's terminal.
    fn terminal(&mut self, master: OwnedFd) -> Result<()>;
    /// Receives the child's seccomp listener.
    fn listener(&mut self, listener: OwnedFd, pid: i32) -> Result<()>;
}

/// A child that has not executed its program yet. Killed and reaped on drop, unless `release` was called.
#[derive(Debug)]
pub(crate) struct Child {
    /// Its pid in this process's pid namespace.
    pub(crate) pid: i32,
    /// Its pidfd.
    pub(crate) pidfd: OwnedFd,
    /// Start time in clock ticks since boot (`sys::stat::Stat`). 0 if the process is already being killed.
    pub(crate) start_time: u64,
    channel: Channel,
    /// Where the kernel writes the pid of the child's successor, if there will be one.
    successor: Option<SharedPid>,
    reaped: bool,
    timings: Option<Rc<StepTimings>>,
    /// Closed while the child is busy, because closing it waits: see [`passed_fds::own_file`].
    mount: Option<OwnedFd>,
}

/// Spawns the child. It runs until its first gate while the caller continues.
pub(crate) fn launch(plan: &Plan, inputs: LaunchInputs<'_>) -> Result<Child> {
    let (own_end, childs_end) = Channel::pair().context("make a socket pair")?;
    let needs_proc =
        |step: &Step| matches!(step.act, Act::SetOomScore(_) | Act::SetSysctl { .. } | Act::SetLabel { .. });
    // Each mount can need a descriptor. An additional process needs few.
    let creates = plan.init.iter().any(|step| step.act == Act::CloseHost);
    let raised = creates.then(passed_fds::RaisedLimit::raise);
    let proc = plan.init.iter().any(needs_proc).then(passed_fds::host_proc).transpose()?;
    let detaches_exe = plan.init.iter().any(|step| step.act == Act::DetachExe);
    let (own_file, mount) = match plan.detach_exe_before_clone {
        true => (None, passed_fds::detach_exe_before_clone()?),
        false => detaches_exe
            .then(passed_fds::own_file)
            .transpose()?
            .map_or((None, None), |(file, mount)| (Some(file), mount)),
    };
    let enters = plan.init.iter().any(|step| matches!(step.act, Act::EnterPidNamespace { .. }));
    // If processes of a container see the child from the clone on, they must not find this mount in it.
    let mount = mount.filter(|_| enters || plan.namespaces.starts_unseen());
    let passed_fds = passed_fds::all(plan, inputs.process.as_ref(), inputs.user_namespace.as_ref())?;
    let timings =
        inputs.timed.then(|| StepTimings::new(plan.init.len() + 1)).transpose().context("map shared memory")?;
    let timings = timings.map(Rc::new);
    let child_inputs = ChildInputs {
        timings: timings.clone(),
        passed_fds,
        channel: childs_end,
        shared_pid: (plan.namespaces.via_intermediate || enters)
            .then(SharedPid::new)
            .transpose()
            .context("map shared memory")?,
        listener: inputs.listener,
        open_files: raised.as_ref().and_then(|raised| raised.0),
        proc,
        cgroup: inputs.cgroup_path,
        own_file,
        hooks: inputs.hooks,
        arguments: Strings::new(plan.program.arguments.clone()),
        environment: Strings::new(plan.program.environment.clone()),
    };
    let namespaces = &plan.namespaces;
    if namespaces.via_intermediate {
        return intermediate::launch(plan, child_inputs, inputs.placement, own_end, mount);
    }
    if namespaces.new & PID == 0 && process::effective_uid() == 0 {
        // The child is visible from the clone on, and inherits the flag (CVE-2016-9962).
        credentials::set_dumpable(false).context("clear the dumpable flag")?;
    }
    let entered = Entered::enter(namespaces, plan, &child_inputs.passed_fds)?;
    let Some(Spawned { pid, pidfd, start_time }) =
        spawn::spawn(namespaces, namespaces.clone_flags(), inputs.placement)?
    else {
        // With the parent's end open, the child would not notice the parent's death and wait forever. The parent still
        // has the mount open, so the parent is the one that waits for the grace period.
        drop((own_end, mount));
        init::perform(plan, child_inputs)
    };
    let start_time = start_time.unwrap_or_default();
    let successor = child_inputs.shared_pid.filter(|_| enters);
    let child = Child { pid, pidfd, start_time, channel: own_end, successor, reaped: false, timings, mount };
    child_inputs.close();
    entered.leave()?;
    Ok(child)
}

/// Namespaces that the parent enters so that the child is spawned in them: only children are in a joined pid namespace,
/// and time offsets can be set only before the first process enters. The parent leaves them again, because it may run
/// hooks later.
#[must_use]
struct Entered(Vec<(u64, OwnedFd)>);

impl Entered {
    fn enter(namespaces: &Namespaces, plan: &Plan, passed_fds: &[OwnedFd]) -> Result<Entered> {
        let mut entered = Entered(Vec::new());
        for (wanted, fd) in plan.passed_fds.iter().zip(passed_fds) {
            if matches!(wanted, PassedFd::Namespace { kind: PID, .. }) && !namespaces.enters_pid_last {
                entered.0.push((PID, open_own(c"/proc/self/ns/pid")?));
                namespace::setns(fd.as_fd(), PID).context("join the pid namespace")?;
            }
        }
        if let Some(offsets) = namespaces.time_offsets.as_ref().filter(|_| !namespaces.made_by_user()) {
            entered.0.push((TIME, open_own(c"/proc/self/ns/time")?));
            namespace::new_time_namespace_for_children(offsets.as_bytes())
                .with_context(|| format!("/linux/timeOffsets: make a time namespace with offsets {offsets:?}"))?;
        }
        Ok(entered)
    }

    fn leave(self) -> Result<()> {
        for (kind, own) in self.0 {
            namespace::setns(own.as_fd(), kind).context("return to the caller's namespace")?;
        }
        Ok(())
    }
}

fn open_own(path: &std::ffi::CStr) -> Result<OwnedFd> {
    path::open_following_links(path, libc::O_RDONLY).with_context(|| format!("open {}", path.to_string_lossy()))
}

impl Child {
    /// Serves the child until it waits for its start.
    pub(crate) fn wait_until_ready(&mut self, plan: &Plan, host: &mut dyn HostSide) -> Result<()> {
        drop(self.mount.take());
        let gate = plan.init.iter().any(|step| step.act == Act::Await(Gate::Host));
        // Until the successor exists, it is unknown which process will execute the program.
        let has_successor = self.successor.is_some();
        if !gate && plan.namespaces.maps.is_none() && !has_successor {
            host.while_it_works((self.pid, self.start_time))?;
        }
        loop {
            match self.next()? {
                // The caller has already moved the child into its scope.
                Message::Reached(Gate::Cgroup) => self.open(Gate::Cgroup)?,
                Message::Reached(Gate::IdMaps) => {
                    id_maps::write(self.pid, plan.namespaces.maps.as_ref())?;
                    self.open(Gate::IdMaps)?;
                    if !gate && !has_successor {
                        host.while_it_works((self.pid, self.start_time))?;
                    }
                }
                Message::Reached(Gate::Host) => {
                    host.at_host_gate(self.pid)?;
                    self.open(Gate::Host)?;
                    if !has_successor {
                        host.while_it_works((self.pid, self.start_time))?;
                    }
                }
                Message::Reached(Gate::Limits) => {
                    self.set_rlimits(plan)?;
                    self.open(Gate::Limits)?;
                }
                Message::Terminal(master) => host.terminal(master)?,
                Message::MapIds(tree, step) => {
                    idmapped_mount::map_source(tree.as_fd(), usize::from(step), plan)?;
                    self.go_on()?;
                }
                Message::Listener(number) => self.pass_listener(plan, number, host)?,
                Message::Ready => {
                    self.follow_successor()?;
                    if has_successor {
                        host.while_it_works((self.pid, self.start_time))?;
                    }
                    return if gate { Ok(()) } else { host.at_host_gate(self.pid) };
                }
                other => return Err(self.unexpected(plan, other)),
            }
        }
    }

    /// Passes the seccomp listener to the agent. If the process is about to enter a pid namespace, lets it do so first,
    /// because only the successor's pid is useful to the agent.
    fn pass_listener(&mut self, plan: &Plan, number: i32, host: &mut dyn HostSide) -> Result<()> {
        let position = |is: fn(&Act) -> bool| plan.init.iter().position(|step| is(&step.act));
        let enters = position(|act| matches!(act, Act::EnterPidNamespace { .. }));
        let enters_later = enters > position(|act| matches!(act, Act::InstallFilter(_)));
        if !enters_later {
            self.follow_successor()?;
        }
        // Without a listener, the next message explains why the filter could not be installed.
        let Some(listener) = self.take_listener(number)? else { return Ok(()) };
        if enters_later {
            self.channel.go()?;
            self.follow_successor()?;
            return host.listener(listener, self.pid);
        }
        host.listener(listener, self.pid)?;
        self.channel.go().context("send to the container's process")
    }

    /// Waits until the process has entered the pid namespace, which ends it, and switches to its successor.
    fn follow_successor(&mut self) -> Result<()> {
        let Some(successor) = self.successor else { return Ok(()) };
        let status = clone::wait(self.pid).context("wait for the process that enters the pid namespace")?;
        self.successor = None;
        self.reaped = true;
        let pid = successor.pid().with_context(|| format!("enter the pid namespace: ended with status {status}"))?;
        (self.pidfd, self.start_time) = intermediate::adopt(pid)?;
        (self.pid, self.reaped) = (pid, false);
        Ok(())
    }

    /// Takes the seccomp listener, which becomes descriptor `number` of the child shortly after its message. Polls for
    /// it: the child cannot report when it exists, because any call may then wait for an agent. `None` if the child
    /// sent a message or died.
    fn take_listener(&self, number: i32) -> Result<Option<OwnedFd>> {
        const POLL_INTERVAL: Duration = Duration::from_millis(1);
        let mut patience = message::Patience::new();
        loop {
            match process::take_descriptor(self.pidfd.as_fd(), number) {
                Err(Errno::EBADF) => (),
                taken => return taken.map(Some).context("/linux/seccomp: take the listener from the process"),
            }
            if socket::is_ready(self.channel.as_fd())? || process::ended_within(self.pidfd.as_fd(), POLL_INTERVAL)? {
                return Ok(None);
            }
            patience.check(self.pid)?;
        }
    }

    /// Lets the child start, and waits until it has executed the program.
    pub(crate) fn start(&mut self, plan: &Plan) -> Result<()> {
        self.go_on()?;
        let mut executing = false;
        loop {
            match self.next()? {
                Message::Executing => executing = true,
                // execve closed the channel, or the child was killed just before it.
                Message::Closed if executing => return Ok(()),
                other => return Err(self.unexpected(plan, other)),
            }
        }
    }

    /// Lets the child continue from its last wait for the parent.
    pub(crate) fn go_on(&self) -> Result<()> {
        self.channel.go().context("send to the container's process")
    }

    /// The durations of the steps performed so far, if step timings are recorded.
    pub(crate) fn timings(&self, plan: &Plan) -> Vec<ProcessStep> {
        let Some(timings) = &self.timings else { return Vec::new() };
        let steps = plan.init.iter().enumerate();
        let timed = steps.filter_map(|(index, step)| Some((step, timings.between(index, index + 1)?)));
        timed
            .map(|(step, nanoseconds)| ProcessStep {
                origin: step.origin.to_string(),
                act: step.act.to_string(),
                duration: Duration::from_nanos(nanoseconds),
            })
            .collect()
    }

    /// Waits for the end of the process. Returns its status as a shell reports it.
    pub(crate) fn wait_for_end(&mut self) -> Result<i32> {
        self.reap()
    }

    /// Lets the process outlive this object.
    pub(crate) fn release(&mut self) {
        self.reaped = true;
    }

    fn next(&self) -> Result<Message> {
        message::next(&self.channel, || self.successor.and_then(SharedPid::pid).unwrap_or(self.pid))
    }

    fn open(&self, gate: Gate) -> Result<()> {
        match self.channel.open(gate) {
            // The child died at the gate. The next call of `next` returns the reason.
            Ok(()) | Err(Errno::EPIPE) => Ok(()),
            Err(errno) => Err(errno).context("send to the container's process"),
        }
    }

    fn set_rlimits(&self, plan: &Plan) -> Result<()> {
        for step in &plan.parent_rlimits {
            if let Act::SetRlimit { resource, soft, hard, .. } = step.act {
                limits::set_rlimit(self.pid, resource, soft, hard)
                    .map_err(|errno| anyhow!("{}: {}: {}", step.origin, step.act, errno_words(errno)))?;
            }
        }
        Ok(())
    }

    fn unexpected(&mut self, plan: &Plan, message: Message) -> anyhow::Error {
        match message {
            Message::Failed(failure) => explain::failure(plan, &failure),
            Message::Closed => match self.reap() {
                Ok(status) if status > 128 => anyhow!("the container's process was killed by signal {}", status - 128),
                Ok(status) => anyhow!("the container's process ended with status {status}"),
                Err(error) => error,
            },
            other => anyhow!("unexpected message from the container's process: {other:?}"),
        }
    }

    fn reap(&mut self) -> Result<i32> {
        if self.successor.and_then(SharedPid::pid).is_some() {
            self.follow_successor()?;
        }
        self.reaped = true;
        clone::wait(self.pid).context("wait for the container's process")
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.reaped {
            // ESRCH: the child is already dead. Neither call can fail otherwise for our own child.
            let _ = process::signal(self.pidfd.as_fd(), libc::SIGKILL);
            if self.successor.is_some() && self.follow_successor().is_ok() {
                let _ = process::signal(self.pidfd.as_fd(), libc::SIGKILL);
            }
            if !self.reaped {
                let _ = self.reap();
            }
        }
    }
}

fn c_path(path: &Path) -> Result<CString> {
    CString::new(path.as_os_str().as_bytes()).with_context(|| format!("{} contains a NUL byte", path.display()))
}
