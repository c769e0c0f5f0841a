//! Compilers from rules to kernel programs: seccomp rules to classic BPF, device rules to eBPF.
//!
//! Both compilers are pure functions from rules to instructions. They do not know OCI documents, this host's kernel or
//! files, and they make no system calls. `plan` translates the configuration into their input types; `sys` loads the
//! programs that they return.

pub(crate) mod device;
mod interpreter;
pub(crate) mod seccomp;
mod syscalls;
