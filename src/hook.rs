//! Runs one hook (config.md, "POSIX-platform Hooks"): passes the state on standard input, keeps the output for the
//! error, enforces the timeout. The caller decides in which namespaces the hook runs; this module knows nothing of
//! containers.

use crate::channel::{Cause, OUTPUT};
use crate::plan::act::Filter;
use crate::sys::clone::Side;
use crate::sys::credentials::{self, Sets};
use crate::sys::pipe::{Meanwhile, Outcome};
use crate::sys::program::{Strings, execute};
use crate::sys::{Errno, Result, clone, limits, path, pipe, process, seccomp, terminal};
use oci_spec::runtime::Hook;
use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

/// A hook in the form that execve(2) takes, built before any clone.
pub(crate) struct Prepared {
    path: CString,
    arguments: Strings,
    environment: Strings,
    /// Seconds; 0 means no limit.
    timeout: u32,
    /// The working directory; the runner's if there is none or if it no longer exists.
    directory: Option<CString>,
}

/// Why a hook counts as failed.
#[derive(Debug)]
pub(crate) struct HookFailure {
    /// The reason.
    pub(crate) cause: Cause,
    /// The last bytes of its output.
    pub(crate) output: Vec<u8>,
}

impl From<Errno> for HookFailure {
    fn from(errno: Errno) -> Self {
        HookFailure { cause: errno.into(), output: Vec::new() }
    }
}

impl Prepared {
    /// Converts a hook; `inherited` is its environment if the hook has no `env`. NUL bytes are already refused at this
    /// point.
    pub(crate) fn new(hook: &Hook, inherited: &[CString]) -> Prepared {
        use std::os::unix::ffi::OsStrExt;
        let path = CString::new(hook.path().as_os_str().as_bytes()).unwrap_or_default();
        let strings = |list: &[String]| list.iter().filter_map(|text| CString::new(text.as_str()).ok()).collect();
        let arguments = match hook.args().as_deref() {
            Some(list) if !list.is_empty() => strings(list),
            _ => vec![path.clone()],
        };
        let environment = match hook.env() {
            Some(list) => strings(list),
            None => inherited.to_vec(),
        };
        Prepared {
            path,
            arguments: Strings::new(arguments),
            environment: Strings::new(environment),
            timeout: hook.timeout().unwrap_or(0).clamp(0, i64::from(u32::MAX)) as u32,
            directory: None,
        }
    }

    /// Sets the working directory: other runtimes run hooks in the bundle, and hooks rely on it.
    pub(crate) fn in_directory(self, directory: &Path) -> Prepared {
        use std::os::unix::ffi::OsStrExt;
        Prepared { directory: CString::new(directory.as_os_str().as_bytes()).ok(), ..self }
    }

    /// A host program that runs like a hook, with an empty environment.
    pub(crate) fn program(path: &Path, arguments: &[String], timeout: u32) -> anyhow::Result<Prepared> {
        use std::os::unix::ffi::OsStrExt;
        let arguments =
            arguments.iter().map(|word| CString::new(word.as_str())).collect::<std::result::Result<_, _>>()?;
        Ok(Prepared {
            path: CString::new(path.as_os_str().as_bytes())?,
            arguments: Strings::new(arguments),
            environment: Strings::new(Vec::new()),
            timeout,
            directory: None,
        })
    }
}

/// Restrictions of a hook whose runner has more rights.
#[derive(Clone, Copy, Default)]
pub(crate) struct Rights<'a> {
    /// The limits of open files, if the runner has raised them.
    pub(crate) open_files: Option<limits::OpenFiles>,
    /// Its capabilities.
    pub(crate) sets: Option<Sets>,
    /// Its seccomp filter.
    pub(crate) filter: Option<&'a Filter>,
}

/// Runs the hook and waits for its end. The hook is killed if an event in `meanwhile` stops it ([`Cause::Stopped`]), or
/// if this process ends, because then nobody would wait for the hook.
pub(crate) fn run(
    hook: &Prepared,
    state: &[u8],
    rights: Rights<'_>,
    meanwhile: Meanwhile<'_>,
) -> std::result::Result<(), HookFailure> {
    // A file instead of a pipe, so that a hook that does not read its input can neither block us nor cause an error.
    let input = pipe::file_with(state)?;
    let (output, writer) = pipe::pair()?;
    let (status, report) = pipe::pair()?;
    let (pid, pidfd) = match clone::spawn()? {
        Side::Child => become_hook(hook, &input, &writer, &report, rights),
        Side::Parent { pid, pidfd } => (pid, pidfd),
    };
    drop((writer, report));
    let limit = (hook.timeout > 0).then(|| Duration::from_secs(u64::from(hook.timeout)));
    let (printed, outcome) = pipe::read_until_end_of(output.as_fd(), pidfd.as_fd(), meanwhile, limit, OUTPUT)?;
    let stopped = match outcome {
        Outcome::Ended => None,
        Outcome::Late => Some(Cause::Timeout(hook.timeout as i32)),
        Outcome::Abandoned(signal) => Some(Cause::Stopped(Some(signal).filter(|signal| *signal != 0))),
    };
    if let Some(cause) = stopped {
        process::signal(pidfd.as_fd(), libc::SIGKILL)?;
        clone::wait(pid)?;
        return Err(HookFailure { cause, output: printed });
    }
    let code = clone::wait(pid)?;
    let mut errno = [0; 4];
    if pipe::read(status.as_fd(), &mut errno)? == errno.len() {
        let cause = Cause::Errno(Errno::from_raw(i32::from_ne_bytes(errno)));
        return Err(HookFailure { cause, output: printed });
    }
    match code {
        0 => Ok(()),
        1..=127 => Err(HookFailure { cause: Cause::ExitStatus(code), output: printed }),
        // 128 and above may also be an exit status; both interpretations report the same number.
        _ => Err(HookFailure { cause: Cause::Signal(code - 128), output: printed }),
    }
}

/// The child: standard streams, signals, rights, execve.
fn become_hook(hook: &Prepared, input: &OwnedFd, output: &OwnedFd, report: &OwnedFd, rights: Rights<'_>) -> ! {
    let parent = nix::unistd::getppid();
    let prepare = || -> Result<()> {
        terminal::duplicate_onto(input.as_fd(), 0)?;
        terminal::duplicate_onto(output.as_fd(), 1)?;
        terminal::duplicate_onto(output.as_fd(), 2)?;
        limits::reset_signals()?;
        limits::set_umask(0o022);
        if let Some(directory) = &hook.directory {
            match path::open_following_links(directory, libc::O_PATH | libc::O_DIRECTORY) {
                Err(Errno::ENOENT) => (),
                directory => path::change_directory(directory?.as_fd())?,
            }
        }
        // Hooks must not inherit descriptors that the caller leaked.
        crate::sys::program::close_on_exec_from(3)?;
        rights.open_files.map_or(Ok(()), limits::restore_open_files)?;
        rights.sets.map_or(Ok(()), credentials::set_capabilities)?;
        credentials::die_with(parent)?;
        rights.filter.map_or(Ok(()), |filter| seccomp::install(&filter.program, filter.flags).map(drop))
    };
    let errno = match prepare() {
        Ok(()) => execute(&hook.path, &hook.arguments, &hook.environment),
        Err(errno) => errno,
    };
    // A failure to report is ignored, because nobody could receive it.
    let _ = path::write(report.as_fd(), &(errno as i32).to_ne_bytes());
    clone::exit_now(127)
}
