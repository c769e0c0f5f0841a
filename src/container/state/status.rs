//! Derives the status of a container from its record, /proc, its state directory and its cgroup. It is never stored.

use crate::container::state::record::Record;
use crate::spec::state::Status;
use std::path::Path;

/// The socket in the state directory at which init waits for `start`, which removes it. `run` makes none.
pub(crate) const START: &str = "start";

/// The status. Reads the cgroup only if needed, so that `state` stays cheap.
///
/// A container whose creator has died during the creation is stopped: only `delete` is left to do.
pub(crate) fn of(
    record: &Record,
    directory: &Path,
    frozen: impl FnOnce() -> anyhow::Result<bool>,
) -> anyhow::Result<Status> {
    if let Some(creator) = record.creator {
        return Ok(if creator.is_alive()? { Status::Creating } else { Status::Stopped });
    }
    let alive = match record.init {
        Some(init) => init.is_alive()?,
        None => false,
    };
    if !alive {
        return Ok(Status::Stopped);
    }
    Ok(if frozen()? {
        Status::Paused
    } else if directory.join(START).exists() {
        Status::Created
    } else {
        Status::Running
    })
}

#[cfg(test)]
mod tests {
    use super::{START, of};
    use crate::container::state::process::Process;
    use crate::container::state::record::Record;
    use crate::spec::state::Status;

    #[test]
    fn a_status_is_what_is_seen() {
        let here = std::env::temp_dir().join(format!("davit-status-{}", std::process::id()));
        let (plain, waiting) = (here.join("plain"), here.join("waiting"));
        std::fs::create_dir_all(&plain).expect("a directory");
        std::fs::create_dir_all(waiting.join(START)).expect("a directory");
        let alive = Process::this().expect("this process");
        let dead = Process { start_time: alive.start_time + 1, ..alive };
        for (creator, init, directory, frozen, expected) in [
            (None, Some(alive), &plain, false, Status::Running),
            (None, Some(alive), &waiting, false, Status::Created),
            (None, Some(alive), &waiting, true, Status::Paused),
            (None, Some(alive), &plain, true, Status::Paused),
            (None, Some(dead), &plain, false, Status::Stopped),
            (None, Some(dead), &waiting, true, Status::Stopped),
            (None, None, &waiting, false, Status::Stopped),
            (Some(alive), None, &plain, false, Status::Creating),
            (Some(alive), Some(alive), &waiting, true, Status::Creating),
            (Some(dead), Some(alive), &waiting, false, Status::Stopped),
        ] {
            let record = Record { creator, init, ..Record::default() };
            let seen = of(&record, directory, || Ok(frozen)).expect("a status");
            assert_eq!(seen, expected, "creator {creator:?} init {init:?} {directory:?} frozen {frozen}");
        }
        std::fs::remove_dir_all(here).expect("removable");
    }

    #[test]
    fn a_dead_container_does_not_ask_its_cgroup() {
        let record = Record::default();
        let seen = of(&record, std::path::Path::new("/"), || anyhow::bail!("asked")).expect("not asked");
        assert_eq!(seen, Status::Stopped);
    }
}
