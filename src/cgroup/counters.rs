//! Reads the statistics files of a cgroup.
//!
//! Knows the files and their format; the schema of the output is left to the callers.

use crate::cgroup::{Cgroup, Refusal};
use crate::sys::beneath;
use anyhow::Result;
use std::collections::BTreeMap;

/// Counters by the kernel's own names, as in `memory.stat`.
pub(crate) type Counters = BTreeMap<String, u64>;
/// Counters by device, as in `io.stat` (`8:0`) and `rdma.current` (`mlx4_0`).
pub(crate) type ByDevice = BTreeMap<String, Counters>;

/// All statistics at one moment. A part is `None` if its controller is not enabled. Times are in microseconds, sizes in
/// bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Stats {
    /// `cpu.stat`; every cgroup has usage, only the cpu controller adds throttling.
    pub(crate) cpu: Counters,
    /// `cpu.pressure`.
    pub(crate) cpu_pressure: Option<Pressure>,
    /// The memory controller.
    pub(crate) memory: Option<Memory>,
    /// `memory.pressure`.
    pub(crate) memory_pressure: Option<Pressure>,
    /// The pids controller.
    pub(crate) pids: Option<Pids>,
    /// `io.stat`.
    pub(crate) io: Option<ByDevice>,
    /// `io.pressure`.
    pub(crate) io_pressure: Option<Pressure>,
    /// The hugetlb controller, by page size as in the file names (`2MB`).
    pub(crate) hugetlb: BTreeMap<String, Hugetlb>,
    /// `rdma.current` and `rdma.max`; a value that is `max` there is left out.
    pub(crate) rdma: Option<(ByDevice, ByDevice)>,
}

/// The files of the memory controller.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Memory {
    /// `memory.current`.
    pub(crate) current: u64,
    /// `memory.max`, `None` when unlimited.
    pub(crate) max: Option<u64>,
    /// `memory.peak` (Linux 5.19).
    pub(crate) peak: Option<u64>,
    /// `memory.swap.current`, absent where the kernel counts no swap.
    pub(crate) swap_current: Option<u64>,
    /// `memory.swap.max`, `None` when unlimited or absent.
    pub(crate) swap_max: Option<u64>,
    /// `memory.swap.peak` (Linux 6.5).
    pub(crate) swap_peak: Option<u64>,
    /// `memory.events`: `oom`, `oom_kill`, `max`, …
    pub(crate) events: Counters,
    /// `memory.stat`.
    pub(crate) stat: Counters,
}

/// The files of the pids controller.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Pids {
    /// `pids.current`.
    pub(crate) current: u64,
    /// `pids.max`, `None` when unlimited.
    pub(crate) max: Option<u64>,
}

/// The files of the hugetlb controller for one page size.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Hugetlb {
    /// `hugetlb.<size>.current`.
    pub(crate) current: u64,
    /// `hugetlb.<size>.max`, `None` when unlimited.
    pub(crate) max: Option<u64>,
    /// `max` of `hugetlb.<size>.events`: how often the limit was hit.
    pub(crate) failures: u64,
}

/// A pressure file (PSI).
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Pressure {
    /// Some process waited.
    pub(crate) some: Stall,
    /// All of them waited.
    pub(crate) full: Stall,
}

/// One line of a pressure file.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Stall {
    /// Percentage of time in the last 10, 60 and 300 seconds.
    pub(crate) average: [f64; 3],
    /// Microseconds since the cgroup was created.
    pub(crate) total: u64,
}

/// What the OOM killer did in a cgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Oom {
    /// Killed processes, in the cgroup and below.
    pub(crate) kills: u64,
    /// Whether the limit of this cgroup was reached. `None` if the kernel does not count it (before Linux 5.2).
    pub(crate) own: Option<bool>,
    /// Whether its limit or one below was reached.
    pub(crate) below: bool,
    /// Its limit in bytes; `None` if unlimited.
    pub(crate) limit: Option<u64>,
}

impl Cgroup {
    /// Reads all statistics. A file that does not exist leaves its part empty.
    pub(crate) fn measure(&self) -> Result<Stats> {
        Ok(Stats {
            cpu: self.counters("cpu.stat")?.unwrap_or_default(),
            cpu_pressure: self.pressure("cpu.pressure")?,
            memory: self.memory()?,
            memory_pressure: self.pressure("memory.pressure")?,
            pids: match self.number("pids.current")? {
                Some(current) => Some(Pids { current, max: self.number("pids.max")? }),
                None => None,
            },
            io: self.read_if_there("io.stat")?.map(|text| by_device(&text)),
            io_pressure: self.pressure("io.pressure")?,
            hugetlb: self.hugetlb()?,
            rdma: match self.read_if_there("rdma.current")? {
                Some(current) => {
                    let max = self.read_if_there("rdma.max")?.unwrap_or_default();
                    Some((by_device(&current), by_device(&max)))
                }
                None => None,
            },
        })
    }

    /// Number of processes that the OOM killer has killed in this cgroup and below: `oom_kill` of `memory.events`.
    /// `None` without the memory controller.
    pub(crate) fn oom_kills(&self) -> Result<Option<u64>> {
        let events = self.counters("memory.events")?;
        Ok(events.map(|events| events.get("oom_kill").copied().unwrap_or(0)))
    }

    /// What the OOM killer did here and below, and at whose limit. `None` without the memory controller.
    pub(crate) fn oom(&self) -> Result<Option<Oom>> {
        let Some(events) = self.counters("memory.events")? else { return Ok(None) };
        let count = |counters: &Counters, name: &str| counters.get(name).copied().unwrap_or(0);
        // `oom` counts in the cgroup whose limit was reached, and in its ancestors.
        let local = self.counters("memory.events.local")?;
        let limit = self.number("memory.max")?;
        Ok(Some(Oom {
            kills: count(&events, "oom_kill"),
            own: local.map(|local| count(&local, "oom") > 0),
            below: count(&events, "oom") > 0,
            limit,
        }))
    }

    /// Quota (`None`: unlimited) and period in microseconds, `cpu.max`. `None` without the cpu controller.
    pub(crate) fn bandwidth(&self) -> Result<Option<(Option<u64>, u64)>> {
        let Some(text) = self.read_if_there("cpu.max")? else { return Ok(None) };
        let mut words = text.split_ascii_whitespace();
        let quota = words.next().and_then(|word| word.parse().ok());
        Ok(words.next().and_then(|word| word.parse().ok()).map(|period| (quota, period)))
    }

    /// `memory.max` in bytes; `None` when unlimited or without the memory controller.
    pub(crate) fn memory_limit(&self) -> Result<Option<u64>> {
        self.number("memory.max")
    }

    fn memory(&self) -> Result<Option<Memory>> {
        let Some(current) = self.number("memory.current")? else { return Ok(None) };
        Ok(Some(Memory {
            current,
            max: self.number("memory.max")?,
            peak: self.number("memory.peak")?,
            swap_current: self.number("memory.swap.current")?,
            swap_max: self.number("memory.swap.max")?,
            swap_peak: self.number("memory.swap.peak")?,
            events: self.counters("memory.events")?.unwrap_or_default(),
            stat: self.counters("memory.stat")?.unwrap_or_default(),
        }))
    }

    fn hugetlb(&self) -> Result<BTreeMap<String, Hugetlb>> {
        let entries = beneath::entries(self.fd())
            .map_err(|errno| Refusal::of(format!("list {}", self.path().display()), errno))?;
        let mut sizes = BTreeMap::new();
        for (name, _) in entries {
            let Some(name) = name.to_str() else { continue };
            let size = name.strip_prefix("hugetlb.").and_then(|rest| rest.strip_suffix(".current"));
            let Some(size) = size.filter(|size| !size.contains('.')) else { continue };
            let Some(current) = self.number(name)? else { continue };
            let events = self.counters(&format!("hugetlb.{size}.events"))?.unwrap_or_default();
            let max = self.number(&format!("hugetlb.{size}.max"))?;
            let failures = events.get("max").copied().unwrap_or(0);
            sizes.insert(size.to_owned(), Hugetlb { current, max, failures });
        }
        Ok(sizes)
    }

    /// Reads a file with one number. Returns `None` if the content is `max` or the file does not exist.
    fn number(&self, file: &str) -> Result<Option<u64>> {
        Ok(self.read_if_there(file)?.and_then(|text| text.trim().parse().ok()))
    }

    fn counters(&self, file: &str) -> Result<Option<Counters>> {
        Ok(self.read_if_there(file)?.map(|text| counters(&text)))
    }

    fn pressure(&self, file: &str) -> Result<Option<Pressure>> {
        Ok(self.read_if_there(file)?.map(|text| pressure(&text)))
    }
}

/// Parses lines of `name number`.
pub(super) fn counters(text: &str) -> Counters {
    let pair = |line: &str| {
        let (name, value) = line.split_once(' ')?;
        Some((name.to_owned(), value.trim().parse().ok()?))
    };
    text.lines().filter_map(pair).collect()
}

/// Parses lines of `device name=number name=number`.
pub(super) fn by_device(text: &str) -> ByDevice {
    let pair = |word: &str| {
        let (name, value) = word.split_once('=')?;
        Some((name.to_owned(), value.parse().ok()?))
    };
    let line = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        Some((words.next()?.to_owned(), words.filter_map(pair).collect()))
    };
    text.lines().filter_map(line).collect()
}

/// Parses lines of `some avg10=0.00 avg60=0.00 avg300=0.00 total=0`.
pub(super) fn pressure(text: &str) -> Pressure {
    let stall = |kind: &str| {
        let mut stall = Stall::default();
        let line = text.lines().find_map(|line| line.strip_prefix(kind)).unwrap_or_default();
        for (name, value) in line.split_ascii_whitespace().filter_map(|word| word.split_once('=')) {
            match name {
                "avg10" => stall.average[0] = value.parse().unwrap_or(0.0),
                "avg60" => stall.average[1] = value.parse().unwrap_or(0.0),
                "avg300" => stall.average[2] = value.parse().unwrap_or(0.0),
                "total" => stall.total = value.parse().unwrap_or(0),
                _ => {}
            }
        }
        stall
    };
    Pressure { some: stall("some "), full: stall("full ") }
}
