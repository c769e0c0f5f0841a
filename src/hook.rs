//! Running one hook (config.md, "POSIX-platform Hooks"): the state on its standard input, its output kept for the error,
//! its time limited. Knows nothing of containers; who runs it decides in which namespaces it runs.

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

/// A hook in the form the kernel takes, made before any clone.
pub(crate) struct Prepared {
    path: CString,
    arguments: Strings,
    environment: Strings,
    /// Seconds; 0 is no limit.
    timeout: u32,
    /// The working directory; that of the runner if there is none, or if it is gone.
    directory: Option<CString>,
}

/// Why a hook counts as failed.
#[derive(Debug)]
pub(crate) struct HookFailure {
    /// The reason.
    pub(crate) cause: Cause,
    /// The end of what it printed.
    pub(crate) output: Vec<u8>,
}

impl From<Errno> for HookFailure {
    fn from(errno: Errno) -> Self {
        HookFailure { cause: errno.into(), output: Vec::new() }
    }
}

impl Prepared {
    /// Reads a hook; `inherited` is its environment when it has none of its own. NUL bytes have been refused before.
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

    /// The same in a working directory: the peers run hooks in the bundle, and hooks rely on it.
    pub(crate) fn in_directory(self, directory: &Path) -> Prepared {
        use std::os::unix::ffi::OsStrExt;
        Prepared { directory: CString::new(directory.as_os_str().as_bytes()).ok(), ..self }
    }

    /// A program of the host's that is run in the manner of a hook, with an empty environment.
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

/// What a hook may do, where that is less than its runner may.
#[derive(Clone, Copy, Default)]
pub(crate) struct Rights<'a> {
    /// Its capabilities.
    pub(crate) sets: Option<Sets>,
    /// Its filter.
    pub(crate) filter: Option<&'a Filter>,
}

/// Runs the hook and waits for its end. It is killed when something happens
/// `meanwhile` that breaks it off ([`Cause::Stopped`]), and when this process
/// ends: nobody else would know of it.
pub(crate) fn run(
    hook: &Prepared,
    state: &[u8],
    rights: Rights<'_>,
    meanwhile: Meanwhile<'_>,
) -> std::result::Result<(), HookFailure> {
    // A file rather than a pipe: a hook that does not read its input cannot block or fail us.
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
    let broken_off = match outcome {
        Outcome::Ended => None,
        Outcome::Late => Some(Cause::Timeout(hook.timeout as i32)),
        Outcome::Abandoned(signal) => Some(Cause::Stopped(Some(signal).filter(|signal| *signal != 0))),
    };
    if let Some(cause) = broken_off {
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
        // 128 and above may also be an exit status; both ways of saying it name the number.
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
        // The caller's own leaks are not for hooks either.
        crate::sys::program::close_on_exec_from(3)?;
        rights.sets.map_or(Ok(()), credentials::set_capabilities)?;
        credentials::die_with(parent)?;
        rights.filter.map_or(Ok(()), |filter| seccomp::install(&filter.program, filter.flags).map(drop))
    };
    let errno = match prepare() {
        Ok(()) => execute(&hook.path, &hook.arguments, &hook.environment),
        Err(errno) => errno,
    };
    // Nobody is left to hear of a failure to report.
    let _ = path::write(report.as_fd(), &(errno as i32).to_ne_bytes());
    clone::exit_now(127)
}
