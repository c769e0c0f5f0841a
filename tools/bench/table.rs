//! Computes medians and paired ratios from samples, and formats them as a table in text or Markdown.

use std::fmt::Write as _;
use std::time::Duration;

/// One row of the table: a quantity, and each contestant's samples. A contestant without samples did not take part.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    /// Digits after the point.
    pub(crate) digits: usize,
    /// The samples of each contestant, in the table's order. The n-th samples of all contestants form a pair.
    pub(crate) samples: Vec<Vec<f64>>,
}

impl Row {
    /// A row of times, in milliseconds.
    pub(crate) fn of_times(name: &'static str, samples: Vec<Vec<Duration>>) -> Self {
        let samples = samples.iter().map(|s| s.iter().map(|time| time.as_secs_f64() * 1e3).collect()).collect();
        Self { name, unit: "ms", digits: 2, samples }
    }

    fn median(&self, contestant: usize) -> Option<f64> {
        median(self.samples[contestant].clone())
    }

    /// The median of the ratios pair by pair. A temporarily slow machine affects it less than a ratio of medians.
    fn ratio(&self, contestant: usize, to: usize) -> Option<f64> {
        median(self.samples[contestant].iter().zip(&self.samples[to]).map(|(ours, theirs)| ours / theirs).collect())
    }
}

/// The middle value, or `None` if there are no values.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let (low, high) = (values.len().checked_sub(1)? / 2, values.len() / 2);
    Some((values[low] + values[high]) / 2.0)
}

/// The header and the cells of every row: the medians of all contestants, then the ratio of the first runtime to each
/// other. `runtimes` is the index of the first runtime; the contestants before it are the minimum.
fn cells(contestants: &[&str], runtimes: usize, rows: &[Row]) -> Vec<Vec<String>> {
    let others: Vec<usize> = (0..contestants.len()).filter(|&other| other != runtimes).collect();
    let mut header = vec![String::new()];
    header.extend(contestants.iter().map(|name| (*name).to_owned()));
    header.extend(others.iter().map(|&other| format!("{} / {}", contestants[runtimes], contestants[other])));
    let mut table = vec![header];
    for row in rows {
        let mut line = vec![format!("{} ({})", row.name, row.unit)];
        let show =
            |value: Option<f64>, digits| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"));
        line.extend((0..contestants.len()).map(|contestant| show(row.median(contestant), row.digits)));
        line.extend(others.iter().map(|&other| show(row.ratio(runtimes, other), 2)));
        table.push(line);
    }
    table
}

/// The table for a terminal: columns aligned, numbers to the right.
pub(crate) fn text(contestants: &[&str], runtimes: usize, rows: &[Row]) -> String {
    let table = cells(contestants, runtimes, rows);
    let widths: Vec<usize> =
        (0..table[0].len()).map(|column| table.iter().map(|line| line[column].len()).max().unwrap_or(0)).collect();
    let mut out = String::new();
    for line in &table {
        let _ = write!(out, "{:<width$}", line[0], width = widths[0]);
        for (cell, width) in line.iter().zip(&widths).skip(1) {
            let _ = write!(out, "  {cell:>width$}");
        }
        out.push('\n');
    }
    out
}

/// The table for a document.
pub(crate) fn markdown(contestants: &[&str], runtimes: usize, rows: &[Row]) -> String {
    let table = cells(contestants, runtimes, rows);
    let mut out = String::new();
    for (number, line) in table.iter().enumerate() {
        let _ = writeln!(out, "| {} |", line.join(" | "));
        if number == 0 {
            let _ = writeln!(out, "|---|{}", "--:|".repeat(line.len() - 1));
        }
    }
    out
}
