//! Any bytes for the target that this program is named after: an answer or an error, never a panic, a hang or memory
//! without end.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| davit_fuzz::target(env!("CARGO_BIN_NAME"))(bytes));
