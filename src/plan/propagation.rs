//! `linux.rootfsPropagation`: what it means for the mounts that are inherited, for the root while it is made, and at
//! the end. When each is done is the business of `order`.

use oci_spec::runtime::Linux;

/// The propagation of mounts, as flags of mount(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Propagation {
    /// Of everything inherited from the host.
    pub(super) inherited: u64,
    /// Of the new root and what is below it, where inherited mounts may have stayed peers of the host's.
    pub(super) detach: Option<u64>,
    /// Of the container's root, once it is entered.
    pub(super) root: Option<u64>,
}

impl Propagation {
    /// What the configuration asks for; by default mounts of the host arrive in the container, and none leaves it.
    pub(super) fn of(linux: Option<&Linux>) -> Propagation {
        let wanted = linux.and_then(|linux| linux.rootfs_propagation().as_deref()).and_then(read);
        let (kind, recursive) = wanted.unwrap_or((libc::MS_SLAVE, true));
        let all = if recursive { libc::MS_REC } else { 0 };
        let detach = match kind {
            libc::MS_SLAVE if !recursive => Some(libc::MS_SLAVE),
            libc::MS_PRIVATE if !recursive => Some(libc::MS_PRIVATE),
            libc::MS_SHARED => Some(libc::MS_PRIVATE),
            _ => None,
        };
        // An unbindable root could not be bound; that wish is granted at the end, on the container's own root.
        let inherited = if kind == libc::MS_UNBINDABLE { libc::MS_PRIVATE | libc::MS_REC } else { kind | all };
        let root = matches!(kind, libc::MS_SHARED | libc::MS_UNBINDABLE).then_some(kind | all);
        Propagation { inherited, detach, root }
    }
}

/// A word of `rootfsPropagation`: MS_* and whether recursively. Callers send the r-forms, which the text does not list.
fn read(word: &str) -> Option<(u64, bool)> {
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

#[cfg(test)]
mod tests {
    use super::Propagation;
    use libc::{MS_PRIVATE, MS_REC, MS_SHARED, MS_SLAVE, MS_UNBINDABLE};
    use oci_spec::runtime::Linux;

    #[test]
    fn nothing_mounted_in_the_container_reaches_the_host() {
        let own = MS_PRIVATE | MS_REC;
        for (word, inherited, detach, root) in [
            ("", MS_SLAVE | MS_REC, None, None),
            ("rslave", MS_SLAVE | MS_REC, None, None),
            ("slave", MS_SLAVE, Some(MS_SLAVE), None),
            ("rprivate", own, None, None),
            ("private", MS_PRIVATE, Some(MS_PRIVATE), None),
            ("shared", MS_SHARED, Some(MS_PRIVATE), Some(MS_SHARED)),
            ("rshared", MS_SHARED | MS_REC, Some(MS_PRIVATE), Some(MS_SHARED | MS_REC)),
            ("unbindable", own, None, Some(MS_UNBINDABLE)),
            ("runbindable", own, None, Some(MS_UNBINDABLE | MS_REC)),
        ] {
            let mut linux = Linux::default();
            linux.set_rootfs_propagation(Some(word.to_owned()));
            assert_eq!(Propagation::of(Some(&linux)), Propagation { inherited, detach, root }, "{word}");
        }
    }
}
