//! Limits the time of each table cell and of the whole run. An engine that hangs fails only its own cell, and the table
//! is always printed. This module does not know engines.

use crate::harness::skip::skip;
use std::{
    sync::{LazyLock, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// The time limit of a cell: far more than the slowest check needs on an emulated machine.
const CELL: Duration = Duration::from_secs(480);
/// The time limit of a removal after a cell.
pub(crate) const CLEANING: Duration = Duration::from_secs(60);

/// The start of the run, and its time limit: `$ENGINES_SECONDS`, or none.
static RUN: LazyLock<(Instant, Duration)> = LazyLock::new(|| {
    let seconds = std::env::var("ENGINES_SECONDS").ok().and_then(|text| text.parse().ok());
    (Instant::now(), seconds.map_or(Duration::MAX, Duration::from_secs))
});
static END: Mutex<Option<Instant>> = Mutex::new(None);

/// Starts the time of a cell. Skips the cell if the run has no time left. The last third of the run is reserved for
/// important cells, so a `spare` cell is skipped earlier.
pub(crate) fn begin_cell(spare: bool) {
    let (start, whole) = *RUN;
    let usable = if spare { whole / 3 * 2 } else { whole };
    if start.elapsed() >= usable {
        skip(format!("no time left of the {} s of ENGINES_SECONDS", whole.as_secs()));
    }
    *END.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + CELL);
}

/// The remaining time of the cell.
pub(crate) fn left() -> Duration {
    let end = *END.lock().unwrap_or_else(PoisonError::into_inner);
    end.map_or(CELL, |end| end.saturating_duration_since(Instant::now()))
}

/// Polls a condition within the cell's time, without pauses: `done` calls another program, which takes long enough.
#[track_caller]
pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
    while !done() {
        assert!(!left().is_zero(), "timed out waiting for {what}");
    }
}
