//! Compilers from rules to kernel programs: seccomp rules to classic BPF, device rules to eBPF.
//!
//! Both are pure: rules in, instructions out. They deliberately know nothing of the OCI documents, of this host's
//! kernel, of system calls or of files; whoever reads the configuration translates it into their input types, and
//! whoever performs the plan loads what they return.

pub(crate) mod device;
mod interpreter;
pub(crate) mod seccomp;
mod syscalls;
