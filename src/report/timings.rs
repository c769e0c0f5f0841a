//! Records the step timings of an invocation for `--timings` and prints them as a table or one JSON object.
//!
//! The callers decide what a step is and call in order.

use serde_json::{Value, json};
use std::fmt::Write;
use std::time::{Duration, Instant};

/// A step of the container's process.
#[derive(Debug)]
pub(crate) struct ProcessStep {
    /// Its place in config.json.
    pub(crate) origin: String,
    /// Its description.
    pub(crate) act: String,
    /// Its duration.
    pub(crate) duration: Duration,
}

/// The step timings of one invocation.
#[derive(Debug)]
pub(crate) struct Timings {
    begun: Instant,
    last: Instant,
    /// The steps of this process, in order.
    own: Vec<(&'static str, Duration)>,
    /// The steps of the container's process.
    process: Vec<ProcessStep>,
}

impl Timings {
    /// Starts the clock.
    pub(crate) fn begin() -> Timings {
        let now = Instant::now();
        Timings { begun: now, last: now, own: Vec::new(), process: Vec::new() }
    }

    /// Records `step` with the time since the previous lap.
    pub(crate) fn lap(&mut self, step: &'static str) {
        let now = Instant::now();
        self.own.push((step, now - self.last));
        self.last = now;
    }

    /// Records the steps of the container's process.
    pub(crate) fn process(&mut self, steps: Vec<ProcessStep>) {
        self.process = steps;
    }

    /// Formats a table: one line for each step, microseconds first.
    pub(crate) fn table(&self) -> String {
        let mut text = String::from("        us  davit\n");
        for (step, duration) in self.own.iter().chain([&("in all", self.last - self.begun)]) {
            let _ = writeln!(text, "{:>10.1}  {step}", micros(*duration));
        }
        if !self.process.is_empty() {
            let width = self.process.iter().map(|step| step.origin.len()).max().unwrap_or(0);
            let _ = writeln!(text, "        us  the container's process");
            for ProcessStep { origin, act, duration } in &self.process {
                let _ = writeln!(text, "{:>10.1}  {origin:width$}  {act}", micros(*duration));
            }
        }
        text
    }

    /// Formats a JSON object; durations are in nanoseconds.
    pub(crate) fn json(&self) -> Value {
        let nanoseconds = |duration: Duration| duration.as_nanos() as u64;
        let own: Vec<_> =
            self.own.iter().map(|(step, time)| json!({ "step": step, "nanoseconds": nanoseconds(*time) })).collect();
        let process = self.process.iter();
        let process: Vec<_> = process
            .map(|step| json!({ "origin": step.origin, "step": step.act, "nanoseconds": nanoseconds(step.duration) }))
            .collect();
        json!({ "nanoseconds": nanoseconds(self.last - self.begun), "davit": own, "process": process })
    }
}

/// A duration in microseconds.
pub(super) fn micros(duration: Duration) -> f64 {
    duration.as_nanos() as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::{ProcessStep, Timings};
    use std::time::Duration;

    #[test]
    fn the_timings_table_and_json_object_match() {
        let mut timings = Timings::begin();
        timings.lap("read");
        timings.lap("make");
        let step = |origin: &str, act: &str, us| ProcessStep {
            origin: origin.to_owned(),
            act: act.to_owned(),
            duration: Duration::from_micros(us),
        };
        timings.process(vec![step("/mounts/0", "mount proc", 12), step("", "execute", 3)]);
        let (table, json) = (timings.table(), timings.json());
        assert!(table.contains("\n      12.0  /mounts/0  mount proc\n"), "{table}");
        assert!(table.contains("\n       3.0             execute\n"), "{table}");
        assert_eq!(table.lines().count(), 7, "{table}");
        assert_eq!((&json["davit"][1]["step"], &json["process"][0]["nanoseconds"]), (&"make".into(), &12_000.into()));
        let sum: u64 = (0..2).filter_map(|lap| json["davit"][lap]["nanoseconds"].as_u64()).sum();
        assert_eq!(json["nanoseconds"], sum, "laps leave nothing out");
    }
}
