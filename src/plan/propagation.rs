//! The words of `linux.rootfsPropagation`. Which mounts they are applied to, and when, is the business of `order`.

/// A word of `rootfsPropagation`: MS_* and whether recursively. Callers send the r-forms, which the text does not list.
pub(super) fn read(word: &str) -> Option<(u64, bool)> {
    Some(match word {
        "shared" => (libc::MS_SHARED, false),
        "rshared" => (libc::MS_SHARED, true),
        "slave" => (libc::MS_SLAVE, false),
        "rslave" => (libc::MS_SLAVE, true),
        "private" => (libc::MS_PRIVATE, false),
        "rprivate" => (libc::MS_PRIVATE, true),
        "unbindable" => (libc::MS_UNBINDABLE, false),
        "runbindable" => (libc::MS_UNBINDABLE, true),
        _ => return None,
    })
}
