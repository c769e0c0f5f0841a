//! Passes a seccomp listener to the agent that answers the filter's notifications (config-linux.md, "seccomp",
//! `listenerPath`), with the state of the process. Does not know how the listener is made.

use crate::container::state::document;
use crate::container::{Record, Status};
use crate::spec::state::{ContainerProcessState, OCI_VERSION};
use crate::sys::socket;
use anyhow::{Context, Result};
use oci_spec::runtime::Spec;
use std::os::fd::{AsFd, BorrowedFd};

/// Sends the listener of the process `pid` to the agent: one message on a new connection. `status` is that of the
/// container: `creating` for its first process, `running` for a process that exec adds.
pub(crate) fn hand_over(
    spec: &Spec,
    record: &Record,
    status: Status,
    pid: i32,
    listener: BorrowedFd<'_>,
) -> Result<()> {
    let profile = spec.linux().as_ref().and_then(|linux| linux.seccomp().as_ref());
    let path = profile.and_then(|profile| profile.listener_path().as_deref());
    let path = path.context("/linux/seccomp/listenerPath is missing")?;
    let metadata = profile.and_then(|profile| profile.listener_metadata().clone()).unwrap_or_default();
    let message = message(record, status, pid, metadata).to_json()?;
    let failed = || format!("/linux/seccomp/listenerPath: hand the listener to {}", path.display());
    let socket = socket::connect_stream(path).map_err(std::io::Error::from).with_context(failed)?;
    socket::send_all(socket.as_fd(), &message, listener).map_err(std::io::Error::from).with_context(failed)
}

fn message(record: &Record, status: Status, pid: i32, metadata: String) -> ContainerProcessState {
    ContainerProcessState {
        oci_version: OCI_VERSION.to_owned(),
        fds: vec![ContainerProcessState::SECCOMP_FD.to_owned()],
        pid,
        metadata,
        state: document::state(record, status),
    }
}

#[cfg(test)]
mod tests {
    use super::message;
    use crate::container::{Process, Record, Status};

    #[test]
    fn the_agent_is_told_of_the_process_and_of_its_container() {
        let record =
            Record { id: "web".to_owned(), init: Some(Process { pid: 42, start_time: 7 }), ..Record::default() };
        let json = message(&record, Status::Running, 77, "m".to_owned()).to_json().expect("writes");
        let expected = r#"{"ociVersion":"1.3.0","fds":["seccompFd"],"pid":77,"metadata":"m","state":{"ociVersion":"1.3.0","id":"web","pid":42,"status":"running","bundle":""}}"#;
        assert_eq!(String::from_utf8(json).expect("is text"), expected);
        let json = message(&record, Status::Creating, 42, String::new()).to_json().expect("writes");
        assert!(!String::from_utf8(json).expect("is text").contains("metadata"));
    }
}
