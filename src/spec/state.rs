//! The State document: what `state` prints, what a hook reads from its standard input and a seccomp agent from its
//! socket (runtime.md, "State"), and the rows of `list`.
//!
//! Owns members, their order and their JSON. Deliberately does not know how a status is found out.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// The version of the specification that the documents written here follow.
pub(crate) const OCI_VERSION: &str = "1.3.0";

/// Where a container is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// The environment is being made, or its hooks run.
    Creating,
    /// Everything is there but the user's program.
    Created,
    /// The user's program runs.
    Running,
    /// It runs, but its cgroup is frozen; the specification allows a status of one's own for that.
    Paused,
    /// The process has ended.
    Stopped,
}

impl Status {
    /// The word as documents and tables have it.
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

/// What the specification itself wants said about a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct State {
    /// The version of the specification this document follows, see [`OCI_VERSION`].
    pub(crate) oci_version: String,
    /// The container's name.
    pub(crate) id: String,
    /// Its first process: as the host numbers it, or, for hooks that run in the container's namespaces, as the
    /// container does. 0 when there is none.
    pub(crate) pid: i32,
    /// Where it is in its life.
    pub(crate) status: Status,
    /// Absolute path of the bundle.
    pub(crate) bundle: String,
    /// The annotations of the configuration; left out when there are none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
}

impl State {
    /// The document for a hook or an agent: one line, as small as it gets.
    ///
    /// # Errors
    /// None that a state can cause; serde's signature has one.
    pub(crate) fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(self)
    }
}

/// What `state` and `list` print: the State document and what engines have come to expect beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    /// As in [`State`].
    pub(crate) oci_version: String,
    /// As in [`State`].
    pub(crate) id: String,
    /// The host's number of the container's first process; 0 when it has ended.
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
    /// Who owns the container's state directory: a name or `#uid` in `list`, the empty string in `state`.
    pub(crate) owner: String,
}

impl Report {
    /// What `state` prints: indented by two spaces, without a line feed at the end.
    ///
    /// # Errors
    /// As [`State::to_json`].
    pub(crate) fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self)
    }
}

/// What `list --format json` prints: one line, `null` when there is no container.
///
/// # Errors
/// As [`State::to_json`].
pub(crate) fn list_json(rows: &[Report]) -> serde_json::Result<String> {
    if rows.is_empty() { Ok("null".to_owned()) } else { serde_json::to_string(rows) }
}

/// What `list` prints: a table, its columns as wide as their widest cell but at least 12, with 3 spaces between.
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
        // oci-spec's own type is what other programs read it with.
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
    fn a_table_has_columns() {
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
