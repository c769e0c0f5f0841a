//! `exec`: adds a process to an existing container.
//!
//! The process gets the attributes of the container's first process (from the configuration at `create`), unless the
//! request changes them. A `process.json` replaces them all, except protections and limits that it leaves out.

mod process;
mod oom_score;

use super::{Container, ExecRequest, Root, Status};
use crate::cgroup::{Cgroup, Layout};
use crate::container::caller::console::{self, Console};
use crate::container::caller::foreground::{self, Foreground};
use crate::container::caller::{listen_fds, pid_file, pidfd_socket, seccomp_agent};
use crate::container::state::dir;
use crate::container::state::process::Handle;
use crate::container::{oom, own_executable};
use crate::host;
use crate::launch::{self, CgroupPlacement, Child, HostSide, LaunchInputs};
use crate::plan::act::Act;
use crate::plan::namespaces::{KINDS, MOUNT, USER};
use crate::plan::{self, Plan};
use crate::report::{Coded, Log};
use crate::sys::{Errno, credentials, limits, namespace};
use anyhow::{Context, Result, bail};
use oci_spec::runtime::{LinuxNamespaceType, Process, Spec};
use std::cell::Cell;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

/// The exit status of failures before the program runs. It differs from the usual statuses of programs.
const FAILED: u8 = 255;

/// Runs a process in a container. Returns the exit status for davit.
pub(crate) fn exec(root: &Root, request: &ExecRequest, log: &Log) -> Result<u8> {
    attempt(root, request, log).map_err(failed)
}

/// Marks an error as the reason why the program did not run, by its text and its exit status.
pub(crate) fn failed(error: anyhow::Error) -> anyhow::Error {
    Coded::new(FAILED, error.context("exec failed")).into()
}

fn attempt(root: &Root, request: &ExecRequest, log: &Log) -> Result<u8> {
    own_executable::protect(true)?;
    let container = Container::find(root, &request.id)?;
    check_status(&container, request.ignore_paused)?;
    let init = container.record.init.map(super::Process::open).transpose()?.flatten();
    let init = init.context("container not running")?;
    log.lap("find the container");
    let (spec, process) = documents(&container, request, log)?;
    log.lap("read its configuration");
    let terminal = process.terminal().unwrap_or(false);
    console::check(terminal, request.console_socket.is_some(), request.detach)?;
    let user_namespace = original_user_namespace(&container)?;
    let plan = compile(&spec, &process, &container, request, user_namespace.is_some(), log)?;
    log.lap("probe the host and compile the plan");
    let mut joining = Joining { spec: &spec, container: &container, request, init, user_namespace, console: None, log };
    let (child, foreground) = joining.start(&plan, &process).map_err(|error| joining.explain(error))?;
    let Some(foreground) = foreground else { return Ok(0) };
    let end = foreground::attend(
        foreground,
        (child.pid, child.pidfd.as_fd()),
        joining.console.and_then(Console::own),
        None,
        log,
    );
    log.lap("wait for the program's end");
    end.map(|end| end.code())
}

fn check_status(container: &Container, ignore_paused: bool) -> Result<()> {
    match container.status {
        Status::Created | Status::Running => Ok(()),
        Status::Paused if ignore_paused => Ok(()),
        Status::Paused => bail!("cannot exec in a paused container (use --ignore-paused to override)"),
        Status::Creating => bail!("cannot exec in a container that is being created"),
        // Two texts in one, because engines match either.
        Status::Stopped => bail!("cannot exec in a stopped container: container not running"),
    }
}

/// The container's configuration, and the requested process.
fn documents(container: &Container, request: &ExecRequest, log: &Log) -> Result<(Spec, Process)> {
    let spec = dir::read_config(&container.directory)?;
    let own = spec.process().as_ref().context("config.json of the container has no process")?;
    let process = process::wanted(own, &request.program, log)?;
    Ok((spec, process))
}

fn compile(
    spec: &Spec,
    process: &Process,
    container: &Container,
    request: &ExecRequest,
    user_namespace_changed: bool,
    log: &Log,
) -> Result<Plan> {
    let mut host = host::probe_for_exec(spec, process)?;
    let pid = container.pid();
    let mut kinds = foreign_namespaces(pid)?;
    if !has_user_namespace(spec) {
        // A user namespace that the container's process made for itself later is not the container's.
        kinds &= !USER;
    }
    // The user namespace that the process joins decides (user_namespaces(7)).
    host.setgroups_denied = host::denies_setgroups(pid);
    let listen_fds = listen_fds::listen_fds();
    let exec = plan::Exec {
        namespaces: kinds,
        root: (kinds & MOUNT == 0).then(|| PathBuf::from(format!("/proc/{pid}/root"))),
        user_namespace_changed,
        no_new_keyring: container.record.no_new_keyring,
        environment: listen_fds::listen_environment(listen_fds),
        preserve_fds: listen_fds::inherited_from_three(listen_fds.saturating_add(request.preserve_fds)),
    };
    let plan = plan::compile_exec(spec, process, &host, &exec);
    let plan = plan.map_err(|problems| problems.of("the process"))?;
    plan.warnings.iter().for_each(|warning| log.warning(warning));
    Ok(plan)
}

fn has_user_namespace(spec: &Spec) -> bool {
    let listed = spec.linux().as_ref().and_then(|linux| linux.namespaces().as_deref()).unwrap_or_default();
    listed.iter().any(|entry| entry.typ() == LinuxNamespaceType::User)
}

/// The user namespace that the container was created with, if its first process is in another one now. A process can
/// move only to a descendant, so the searched namespace is an ancestor.
fn original_user_namespace(container: &Container) -> Result<Option<OwnedFd>> {
    let Some(recorded) = container.record.user_namespace else { return Ok(None) };
    let path = format!("/proc/{}/ns/user", container.pid());
    let mut at = OwnedFd::from(fs::File::open(&path).with_context(|| format!("open {path}"))?);
    let mut moved = false;
    while namespace::number(at.as_fd()).map_err(io::Error::from)? != recorded {
        at = namespace::parent(at.as_fd())
            .map_err(io::Error::from)
            .context("the container's process has left the user namespace it was created with")?;
        moved = true;
    }
    Ok(moved.then_some(at))
}

/// The kinds of namespaces in which `pid` and this process differ. When they are joined, a pidfd proves that the pid
/// still belongs to the container's process.
fn foreign_namespaces(pid: i32) -> Result<u64> {
    let mut kinds = 0;
    for (kind, name) in KINDS {
        let file = match name {
            "mount" => "mnt",
            "network" => "net",
            other => other,
        };
        let own = match fs::read_link(format!("/proc/self/ns/{file}")) {
            Ok(own) => own,
            // This kernel does not have the kind.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error).with_context(|| format!("read /proc/self/ns/{file}")),
        };
        let path = format!("/proc/{pid}/ns/{file}");
        match fs::read_link(&path) {
            Ok(its) if its == own => {}
            Ok(_) => kinds |= kind,
            // A thread gives up its namespaces when it ends. setns(2) takes those of the main thread.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                bail!("the main thread of the container's process {pid} has ended, and its namespaces with it");
            }
            Err(error) => return Err(error).with_context(|| format!("read {path}")),
        }
    }
    Ok(kinds)
}

/// A process that is about to join a container.
struct Joining<'a> {
    spec: &'a Spec,
    container: &'a Container,
    request: &'a ExecRequest,
    init: Handle,
    user_namespace: Option<OwnedFd>,
    console: Option<Console>,
    log: &'a Log,
}

impl Joining<'_> {
    /// Makes the process. Returns when it has executed its program, and pid file and pidfd socket have been written.
    fn start(&mut self, plan: &Plan, process: &Process) -> Result<(Child, Option<Foreground>)> {
        let request = self.request;
        self.console = Some(Console::connect(request.console_socket.as_deref())?);
        let cgroup = self.container.record.open_cgroup()?;
        let placement = match (&cgroup, &request.cgroup) {
            (Some(cgroup), Some(path)) => Some(cgroup.open_below(path)?),
            (None, Some(_)) => bail!("--cgroup: the container has no cgroup of its own"),
            (_, None) => None,
        };
        if let Some(cpus) = plan::initial_cpus(process) {
            limits::set_cpu_affinity(&cpus)
                .map_err(io::Error::from)
                .context("execCPUAffinity: set the initial CPU affinity")?;
        }
        let by_itself = plan.init.iter().any(|step| matches!(step.act, Act::SetOomScore(_)));
        let score = process.oom_score_adj().filter(|_| !by_itself).map(oom_score::PassedFd::take_on).transpose()?;
        // The child inherits this, so the container can never read its memory.
        credentials::set_dumpable(false).map_err(io::Error::from).context("clear the dumpable flag")?;
        let into = placement.as_ref().map(AsFd::as_fd).or(cgroup.as_ref().map(Cgroup::fd));
        let attach = Cell::new(false);
        let other = |errno| self.other_cgroup(errno, &attach);
        let again = || self.may_be_made_again().map(|()| None);
        let inputs = LaunchInputs {
            placement: CgroupPlacement { cgroup: into, other: Some(&other), again: Some(&again) },
            process: Some(self.init.try_clone()?),
            user_namespace: self.user_namespace.as_ref().map(OwnedFd::try_clone).transpose()?,
            timed: self.log.is_timed(),
            ..LaunchInputs::default()
        };
        let mut child = launch::launch(plan, inputs)?;
        self.log.lap("make the process");
        score.map_or(Ok(()), oom_score::PassedFd::give_back)?;
        let ready = child.wait_until_ready(plan, self);
        self.log.process_steps(child.timings(plan));
        ready?;
        if attach.get() {
            // Not earlier, because the process that entered the pid namespace replaces the one that was made.
            self.attach(child.pid)?;
        }
        // From here on signals are blocked, because there is a process to forward them to. Before, they end this
        // process, and the child notices that its parent is gone. In a paused container it may have to wait for a long
        // time.
        let terminal = process.terminal().unwrap_or(false);
        let foreground = (!request.detach).then(|| Foreground::prepare(terminal)).transpose()?;
        // Before the program starts, so that it never sees another terminal size than the caller's.
        if let (Some(foreground), Some(master)) = (&foreground, self.console.as_ref().and_then(Console::peek)) {
            foreground.prepare_terminal(master)?;
        }
        let started = child.start(plan);
        self.log.process_steps(child.timings(plan));
        started?;
        self.log.lap("serve the process until its program is executed");
        if let Some(path) = &request.pidfd_socket {
            pidfd_socket::send(path, b"setns", child.pidfd.as_fd())?;
        }
        // Last, because to engines the file means that the program runs.
        if let Some(file) = &request.pid_file {
            pid_file::write(file, child.pid)?;
        }
        child.release();
        Ok((child, foreground))
    }

    /// The cgroup to spawn into if the kernel refuses the container's. `None` if systemd has to move the process
    /// afterwards.
    fn other_cgroup(&self, errno: Errno, attach: &Cell<bool>) -> Result<Option<OwnedFd>> {
        let record = self.container.record.cgroup.as_ref();
        if errno == Errno::EACCES {
            attach.set(record.is_some_and(|record| record.unit.is_some()));
            let path = record.map(|record| record.path.display().to_string()).unwrap_or_default();
            return if attach.get() { Ok(None) } else { Err(launch::spawn_refused(&path, errno)) };
        }
        if let Some(below) = &self.request.cgroup {
            return Err(launch::spawn_refused(&below.display().to_string(), errno).context("--cgroup"));
        }
        // An init system in the container may have moved its processes below the container's cgroup.
        Cgroup::open_of_process(&Layout::probe()?, self.container.pid()).map(Some)
    }

    /// Whether to retry a clone that was killed immediately, from within the container's cgroup. Not if the container
    /// is being killed, if this process would be frozen with it, or if it may be out of memory.
    fn may_be_made_again(&self) -> Result<()> {
        if !self.init.is_alive()
            || self.container.status == Status::Paused
            || oom::has_killed_in(&self.container.record)
        {
            bail!("killed by signal {}", libc::SIGKILL);
        }
        Ok(())
    }

    /// Has systemd move the process to a cgroup that this user may not write to: the scope, or the requested cgroup
    /// below it.
    fn attach(&self, pid: i32) -> Result<()> {
        let Some(record) = &self.container.record.cgroup else { return Ok(()) };
        let Some(unit) = &record.unit else { return Ok(()) };
        let below = match &self.request.cgroup {
            Some(path) => path.strip_prefix("/").unwrap_or(path).to_owned(),
            None => {
                let there = Layout::probe()?.mount_point().join(Cgroup::path_of_process(self.container.pid())?);
                there.strip_prefix(&record.path).map(PathBuf::from).unwrap_or_default()
            }
        };
        unit.attach(&below, pid)
    }

    /// Adds the likely cause to an error: the container has ended meanwhile, or is out of memory.
    fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        if !self.init.is_alive() {
            return error.context("container not running");
        }
        oom::explain_exec(error, &self.container.record)
    }
}

impl HostSide for Joining<'_> {
    fn at_host_gate(&mut self, _pid: i32) -> Result<()> {
        Ok(())
    }

    fn while_it_works(&mut self, _process: (i32, u64)) -> Result<()> {
        Ok(())
    }

    fn terminal(&mut self, master: OwnedFd) -> Result<()> {
        self.console.as_mut().map_or(Ok(()), |console| console.take(master))
    }

    fn listener(&mut self, listener: OwnedFd, pid: i32) -> Result<()> {
        seccomp_agent::hand_over(self.spec, &self.container.record, Status::Running, pid, listener.as_fd())
    }
}
