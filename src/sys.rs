//! Every system call, typed. The only module in which `unsafe` is allowed; each use carries a SAFETY comment.
//!
//! Holds no policy: a function here is one call of the kernel, or the few calls that only make sense together.
#![allow(unsafe_code, reason = "this module is where the kernel is called")]

pub(crate) mod beneath;
pub(crate) mod bpf;
pub(crate) mod change;
