//! Names of actions and operators in a profile, and the lists of them for the features document.
//!
//! Leaves to `resolve` how rules combine.

use std::fmt;

use super::{Action, Operator};

/// Why an action is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ActionError {
    /// No such action.
    Unknown,
    /// An errno for an action that returns none (runtime-spec: "print an error and fail").
    ErrnoNotUsed,
    /// An errno that the kernel cannot return. The maximum is 4095, or 65535 for the value that a tracer receives.
    ErrnoTooLarge {
        /// The errno in the profile.
        errno: u32,
        /// The maximum for the action.
        most: u16,
    },
}

impl fmt::Display for ActionError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ActionError::Unknown => write!(out, "unknown seccomp action"),
            ActionError::ErrnoNotUsed => {
                write!(out, "an errno is only possible with SCMP_ACT_ERRNO and SCMP_ACT_TRACE")
            }
            ActionError::ErrnoTooLarge { errno, most } => write!(out, "errno {errno} is above {most}"),
        }
    }
}

impl std::error::Error for ActionError {}

/// The default errno of `SCMP_ACT_ERRNO` and `SCMP_ACT_TRACE`.
const EPERM: u16 = libc::EPERM as u16;

/// `MAX_ERRNO`: the kernel silently lowers a larger errno.
const MAX_ERRNO: u16 = 4095;

impl Action {
    /// The names of all actions, as in the features document.
    #[cfg(test)]
    pub(crate) const NAMES: [&'static str; 9] = [
        "SCMP_ACT_ALLOW",
        "SCMP_ACT_ERRNO",
        "SCMP_ACT_KILL",
        "SCMP_ACT_KILL_PROCESS",
        "SCMP_ACT_KILL_THREAD",
        "SCMP_ACT_LOG",
        "SCMP_ACT_NOTIFY",
        "SCMP_ACT_TRACE",
        "SCMP_ACT_TRAP",
    ];

    /// The action of a name such as `SCMP_ACT_ERRNO`, with its `errnoRet` if the profile has one.
    ///
    /// # Errors
    ///
    /// Fails for an unknown name, for an errno that the action does not use, and for an errno that is too large.
    pub(crate) fn from_name(name: &str, errno: Option<u32>) -> Result<Action, ActionError> {
        let data = |most: u16| match errno {
            None => Ok(EPERM),
            Some(errno) => match u16::try_from(errno) {
                Ok(fits) if fits <= most => Ok(fits),
                _ => Err(ActionError::ErrnoTooLarge { errno, most }),
            },
        };
        let action = match name {
            "SCMP_ACT_ERRNO" => return data(MAX_ERRNO).map(Action::Errno),
            "SCMP_ACT_TRACE" => return data(u16::MAX).map(Action::Trace),
            "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => Action::KillThread,
            "SCMP_ACT_KILL_PROCESS" => Action::KillProcess,
            "SCMP_ACT_TRAP" => Action::Trap,
            "SCMP_ACT_NOTIFY" => Action::Notify,
            "SCMP_ACT_LOG" => Action::Log,
            "SCMP_ACT_ALLOW" => Action::Allow,
            _ => return Err(ActionError::Unknown),
        };
        if errno.is_some() { Err(ActionError::ErrnoNotUsed) } else { Ok(action) }
    }
}

impl Operator {
    /// All operators with their names, as in the features document.
    pub(crate) const ALL: [(&'static str, Operator); 7] = [
        ("SCMP_CMP_EQ", Operator::Equal),
        ("SCMP_CMP_GE", Operator::GreaterOrEqual),
        ("SCMP_CMP_GT", Operator::Greater),
        ("SCMP_CMP_LE", Operator::LessOrEqual),
        ("SCMP_CMP_LT", Operator::Less),
        ("SCMP_CMP_MASKED_EQ", Operator::MaskedEqual),
        ("SCMP_CMP_NE", Operator::NotEqual),
    ];

    /// The operator of a name such as `SCMP_CMP_EQ`.
    pub(crate) fn from_name(name: &str) -> Option<Operator> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|&(_, operator)| operator)
    }
}
