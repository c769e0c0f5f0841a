//! Prepares the process at its C entry point (`src/main.rs`), in place of the standard library's start code. What the
//! program does next is left to the caller.
//!
//! The standard library sets up a second stack to report a stack overflow, and reads `/proc/self/maps` for it. That
//! costs a dozen system calls per command and links a large part of a C library (sscanf, and with it floating point of
//! every width). This module does only what a runtime needs: it opens the standard streams and ignores SIGPIPE.

use super::{Errno, Result};

/// Opens missing standard streams, and makes failed writes return errors instead of raising signals. Errors are
/// ignored, because they could not be reported.
pub(crate) fn prepare() {
    let dispositions = [
        // A closed reader and the file size limit (RLIMIT_FSIZE) become errors of the write that meets them.
        (libc::SIGPIPE, libc::SIG_IGN),
        (libc::SIGXFSZ, libc::SIG_IGN),
        // An ignored SIGCHLD is inherited from the caller, and the kernel would then keep no exit status
        // (sigaction(2)).
        (libc::SIGCHLD, libc::SIG_DFL),
    ];
    // SAFETY: no handler is replaced, because this is the first code of the program; the arguments are valid signals
    // and dispositions.
    let set = |(signal, disposition)| unsafe { libc::signal(signal, disposition) } != libc::SIG_ERR;
    if !dispositions.into_iter().all(set) || open_standard_streams().is_err() {
        std::process::abort();
    }
}

/// Opens /dev/null as each standard stream that the caller has closed. Otherwise a file opened later, such as a
/// container's state, could get that number, and the first error message would overwrite it.
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
