//! `davit events`.

use super::{Scene, Takes, Verb, id, output, words};
use crate::container;
use anyhow::{Context, bail};
use clap::{ArgMatches, Args};
use std::ffi::OsString;
use std::time::Duration;

pub(super) const VERB: Verb = Verb {
    name: "events",
    about: "Print the events and resource usage of a container",
    help: "\
Print events of the container ID, which must be created, running or paused, each as a line of JSON, until its first
process exits: `stats` with its usage every INTERVAL; `oom` when the OOM killer has killed a process, `memory` when
memory.events has changed and `psi` when processes had to wait for cpu, memory or io; these three are printed at once.
The last event is `exit` with the status or the signal, if the kernel reports it, and the reason in words.
With --stats, print its usage once.

Exit status: 0, or 1 if there is no such container.

Example:
  davit events --interval 1m30s web",
    takes: Takes::Exactly(1),
    flags_end: false,
    define: Words::augment_args,
    perform,
};

#[derive(Args)]
struct Words {
    /// Time between two `stats` events, such as 500ms or 1m30s
    #[arg(long, value_name = "TIME", default_value = "5s")]
    interval: String,
    /// Print the usage once
    #[arg(long)]
    stats: bool,
    /// Name of the container
    #[arg(value_name = "ID")]
    id: OsString,
}

fn perform(matches: &ArgMatches, scene: &Scene<'_>) -> anyhow::Result<u8> {
    let words = words::<Words>(matches)?;
    let interval = duration(&words.interval)
        .with_context(|| format!("--interval: {:?} is not a duration such as 5s", words.interval))?;
    if interval.is_zero() {
        bail!("duration interval must be greater than 0");
    }
    let (root, id) = (scene.root()?, id(&words.id)?);
    if words.stats {
        output::print(&(serde_json::to_string(&container::statistics(&root, &id)?)? + "\n"))?;
        return Ok(0);
    }
    let mut tell = |event: &_| output::print(&(serde_json::to_string(event)? + "\n"));
    container::events(&root, &id, interval, &mut tell, scene.log)?;
    Ok(0)
}

/// A duration as Go writes it: numbers with units, `1h2m3.5s`, `300ms`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    let mut sum = 0_u128;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, more) = rest.split_at(end);
        let (unit, nanoseconds) = [
            ("ns", 1),
            ("us", 1_000),
            ("µs", 1_000),
            ("ms", 1_000_000),
            ("s", 1_000_000_000),
            ("m", 60_000_000_000),
            ("h", 3_600_000_000_000_u128),
        ]
        .into_iter()
        .find(|(unit, _)| more.starts_with(unit))?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || number.len() > 15 {
            return None;
        }
        let parse = |digits: &str| if digits.is_empty() { Some(0) } else { digits.parse::<u128>().ok() };
        let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
        sum += parse(whole)? * nanoseconds + parse(fraction)? * nanoseconds / scale;
        rest = &more[unit.len()..];
    }
    (!text.is_empty()).then(|| u64::try_from(sum).ok()).flatten().map(Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn durations_are_written_as_in_go() {
        for (text, milliseconds) in [
            ("5s", Some(5_000)),
            ("300ms", Some(300)),
            ("1m30s", Some(90_000)),
            ("1.5h", Some(5_400_000)),
            (".5s", Some(500)),
            ("0", Some(0)),
            ("", None),
            ("5", None),
            ("-5s", None),
            ("s", None),
            (".s", None),
            ("5x", None),
            ("1.2.3s", None),
        ] {
            assert_eq!(duration(text).map(|time| time.as_millis()), milliseconds, "{text:?}");
        }
    }
}
