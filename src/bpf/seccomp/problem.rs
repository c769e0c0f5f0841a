//! Mistakes in a profile, and their places.
//!
//! A place is a JSON pointer relative to `linux.seccomp`, so that the caller can prepend its own. This module checks
//! only whether a profile is well formed, not whether it is secure.

use std::fmt;

use super::{Action, Profile};

/// A mistake in a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProfileError {
    /// The default action notifies the listener. The process could then never send the listener: its own `sendmsg`
    /// would wait for an answer.
    NotifyByDefault,
    /// A rule without names.
    NoNames {
        /// Index of the rule.
        rule: usize,
    },
    /// An empty name.
    EmptyName {
        /// Index of the rule.
        rule: usize,
        /// Index of the name in the rule.
        name: usize,
    },
    /// A condition on an argument index above 5.
    ArgumentIndex {
        /// Index of the rule.
        rule: usize,
        /// Index of the condition in the rule.
        condition: usize,
        /// The argument's index in the profile.
        index: u8,
    },
    /// The program would be longer than the kernel accepts.
    TooLong {
        /// The length of the program.
        instructions: usize,
    },
}

impl ProfileError {
    /// The place of the mistake as a JSON pointer relative to `/linux/seccomp`. Empty for the whole profile.
    pub(crate) fn place(&self) -> String {
        match self {
            ProfileError::NotifyByDefault => "/defaultAction".to_owned(),
            ProfileError::NoNames { rule } => format!("/syscalls/{rule}/names"),
            ProfileError::EmptyName { rule, name } => format!("/syscalls/{rule}/names/{name}"),
            ProfileError::ArgumentIndex { rule, condition, .. } => format!("/syscalls/{rule}/args/{condition}/index"),
            ProfileError::TooLong { .. } => String::new(),
        }
    }
}

impl fmt::Display for ProfileError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProfileError::NotifyByDefault => write!(out, "SCMP_ACT_NOTIFY cannot be used as default action"),
            ProfileError::NoNames { .. } => write!(out, "at least one system call name is needed"),
            ProfileError::EmptyName { .. } => write!(out, "empty string is not a valid syscall"),
            ProfileError::ArgumentIndex { index, .. } => {
                write!(out, "{index} is not the index of a system call argument (0 to 5)")
            }
            ProfileError::TooLong { instructions } => write!(
                out,
                "the filter would need {instructions} instructions, and the kernel accepts at most {}",
                super::MAX_INSTRUCTIONS
            ),
        }
    }
}

impl std::error::Error for ProfileError {}

/// All mistakes that can be found before compiling.
pub(super) fn problems(profile: &Profile<'_>) -> Vec<ProfileError> {
    let mut problems = Vec::new();
    if profile.default == Action::Notify {
        problems.push(ProfileError::NotifyByDefault);
    }
    for (rule, written) in profile.rules.iter().enumerate() {
        if written.names.is_empty() {
            problems.push(ProfileError::NoNames { rule });
        }
        for (name, text) in written.names.iter().enumerate() {
            if text.is_empty() {
                problems.push(ProfileError::EmptyName { rule, name });
            }
        }
        for (condition, written) in written.conditions.iter().enumerate() {
            if written.index > 5 {
                problems.push(ProfileError::ArgumentIndex { rule, condition, index: written.index });
            }
        }
    }
    problems
}
