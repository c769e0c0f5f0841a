//! Prepares the process at its C entry point (`src/main.rs`), in place of the standard library's start code.
//!
//! The standard library sets up a second stack to report a stack overflow, and reads `/proc/self/maps` for it: a dozen
//! system calls for every command, and in the file a good part of a C library (sscanf, and with it floating point of
//! every width). This module does only what a runtime needs: it opens the standard streams and ignores SIGPIPE. It does
//! not know what the program does next.

use super::{Errno, Result};

/// Makes sure of the standard streams and of writing without dying. Where even that fails nothing could be told either.
pub(crate) fn prepare() {
    let dispositions = [
        // A reader that has gone away, and a limit on the size of files (RLIMIT_FSIZE), are errors of the call that meets them.
        (libc::SIGPIPE, libc::SIG_IGN),
        (libc::SIGXFSZ, libc::SIG_IGN),
        // A caller that ignores SIGCHLD passes that on, and the kernel would then keep no exit status (sigaction(2)).
        (libc::SIGCHLD, libc::SIG_DFL),
    ];
    // SAFETY: no handler is replaced, because this is the first code of the program; the arguments are valid signals
    // and dispositions.
    let set = |(signal, disposition)| unsafe { libc::signal(signal, disposition) } != libc::SIG_ERR;
    if !dispositions.into_iter().all(set) || open_standard_streams().is_err() {
        std::process::abort();
    }
}

/// Opens /dev/null as each standard stream that the caller has closed. A file that came to lie there later, such as a
/// container's state, would be written over by the first error message.
fn open_standard_streams() -> Result<()> {
    let mut streams = [0, 1, 2].map(|fd| libc::pollfd { fd, events: 0, revents: 0 });
    // SAFETY: the kernel stays within bounds, because the pointer and the count describe the array. A timeout of zero
    // does not wait.
    let answered = unsafe { libc::poll(streams.as_mut_ptr(), 3, 0) };
    if Errno::result(answered)? == 0 {
        return Ok(());
    }
    for _ in streams.iter().filter(|stream| stream.revents & libc::POLLNVAL != 0) {
        // SAFETY: the kernel reads within bounds, because the path is a terminated literal. open(2) returns the lowest
        // free number, which is that of the next closed stream; the descriptor survives execve(2).
        Errno::result(unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) })?;
    }
    Ok(())
}

/// What the linker puts in the place of `_Unwind_Backtrace` in a release build (build.rs), which has no tables by which a
/// stack could be walked: with RUST_BACKTRACE set, libgcc's own would end the program where an error is made.
#[unsafe(no_mangle)]
extern "C" fn __wrap__Unwind_Backtrace() -> std::ffi::c_int {
    const URC_END_OF_STACK: std::ffi::c_int = 5;
    URC_END_OF_STACK
}
