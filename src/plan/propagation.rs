//! Compiles `linux.rootfsPropagation`: the propagation of inherited mounts, of the root during the setup, and of the
//! root at the end. Leaves to `order` when each is set.

use oci_spec::runtime::Linux;

/// The propagation of mounts, as flags of mount(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Propagation {
    /// For all mounts inherited from the host.
    pub(super) inherited: u64,
    /// For the new root and the mounts below it, if inherited mounts may still be peers of the host's.
    pub(super) detach: Option<u64>,
    /// For the container's root, after it is entered.
    pub(super) root: Option<u64>,
}

impl Propagation {
    /// The configured propagation. By default, the host's mounts propagate into the container, and none propagates out.
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
        // The root must be bound first, which fails if it is unbindable. So unbindable is set at the end.
        let inherited = if kind == libc::MS_UNBINDABLE { libc::MS_PRIVATE | libc::MS_REC } else { kind | all };
        let root = matches!(kind, libc::MS_SHARED | libc::MS_UNBINDABLE).then_some(kind | all);
        Propagation { inherited, detach, root }
    }
}

/// Parses `rootfsPropagation` into an MS_* flag and whether it is recursive. Engines send the recursive forms, which
/// the specification does not list.
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
