//! Writes the error text for a child's failure: origin, act, part, the kernel's reason. Printing it is left to
//! `report`.
//!
//! Engines match this text: the quoted program name after `exec:` and the words that follow it. They turn it into exit
//! codes.

use crate::channel::{Cause, Failure, Part};
use crate::plan::act::{Act, text};
use crate::plan::{Plan, Step};
use crate::report::errno_words;
use crate::sys::Errno;
use anyhow::{Error, anyhow};

/// Returns the text for the cause of a failure; `output` is what a hook printed.
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
            return format!("{words}: it is built for {built_for}, and this machine is {}", std::env::consts::ARCH);
        }
    };
    text + &printed(output)
}

/// Returns the error for a failure at one of the plan's steps.
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
                    in_words(&format!("exec {program}"), failure)
                }
                (part, _) => Error::msg(program_failure(&program, part, step.act == Act::Execute, &words)),
            }
        }
        _ => in_words(&failed_step(step), failure),
    }
}

/// Returns the start of the error for a step: its place in the configuration and what it does. Hooks have the same text
/// as those that the parent runs, because users know it from runc.
fn failed_step(step: &Step) -> String {
    match step.act {
        Act::CreateContainerHook(number) => format!("{}: error running createContainer hook #{number}", step.origin),
        Act::StartContainerHook(number) => format!("{}: error running startContainer hook #{number}", step.origin),
        _ => format!("{}: {}", step.origin, step.act),
    }
}

/// Returns the numbers and texts of the steps after the start message. `start` does not have the plan, so `create`
/// stores them for its error messages.
pub(crate) fn steps_after_start(plan: &Plan) -> Vec<(u16, String)> {
    let program = plan.program.arguments.first().map(|name| text(name).into_owned()).unwrap_or_default();
    let words = |step: &Step| match step.act {
        Act::Execute => format!("exec {program}"),
        _ => failed_step(step),
    };
    let all = plan.init.iter().enumerate();
    let waits = |(_, step): &(usize, &Step)| !matches!(step.act, Act::AwaitStart(_));
    all.skip_while(waits).map(|(number, step)| (number as u16, words(step))).collect()
}

/// Returns the error for a process that failed after `start` sent the start message.
pub(crate) fn after_start(steps: &[(u16, String)], failure: &Failure) -> Error {
    match steps.iter().find(|(number, _)| *number == failure.step) {
        Some((_, words)) => in_words(words, failure),
        None => anyhow!("the container's process failed at step {}", failure.step),
    }
}

fn in_words(step: &str, failure: &Failure) -> Error {
    let words = cause_text(failure.cause, &failure.output);
    let what = match failure.part {
        Part::Whole => words,
        Part::Target => format!("open the target: {words}{}", keeps_failing(failure.cause)),
        Part::Source => format!("open the source: {words}{}", keeps_failing(failure.cause)),
        Part::Attach => format!("attach: {words}"),
        Part::SourceNotDirectory => format!("the source is {words}, the target is one"),
        Part::Attributes => format!("change the mount's attributes: {words}"),
        Part::NotPlain => {
            format!("it must be mounted on an ordinary directory, reached without symbolic links: {words}")
        }
        Part::OnProc => "it cannot be mounted because it is inside /proc".to_owned(),
        Part::NotProc => "it cannot be mounted because it is not of type proc".to_owned(),
        Part::OverRoot => "it cannot be mounted on the root of the container".to_owned(),
        Part::Occupied => "something else exists there".to_owned(),
        Part::Forged => "the file there is not the device it should be".to_owned(),
        Part::Abandoned => "the runtime's process exited".to_owned(),
        Part::Outside if failure.cause == Cause::Errno(Errno::ENOENT) => {
            "no such file or directory, or current working directory is outside of container mount namespace root"
                .to_owned()
        }
        Part::Outside => words,
        Part::Copy => format!("copy what it covers: {words}"),
        Part::NotInPath | Part::NoSuchFile | Part::NotPermitted | Part::IsDirectory => words,
        Part::Interpreter | Part::Loader | Part::Format => execution(failure),
    };
    anyhow!("{step}: {what}")
}

/// Explains errors that persist after many attempts (`sys::openat2`).
fn keeps_failing(cause: Cause) -> &'static str {
    match cause {
        Cause::Errno(Errno::EAGAIN | Errno::EINTR) => {
            " (after many attempts: the path keeps changing, or its file system keeps returning this)"
        }
        _ => "",
    }
}

/// Explains an execve(2) error: a file that the program needs is missing, or the file is not a program for this system.
fn execution(failure: &Failure) -> String {
    let words = cause_text(failure.cause, &[]);
    let name = String::from_utf8_lossy(&failure.output);
    let state = if failure.cause == Cause::Errno(Errno::ENOENT) { "is missing" } else { "may not be executed" };
    match failure.part {
        Part::Interpreter => match name.strip_suffix('\r') {
            Some(plain) => format!(
                "{words}: its first line ends with CR LF, so its interpreter would be \"{plain}\\r\"; save it with LF line endings"
            ),
            None => format!("{words}: the interpreter {name:?} of its #! line {state} in the container"),
        },
        Part::Loader => format!("{words}: its ELF loader {name:?} {state} in the container"),
        _ => format!("{words}: it is neither an ELF file nor a script with a #! line"),
    }
}

/// Names of e_machine (elf(5)), as `uname -m` prints them.
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

/// Joins the output of a hook into one line.
pub(crate) fn printed(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if lines.is_empty() { String::new() } else { format!(", output: {}", lines.join("; ")) }
}

/// Returns the error for a cgroup at `path` that accepts no process. EACCES concerns more than this cgroup: writing
/// `cgroup.procs` needs the same rights (cgroups(7), "Delegation containment").
pub(crate) fn spawn_refused(path: &str, errno: Errno) -> Error {
    let why = match errno {
        Errno::EACCES => {
            "; the caller may not write to the common parent of this cgroup and its own: start inside the delegated \
             part, as with systemd-run --user --scope"
        }
        _ => "",
    };
    anyhow!("put a process into cgroup {path}: {}{why}", errno_words(errno))
}

#[cfg(test)]
mod tests {
    use super::printed;

    #[test]
    fn a_hooks_output_becomes_one_line() {
        assert_eq!(printed(b"no\n\n  such thing\n"), ", output: no; such thing");
        assert_eq!(printed(b""), "");
    }
}
