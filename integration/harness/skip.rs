//! Leaves a test that cannot be tried on this host, with the reason. `trial` counts it.

use std::panic;

/// The payload of a panic that means "cannot be tried here".
pub(super) struct Skip(pub(super) String);

/// Leaves the test as skipped: `why` is printed, and the test is counted as ignored.
pub(crate) fn skip(why: impl Into<String>) -> ! {
    panic::resume_unwind(Box::new(Skip(why.into())))
}
