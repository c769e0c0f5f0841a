//! Compiles `linux.resources.cpu`: shares, bandwidth, idle state, and the sets of CPUs and memory nodes.

use super::{Draft, Refused};
use crate::plan::number_list;
use crate::spec::pointer::Pointer;
use oci_spec::runtime::LinuxCpu;

/// The kernel's bounds for a bandwidth period, and its lower bound for a quota, in microseconds
/// (`min_cfs_quota_period`, `max_cfs_quota_period` in kernel/sched/core.c).
const PERIOD: std::ops::RangeInclusive<u64> = 1_000..=1_000_000;
/// The default period in microseconds (kernel documentation, cgroup-v2, "cpu.max").
const DEFAULT_PERIOD: u64 = 100_000;

/// Adds the writes of the cpu and cpuset controllers.
pub(super) fn compile(cpu: &LinuxCpu, at: &Pointer, draft: &mut Draft<'_>) {
    let instead = "use process.scheduler for real-time scheduling, or cpu.quota to limit the time";
    if cpu.realtime_runtime().is_some_and(|n| n != 0 && n != -1) {
        draft.unsupported(at.key("realtimeRuntime"), instead);
    }
    if cpu.realtime_period().is_some_and(|n| n != 0) {
        draft.unsupported(at.key("realtimePeriod"), instead);
    }
    weight_and_idle(cpu, at, draft);
    bandwidth(cpu, at, draft);
    for (name, file, list) in [("cpus", "cpuset.cpus", cpu.cpus()), ("mems", "cpuset.mems", cpu.mems())] {
        let Some(list) = list.as_deref().map(str::trim).filter(|list| !list.is_empty()) else { continue };
        match number_list::check_kernel_list(list) {
            Ok(()) => draft.write(at.key(name), file, list.to_owned()),
            Err(what) => draft.problems.add(at.key(name), what),
        }
    }
}

/// Writes idle 0 first, then the weight, then idle 1. The kernel refuses `cpu.weight` while `cpu.idle` is 1, and going
/// from idle to normal resets the weight. An idle group has no weight, so none is written.
fn weight_and_idle(cpu: &LinuxCpu, at: &Pointer, draft: &mut Draft<'_>) {
    let idle = match cpu.idle() {
        None => None,
        Some(0) => Some(false),
        Some(1) => Some(true),
        Some(n) => {
            draft.problems.add(at.key("idle"), format!("{n} is neither 0 (normal) nor 1 (idle)"));
            None
        }
    };
    if idle == Some(false) {
        draft.lift(at.key("idle"), "cpu.idle", "0".to_owned());
    }
    match (weight(cpu.shares().unwrap_or(0)), idle) {
        (None, _) => {}
        (Some(_), Some(true)) => {
            draft.warnings.push(format!("{}: has no effect while cpu.idle is 1", at.key("shares")));
        }
        (Some(weight), _) => draft.write(at.key("shares"), "cpu.weight", weight.to_string()),
    }
    if idle == Some(true) {
        draft.write(at.key("idle"), "cpu.idle", "1".to_owned());
    }
}

fn bandwidth(cpu: &LinuxCpu, at: &Pointer, draft: &mut Draft<'_>) {
    let quota = cpu.quota().unwrap_or(0);
    let period = cpu.period().unwrap_or(0);
    if period != 0 && !PERIOD.contains(&period) {
        let what = format!("{period} is not between {} and {} microseconds", PERIOD.start(), PERIOD.end());
        draft.problems.add(at.key("period"), what);
    }
    let limited = u64::try_from(quota).ok().filter(|quota| *quota > 0);
    if let Some(quota) = limited
        && quota < *PERIOD.start()
    {
        let what = format!("{quota} is below the kernel minimum, {} microseconds; -1 means unlimited", PERIOD.start());
        draft.problems.add(at.key("quota"), what);
    }
    let max = (quota != 0 || period != 0).then(|| {
        let period = if period == 0 { DEFAULT_PERIOD } else { period };
        match limited {
            Some(quota) => format!("{quota} {period}"),
            None => format!("max {period}"),
        }
    });
    if let Some(burst) = cpu.burst() {
        if let Some(quota) = limited
            && burst > quota
        {
            draft.problems.add(at.key("burst"), format!("{burst} is above cpu.quota, {quota}"));
        }
        match (burst, &max) {
            // A burst of 0 is below any quota, so the order does not matter.
            (0, _) => draft.lift(at.key("burst"), "cpu.max.burst", "0".to_owned()),
            (_, None) => draft.write(at.key("burst"), "cpu.max.burst", burst.to_string()),
            // A burst must not exceed the quota in force, so the order of both writes depends on the previous values.
            (_, Some(_)) => {
                draft.write_or(at.key("burst"), "cpu.max.burst", burst.to_string(), Refused::AgainAfterNext);
            }
        }
    }
    let Some(max) = max else { return };
    let origin = at.key(if quota != 0 { "quota" } else { "period" });
    match limited {
        Some(_) => draft.write(origin, "cpu.max", max),
        None => draft.lift(origin, "cpu.max", max),
    }
}

/// Converts cpu.shares (2..=262144, default 1024) to cpu.weight (1..=10000, default 100). 0 means "unset": `None`.
///
/// The curve is quadratic in log space and passes through (2, 1), (1024, 100) and (262144, 10000). The linear
/// conversion of older runtimes gave a default container a weight of 39, less than any process outside.
pub(super) fn weight(shares: u64) -> Option<u32> {
    match shares {
        0 => None,
        1..=2 => Some(1),
        262_144.. => Some(10_000),
        // At 1024 the exponent is 2 plus a rounding error, so `ceil` would return 101.
        1024 => Some(100),
        _ => {
            #[expect(clippy::cast_precision_loss, reason = "shares are below 2^18 here, which f64 holds exactly")]
            let l = (shares as f64).log2();
            let exponent = (l * l + 125.0 * l) / 612.0 - 7.0 / 34.0;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "the curve stays between 1 and 10000 for these shares"
            )]
            let weight = 10f64.powf(exponent).ceil() as u32;
            Some(weight)
        }
    }
}
