//! The JSON of `runc events`, which tools parse: names of cgroup v1, values in nanoseconds and bytes.

use crate::cgroup::counters::{self, Pressure, Stall};
use serde::Serialize;
use std::collections::BTreeMap;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn zero(number: &u64) -> bool {
    *number == 0
}

/// `data` of a `stats` event.
#[derive(Serialize)]
pub(super) struct Stats {
    cpu: Cpu,
    cpuset: CpuSet,
    memory: Memory,
    pids: Pids,
    blkio: BlockIo,
    hugetlb: BTreeMap<String, Hugetlb>,
    intel_rdt: IntelRdt,
    network_interfaces: Option<Vec<()>>,
}

#[derive(Serialize)]
struct Cpu {
    usage: CpuUsage,
    throttling: Throttling,
    #[serde(skip_serializing_if = "Option::is_none")]
    psi: Option<Psi>,
}

#[derive(Serialize)]
struct CpuUsage {
    #[serde(skip_serializing_if = "zero")]
    total: u64,
    kernel: u64,
    user: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Throttling {
    #[serde(skip_serializing_if = "zero")]
    periods: u64,
    #[serde(skip_serializing_if = "zero")]
    throttled_periods: u64,
    #[serde(skip_serializing_if = "zero")]
    throttled_time: u64,
}

/// cgroup v2 has no such counters; the members are always present.
#[derive(Serialize, Default)]
struct CpuSet {
    cpu_exclusive: u64,
    mem_hardwall: u64,
    mem_exclusive: u64,
    memory_migrate: u64,
    memory_spread_page: u64,
    memory_spread_slab: u64,
    memory_pressure: u64,
    sched_load_balance: u64,
    sched_relax_domain_level: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Memory {
    #[serde(skip_serializing_if = "zero")]
    cache: u64,
    usage: Entry,
    swap: Entry,
    kernel: Entry,
    #[serde(rename = "kernelTCP")]
    kernel_tcp: Entry,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    raw: counters::Counters,
    #[serde(skip_serializing_if = "Option::is_none")]
    psi: Option<Psi>,
}

#[derive(Serialize, Default)]
struct Entry {
    limit: u64,
    #[serde(skip_serializing_if = "zero")]
    usage: u64,
    #[serde(skip_serializing_if = "zero")]
    max: u64,
    failcnt: u64,
}

#[derive(Serialize, Default)]
struct Pids {
    #[serde(skip_serializing_if = "zero")]
    current: u64,
    #[serde(skip_serializing_if = "zero")]
    limit: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BlockIo {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    io_service_bytes_recursive: Vec<Transfer>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    io_serviced_recursive: Vec<Transfer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    psi: Option<Psi>,
}

#[derive(Serialize)]
struct Transfer {
    #[serde(skip_serializing_if = "zero")]
    major: u64,
    #[serde(skip_serializing_if = "zero")]
    minor: u64,
    op: &'static str,
    #[serde(skip_serializing_if = "zero")]
    value: u64,
}

#[derive(Serialize)]
struct Hugetlb {
    #[serde(skip_serializing_if = "zero")]
    usage: u64,
    failcnt: u64,
}

#[derive(Serialize)]
struct IntelRdt {}

/// A pressure file.
#[derive(Serialize)]
pub(super) struct Psi {
    some: Line,
    full: Line,
}

#[derive(Serialize)]
struct Line {
    avg10: f64,
    avg60: f64,
    avg300: f64,
    total: u64,
}

impl Psi {
    /// The same with runc's names.
    pub(super) fn of(pressure: &Pressure) -> Psi {
        let line = |stall: &Stall| {
            let [avg10, avg60, avg300] = stall.average;
            Line { avg10, avg60, avg300, total: stall.total }
        };
        Psi { some: line(&pressure.some), full: line(&pressure.full) }
    }
}

impl Stats {
    /// The same with runc's names.
    pub(super) fn of(stats: &counters::Stats) -> Stats {
        let psi = |pressure: &Option<Pressure>| pressure.as_ref().map(Psi::of);
        let cpu = |name: &str| stats.cpu.get(name).copied().unwrap_or(0);
        let nanoseconds = |name: &str| cpu(name).saturating_mul(1000);
        let pids = stats.pids.as_ref();
        let hugetlb = stats.hugetlb.iter();
        Stats {
            cpu: Cpu {
                usage: CpuUsage {
                    total: nanoseconds("usage_usec"),
                    kernel: nanoseconds("system_usec"),
                    user: nanoseconds("user_usec"),
                },
                throttling: Throttling {
                    periods: cpu("nr_periods"),
                    throttled_periods: cpu("nr_throttled"),
                    throttled_time: nanoseconds("throttled_usec"),
                },
                psi: psi(&stats.cpu_pressure),
            },
            cpuset: CpuSet::default(),
            memory: memory(stats.memory.as_ref(), psi(&stats.memory_pressure)),
            pids: Pids {
                current: pids.map_or(0, |pids| pids.current),
                limit: pids.and_then(|pids| pids.max).unwrap_or(0),
            },
            blkio: BlockIo {
                io_service_bytes_recursive: transfers(stats, "rbytes", "wbytes"),
                io_serviced_recursive: transfers(stats, "rios", "wios"),
                psi: psi(&stats.io_pressure),
            },
            hugetlb: hugetlb
                .map(|(size, of)| (size.clone(), Hugetlb { usage: of.current, failcnt: of.failures }))
                .collect(),
            intel_rdt: IntelRdt {},
            network_interfaces: None,
        }
    }
}

/// Without a limit v1 has the highest number. Its swap value is the sum of memory and swap.
fn memory(memory: Option<&counters::Memory>, psi: Option<Psi>) -> Memory {
    let Some(memory) = memory else {
        let (usage, swap, kernel, kernel_tcp) = Default::default();
        return Memory { cache: 0, usage, swap, kernel, kernel_tcp, raw: BTreeMap::new(), psi };
    };
    let limit = memory.max.unwrap_or(u64::MAX);
    let swap = Entry {
        limit: memory.swap_max.map_or(u64::MAX, |swap| swap.saturating_add(limit)),
        usage: memory.swap_current.unwrap_or(0).saturating_add(memory.current),
        max: 0,
        failcnt: 0,
    };
    Memory {
        cache: memory.stat.get("file").copied().unwrap_or(0),
        usage: Entry { limit, usage: memory.current, max: memory.peak.unwrap_or(0), failcnt: 0 },
        swap,
        kernel: Entry::default(),
        kernel_tcp: Entry::default(),
        raw: memory.stat.clone(),
        psi,
    }
}

fn transfers(stats: &counters::Stats, read: &str, write: &str) -> Vec<Transfer> {
    let mut all = Vec::new();
    for (device, counters) in stats.io.iter().flatten() {
        let Some((major, minor)) = device.split_once(':') else { continue };
        let (Ok(major), Ok(minor)) = (major.parse(), minor.parse()) else { continue };
        for (name, op) in [(read, "Read"), (write, "Write")] {
            if let Some(&value) = counters.get(name) {
                all.push(Transfer { major, minor, op, value });
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::Stats;
    use crate::cgroup::counters;

    #[test]
    fn the_members_are_runcs_and_in_its_order() {
        let mut stats = counters::Stats { memory: Some(counters::Memory::default()), ..counters::Stats::default() };
        stats.cpu.insert("usage_usec".to_owned(), 2);
        stats.pids = Some(counters::Pids { current: 3, max: None });
        stats.io = Some([("8:0".to_owned(), [("rbytes".to_owned(), 5), ("dbytes".to_owned(), 6)].into())].into());
        let text = serde_json::to_string(&Stats::of(&stats)).expect("is JSON");
        let none = r#"{"limit":18446744073709551615,"failcnt":0}"#;
        let zero = r#"{"limit":0,"failcnt":0}"#;
        let wanted = [
            r#"{"cpu":{"usage":{"total":2000,"kernel":0,"user":0},"throttling":{}},"cpuset":{"cpu_exclusive":0,"#,
            r#""mem_hardwall":0,"mem_exclusive":0,"memory_migrate":0,"memory_spread_page":0,"memory_spread_slab":0,"#,
            r#""memory_pressure":0,"sched_load_balance":0,"sched_relax_domain_level":0},"memory":{"usage":"#,
            none,
            r#","swap":"#,
            none,
            r#","kernel":"#,
            zero,
            r#","kernelTCP":"#,
            zero,
            r#"},"pids":{"current":3},"blkio":{"ioServiceBytesRecursive":[{"major":8,"op":"Read","value":5}]},"#,
            r#""hugetlb":{},"intel_rdt":{},"network_interfaces":null}"#,
        ];
        assert_eq!(text, wanted.concat());
    }
}
