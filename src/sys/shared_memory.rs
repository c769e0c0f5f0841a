//! Mappings that a process and the children it makes have in common.
//!
//! Knows neither what is written there nor by whom.

use crate::sys::{Errno, Result};
use std::sync::atomic::{AtomicI32, AtomicU64};

/// What may lie there: any bytes are one, and whoever has the memory may write at any moment.
pub(crate) trait Number {}
impl Number for AtomicI32 {}
impl Number for AtomicU64 {}

/// Keeps a mapping of [`shared_zeros`] from every child made from now on (MADV_DONTFORK): a child has nothing at that address.
pub(crate) fn hide_from_children<T: Number>(numbers: &'static T) -> Result<()> {
    let start = std::ptr::from_ref(numbers).cast_mut().cast();
    // SAFETY: the address is the start of a mapping that is never unmapped, because `shared_zeros` made it; the advice changes
    // nothing in this process.
    crate::sys::done(unsafe { libc::madvise(start, size_of::<T>(), libc::MADV_DONTFORK) })
}

/// `count` zeros, shared with every child made from now on. They live as long as the process, so this is for what is made once.
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
