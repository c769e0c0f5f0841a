//! Extracts from CRIU's log what explains a failure.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::fd::OwnedFd;

/// How much of the end of the log is read.
const TAIL: i64 = 64 << 10;

/// How many lines are shown.
const SHOWN: usize = 4;

/// The last errors in the log, or its last lines if it has no errors; joined by `; `. Empty if it cannot be read.
pub(crate) fn last_lines(log: OwnedFd) -> String {
    let mut log = File::from(log);
    let mut bytes = Vec::new();
    // A short log cannot be sought back that far.
    if log.seek(SeekFrom::End(-TAIL)).is_err() && log.rewind().is_err() {
        return String::new();
    }
    match log.take(TAIL as u64).read_to_end(&mut bytes) {
        Ok(_) => shown(&String::from_utf8_lossy(&bytes)),
        Err(_) => String::new(),
    }
}

fn shown(log: &str) -> String {
    let lines: Vec<&str> = log.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let errors: Vec<&str> =
        lines.iter().copied().filter(|line| line.contains("Error (") && !line.contains("RLIMIT_NOFILE")).collect();
    let chosen = if errors.is_empty() { lines } else { errors };
    let first = chosen.len().saturating_sub(SHOWN);
    chosen[first..].iter().map(|line| without_time(line)).collect::<Vec<_>>().join("; ")
}

/// A line without its time, `(00.012345)`.
fn without_time(line: &str) -> &str {
    let rest = line.strip_prefix('(').and_then(|rest| rest.split_once(')'));
    rest.map_or(line, |(_, rest)| rest.trim_start_matches([' ', ':']))
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn errors_are_shown_without_times_and_the_last_ones_win() {
        let log =
            "(00.1) Dumping\n(00.2) Error (criu/a.c:1): one\n(00.3)     42: Error (criu/b.c:2): two\n(00.4) Unlock\n";
        assert_eq!(shown(log), "Error (criu/a.c:1): one; 42: Error (criu/b.c:2): two");
        let many: String = (0..9).map(|number| format!("(1.0) Error (x): {number}\n")).collect();
        assert_eq!(shown(&many), "Error (x): 5; Error (x): 6; Error (x): 7; Error (x): 8");
        assert_eq!(shown("plain\n\nlast\n"), "plain; last");
        assert_eq!(shown(""), "");
    }
}
