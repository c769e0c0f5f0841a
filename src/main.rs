//! davit, a low-level OCI runtime for Linux.

fn main() {}
