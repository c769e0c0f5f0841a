//! The state document for hooks and agents, and the report for `state` and `list`.

use crate::container::{Container, Record, Status};
use crate::spec::state::{OCI_VERSION, Report, State};

/// The state document that hooks read from standard input: one line of JSON.
pub(crate) fn state_for_hooks(record: &Record, status: Status) -> anyhow::Result<Vec<u8>> {
    Ok(state(record, status).to_json()?)
}

/// The state of a container with this record.
pub(crate) fn state(record: &Record, status: Status) -> State {
    State {
        oci_version: OCI_VERSION.to_owned(),
        id: record.id.clone(),
        pid: pid(record, status),
        status,
        bundle: record.bundle.to_string_lossy().into_owned(),
        annotations: record.annotations.clone(),
    }
}

impl Container {
    /// The report for `state` and `list`. The caller adds the owner's name.
    pub(crate) fn report(&self) -> Report {
        let state = state(&self.record, self.status);
        Report {
            oci_version: state.oci_version,
            id: state.id,
            pid: state.pid,
            status: state.status,
            bundle: state.bundle,
            rootfs: self.record.rootfs.to_string_lossy().into_owned(),
            created: self.record.created.clone(),
            annotations: state.annotations,
            owner: String::new(),
        }
    }

    /// The pid of the container's first process; 0 if it has ended.
    pub(crate) fn pid(&self) -> i32 {
        pid(&self.record, self.status)
    }
}

fn pid(record: &Record, status: Status) -> i32 {
    record.init.filter(|_| status != Status::Stopped).map_or(0, |init| init.pid)
}

#[cfg(test)]
mod tests {
    use super::{state, state_for_hooks};
    use crate::container::{Process, Record, Status};

    #[test]
    fn a_stopped_container_has_no_pid() {
        let record = Record { init: Some(Process { pid: 42, start_time: 7 }), ..Record::default() };
        for (status, pid) in [
            (Status::Creating, 42),
            (Status::Created, 42),
            (Status::Running, 42),
            (Status::Paused, 42),
            (Status::Stopped, 0),
        ] {
            assert_eq!(state(&record, status).pid, pid, "{status}");
        }
        let json = state_for_hooks(&Record::default(), Status::Creating).expect("writes");
        assert_eq!(json, br#"{"ociVersion":"1.3.0","id":"","pid":0,"status":"creating","bundle":""}"#);
    }
}
