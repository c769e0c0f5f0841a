//! Performs a plan's steps in order in the child, and executes the program. It never returns. It leaves decisions to
//! `plan` and error texts to `launch`.
//!
//! This code runs between clone3 and execve, in a copy of the parent's memory. It parses no configuration. A failing
//! step reports its number, and the parent writes the error text. Steps that touch the container's tree are made safe
//! here: every path is resolved inside the held root and used by descriptor.

mod devices;
mod home;
mod hooks;
mod identity;
mod join;
mod masked_paths;
mod mounts;
mod paths;
mod program;
mod root;
mod terminal;

pub(crate) use hooks::{ContainerHooks, StateDocument};

use crate::channel::{Cause, Channel, Failure, Part};
use crate::plan::act::{Act, InRoot, Start};
use crate::plan::{Plan, Step};
use crate::sys::clone::SharedPid;
use crate::sys::program::Strings;
use crate::sys::timestamps::StepTimings;
use crate::sys::{self, Errno, clone, credentials, executable, limits, namespace, path, seccomp, socket};
use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::rc::Rc;

/// What the parent passes to the child besides the plan: descriptors and strings prepared before the clone.
pub(crate) struct ChildInputs {
    /// The descriptors of `Plan::passed_fds`, by slot.
    pub(crate) passed_fds: Vec<OwnedFd>,
    /// The child's end of the channel.
    pub(crate) channel: Channel,
    /// Where the kernel writes the pid of the process that replaces this one, if there is one.
    pub(crate) shared_pid: Option<SharedPid>,
    /// The socket at which a created container waits for its start.
    pub(crate) listener: Option<OwnedFd>,
    /// The host's procfs, if a step writes to it.
    pub(crate) proc: Option<OwnedFd>,
    /// The directory of the container's cgroup on the host.
    pub(crate) cgroup: Option<CString>,
    /// This program's file, and the empty file that replaces it as /proc/self/exe.
    pub(crate) own_file: Option<OwnFile>,
    /// createContainer and startContainer hooks.
    pub(crate) hooks: ContainerHooks,
    /// The program's argument vector.
    pub(crate) arguments: Strings,
    /// The program's environment.
    pub(crate) environment: Strings,
    /// Where to record the time at which each step ends, if timings are requested. Slot 0 is the start time.
    pub(crate) timings: Option<Rc<StepTimings>>,
}

impl ChildInputs {
    /// Closes the descriptors in the parent. Memory is not freed: parent and child share its pages until one writes to
    /// them, and freeing writes.
    pub(crate) fn close(self) {
        let ChildInputs { arguments, environment, hooks, cgroup, .. } = self;
        std::mem::forget((arguments, environment, hooks, cgroup));
    }
}

/// What `DetachExe` needs.
pub(crate) struct OwnFile {
    /// This program's file through a mount of its own, or a copy of it.
    pub(crate) file: OwnedFd,
    /// The empty file that becomes /proc/self/exe.
    pub(crate) empty: OwnedFd,
}

/// Why a step failed.
pub(crate) struct Broken {
    part: Part,
    cause: Cause,
    output: Vec<u8>,
}

impl From<Errno> for Broken {
    fn from(errno: Errno) -> Self {
        Broken { part: Part::Whole, cause: errno.into(), output: Vec::new() }
    }
}

/// Adds the part of the step to an error.
trait InPart<T> {
    fn part(self, part: Part) -> Result<T, Broken>;
}

impl<T> InPart<T> for sys::Result<T> {
    fn part(self, part: Part) -> Result<T, Broken> {
        self.map_err(|errno| broken(part, errno))
    }
}

fn broken(part: Part, errno: Errno) -> Broken {
    Broken { part, cause: errno.into(), output: Vec::new() }
}

/// The child's state while it performs the steps.
struct Init<'a> {
    plan: &'a Plan,
    inputs: &'a mut ChildInputs,
    /// The container's root directory.
    root: Option<OwnedFd>,
    /// Device and inode of the root directory.
    root_identity: (u64, u64),
    /// The last path checked for a link, and whether it exists.
    last_checked: Option<(&'a InRoot, bool)>,
    /// The inherited mounts are in a peer group with the host's mounts.
    shares_with_host: bool,
    /// The directory of the last device or link.
    directory: Option<(&'a InRoot, OwnedFd)>,
    /// A mount of /dev/null to mask files with, and a read-only tmpfs to mask directories with.
    masks: masked_paths::Masks,
    /// The paths that steps change after the mounts are made.
    changed_later: Vec<&'a InRoot>,
    /// Mounts that contain such paths: their targets and roots, in mount order.
    held: Vec<(&'a InRoot, OwnedFd)>,
    /// A procfs without mounts on it, used if mounts cover files of the host's procfs.
    own_proc: Option<OwnedFd>,
    /// The program's path, once found.
    program: Option<CString>,
    /// Root could not enter the working directory, so the program's user must.
    root_cannot_enter_directory: bool,
    /// Capabilities that hooks run with.
    sets: Option<credentials::Sets>,
}

/// Performs the plan and executes the program; on failure reports the reason and exits with 1.
pub(crate) fn perform(plan: &Plan, mut inputs: ChildInputs) -> ! {
    // A process of the container must not be able to trace this one (CVE-2016-9962).
    let visible = plan.namespaces.made_by_user();
    let hidden = credentials::set_dumpable(visible);
    // Every call that creates a file passes the complete mode.
    limits::set_umask(0);
    let timings = inputs.timings.clone();
    let done = |steps| {
        if let Some(timings) = &timings {
            timings.mark(steps);
        }
    };
    done(0);
    let mut init = Init {
        plan,
        inputs: &mut inputs,
        root: None,
        root_identity: (0, 0),
        last_checked: None,
        shares_with_host: false,
        directory: None,
        masks: masked_paths::Masks::default(),
        changed_later: masked_paths::changed_later(plan),
        held: Vec::new(),
        own_proc: None,
        program: None,
        root_cannot_enter_directory: false,
        sets: None,
    };
    let mut step = 0;
    let end = hidden.map_err(Broken::from).and_then(|()| {
        for (index, planned) in plan.init.iter().enumerate() {
            step = index;
            init.act(&planned.act)?;
            done(index + 1);
        }
        Ok(())
    });
    if let Err(Broken { part, cause, output }) = end {
        inputs.channel.fail(&Failure { step: step as u16, part, cause, output });
    }
    clone::exit_now(1)
}

impl<'a> Init<'a> {
    fn root(&self) -> Result<BorrowedFd<'_>, Broken> {
        self.root.as_ref().map(AsFd::as_fd).ok_or_else(|| Errno::EBADF.into())
    }

    fn proc(&self) -> Result<BorrowedFd<'_>, Broken> {
        self.inputs.proc.as_ref().map(AsFd::as_fd).ok_or_else(|| Errno::EBADF.into())
    }

    fn passed_fd(&self, slot: usize) -> Result<BorrowedFd<'_>, Broken> {
        self.inputs.passed_fds.get(slot).map(AsFd::as_fd).ok_or_else(|| Errno::EBADF.into())
    }

    /// Performs one act. The only place that maps an act to the function that performs it.
    fn act(&mut self, act: &'a Act) -> Result<(), Broken> {
        match act {
            Act::DetachExe => self.detach_exe()?,
            Act::Await(gate) => self.inputs.channel.wait_at(*gate).part(Part::Abandoned)?,
            Act::JoinNamespace { kind, slot, .. } => namespace::setns(self.passed_fd(*slot)?, *kind)?,
            Act::JoinProcess { kinds, slot, user } => self.join_process(*kinds, *slot, *user)?,
            Act::EnterPidNamespace { terminal } => self.enter_pid_namespace(*terminal)?,
            Act::LeaveGroups => credentials::leave_groups()?,
            Act::BecomeRoot => identity::become_root(self.plan.namespaces.made_by_user())?,
            Act::NewTimeNamespace(offsets) => namespace::new_time_namespace(offsets)?,
            Act::NewCgroupNamespace => namespace::unshare(libc::CLONE_NEWCGROUP as u64)?,
            Act::NewSession => namespace::setsid()?,
            Act::NewSessionKeyring => match namespace::new_session_keyring() {
                // Without keyrings in the kernel there are no keys of the caller to hide.
                Err(Errno::ENOSYS) => (),
                other => other?,
            },
            Act::LoopbackUp => namespace::loopback_up()?,
            Act::ResetSignals => limits::reset_signals()?,
            Act::SetCpuAffinity(cpus) => limits::set_cpu_affinity(cpus)?,
            Act::SetOomScore(score) => self.write_proc(c"self/oom_score_adj", score.to_bytes())?,
            Act::SetLabel { file, label } => self.set_label(file, label)?,
            Act::SetSysctl { name, value } => self.write_proc(name, value.to_bytes())?,
            Act::SetHostname(name) => namespace::set_hostname(name)?,
            Act::SetDomainname(name) => namespace::set_domainname(name)?,
            Act::CreateContainerHook(number) => self.create_container_hook(*number)?,
            Act::StartContainerHook(number) => self.start_container_hook(*number)?,
            Act::NoNewPrivileges => credentials::no_new_privileges()?,
            Act::SetScheduler(attributes) => limits::set_scheduler(attributes)?,
            Act::SetIoPriority(value) => limits::set_io_priority(*value)?,
            Act::SetPersonality(domain) => limits::set_personality(*domain)?,
            Act::SetMemoryPolicy { mode, nodes } => limits::set_memory_policy(*mode, nodes)?,
            Act::SetRlimit { resource, soft, hard, .. } => limits::set_rlimit(0, *resource, *soft, *hard)?,
            Act::SetUmask(mask) => limits::set_umask(*mask),
            Act::CloseDescriptors => sys::program::close_on_exec_from(3)?,
            Act::CloseHost => self.close_host()?,
            Act::PreserveDescriptors(fds) => fds.iter().try_for_each(|fd| sys::program::keep_on_exec(*fd))?,
            Act::AwaitStart(start) => self.await_start(*start).part(Part::Abandoned)?,
            Act::InstallFilter(filter) => self.install_filter(filter)?,
            Act::FindHome { uid } => self.find_home(*uid)?,
            Act::FindProgram => self.find_program()?,
            Act::Execute => self.execute()?,
            Act::OwnStandardStreams { uid } => {
                let opens_terminal = |step: &Step| matches!(step.act, Act::OpenTerminal { .. });
                identity::own_standard_streams(*uid, self.plan.init.iter().any(opens_terminal))?;
            }
            Act::LimitBounding(keep) => identity::limit_bounding(*keep)?,
            Act::SetUser { uid, gid, groups } => {
                identity::set_user(*uid, *gid, groups.as_deref(), &self.plan.namespaces)?;
            }
            Act::SetCapabilities { sets, ambient } => {
                self.sets = Some(*sets);
                identity::set_capabilities(*sets, *ambient)?;
            }
            Act::ChangeDirectory(path) => self.change_directory(path)?,
            Act::CheckDirectory(path) => self.check_directory(path)?,
            Act::SetPropagation(flags) | Act::SetRootPropagation(flags) => {
                sys::mount::set_propagation_of_root(*flags)?;
            }
            Act::BindRoot { path, detach, passed_fd } => self.bind_root(path, *detach, *passed_fd)?,
            Act::OpenRoot(path) => self.open_root(path)?,
            Act::Mount(mount) => self.mount(mount)?,
            Act::MountCgroup(mount) => self.mount_cgroup(mount)?,
            Act::Bind(bind) => self.bind(bind)?,
            Act::Remount { target, flags, data, changes } => self.remount(target, *flags, data.as_deref(), changes)?,
            Act::MakeDevice(device) => self.make_device(device)?,
            Act::BindDevice(device, host) => self.bind_device(device, host)?,
            Act::MakeLink(link) => self.make_link(link)?,
            Act::PivotRoot => self.pivot_root()?,
            Act::MoveRoot => self.move_root()?,
            Act::ChangeRoot => self.change_root()?,
            Act::OpenTerminal { size, console, controlling } => self.open_terminal(*size, *console, *controlling)?,
            Act::ReadonlyPath(path) => self.readonly_path(path)?,
            Act::MaskPath(path) => self.mask_path(path)?,
            Act::MakeReadonly(path) => self.make_readonly(path)?,
            Act::ReadonlyRoot => self.readonly_root()?,
            Act::MakeWorkingDirectory(path) => self.make_working_directory(path)?,
        }
        Ok(())
    }

    /// Closes the file, because its mappings stay valid without it.
    fn detach_exe(&mut self) -> Result<(), Broken> {
        let own = self.inputs.own_file.take().ok_or(Errno::EBADF)?;
        Ok(executable::detach_exe(own.file.as_fd(), own.empty.as_fd())?)
    }

    /// Closes everything except the standard streams, the descriptors the caller preserves, the connections to the
    /// parent and to `start`, and the mounts of the masks. Those mounts lead nowhere, and closing them would wait for
    /// the kernel.
    fn close_host(&mut self) -> sys::Result<()> {
        self.inputs.passed_fds.clear();
        (self.inputs.proc, self.own_proc, self.root, self.directory) = (None, None, None, None);
        self.held.clear();
        let listener = self.inputs.listener.as_ref().map(AsRawFd::as_raw_fd);
        self.close_all_but(self.masks.fds().chain(listener))
    }

    /// Closes all other descriptors, including those inherited from the caller. Open stay `keep`, the channel, and the
    /// descriptors that the program gets.
    fn close_all_but(&self, keep: impl IntoIterator<Item = RawFd>) -> sys::Result<()> {
        let preserved = self.plan.init.iter().filter_map(|step| match &step.act {
            Act::PreserveDescriptors(fds) => Some(fds),
            _ => None,
        });
        let mut keep: Vec<RawFd> = keep.into_iter().chain(preserved.flatten().copied()).collect();
        keep.push(self.inputs.channel.as_fd().as_raw_fd());
        keep.sort_unstable();
        sys::program::close_from_except(3, &keep)
    }

    /// Writes to a file of the host's procfs, which the container cannot have replaced (CVE-2025-52881). If a mount
    /// covers the file (a read-only /proc/sys, as in LXC or a service with ProtectKernelTunables=), writes through a
    /// procfs that only this process has.
    fn write_proc(&mut self, name: &std::ffi::CStr, value: &[u8]) -> Result<(), Broken> {
        let write = |proc: BorrowedFd<'_>| {
            path::open_on_proc(proc, name, libc::O_WRONLY).and_then(|file| path::write(file.as_fd(), value))
        };
        match write(self.proc()?) {
            Err(refused @ (Errno::EXDEV | Errno::EROFS)) => {
                if self.own_proc.is_none() {
                    // If this process may not mount a procfs, the first error is the one to report.
                    self.own_proc = Some(sys::mount::detached(c"proc", [], 0).map_err(|_| refused)?);
                }
                Ok(write(self.own_proc.as_ref().ok_or(refused)?.as_fd())?)
            }
            other => Ok(other?),
        }
    }

    /// `apparmor/exec` exists only on kernels with stacked security modules; older kernels have `exec`.
    fn set_label(&self, file: &std::ffi::CStr, label: &std::ffi::CStr) -> Result<(), Broken> {
        let base = path::open_on_proc(self.proc()?, c"self/attr", libc::O_PATH | libc::O_DIRECTORY)?;
        let opened = match path::open_beneath(base.as_fd(), file, libc::O_WRONLY) {
            Err(Errno::ENOENT) => path::open_beneath(base.as_fd(), c"exec", libc::O_WRONLY)?,
            other => other?,
        };
        Ok(path::write(opened.as_fd(), label.to_bytes())?)
    }

    fn await_start(&mut self, start: Start) -> sys::Result<()> {
        self.inputs.channel.ready()?;
        if start == Start::Listener {
            let listener = self.inputs.listener.take().ok_or(Errno::EBADF)?;
            self.inputs.channel = Channel::over(socket::accept(listener.as_fd())?);
            drop(listener);
            self.inputs.channel.await_go()?;
        }
        Ok(())
    }

    /// Until the agent has the listener, this process only waits: it sends nothing and closes nothing. Its one call,
    /// recv(2), may itself be left to the agent's decision. The agent can decide once it has the listener.
    fn install_filter(&self, filter: &crate::plan::act::Filter) -> Result<(), Broken> {
        if !filter.notifies {
            seccomp::install(&filter.program, filter.flags)?;
            return Ok(());
        }
        self.inputs.channel.announce_listener(sys::program::next_descriptor()?)?;
        let listener = seccomp::install(&filter.program, filter.flags)?;
        let answer = self.inputs.channel.await_go();
        drop(listener);
        answer.part(Part::Abandoned)
    }
}
