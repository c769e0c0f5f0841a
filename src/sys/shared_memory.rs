//! Maps memory that a process shares with its children. What is written there, and by whom, is left to the callers.

use crate::sys::{Errno, Result};
use std::sync::atomic::{AtomicI32, AtomicU64};

/// Types that may be stored there: any bytes are a valid value, and any process with the memory may write at any time.
pub(crate) trait Number {}
impl Number for AtomicI32 {}
impl Number for AtomicU64 {}

/// Hides a mapping of [`shared_zeros`] from future children (MADV_DONTFORK): a child has nothing mapped at that
/// address.
pub(crate) fn hide_from_children<T: Number>(numbers: &'static T) -> Result<()> {
    let start = std::ptr::from_ref(numbers).cast_mut().cast();
    // SAFETY: the address is the start of a mapping that is never unmapped, because `shared_zeros` made it; the advice
    // changes nothing in this process.
    crate::sys::done(unsafe { libc::madvise(start, size_of::<T>(), libc::MADV_DONTFORK) })
}

/// Maps `count` zeros, shared with all future children. They are never unmapped, so this is only for allocations made
/// once.
pub(crate) fn shared_zeros<T: Number>(count: usize) -> Result<&'static [T]> {
    let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
    let length = count.max(1) * size_of::<T>();
    // SAFETY: no memory of ours is touched, because the kernel chooses the address of the new mapping.
    let start = unsafe { libc::mmap(std::ptr::null_mut(), length, protection, flags, -1, 0) };
    if start == libc::MAP_FAILED {
        return Err(Errno::last());
    }
    // SAFETY: the slice is valid, because it has the length of the mapping, is zeroed and page-aligned, and nobody
    // unmaps it. Other processes access it only as atomic numbers.
    Ok(unsafe { std::slice::from_raw_parts(start.cast(), count) })
}
