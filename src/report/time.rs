//! Formats times as RFC 3339 text in UTC, for the log, state documents and other output read by programs.
//!
//! Deliberately has no time zones, no locale and no parsing.

use std::time::{SystemTime, UNIX_EPOCH};

/// Formats whole seconds, for log lines: `2026-11-21T00:00:00Z`.
pub(crate) fn seconds(moment: SystemTime) -> String {
    let (secs, _) = since_epoch(moment);
    format!("{}Z", calendar(secs))
}

/// Formats nanoseconds without trailing zeros (Go's `RFC3339Nano`), for state documents: `2026-11-21T00:00:00.12345Z`.
pub(crate) fn nanoseconds(moment: SystemTime) -> String {
    let (secs, nanos) = since_epoch(moment);
    if nanos == 0 {
        return format!("{}Z", calendar(secs));
    }
    let fraction = format!("{nanos:09}");
    format!("{}.{}Z", calendar(secs), fraction.trim_end_matches('0'))
}

/// Seconds (floored) and nanoseconds since 1970; a clock before 1970 counts as 1970.
fn since_epoch(moment: SystemTime) -> (u64, u32) {
    let span = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    (span.as_secs(), span.subsec_nanos())
}

/// The civil date and time of a second since 1970, without the zone letter.
///
/// The year starts in March here, so that the leap day is its last day and month lengths follow one formula.
fn calendar(secs: u64) -> String {
    let (days, rest) = (secs / 86_400, secs % 86_400);
    let days = days + 719_468; // Days from 1 March of year 0 to 1 January 1970.
    let era = days / 146_097; // An era is 400 years.
    let day_of_era = days % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}", rest / 3_600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::{nanoseconds, seconds};
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn seconds_are_civil_dates() {
        // The right-hand sides are what `date -u -d @N +%FT%TZ` prints.
        for (secs, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_795_219_200, "2026-11-21T00:00:00Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
        ] {
            assert_eq!(seconds(UNIX_EPOCH + Duration::from_secs(secs)), text, "{secs}");
        }
    }

    #[test]
    fn a_fraction_loses_its_trailing_zeros() {
        for (nanos, text) in [(0, "00Z"), (120_000_000, "00.12Z"), (1, "00.000000001Z"), (999_999_990, "00.99999999Z")]
        {
            assert_eq!(nanoseconds(UNIX_EPOCH + Duration::from_nanos(nanos)), format!("1970-01-01T00:00:{text}"));
        }
    }
}
