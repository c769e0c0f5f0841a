//! Limits the time of each table cell and of all cells together. An engine that hangs fails only its own cell, and the
//! table is always printed. This module knows nothing about engines.

use crate::harness::skip::skip;
use std::{
    sync::{LazyLock, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Far above what an emulated machine needs for the slowest of the checks.
const CELL: Duration = Duration::from_secs(480);
/// What removing something may take when its cell is over.
pub(crate) const CLEANING: Duration = Duration::from_secs(60);

/// When the run was started, and how long it may take: `$ENGINES_SECONDS`, or for ever.
static RUN: LazyLock<(Instant, Duration)> = LazyLock::new(|| {
    let seconds = std::env::var("ENGINES_SECONDS").ok().and_then(|text| text.parse().ok());
    (Instant::now(), seconds.map_or(Duration::MAX, Duration::from_secs))
});
static END: Mutex<Option<Instant>> = Mutex::new(None);

/// Begins the time of a cell; it is skipped when the run has no time left. `spare` is a cell that says less than
/// others, and is let go earlier: the last third is kept for those that say more.
pub(crate) fn begin_cell(spare: bool) {
    let (start, whole) = *RUN;
    let usable = if spare { whole / 3 * 2 } else { whole };
    if start.elapsed() >= usable {
        skip(format!("no time left of the {} s of ENGINES_SECONDS", whole.as_secs()));
    }
    *END.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + CELL);
}

/// What is left of the cell's time.
pub(crate) fn left() -> Duration {
    let end = *END.lock().unwrap_or_else(PoisonError::into_inner);
    end.map_or(CELL, |end| end.saturating_duration_since(Instant::now()))
}

/// Asks again and again, within the cell's time. What is asked is another program, whose answer takes its time.
#[track_caller]
pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
    while !done() {
        assert!(!left().is_zero(), "waited in vain for {what}");
    }
}
