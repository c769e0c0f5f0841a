//! The program without its command line, as a library that targets can be linked with: its modules are links to the
//! program's own. What each target does with bytes is in the program, where its tests do it too (`container::garbled`).
#![allow(dead_code, unused_imports, missing_docs, reason = "only a part of the program is under test here")]

mod report;
mod sys;
mod spec;
mod bpf;
mod plan;
mod channel;
mod hook;
mod cgroup;
mod resctrl;
mod host;
mod init;
mod launch;
mod container;

/// What the target of this name does with bytes.
pub fn target(name: &str) -> fn(&[u8]) {
    let (_, target) = container::garbled::TARGETS.iter().find(|(known, _)| *known == name).expect("a target");
    *target
}
