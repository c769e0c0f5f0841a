//! Skips a test that cannot run on this host, with the reason. Counting skipped tests is left to `trial`.

use std::panic;

/// Panic payload of a skipped test.
pub(super) struct Skip(pub(super) String);

/// Skips the test: `why` is printed, and the test is counted as ignored.
pub(crate) fn skip(why: impl Into<String>) -> ! {
    panic::resume_unwind(Box::new(Skip(why.into())))
}
