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

/// What a seccomp agent gets with the descriptors (config-linux.md, "The Container Process State").
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ContainerProcessState {
    /// As in [`State`].
    pub(crate) oci_version: String,
    /// What each descriptor of the message is, in their order.
    pub(crate) fds: Vec<String>,
    /// The process the descriptors belong to, as the host numbers it; for `exec` not the container's first.
    pub(crate) pid: i32,
    /// `listenerMetadata` of the configuration; left out when it is empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) metadata: String,
    /// The container.
    pub(crate) state: State,
}

impl ContainerProcessState {
    /// The name of the seccomp listener among `fds`.
    pub(crate) const SECCOMP_FD: &str = "seccompFd";

    /// The document: one line.
    ///
    /// # Errors
    /// As [`State::to_json`].
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
    /// When the container was created, see [`rfc3339`].
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

/// Seconds and nanoseconds since 1970 as RFC 3339 in UTC, without trailing zeros in the fraction (Go's RFC3339Nano).
pub(crate) fn rfc3339(secs: i64, nanos: u32) -> String {
    let (year, month, day) = date(secs.div_euclid(86_400));
    let second = secs.rem_euclid(86_400);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let mut text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
    if nanos != 0 {
        let fraction = format!(".{nanos:09}");
        text.push_str(fraction.trim_end_matches('0'));
    }
    text.push('Z');
    text
}

/// The Gregorian date of a day counted from 1970-01-01.
///
/// Years are counted from March, so that a leap day is the last of its year; 719468 days lie between 0000-03-01 and
/// 1970-01-01, and 400 years have 146097 days.
fn date(day: i64) -> (i64, i64, i64) {
    let day = day + 719_468;
    let (era, day) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // Five months from March have 153 days, and so have the next five.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (400 * era + year + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::{OCI_VERSION, Report, State, Status, date, list_json, list_table, rfc3339};
    use std::collections::BTreeMap;

    fn report(id: &str) -> Report {
        Report {
            oci_version: OCI_VERSION.to_owned(),
            id: id.to_owned(),
            pid: 42,
            status: Status::Running,
            bundle: "/b".to_owned(),
            rootfs: "/b/rootfs".to_owned(),
            created: rfc3339(0, 0),
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

    #[test]
    fn times() {
        for (secs, nanos, text) in [
            (0, 0, "1970-01-01T00:00:00Z"),
            (-1, 1, "1969-12-31T23:59:59.000000001Z"),
            (951_782_399, 120_000_000, "2000-02-28T23:59:59.12Z"),
            (951_782_400, 999_999_999, "2000-02-29T00:00:00.999999999Z"),
            (1_709_164_800, 0, "2024-02-29T00:00:00Z"),
            (4_107_542_400, 5_000, "2100-03-01T00:00:00.000005Z"),
            (1_795_228_641, 0, "2026-11-21T02:37:21Z"),
        ] {
            assert_eq!(rfc3339(secs, nanos), text);
        }
    }

    #[test]
    fn every_day_of_eight_centuries_follows_the_one_before() {
        let leap = |year: i64| (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for number in 0..292_194 {
            assert_eq!(date(number), (year, month, day));
            let last = match month {
                2 => 28 + i64::from(leap(year)),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day += 1;
            if day > last {
                (day, month) = (1, month + 1);
            }
            if month > 12 {
                (month, year) = (1, year + 1);
            }
        }
    }
}
