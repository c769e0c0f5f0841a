//! Reads and writes the OCI documents: `config.json`, the state document, the features document.
//!
//! Loading is lenient: it ignores unknown properties, and reports every problem with its place. Deliberately checks no
//! values and knows nothing about the kernel: `plan` decides whether a setting makes sense on this host.

pub(crate) mod features;
pub(crate) mod load;
mod scan;
mod compat;
pub(crate) mod pointer;
pub(crate) mod problem;
pub(crate) mod shape;
pub(crate) mod state;
pub(crate) mod template;
