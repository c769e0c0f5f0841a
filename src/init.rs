//! The child: performs a plan's steps in order and executes the program.
//!
//! Leaves to others: `plan` parses the configuration and makes all decisions; the parent (`launch`) writes the error
//! text for a failed step from its number.
//!
//! Invariants:
//! * This code runs between clone3 and execve, in a copy of the parent's memory. It never returns.
//! * Steps that touch the container's tree resolve every path inside the held root and use the result by descriptor.

mod devices;
mod home;
mod hooks;
mod identity;
mod landlock;
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

/// What the child gets from its parent besides the plan: descriptors and strings prepared before the clone.
pub(crate) struct ChildInputs {
    /// The descriptors of `Plan::passed_fds`, by slot.
    pub(crate) passed_fds: Vec<OwnedFd>,
    /// The child's end of the channel.
    pub(crate) channel: Channel,
    /// Where the kernel writes the pid of this process's successor, if it clones one.
    pub(crate) shared_pid: Option<SharedPid>,
    /// The listening socket on which a created container waits for `start`.
    pub(crate) listener: Option<OwnedFd>,
    /// The host's procfs, if a step writes to it.
    pub(crate) proc: Option<OwnedFd>,
    /// The host path of the container's cgroup directory.
    pub(crate) cgroup: Option<CString>,
    /// The limits of open files that the program gets, if they were raised.
    pub(crate) open_files: Option<limits::OpenFiles>,
    /// The runtime's own executable and an empty replacement, for `DetachExe`.
    pub(crate) own_file: Option<OwnFile>,
    /// createContainer and startContainer hooks.
    pub(crate) hooks: ContainerHooks,
    /// The program's argument vector.
    pub(crate) arguments: Strings,
    /// The program's environment.
    pub(crate) environment: Strings,
    /// Where to record when each step ended, if step timings are recorded. Slot 0 is the start time.
    pub(crate) timings: Option<Rc<StepTimings>>,
}

impl ChildInputs {
    /// Called by the parent: closes the descriptors. Does not free the memory, because freeing writes to pages that
    /// parent and child still share copy-on-write.
    pub(crate) fn close(self) {
        let ChildInputs { arguments, environment, hooks, cgroup, .. } = self;
        std::mem::forget((arguments, environment, hooks, cgroup));
    }
}

/// The files that `DetachExe` needs.
pub(crate) struct OwnFile {
    /// The runtime's executable, opened through a private mount, or a copy of it.
    pub(crate) file: OwnedFd,
    /// The file that /proc/self/exe shows afterwards.
    pub(crate) empty: OwnedFd,
}

/// Why a step failed.
pub(crate) struct StepError {
    part: Part,
    cause: Cause,
    output: Vec<u8>,
}

impl From<Errno> for StepError {
    fn from(errno: Errno) -> Self {
        StepError { part: Part::Whole, cause: errno.into(), output: Vec::new() }
    }
}

/// Adds to an error the part of the step that failed.
trait InPart<T> {
    fn part(self, part: Part) -> Result<T, StepError>;
}

impl<T> InPart<T> for sys::Result<T> {
    fn part(self, part: Part) -> Result<T, StepError> {
        self.map_err(|errno| step_error(part, errno))
    }
}

fn step_error(part: Part, errno: Errno) -> StepError {
    StepError { part, cause: errno.into(), output: Vec::new() }
}

/// The child's state while it performs the steps.
struct Init<'a> {
    plan: &'a Plan,
    inputs: &'a mut ChildInputs,
    /// The number of the current step.
    step: u16,
    /// The container's root directory.
    root: Option<OwnedFd>,
    /// Device and inode of the root directory.
    root_identity: (u64, u64),
    /// The last path that was looked up for a link, and whether it exists.
    last_lookup: Option<(&'a InRoot, bool)>,
    /// Whether the inherited mounts are peers of the host's mounts.
    shares_with_host: bool,
    /// The directory in which the last device or link was made.
    directory: Option<(&'a InRoot, OwnedFd)>,
    /// A mount of /dev/null that masks files, and a read-only tmpfs that masks directories.
    masks: masked_paths::Masks,
    /// Paths that later steps mask, remount or make read-only.
    changed_later: Vec<&'a InRoot>,
    /// The mounts that contain such paths, in mount order: target and root of each.
    held: Vec<(&'a InRoot, OwnedFd)>,
    /// A private procfs, used where other mounts cover parts of the host's.
    own_proc: Option<OwnedFd>,
    /// The program's path, set by `FindProgram`.
    program: Option<CString>,
    /// Whether root could not enter the working directory, so that the user has to.
    only_user_may_enter: bool,
    /// The Landlock ruleset, until the process enters its domain.
    ruleset: Option<OwnedFd>,
    /// The capabilities that startContainer hooks run with.
    sets: Option<credentials::Sets>,
}

/// Performs the plan and executes the program. On failure, reports the cause to the parent and exits with 1.
pub(crate) fn perform(plan: &Plan, mut inputs: ChildInputs) -> ! {
    // Processes of the container must not be able to trace this one (CVE-2016-9962).
    let visible = plan.namespaces.made_by_user();
    let hidden = credentials::set_dumpable(visible);
    // Every call that creates a file passes the full mode.
    limits::set_umask(0);
    let timings = inputs.timings.clone();
    let mark_done = |steps| {
        if let Some(timings) = &timings {
            timings.mark(steps);
        }
    };
    mark_done(0);
    let mut init = Init {
        plan,
        inputs: &mut inputs,
        step: 0,
        root: None,
        root_identity: (0, 0),
        last_lookup: None,
        shares_with_host: false,
        directory: None,
        masks: masked_paths::Masks::default(),
        changed_later: masked_paths::changed_later(plan),
        held: Vec::new(),
        own_proc: None,
        program: None,
        only_user_may_enter: false,
        ruleset: None,
        sets: None,
    };
    let end = hidden.map_err(StepError::from).and_then(|()| {
        for (index, planned) in plan.init.iter().enumerate() {
            init.step = index as u16;
            init.act(&planned.act)?;
            mark_done(index + 1);
        }
        Ok(())
    });
    let step = init.step;
    if let Err(StepError { part, cause, output }) = end {
        inputs.channel.fail(&Failure { step, part, cause, output });
    }
    clone::exit_now(1)
}

impl<'a> Init<'a> {
    fn root(&self) -> Result<BorrowedFd<'_>, StepError> {
        self.root.as_ref().map(AsFd::as_fd).ok_or_else(|| Errno::EBADF.into())
    }

    fn proc(&self) -> Result<BorrowedFd<'_>, StepError> {
        self.inputs.proc.as_ref().map(AsFd::as_fd).ok_or_else(|| Errno::EBADF.into())
    }

    fn passed_fd(&self, slot: usize) -> Result<BorrowedFd<'_>, StepError> {
        self.inputs.passed_fds.get(slot).map(AsFd::as_fd).ok_or_else(|| Errno::EBADF.into())
    }

    /// Performs one act. This is the only place that maps acts to functions.
    fn act(&mut self, act: &'a Act) -> Result<(), StepError> {
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
                // A kernel without keyrings cannot leak the caller's keys.
                Err(Errno::ENOSYS) => (),
                other => other?,
            },
            Act::LoopbackUp => namespace::loopback_up()?,
            Act::ResetInherited => limits::reset_inherited()?,
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
            Act::Landlock(step) => self.landlock(step)?,
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
            Act::UnmountRoot => self.unmount_root()?,
            Act::MountStage(path) => self.mount_stage(path)?,
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

    /// Takes the files, because nothing needs them afterwards: existing mappings stay valid.
    fn detach_exe(&mut self) -> Result<(), StepError> {
        let own = self.inputs.own_file.take().ok_or(Errno::EBADF)?;
        Ok(executable::detach_exe(own.file.as_fd(), own.empty.as_fd())?)
    }

    /// Closes all descriptors except:
    /// * the standard streams and the descriptors that the program inherits,
    /// * the channel to the parent and the listener for `start`,
    /// * the mounts of the masks. They give access to nothing, and closing them would wait for a kernel grace period.
    fn close_host(&mut self) -> sys::Result<()> {
        self.inputs.passed_fds.clear();
        (self.inputs.proc, self.own_proc, self.root, self.directory) = (None, None, None, None);
        self.held.clear();
        self.inputs.open_files.take().map_or(Ok(()), limits::restore_open_files)?;
        let listener = self.inputs.listener.as_ref().map(AsRawFd::as_raw_fd);
        self.close_all_but(self.masks.fds().chain(listener))
    }

    /// Closes all descriptors from 3 on, including those inherited from the caller. Keeps `keep`, the channel, and the
    /// descriptors that the program inherits.
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

    /// Writes to a file of the host's procfs, because the container cannot have replaced that one (CVE-2025-52881). If
    /// another mount covers the file (a read-only /proc/sys, as in LXC or a service with ProtectKernelTunables=), the
    /// write goes through a private procfs instead.
    fn write_proc(&mut self, name: &std::ffi::CStr, value: &[u8]) -> Result<(), StepError> {
        let write = |proc: BorrowedFd<'_>| {
            path::open_on_proc(proc, name, libc::O_WRONLY).and_then(|file| path::write(file.as_fd(), value))
        };
        match write(self.proc()?) {
            Err(refused @ (Errno::EXDEV | Errno::EROFS)) => {
                if self.own_proc.is_none() {
                    // If this process may not mount a procfs, report the first error.
                    self.own_proc = Some(sys::mount::detached(c"proc", [], 0).map_err(|_| refused)?);
                }
                Ok(write(self.own_proc.as_ref().ok_or(refused)?.as_fd())?)
            }
            other => Ok(other?),
        }
    }

    /// `apparmor/exec` exists only on kernels with stacked security modules. Older kernels have `exec` instead.
    fn set_label(&self, file: &std::ffi::CStr, label: &std::ffi::CStr) -> Result<(), StepError> {
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

    /// Until the agent has the listener, this process only waits after it installed the filter: it sends and closes
    /// nothing. Its one call, recv(2), may itself need an answer from the agent, which has the listener by then.
    fn install_filter(&self, filter: &crate::plan::act::Filter) -> Result<(), StepError> {
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
