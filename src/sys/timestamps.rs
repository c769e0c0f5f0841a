//! Records times of steps in memory that a process shares with its children. The meaning of the slots is left to the
//! caller.

use crate::sys::{Result, shared_memory};
use std::sync::atomic::{AtomicU64, Ordering};

/// Shared memory with a time in each slot: nanoseconds of the writer's CLOCK_MONOTONIC. In a time namespace this clock
/// differs from the parent's, so only times of one process may be compared.
#[derive(Debug)]
pub(crate) struct StepTimings(&'static [AtomicU64]);

impl StepTimings {
    /// Creates empty slots.
    pub(crate) fn new(slots: usize) -> Result<StepTimings> {
        shared_memory::shared_zeros(slots).map(StepTimings)
    }

    /// Records the current time.
    pub(crate) fn mark(&self, slot: usize) {
        if let Some(place) = self.0.get(slot) {
            place.store(now(), Ordering::Relaxed);
        }
    }

    /// Returns the nanoseconds between two slots, if both are set.
    pub(crate) fn between(&self, from: usize, to: usize) -> Option<u64> {
        let moment =
            |slot: usize| self.0.get(slot).map(|place| place.load(Ordering::Relaxed)).filter(|moment| *moment != 0);
        Some(moment(to)?.saturating_sub(moment(from)?))
    }
}

fn now() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes within bounds, because the structure is a full one. The clock exists on every kernel.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    (time.tv_sec as u64).saturating_mul(1_000_000_000) + time.tv_nsec as u64
}

#[cfg(test)]
mod tests {
    use super::StepTimings;

    #[test]
    fn the_parent_reads_times_that_its_child_recorded() {
        let timings = StepTimings::new(4).expect("memory");
        match crate::sys::clone::clone3(0, None).expect("a child") {
            crate::sys::clone::Side::Child => {
                timings.mark(1);
                timings.mark(2);
                crate::sys::clone::exit_now(0)
            }
            crate::sys::clone::Side::Parent { pid, .. } => assert_eq!(crate::sys::clone::wait(pid), Ok(0)),
        }
        assert!(timings.between(1, 2).is_some());
        assert_eq!((timings.between(0, 1), timings.between(2, 3), timings.between(2, 9)), (None, None, None));
    }
}
