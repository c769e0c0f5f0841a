//! Adds up the results of trials and prints them as a table.

use crate::trial::Verdict;
use anyhow::{Context, Result};
use std::fmt;

/// The results of the trials of one command.
#[derive(Clone, Debug, Default)]
pub(crate) struct Count {
    /// System calls the command and the container's processes make.
    calls: usize,
    injected: usize,
    /// The command succeeded despite the fault.
    survived: usize,
    hung: usize,
    wrong: usize,
    leaked: usize,
}

/// The name of a row of the table.
pub(crate) fn row_name(verb: &str, rich: bool) -> String {
    if rich { format!("{verb}, rich") } else { verb.to_owned() }
}

impl Count {
    pub(crate) fn of(calls: usize) -> Self {
        Self { calls, ..Self::default() }
    }

    pub(crate) fn add(&mut self, verdict: &Verdict) {
        self.injected += usize::from(verdict.struck);
        self.survived += usize::from(verdict.struck && verdict.survived);
        self.hung += usize::from(verdict.hung);
        self.wrong += usize::from(!verdict.wrong.is_empty());
        self.leaked += usize::from(!verdict.leaked.is_empty());
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.hung + self.wrong + self.leaked == 0
    }

    fn numbers(&self) -> [usize; 6] {
        [self.calls, self.injected, self.survived, self.hung, self.wrong, self.leaked]
    }

    /// The line that a worker prints.
    pub(crate) fn line(&self, name: &str) -> String {
        let numbers = self.numbers().map(|number| number.to_string());
        format!("{}\t{name}", numbers.join("\t"))
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Count { injected, hung, wrong, leaked, .. } = self;
        write!(f, "injected {injected}, hung {hung}, wrong {wrong}, leaked {leaked}")
    }
}

/// Adds the counts that a worker printed.
pub(crate) fn merge(counts: &mut Vec<(String, Count)>, printed: &str) -> Result<()> {
    for line in printed.lines() {
        let mut words = line.splitn(7, '\t');
        let mut number = || words.next()?.parse().ok();
        let mut numbers = [0; 6];
        for place in &mut numbers {
            *place = number().with_context(|| format!("cannot parse worker output: {line:?}"))?;
        }
        let name = words.next().with_context(|| format!("cannot parse worker output: {line:?}"))?;
        let at = counts.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
            counts.push((name.to_owned(), Count::default()));
            counts.len() - 1
        });
        sum(&mut counts[at].1, numbers);
        // All workers record the same calls, so this number is not added up.
        counts[at].1.calls = numbers[0];
    }
    Ok(())
}

fn sum(count: &mut Count, [calls, injected, survived, hung, wrong, leaked]: [usize; 6]) {
    count.calls += calls;
    count.injected += injected;
    count.survived += survived;
    count.hung += hung;
    count.wrong += wrong;
    count.leaked += leaked;
}

/// The sum of all rows.
pub(crate) fn total(counts: &[(String, Count)]) -> Count {
    let mut total = Count::default();
    counts.iter().for_each(|(_, count)| sum(&mut total, count.numbers()));
    total
}

/// The table, with the sum as its last row.
pub(crate) fn markdown(counts: &[(String, Count)]) -> String {
    let mut text = "| command | system calls | faults | survived | hung | wrong | leaked |\n".to_owned();
    text += "|---|---:|---:|---:|---:|---:|---:|\n";
    let total = ("all".to_owned(), total(counts));
    for (name, count) in counts.iter().chain([&total]) {
        let numbers = count.numbers().map(|number| number.to_string());
        text += &format!("| {name} | {} |\n", numbers.join(" | "));
    }
    text
}
