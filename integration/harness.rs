//! The harness of the suites: calls the runtime, makes bundles, makes kernel calls, and names, runs, skips and compares
//! tests. It deliberately contains no tests.

pub(crate) mod bundle;
pub(crate) mod call;
pub(crate) mod cgroups;
pub(crate) mod differences;
pub(crate) mod kernel;
pub(crate) mod runtime;
pub(crate) mod skip;
pub(crate) mod terminal;
pub(crate) mod trial;
pub(crate) mod unprivileged;
pub(crate) mod unshared;
pub(crate) mod user;
pub(crate) mod user_env;
pub(crate) mod without_syscalls;
