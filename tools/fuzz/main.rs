//! Feeds any bytes to the fuzz target that FUZZ_TARGET names. The target must return: no panic, no hang, no unbounded memory.
//!
//! What each target does with the bytes is in `src/fuzz.rs`, where a unit test runs it too. `hack/fuzz` sets the variable.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static TARGET: LazyLock<String> = LazyLock::new(|| std::env::var("FUZZ_TARGET").expect("FUZZ_TARGET names a target"));

fuzz_target!(|bytes: &[u8]| davit::fuzz::run(&TARGET, bytes));
