//! Collects the problems of a document instead of stopping at the first, so that a user can fix all of them at once.

use super::pointer::Pointer;
use crate::report::ProblemReport;
use std::fmt;

/// One problem of a document: its place and a description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The place in the document.
    pub(crate) at: Pointer,
    /// What is wrong and what is expected. Lower case, no full stop.
    pub(crate) what: String,
}

/// The limit of stored problems. A document with more problems is probably another kind of document, so more are only
/// counted.
const MAX_PROBLEMS: usize = 100;

/// The problems of one document, in the order they were found. Above the limit only the number is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Problems {
    list: Vec<Problem>,
    more: usize,
}

impl Problems {
    /// Adds a problem. Skips an identical one, because two modules may report the same mistake.
    pub(crate) fn add(&mut self, at: Pointer, what: impl Into<String>) {
        let problem = Problem { at, what: what.into() };
        if self.list.contains(&problem) {
            return;
        }
        if self.is_full() {
            self.more += 1;
        } else {
            self.list.push(problem);
        }
    }

    /// Whether the limit is reached, so that further problems are only counted.
    pub(crate) fn is_full(&self) -> bool {
        self.list.len() >= MAX_PROBLEMS
    }

    /// Whether there are no problems.
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The stored problems, in the order found.
    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.list.iter()
    }

    /// Adds the problems of another collection.
    pub(crate) fn append(&mut self, other: Problems) {
        for problem in other.list {
            self.add(problem.at, problem.what);
        }
        self.more += other.more;
    }

    /// Returns `Ok(value)` if there are no problems, otherwise all problems.
    pub(crate) fn or<T>(self, value: T) -> Result<T, Problems> {
        if self.is_empty() { Ok(value) } else { Err(self) }
    }
}

/// Prints a headline, then one line per problem with the places aligned.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.list.len() + self.more;
        write!(f, "config.json has {count} problem{}", if count == 1 { "" } else { "s" })?;
        let width = self.list.iter().map(|p| p.at.as_str().len()).max().unwrap_or(0);
        for problem in &self.list {
            write!(f, "\n  {:width$}  {}", problem.at.as_str(), problem.what)?;
        }
        if self.more > 0 {
            write!(f, "\n  and {} more", self.more)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Converts problems to an error, which `report` prints as a table on stderr and as one line in the log.
impl Problems {
    /// The problems of `document` as an error.
    pub(crate) fn of(self, document: &str) -> ProblemReport {
        let row = |problem: Problem| (problem.at.as_str().to_owned(), problem.what);
        ProblemReport::new(document, self.list.into_iter().map(row)).and_more(self.more)
    }
}

impl From<Problems> for ProblemReport {
    fn from(problems: Problems) -> Self {
        problems.of("config.json")
    }
}

#[cfg(test)]
mod tests {
    use super::Problems;
    use crate::spec::pointer::Pointer;

    #[test]
    fn an_identical_problem_is_reported_once_and_places_are_aligned() {
        let mut problems = Problems::default();
        problems.add(Pointer::of("/process/cwd"), "is missing");
        problems.add(Pointer::of("/process/cwd"), "is missing");
        let mut others = Problems::default();
        others.add(Pointer::of("/root"), "is missing");
        others.add(Pointer::of("/process/cwd"), "is missing");
        problems.append(others);
        let text = "config.json has 2 problems\n  /process/cwd  is missing\n  /root         is missing";
        assert_eq!(problems.to_string(), text);
        let error = anyhow::Error::new(crate::report::ProblemReport::from(problems));
        assert_eq!(crate::report::for_people(&error), text);
    }
}
