//! Sets linker options of the release program: unused parts are omitted, because the file is what is paged in.
//!
//! Does not change the code. `docs/decisions/size.md` has the measurements.
#![expect(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    reason = "cargo reads standard output; nothing of this runs in davit"
)]

use std::env;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=release.ld");
    println!("cargo::rerun-if-changed=hot.ld");
    if env::var_os("PROFILE").is_none_or(|profile| profile != "release") {
        return;
    }
    let top = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    println!("cargo::rustc-link-arg-bins=-Wl,-L,{top},-T,{top}/release.ld");
    // Without unwind tables there is no index of them, and no stack to walk (`sys::entry`).
    println!("cargo::rustc-link-arg-bins=-Wl,--no-eh-frame-hdr,--wrap=_Unwind_Backtrace");
    if relocates_packed() {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// Whether the linked C library can relocate itself from a packed table (DT_RELR, since glibc 2.36). A program with an
/// older one crashes at start. It is the host's C library unless cross-compiled.
fn relocates_packed() -> bool {
    if env::var_os("HOST") != env::var_os("TARGET") {
        return false;
    }
    let Ok(told) = Command::new("getconf").arg("GNU_LIBC_VERSION").output() else { return false };
    let told = String::from_utf8_lossy(&told.stdout);
    let numbers: Vec<u32> =
        told.trim().trim_start_matches("glibc ").split('.').filter_map(|part| part.parse().ok()).collect();
    matches!(numbers[..], [major, minor, ..] if (major, minor) >= (2, 36))
}
