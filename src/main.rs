//! The entry point of the program. Everything else is in the library (`src/lib.rs`).

#![no_main]

use std::ffi::c_int;

/// The C library calls this function. It needs no parameters, because the standard library gets the arguments at load
/// time.
#[expect(unsafe_code, reason = "the C library defines the name; no other function of the program has it")]
#[unsafe(no_mangle)]
extern "C" fn main() -> c_int {
    c_int::from(davit::main())
}
