//! Writes the error text for a child's failure: origin, act, part, and the kernel's error message.
//!
//! Leaves to `init` to find out which step and part failed.
//!
//! Engines match these texts: the quoted name after `exec:` and the words after it. They map them to exit codes.

use crate::channel::{Cause, Failure, Part};
use crate::plan::act::{Act, text};
use crate::plan::{Plan, Step};
use crate::report::errno_words;
use crate::sys::Errno;
use anyhow::{Error, anyhow};

/// The text for the cause of a failure. `output` is what a hook printed.
pub(crate) fn cause_text(cause: Cause, output: &[u8]) -> String {
    let text = match cause {
        Cause::Errno(errno) => errno_words(errno),
        Cause::ExitStatus(status) => format!("exit status {status}"),
        Cause::Signal(signal) => format!("signal {signal}"),
        Cause::Timeout(seconds) => format!("hook ran past specified timeout of {seconds}s"),
        Cause::Stopped(Some(signal)) => format!("stopped by signal {signal}"),
        Cause::Stopped(None) => "the container's process was killed while the hook ran".to_owned(),
        Cause::Machine(number) => {
            let (words, built_for) = (errno_words(Errno::ENOEXEC), machine(number));
            return format!("{words}: built for {built_for}, but this machine is {}", std::env::consts::ARCH);
        }
    };
    text + &printed(output)
}

/// The error for a failure at one of the plan's steps.
pub(super) fn failure(plan: &Plan, failure: &Failure) -> Error {
    let Some(step) = plan.init.get(usize::from(failure.step)) else {
        return anyhow!("the container's process failed at an unknown step: {failure:?}");
    };
    let program = plan.program.arguments.first().map(|name| text(name).into_owned()).unwrap_or_default();
    match step.act {
        Act::FindProgram | Act::Execute => {
            let words = cause_text(failure.cause, &[]);
            match (failure.part, failure.cause) {
                (Part::Interpreter | Part::Loader | Part::Format, _) | (_, Cause::Machine(_)) => {
                    failed_step(&format!("exec {program}"), failure)
                }
                (part, _) => Error::msg(program_failure(&program, part, step.act == Act::Execute, &words)),
            }
        }
        _ => {
            let limit = reached_limit(&step.act, failure);
            anyhow!("{}{limit}", failed_step(&step_text(step), failure))
        }
    }
}

/// The limit that an error of a step means, if the kernel's text does not name it.
fn reached_limit(act: &Act, failure: &Failure) -> &'static str {
    match (act, failure.cause) {
        (Act::NewSessionKeyring, Cause::Errno(Errno::EDQUOT)) => {
            " (a limit of keys is reached: kernel.keys.maxkeys or kernel.keys.maxbytes of this user; \
             --no-new-keyring needs no key)"
        }
        (
            Act::Mount(_)
            | Act::MountCgroup(_)
            | Act::Bind(_)
            | Act::BindRoot { .. }
            | Act::BindDevice(..)
            | Act::MaskPath(_)
            | Act::ReadonlyPath(_),
            Cause::Errno(Errno::ENOSPC),
        ) if failure.part != Part::Copy => {
            " (a limit is reached: fs.mount-max of the mount namespace, or the space of a file system in which a mount \
             point is made)"
        }
        (_, Cause::Errno(Errno::EMFILE)) => " (the limit of open files is reached: RLIMIT_NOFILE)",
        (_, Cause::Errno(Errno::ENFILE)) => " (the limit of open files is reached: fs.file-max)",
        _ => "",
    }
}

/// The start of the error text for a step: its place in the configuration and what it does. Hooks read like those that
/// the parent runs, because users know this text from runc.
pub(super) fn step_text(step: &Step) -> String {
    match step.act {
        Act::CreateContainerHook(number) => format!("{}: error running createContainer hook #{number}", step.origin),
        Act::StartContainerHook(number) => format!("{}: error running startContainer hook #{number}", step.origin),
        _ => format!("{}: {}", step.origin, step.act),
    }
}

/// The steps after the wait for `start`, each with its number and the text for an error. `create` records them, because
/// `start` does not have the plan when such a step fails.
pub(crate) fn steps_after_start(plan: &Plan) -> Vec<(u16, String)> {
    let program = plan.program.arguments.first().map(|name| text(name).into_owned()).unwrap_or_default();
    let words = |step: &Step| match step.act {
        Act::Execute => format!("exec {program}"),
        _ => step_text(step),
    };
    let all = plan.init.iter().enumerate();
    let waits = |(_, step): &(usize, &Step)| !matches!(step.act, Act::AwaitStart(_));
    all.skip_while(waits).map(|(number, step)| (number as u16, words(step))).collect()
}

/// The error for a failure of the container's process after `start`.
pub(crate) fn after_start(steps: &[(u16, String)], failure: &Failure) -> Error {
    match steps.iter().find(|(number, _)| *number == failure.step) {
        Some((_, words)) => failed_step(words, failure),
        None => anyhow!("the container's process failed at step {}", failure.step),
    }
}

pub(super) fn failed_step(step: &str, failure: &Failure) -> Error {
    let words = cause_text(failure.cause, &failure.output);
    let cause = match failure.part {
        Part::Whole => words,
        Part::Target => format!("open the target: {words}{}", keeps_failing(failure.cause)),
        Part::Source => format!("open the source: {words}{}", keeps_failing(failure.cause)),
        Part::Attach => format!("attach: {words}"),
        Part::SourceNotDirectory => format!("the source is {words}, but the target is a directory"),
        Part::Attributes => format!("change the mount's attributes: {words}"),
        Part::NotPlain => {
            format!("the target must be a directory reached without symbolic links: {words}")
        }
        Part::OnProc => "it cannot be mounted because it is inside /proc".to_owned(),
        Part::NotProc => "it cannot be mounted because it is not of type proc".to_owned(),
        Part::OverRoot => "it cannot be mounted on the root of the container".to_owned(),
        Part::Occupied => "a different file already exists there".to_owned(),
        Part::Forged => "the file is not the expected device".to_owned(),
        Part::Abandoned => "the runtime process exited".to_owned(),
        Part::Outside if failure.cause == Cause::Errno(Errno::ENOENT) => {
            "no such file or directory, or current working directory is outside of container mount namespace root"
                .to_owned()
        }
        Part::Outside => words,
        Part::Copy => format!("copy the covered directory: {words}"),
        Part::NotInPath | Part::NoSuchFile | Part::NotPermitted | Part::IsDirectory => words,
        Part::Interpreter | Part::Loader | Part::Format => format_error(failure),
    };
    anyhow!("{step}: {cause}")
}

/// A note for the errors that a call returns after many attempts (`sys::openat2`).
fn keeps_failing(cause: Cause) -> &'static str {
    match cause {
        Cause::Errno(Errno::EAGAIN | Errno::EINTR) => {
            " (after many attempts: the path keeps changing, or its file system keeps returning this)"
        }
        _ => "",
    }
}

/// Explains an execve(2) error: the file needs another file that does not exist, or its format is not recognised.
fn format_error(failure: &Failure) -> String {
    let words = cause_text(failure.cause, &[]);
    let name = String::from_utf8_lossy(&failure.output);
    let state = if failure.cause == Cause::Errno(Errno::ENOENT) { "is missing" } else { "may not be executed" };
    match failure.part {
        Part::Interpreter => match name.strip_suffix('\r') {
            Some(plain) => format!(
                "{words}: its first line ends with CR LF, so its interpreter would be \"{plain}\\r\"; save it with LF line ends"
            ),
            None => format!("{words}: the interpreter {name:?} of its #! line {state} in the container"),
        },
        Part::Loader => format!("{words}: its ELF loader {name:?} {state} in the container"),
        _ => format!("{words}: neither an ELF file nor a script with a #! line"),
    }
}

/// The name of an e_machine value (elf(5)), as `uname -m` prints it.
fn machine(number: u16) -> String {
    const NAMES: [(u16, &str); 10] = [
        (libc::EM_386, "i386"),
        (libc::EM_X86_64, "x86_64"),
        (libc::EM_ARM, "arm"),
        (libc::EM_AARCH64, "aarch64"),
        (libc::EM_PPC, "ppc"),
        (libc::EM_PPC64, "ppc64"),
        (libc::EM_S390, "s390x"),
        (libc::EM_MIPS, "mips"),
        (243, "riscv"),
        (258, "loongarch"),
    ];
    let known = NAMES.iter().find(|(known, _)| *known == number);
    known.map_or_else(|| format!("ELF machine {number}"), |(_, name)| (*name).to_owned())
}

fn program_failure(program: &str, part: Part, executing: bool, words: &str) -> String {
    match part {
        Part::NotInPath => format!("exec: {program:?}: executable file not found in $PATH"),
        Part::NoSuchFile => format!("exec: {program:?}: stat {program}: {words}"),
        Part::NotPermitted => format!("exec: {program:?}: {words}"),
        Part::IsDirectory => format!("exec: {program:?}: is a directory: permission denied"),
        _ if executing => format!("exec {program}: {words}"),
        _ => format!("exec: {program:?}: {words}"),
    }
}

/// What a hook printed, on one line.
pub(crate) fn printed(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if lines.is_empty() { String::new() } else { format!(", output: {}", lines.join("; ")) }
}

/// The error if no process can be spawned in the cgroup at `path`. EACCES concerns more than that cgroup: the caller
/// also needs write access to the common parent. A write to `cgroup.procs` needs the same (cgroups(7), "Delegation
/// containment").
pub(crate) fn spawn_refused(path: &str, errno: Errno) -> Error {
    let why = match errno {
        Errno::EACCES => {
            "; the common parent of this cgroup and the caller's own belongs to another user: start inside the \
             delegated subtree, for example with systemd-run --user --scope"
        }
        _ => "",
    };
    anyhow!("put a process into cgroup {path}: {}{why}", errno_words(errno))
}

#[cfg(test)]
mod tests {
    use super::printed;

    #[test]
    fn a_hooks_output_is_printed_on_one_line() {
        assert_eq!(printed(b"no\n\n  such thing\n"), ", output: no; such thing");
        assert_eq!(printed(b""), "");
    }
}
