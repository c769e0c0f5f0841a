//! Problems of a document: collected, never thrown one by one, so that a user mends a configuration in one round.

use super::pointer::Pointer;
use std::fmt;

/// One thing wrong with a document: where, and what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Where in the document.
    pub(crate) at: Pointer,
    /// What is wrong and what would be right; lower case, no full stop.
    pub(crate) what: String,
}

/// All problems found in one document, in the order they were found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Problems(Vec<Problem>);

impl Problems {
    /// Adds a problem.
    pub(crate) fn add(&mut self, at: Pointer, what: impl Into<String>) {
        self.0.push(Problem { at, what: what.into() });
    }

    /// Whether nothing is wrong.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The problems, in the order found.
    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.0.iter()
    }

    /// Takes over the problems of another collection.
    pub(crate) fn append(&mut self, mut other: Problems) {
        self.0.append(&mut other.0);
    }

    /// `Ok(value)` if nothing is wrong, all problems otherwise.
    pub(crate) fn or<T>(self, value: T) -> Result<T, Problems> {
        if self.is_empty() { Ok(value) } else { Err(self) }
    }
}

/// A headline, then a line per problem, the places aligned.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        write!(f, "config.json has {count} problem{}", if count == 1 { "" } else { "s" })?;
        let width = self.0.iter().map(|p| p.at.as_str().len()).max().unwrap_or(0);
        for problem in &self.0 {
            write!(f, "\n  {:width$}  {}", problem.at.as_str(), problem.what)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
