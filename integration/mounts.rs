//! placeholder
use crate::trial::Test;
pub(crate) fn tests() -> Vec<Test> { Vec::new() }
