//! Any bytes as `config.json`: loading and compiling must answer with a plan that keeps every rule, or with problems;
//! never by a panic, a hang or memory without end. The modules under test are links to the program's own.
#![no_main]
#![allow(dead_code, unused_imports, missing_docs, reason = "only a part of the program is under test here")]

mod bpf;
mod plan;
mod report;
mod spec;
mod sys;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(loaded) = spec::load::load(bytes) else { return };
    for privileged in [true, false] {
        let host = plan::Host { privileged, last_capability: 40, permitted: u64::MAX, can_disown: true, ..Default::default() };
        let request = plan::Request { id: "fuzz".to_owned(), bundle: "/bundle".into(), ..Default::default() };
        // In a build with assertions, as this one is, compiling checks every rule of the plan itself.
        let _ = plan::compile(&loaded.spec, &host, &request);
    }
});
