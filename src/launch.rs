//! The parent: one clone3, the gates, and the words for a child's failure.
//!
//! Owns what must happen around the clone on the host's side of it: descriptors lent to the child, namespaces that only
//! a parent can enter for it, id maps. Knows no state directory and no verb; who launches says what is to be done at the
//! host's gate.

mod spawn;
mod explain;
mod id_maps;
mod idmapped_mount;
mod passed_fds;
mod intermediate;

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
pub(crate) use id_maps::host_uid;
pub(crate) use spawn::CgroupPlacement;

/// What the child gets beside the plan.
#[derive(Default)]
pub(crate) struct LaunchInputs<'a> {
    /// Where the child is born.
    pub(crate) placement: CgroupPlacement<'a>,
    /// Where its cgroup is on the host.
    pub(crate) cgroup_path: Option<CString>,
    /// The socket at which it waits for its start.
    pub(crate) listener: Option<OwnedFd>,
    /// The hooks it runs.
    pub(crate) hooks: ContainerHooks,
    /// The process whose namespaces it joins.
    pub(crate) process: Option<OwnedFd>,
    /// The user namespace it joins, where that process has moved on to another.
    pub(crate) user_namespace: Option<OwnedFd>,
    /// Somebody wants to know how long each step takes.
    pub(crate) timed: bool,
}

/// What is done on the host's side while the child works.
pub(crate) trait HostSide {
    /// The child's mounts stand and it waits, or, where the plan has no such gate, it waits for its start: limits, devices, hooks of
    /// the runtime namespace.
    fn at_host_gate(&mut self, pid: i32) -> Result<()>;
    /// The child is busy, after that gate where there is one: time for what would otherwise be done while it waits to be started.
    ///
    /// Where the child has a successor in another pid namespace, this comes when that one waits for its start. `process` is the
    /// pid and the start time of the process that will execute the program.
    fn while_it_works(&mut self, process: (i32, u64)) -> Result<()>;
    /// The outer side of the child's terminal.
    fn terminal(&mut self, master: OwnedFd) -> Result<()>;
    /// The child's seccomp listener.
    fn listener(&mut self, listener: OwnedFd, pid: i32) -> Result<()>;
}

/// A child that has not executed its program yet. Dropped before `release`, it is killed and reaped.
#[derive(Debug)]
pub(crate) struct Child {
    /// Its pid in this process's pid namespace.
    pub(crate) pid: i32,
    /// A handle on it.
    pub(crate) pidfd: OwnedFd,
    /// Start time in clock ticks since boot (`sys::stat::Stat`). 0 if the process is already being killed.
    pub(crate) start_time: u64,
    channel: Channel,
    /// Where the kernel writes the pid of the process that takes this one's place, if one will.
    successor: Option<SharedPid>,
    reaped: bool,
    timings: Option<Rc<StepTimings>>,
    /// To be closed while the child is busy: see [`passed_fds::own_file`].
    mount: Option<OwnedFd>,
}

/// Makes the process. It works until its first gate while the caller goes on.
pub(crate) fn launch(plan: &Plan, inputs: LaunchInputs<'_>) -> Result<Child> {
    let (own, childs) = Channel::pair().context("make a socket pair")?;
    let needs_proc =
        |step: &Step| matches!(step.act, Act::SetOomScore(_) | Act::SetSysctl { .. } | Act::SetLabel { .. });
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
    // Where a container's processes see the child from its clone on, there must be nothing of the mount for them to find.
    let mount = mount.filter(|_| enters || plan.namespaces.starts_unseen());
    let passed_fds = passed_fds::all(plan, inputs.process.as_ref(), inputs.user_namespace.as_ref())?;
    let timings = inputs.timed.then(|| StepTimings::new(plan.init.len() + 1)).transpose().context("share memory")?;
    let timings = timings.map(Rc::new);
    let child_inputs = ChildInputs {
        timings: timings.clone(),
        passed_fds,
        channel: childs,
        shared_pid: (plan.namespaces.via_intermediate || enters)
            .then(SharedPid::new)
            .transpose()
            .context("share memory")?,
        listener: inputs.listener,
        proc,
        cgroup: inputs.cgroup_path,
        own_file,
        hooks: inputs.hooks,
        arguments: Strings::new(plan.program.arguments.clone()),
        environment: Strings::new(plan.program.environment.clone()),
    };
    let namespaces = &plan.namespaces;
    if namespaces.via_intermediate {
        return intermediate::launch(plan, child_inputs, inputs.placement, own, mount);
    }
    if namespaces.new & PID == 0 && process::effective_uid() == 0 {
        // The process is visible from its clone on, and inherits this (CVE-2016-9962).
        credentials::set_dumpable(false).context("become undumpable")?;
    }
    let entered = Entered::enter(namespaces, plan, &child_inputs.passed_fds)?;
    let Some(Spawned { pid, pidfd, start_time }) =
        spawn::spawn(namespaces, namespaces.clone_flags(), inputs.placement)?
    else {
        // With the parent's end open it would not notice the parent's death, and wait for a word for ever. The mount is
        // still open there: who closes it last is who waits.
        drop((own, mount));
        init::perform(plan, child_inputs)
    };
    let start_time = start_time.unwrap_or_default();
    let successor = child_inputs.shared_pid.filter(|_| enters);
    let child = Child { pid, pidfd, start_time, channel: own, successor, reaped: false, timings, mount };
    child_inputs.close();
    entered.leave()?;
    Ok(child)
}

/// Namespaces that this process enters on behalf of the child to come, and leaves again, so that a hook it runs later is
/// not in them: the PID namespace is joined by children only, and time offsets can be set only before anybody is inside.
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
            namespace::setns(own.as_fd(), kind).context("return to the own namespace")?;
        }
        Ok(())
    }
}

fn open_own(path: &std::ffi::CStr) -> Result<OwnedFd> {
    path::open_following_links(path, libc::O_RDONLY).with_context(|| format!("open {}", path.to_string_lossy()))
}

impl Child {
    /// Serves the child until it is prepared and waits for the word to start.
    pub(crate) fn wait_until_ready(&mut self, plan: &Plan, host: &mut dyn HostSide) -> Result<()> {
        drop(self.mount.take());
        let gate = plan.init.iter().any(|step| step.act == Act::Await(Gate::Host));
        // Until then nobody knows which process will execute the program.
        let changes = self.successor.is_some();
        if !gate && plan.namespaces.maps.is_none() && !changes {
            host.while_it_works((self.pid, self.start_time))?;
        }
        loop {
            match self.next()? {
                // Whoever launched it has seen to that by now.
                Message::Reached(Gate::Cgroup) => self.open(Gate::Cgroup)?,
                Message::Reached(Gate::IdMaps) => {
                    id_maps::write(self.pid, plan.namespaces.maps.as_ref())?;
                    self.open(Gate::IdMaps)?;
                    if !gate && !changes {
                        host.while_it_works((self.pid, self.start_time))?;
                    }
                }
                Message::Reached(Gate::Host) => {
                    host.at_host_gate(self.pid)?;
                    self.open(Gate::Host)?;
                    if !changes {
                        host.while_it_works((self.pid, self.start_time))?;
                    }
                }
                Message::Reached(Gate::Limits) => {
                    self.set_rlimits(plan)?;
                    self.open(Gate::Limits)?;
                }
                Message::Terminal(master) => host.terminal(master)?,
                Message::Listener(number) => self.pass_listener(plan, number, host)?,
                Message::Ready => {
                    self.follow()?;
                    if changes {
                        host.while_it_works((self.pid, self.start_time))?;
                    }
                    return if gate { Ok(()) } else { host.at_host_gate(self.pid) };
                }
                other => return Err(self.unexpected(plan, other)),
            }
        }
    }

    /// Passes the seccomp listener on. Where the process is about to enter a pid namespace, it goes on before that, because only
    /// its successor's pid means something to the agent.
    fn pass_listener(&mut self, plan: &Plan, number: i32, host: &mut dyn HostSide) -> Result<()> {
        let position = |is: fn(&Act) -> bool| plan.init.iter().position(|step| is(&step.act));
        let enters = position(|act| matches!(act, Act::EnterPidNamespace { .. }));
        let enters_later = enters > position(|act| matches!(act, Act::InstallFilter(_)));
        if !enters_later {
            self.follow()?;
        }
        // Without one the process has more to say: why the filter could not be installed.
        let Some(listener) = self.take_listener(number)? else { return Ok(()) };
        if enters_later {
            self.channel.go()?;
            self.follow()?;
            return host.listener(listener, self.pid);
        }
        host.listener(listener, self.pid)?;
        self.channel.go().context("speak to the container's process")
    }

    /// Waits until the process has entered the pid namespace, which ends it, and goes on with its successor.
    fn follow(&mut self) -> Result<()> {
        let Some(successor) = self.successor else { return Ok(()) };
        let status = clone::wait(self.pid).context("wait for the process that enters the pid namespace")?;
        self.successor = None;
        self.reaped = true;
        let pid = successor.pid().with_context(|| format!("enter the pid namespace: ended with status {status}"))?;
        (self.pidfd, self.start_time) = intermediate::adopt(pid)?;
        (self.pid, self.reaped) = (pid, false);
        Ok(())
    }

    /// The seccomp listener, which becomes descriptor `number` of the child a moment after it said so. It cannot say when:
    /// any call it makes by then may be one that waits for an agent. `None` if it spoke or died instead.
    fn take_listener(&self, number: i32) -> Result<Option<OwnedFd>> {
        const GLANCE: Duration = Duration::from_millis(1);
        loop {
            match process::take_descriptor(self.pidfd.as_fd(), number) {
                Err(Errno::EBADF) => (),
                taken => return taken.map(Some).context("/linux/seccomp: take the listener from the process"),
            }
            if socket::is_ready(self.channel.as_fd())? || process::ended_within(self.pidfd.as_fd(), GLANCE)? {
                return Ok(None);
            }
        }
    }

    /// Gives the word to start and waits until the program is executed.
    pub(crate) fn start(&mut self, plan: &Plan) -> Result<()> {
        self.go_on()?;
        let mut executing = false;
        loop {
            match self.next()? {
                Message::Executing => executing = true,
                // execve closed the channel, or the child was killed on the way to it.
                Message::Closed if executing => return Ok(()),
                other => return Err(self.unexpected(plan, other)),
            }
        }
    }

    /// Tells the child that its parent has nothing more to do: it waits for `start` from now on.
    pub(crate) fn go_on(&self) -> Result<()> {
        self.channel.go().context("speak to the container's process")
    }

    /// How long the steps took that the process has taken so far, if that was asked for.
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

    /// Lets the process live without this one.
    pub(crate) fn release(&mut self) {
        self.reaped = true;
    }

    fn next(&self) -> Result<Message> {
        self.channel.next().context("listen to the container's process")
    }

    fn open(&self, gate: Gate) -> Result<()> {
        match self.channel.open(gate) {
            // It died at the gate; the next message, or its absence, says why.
            Ok(()) | Err(Errno::EPIPE) => Ok(()),
            Err(errno) => Err(errno).context("speak to the container's process"),
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
            self.follow()?;
        }
        self.reaped = true;
        clone::wait(self.pid).context("wait for the container's process")
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.reaped {
            // ESRCH: it is dead already. There is no other way for either call to fail for a child of ours.
            let _ = process::signal(self.pidfd.as_fd(), libc::SIGKILL);
            if self.successor.is_some() && self.follow().is_ok() {
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
