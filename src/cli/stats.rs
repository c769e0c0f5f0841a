//! `davit stats`.

use super::list::Format;
use super::{Scene, Takes, Verb, id, output, words};
use crate::container::{Samples, Usage};
use clap::{ArgMatches, Args};
use std::ffi::OsString;
use std::fmt::Write;
use std::io::{IsTerminal, stdout};
use std::time::Duration;

pub(super) const VERB: Verb = Verb {
    name: "stats",
    about: "Show the resource usage of containers, live",
    help: "\
Show a table of the containers' resource usage, updated every second until interrupted: CPU time in per cent of one CPU,
memory and its limit, the share of the last ten seconds in which processes waited for CPU, memory and I/O (pressure),
processes, bytes read from and written to disks. Without an ID, show all that are created, running or paused.

Exit status: 0, or 1 if one of the given containers does not exist or is stopped.

Example:
  davit stats --no-stream --format json web",
    takes: Takes::AtLeast(0),
    flags_end: false,
    define: Words::augment_args,
    perform,
};

/// The time between two samples.
const PERIOD: Duration = Duration::from_secs(1);

#[derive(Args)]
struct Words {
    /// Show the usage once
    #[arg(long)]
    no_stream: bool,
    /// Format: a table, or a line with a JSON array for each sample
    #[arg(long, short, default_value = "table")]
    format: Format,
    /// Names of containers
    #[arg(value_name = "ID")]
    ids: Vec<OsString>,
}

fn perform(matches: &ArgMatches, scene: &Scene<'_>) -> anyhow::Result<u8> {
    let words = words::<Words>(matches)?;
    let root = scene.root()?;
    let ids = words.ids.iter().map(|text| id(text)).collect::<Result<_, _>>()?;
    let mut samples = Samples::begin(&root, ids, scene.log)?;
    let live = !words.no_stream && words.format == Format::Table && stdout().is_terminal();
    // A share of time needs two samples.
    while samples.wait(PERIOD)? {
        let rows = samples.take(&root, scene.log)?;
        let text = match words.format {
            Format::Json => serde_json::to_string(&rows)? + "\n",
            // Moves the cursor to the top left corner and clears the screen.
            Format::Table if live => format!("\x1b[H\x1b[J{}", table(&rows)),
            Format::Table => table(&rows),
        };
        output::print(&text)?;
        if words.no_stream {
            break;
        }
    }
    Ok(0)
}

fn table(rows: &[Usage]) -> String {
    let titles = ["ID", "CPU %", "MEMORY / LIMIT", "MEM %", "PRESSURE CPU MEM IO", "PIDS", "READ / WRITTEN"];
    let mut lines = vec![titles.map(str::to_owned)];
    lines.extend(rows.iter().map(cells));
    let widths: [usize; 7] =
        std::array::from_fn(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0));
    let mut text = String::new();
    for line in &lines {
        let start = text.len();
        for (cell, width) in line.iter().zip(widths) {
            let _ = write!(text, "{cell:width$}   ");
        }
        text.truncate(start + text[start..].trim_end().len());
        text.push('\n');
    }
    text
}

fn cells(usage: &Usage) -> [String; 7] {
    let limit = usage.memory_limit.map_or("-".to_owned(), size);
    let share = usage.memory_limit.filter(|limit| *limit > 0);
    let pids = usage.pids_limit.map_or(usage.pids.to_string(), |limit| format!("{} / {limit}", usage.pids));
    [
        usage.id.clone(),
        format!("{:.2}", usage.cpu_percent),
        format!("{} / {limit}", size(usage.memory)),
        share.map_or("-".to_owned(), |limit| format!("{:.2}", usage.memory as f64 * 100.0 / limit as f64)),
        usage.pressure.map_or("-".to_owned(), |[cpu, memory, io]| format!("{cpu:.2} {memory:.2} {io:.2}")),
        pids,
        format!("{} / {}", size(usage.io[0]), size(usage.io[1])),
    ]
}

/// Bytes in the unit that leaves at most four digits.
fn size(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            return if unit == "B" { format!("{bytes}B") } else { format!("{value:.1}{unit}") };
        }
        value /= 1024.0;
    }
    format!("{value:.1}TiB")
}

#[cfg(test)]
mod tests {
    use super::{size, table};
    use crate::container::Usage;

    #[test]
    fn sizes_are_short() {
        let got = [0, 1023, 1024, 1 << 20, 3 << 29, 1 << 50].map(size);
        assert_eq!(got, ["0B", "1023B", "1.0KiB", "1.0MiB", "1.5GiB", "1024.0TiB"]);
    }

    #[test]
    fn columns_are_aligned() {
        let usage = Usage {
            id: "a-long-name".to_owned(),
            cpu_percent: 12.5,
            memory: 1 << 20,
            memory_limit: Some(4 << 20),
            pressure: None,
            pids: 3,
            pids_limit: None,
            io: [0, 2048],
        };
        let text = table(&[usage]);
        let wanted = "\
ID            CPU %   MEMORY / LIMIT    MEM %   PRESSURE CPU MEM IO   PIDS   READ / WRITTEN
a-long-name   12.50   1.0MiB / 4.0MiB   25.00   -                     3      0B / 2.0KiB\n";
        assert_eq!(text, wanted);
    }
}
