//! Feeds arbitrary bytes to the fuzz target named by FUZZ_TARGET. The target must return: no panic, hang or unbounded
//! memory.
//!
//! The targets are defined in `src/fuzz.rs`, where a unit test also runs them. `hack/fuzz` sets FUZZ_TARGET.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static TARGET: LazyLock<String> = LazyLock::new(|| std::env::var("FUZZ_TARGET").expect("FUZZ_TARGET names a target"));

fuzz_target!(|bytes: &[u8]| davit::fuzz::run(&TARGET, bytes));
