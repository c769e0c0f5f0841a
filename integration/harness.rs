//! What the suites are made of: calls of the runtime, bundles, kernel calls, how a test is named, run, skipped and compared.
//!
//! Tests nothing itself.

pub(crate) mod bundle;
pub(crate) mod call;
pub(crate) mod cgroups;
pub(crate) mod differences;
pub(crate) mod kernel;
pub(crate) mod runtime;
pub(crate) mod skip;
pub(crate) mod trial;
pub(crate) mod unprivileged;
pub(crate) mod unshared;
pub(crate) mod user;
pub(crate) mod user_env;
pub(crate) mod without_syscalls;
