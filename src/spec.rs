//! The OCI documents as written: `config.json`, the state document, the features document.
//!
//! Owns loading them leniently (unknown properties ignored, every problem located) and writing them. Deliberately knows
//! nothing of the kernel and judges no values: whether a setting makes sense on this host is decided by `plan`.

pub(crate) mod features;
pub(crate) mod load;
mod scan;
mod compat;
pub(crate) mod pointer;
pub(crate) mod problem;
pub(crate) mod shape;
pub(crate) mod state;
pub(crate) mod template;
