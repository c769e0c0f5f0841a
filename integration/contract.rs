//! stub
pub(crate) fn tests() -> Vec<crate::trial::Test> { Vec::new() }
