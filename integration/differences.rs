//! What other runtimes are expected to do differently from this suite, and why. One table, nothing else.
//!
//! A listed test must fail there; if it passes, the list is wrong and the suite says so.

/// (runtime, test, reason).
const DIFFERENCES: &[(&str, &str, &str)] = &[];

/// Why this test is expected to fail for this runtime.
pub(crate) fn reason(runtime: &str, test: &str) -> Option<&'static str> {
    let row = DIFFERENCES.iter().find(|(name, listed, _)| *name == runtime && *listed == test)?;
    Some(row.2)
}

/// Listed names that are no test of the suite.
pub(crate) fn unknown(names: &[&str]) -> Vec<&'static str> {
    DIFFERENCES.iter().map(|row| row.1).filter(|listed| !names.contains(listed)).collect()
}
