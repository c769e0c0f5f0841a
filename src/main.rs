//! davit, a low-level OCI runtime for Linux.

#[cfg_attr(not(test), expect(dead_code, reason = "the planner, its first user, is not written yet"))]
mod bpf;

fn main() {}
