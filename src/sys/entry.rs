//! The C entry point of the program, in place of the one the standard library would put there.
//!
//! The library's own sets up a second stack, so that a stack overflow can be told in words, and for it reads
//! `/proc/self/maps`: at every command a dozen system calls, and in the file a good part of a C library (sscanf, and
//! through it floating point of every width). Here is only what a runtime needs: the standard streams are open, and a
//! reader that has gone away is an error rather than the end. Knows nothing of what the program then does.

use super::{Errno, Result};

/// Makes `$main`, a function without arguments that returns the exit status, the program.
macro_rules! entry {
    ($main:path) => {
        /// What the C library calls. The standard library has the arguments from the C library's start already.
        #[expect(unsafe_code, reason = "the name is the C library's own; no other function here is called so")]
        #[unsafe(no_mangle)]
        extern "C" fn main() -> std::ffi::c_int {
            $crate::sys::entry::prepare();
            std::ffi::c_int::from($main())
        }
    };
}
pub(crate) use entry;

/// Makes sure of the standard streams and of writing without dying. Where even that fails nothing could be told either.
pub(crate) fn prepare() {
    // SAFETY: SIGPIPE is a signal and SIG_IGN a disposition; nothing else has been set up yet that could mind.
    let ignored = unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) } != libc::SIG_ERR;
    if !ignored || open_standard_streams().is_err() {
        std::process::abort();
    }
}

/// Opens /dev/null as each standard stream that the caller has closed. A file that came to lie there later, such as a
/// container's state, would be written over by the first error message.
fn open_standard_streams() -> Result<()> {
    let mut streams = [0, 1, 2].map(|fd| libc::pollfd { fd, events: 0, revents: 0 });
    // SAFETY: the pointer and the number describe the array; a timeout of zero does not wait.
    let answered = unsafe { libc::poll(streams.as_mut_ptr(), 3, 0) };
    if Errno::result(answered)? == 0 {
        return Ok(());
    }
    for _ in streams.iter().filter(|stream| stream.revents & libc::POLLNVAL != 0) {
        // SAFETY: a terminated string. The lowest free number is the next closed stream's, and it survives execve(2).
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
