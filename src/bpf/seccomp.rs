//! The seccomp compiler: a profile of actions, names and conditions to one classic BPF program.
//!
//! `resolve` decides what a profile means, `emit` encodes the result. The compiler does not know OCI documents, the
//! flags of seccomp(2), or how a program is installed. Sources: runtime-spec config-linux "Seccomp" and seccomp(2);
//! libseccomp and runc for what the specification leaves open.

mod answer;
mod arch;
mod assembler;
mod emit;
mod multiplex;
mod name;
mod problem;
mod resolve;
#[cfg(any(test, fuzzing))]
mod tests;

pub(crate) use answer::{Answer, answer};
pub(crate) use arch::Arch;
use libc::sock_filter;
pub(crate) use problem::ProfileError;
#[cfg(any(test, fuzzing))]
pub(crate) use tests::fuzz;

/// The action of a filter on a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// `SCMP_ACT_KILL`, `SCMP_ACT_KILL_THREAD`: end the calling thread as if by SIGSYS.
    KillThread,
    /// `SCMP_ACT_KILL_PROCESS`: end the whole process as if by SIGSYS.
    KillProcess,
    /// `SCMP_ACT_TRAP`: send SIGSYS.
    Trap,
    /// `SCMP_ACT_ERRNO`: fail with this errno, at most 4095.
    Errno(u16),
    /// `SCMP_ACT_NOTIFY`: let the listener decide.
    Notify,
    /// `SCMP_ACT_TRACE`: stop for the tracer and pass it this value.
    Trace(u16),
    /// `SCMP_ACT_LOG`: log and allow.
    Log,
    /// `SCMP_ACT_ALLOW`: allow.
    Allow,
}

impl Action {
    /// The filter's return value (`SECCOMP_RET_*` and its data).
    const fn ret(self) -> u32 {
        match self {
            Action::KillThread => 0,
            Action::KillProcess => 0x8000_0000,
            Action::Trap => 0x0003_0000,
            Action::Errno(errno) => 0x0005_0000 | errno as u32,
            Action::Notify => 0x7fc0_0000,
            Action::Trace(message) => 0x7ff0_0000 | message as u32,
            Action::Log => 0x7ffc_0000,
            Action::Allow => 0x7fff_0000,
        }
    }

    /// The kernel's precedence of actions, from strict to permissive: the smaller value wins. The kernel compares the
    /// action bits as a signed number.
    const fn permits(self) -> i32 {
        (self.ret() & 0xffff_0000) as i32
    }
}

/// A comparison of an argument with a value. All comparisons are unsigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    NotEqual,
    Less,
    LessOrEqual,
    Equal,
    GreaterOrEqual,
    Greater,
    /// `arg & value == value_two & value`
    MaskedEqual,
}

/// A condition on one argument.
///
/// It compares 64 bits, or the lower 32 bits of both sides on architectures with 32 bit arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Condition {
    /// The index of the argument, 0 to 5.
    pub(crate) index: u8,
    /// The comparison.
    pub(crate) operator: Operator,
    /// The value to compare with; the mask for `MaskedEqual`.
    pub(crate) value: u64,
    /// The masked value for `MaskedEqual`; otherwise unused.
    pub(crate) value_two: u64,
}

/// One entry of `linux.seccomp.syscalls`.
#[derive(Clone, Debug)]
pub(crate) struct Rule<'a> {
    /// Names of calls, at least one.
    pub(crate) names: Vec<&'a str>,
    /// The action for these calls.
    pub(crate) action: Action,
    /// Conditions on the arguments. All must hold; if several test one argument, one of all is enough.
    pub(crate) conditions: Vec<Condition>,
}

/// The parts of `linux.seccomp` that decide about the filter.
#[derive(Clone, Debug)]
pub(crate) struct Profile<'a> {
    /// The action for calls without a rule.
    pub(crate) default: Action,
    /// Architectures besides the native one, which is always included.
    pub(crate) architectures: Vec<Arch>,
    /// The rules. `resolve` documents how they combine.
    pub(crate) rules: Vec<Rule<'a>>,
}

/// A name that the table has for no architecture. It is skipped, because profiles name calls of newer kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnknownName {
    /// Index into the profile's rules.
    pub(crate) rule: usize,
    /// Index into the rule's names.
    pub(crate) name: usize,
}

/// A compiled profile.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    /// The program for `struct sock_fprog`, at most 4096 instructions.
    pub(crate) program: Vec<sock_filter>,
    /// The skipped names.
    #[cfg_attr(
        not(any(test, fuzzing)),
        expect(dead_code, reason = "profiles name calls of many kernels, so a skipped name gets no warning")
    )]
    pub(crate) unknown: Vec<UnknownName>,
    /// Whether a rule notifies a listener, so that installing the filter must create one.
    pub(crate) notifies: bool,
}

/// `BPF_MAXINSNS`: the kernel refuses longer programs.
const MAX_INSTRUCTIONS: usize = 4096;

/// Compiles a profile for the architecture that this program was built for.
///
/// # Errors
///
/// Returns all mistakes of the profile, each with its place. None of them depends on the kernel.
pub(crate) fn compile(profile: &Profile<'_>) -> Result<Filter, Vec<ProfileError>> {
    compile_for(profile, Arch::NATIVE)
}

fn compile_for(profile: &Profile<'_>, native: Arch) -> Result<Filter, Vec<ProfileError>> {
    let problems = problem::problems(profile);
    if !problems.is_empty() {
        return Err(problems);
    }
    let resolved = resolve::resolve(profile, native);
    let program = emit::emit(profile, &resolved, native);
    if program.len() > MAX_INSTRUCTIONS {
        return Err(vec![ProfileError::TooLong { instructions: program.len() }]);
    }
    let notifies = profile.rules.iter().any(|rule| rule.action == Action::Notify);
    Ok(Filter { program, unknown: resolved.unknown, notifies })
}
