//! Defines the State document (runtime.md, "State"), which `state` prints, a hook reads from its standard input, and a
//! seccomp agent reads from its socket. Also defines the rows of `list`.
//!
//! Owns the members, their order and their JSON. Deliberately does not determine the status of a container.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// The version of the specification that these documents follow.
pub(crate) const OCI_VERSION: &str = "1.3.0";

/// The status of a container in its lifecycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// The environment is being created, or its hooks run.
    Creating,
    /// The environment is ready, but the user's program has not started.
    Created,
    /// The user's program runs.
    Running,
    /// It runs, but its cgroup is frozen. The specification allows additional statuses such as this one.
    Paused,
    /// The process has exited.
    Stopped,
}

impl Status {
    /// The word for documents and tables.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Status::Creating => "creating",
            Status::Created => "created",
            Status::Running => "running",
            Status::Paused => "paused",
            Status::Stopped => "stopped",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The State document of the specification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct State {
    /// The version of the specification this document follows, see [`OCI_VERSION`].
    pub(crate) oci_version: String,
    /// The container's name.
    pub(crate) id: String,
    /// The pid of the init process in the host's pid namespace, or in the container's for hooks that run in its
    /// namespaces. 0 if there is no process.
    pub(crate) pid: i32,
    /// The container's status.
    pub(crate) status: Status,
    /// Absolute path of the bundle.
    pub(crate) bundle: String,
    /// The annotations of the configuration. Omitted if there are none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
}

impl State {
    /// Returns the document for a hook or an agent: one line without extra spaces.
    ///
    /// # Errors
    /// A state causes none, but serde's signature has one.
    pub(crate) fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(self)
    }
}

/// The document that a seccomp agent receives with the descriptors (config-linux.md, "The Container Process State").
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ContainerProcessState {
    /// As in [`State`].
    pub(crate) oci_version: String,
    /// The name of each descriptor of the message, in the same order.
    pub(crate) fds: Vec<String>,
    /// The host pid of the process that the descriptors belong to. For `exec` this is not the init process.
    pub(crate) pid: i32,
    /// `listenerMetadata` of the configuration. Omitted if empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) metadata: String,
    /// The container.
    pub(crate) state: State,
}

impl ContainerProcessState {
    /// The name of the seccomp listener among `fds`.
    pub(crate) const SECCOMP_FD: &str = "seccompFd";

    /// Returns the document as one line.
    ///
    /// # Errors
    /// As [`State::to_json`].
    pub(crate) fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(self)
    }
}

/// What `state` and `list` print: the State document and the extra members that engines expect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    /// As in [`State`].
    pub(crate) oci_version: String,
    /// As in [`State`].
    pub(crate) id: String,
    /// The host pid of the init process. 0 if it has exited.
    pub(crate) pid: i32,
    /// As in [`State`].
    pub(crate) status: Status,
    /// As in [`State`].
    pub(crate) bundle: String,
    /// Absolute path of the root file system.
    pub(crate) rootfs: String,
    /// When the container was created, RFC 3339 in UTC.
    pub(crate) created: String,
    /// As in [`State`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
    /// The owner of the container's state directory: a name or `#uid` in `list`, the empty string in `state`.
    pub(crate) owner: String,
}

impl Report {
    /// Returns what `state` prints: indented by two spaces, without a newline at the end.
    ///
    /// # Errors
    /// As [`State::to_json`].
    pub(crate) fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self)
    }
}

/// Returns what `list --format json` prints: one line, or `null` if there are no containers.
///
/// # Errors
/// As [`State::to_json`].
pub(crate) fn list_json(rows: &[Report]) -> serde_json::Result<String> {
    if rows.is_empty() { Ok("null".to_owned()) } else { serde_json::to_string(rows) }
}

/// Returns the table that `list` prints. A column is as wide as its widest cell plus 3 spaces, but at least 12.
pub(crate) fn list_table(rows: &[Report]) -> String {
    let mut cells = vec![["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"].map(str::to_owned)];
    cells.extend(rows.iter().map(|row| {
        let (pid, status) = (row.pid.to_string(), row.status.as_str().to_owned());
        [row.id.clone(), pid, status, row.bundle.clone(), row.created.clone(), row.owner.clone()]
    }));
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count() + 3).max().unwrap_or(0).max(12);
    let widths: [usize; 5] = std::array::from_fn(width);
    let mut table = String::new();
    for row in &cells {
        for (cell, width) in row.iter().zip(widths) {
            table.push_str(&format!("{cell:width$}"));
        }
        table.push_str(&row[5]);
        table.push('\n');
    }
    table
}

#[cfg(test)]
mod tests {
    use super::{OCI_VERSION, Report, State, Status, list_json, list_table};
    use std::collections::BTreeMap;

    fn report(id: &str) -> Report {
        Report {
            oci_version: OCI_VERSION.to_owned(),
            id: id.to_owned(),
            pid: 42,
            status: Status::Running,
            bundle: "/b".to_owned(),
            rootfs: "/b/rootfs".to_owned(),
            created: "1970-01-01T00:00:00Z".to_owned(),
            annotations: BTreeMap::from([("z".to_owned(), "1".to_owned()), ("a".to_owned(), "2".to_owned())]),
            owner: String::new(),
        }
    }

    #[test]
    fn a_report_has_its_members_in_the_known_order() {
        let text = "{\n  \"ociVersion\": \"1.3.0\",\n  \"id\": \"c\",\n  \"pid\": 42,\n  \"status\": \"running\",\n  \
                    \"bundle\": \"/b\",\n  \"rootfs\": \"/b/rootfs\",\n  \"created\": \"1970-01-01T00:00:00Z\",\n  \
                    \"annotations\": {\n    \"a\": \"2\",\n    \"z\": \"1\"\n  },\n  \"owner\": \"\"\n}";
        assert_eq!(report("c").to_json().expect("JSON"), text);
    }

    #[test]
    fn a_state_has_what_the_specification_requires_and_no_empty_annotations() {
        let state = State {
            oci_version: OCI_VERSION.to_owned(),
            id: "c".to_owned(),
            pid: 1,
            status: Status::Creating,
            bundle: "/b".to_owned(),
            annotations: BTreeMap::new(),
        };
        let json = state.to_json().expect("JSON");
        assert_eq!(
            String::from_utf8_lossy(&json),
            r#"{"ociVersion":"1.3.0","id":"c","pid":1,"status":"creating","bundle":"/b"}"#
        );
        assert_eq!(serde_json::from_slice::<State>(&json).expect("JSON"), state);
        // Other programs read it with oci-spec's own type.
        assert!(serde_json::from_slice::<oci_spec::runtime::State>(&json).is_ok());
    }

    #[test]
    fn every_status_is_written_and_read_as_its_word() {
        for status in [Status::Creating, Status::Created, Status::Running, Status::Paused, Status::Stopped] {
            let json = format!("\"{status}\"");
            assert_eq!(serde_json::to_string(&status).expect("JSON"), json);
            assert_eq!(serde_json::from_str::<Status>(&json).expect("JSON"), status);
        }
    }

    #[test]
    fn a_list_is_one_line_and_an_empty_one_is_null() {
        assert_eq!(list_json(&[]).expect("JSON"), "null");
        let text = list_json(&[report("a"), report("b")]).expect("JSON");
        assert!(text.starts_with("[{\"ociVersion\"") && text.ends_with("}]") && !text.contains('\n'), "{text}");
    }

    #[test]
    fn list_table_columns_are_aligned() {
        let mut row = report("a-long-container-name");
        row.owner = "root".to_owned();
        assert_eq!(
            list_table(&[row]),
            "ID                      PID         STATUS      BUNDLE      CREATED                OWNER\n\
             a-long-container-name   42          running     /b          1970-01-01T00:00:00Z   root\n"
        );
        assert_eq!(list_table(&[]), "ID          PID         STATUS      BUNDLE      CREATED     OWNER\n");
    }
}
