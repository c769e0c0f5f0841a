//! The state of a container as hooks get it on their standard input.

use super::{Record, Status};
use serde::Serialize;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The version of the runtime specification whose state this is.
const OCI_VERSION: &str = "1.3.0";

/// runtime-spec, "State". Nothing beyond it: hooks in the wild parse it strictly.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct State<'a> {
    oci_version: &'static str,
    id: &'a str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<i32>,
    bundle: Cow<'a, str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: &'a BTreeMap<String, String>,
}

/// The state document for a hook. The pid is left out of a stopped container, and as long as there is none.
pub(crate) fn state_for_hooks(record: &Record, status: Status) -> anyhow::Result<Vec<u8>> {
    let pid = record.init.map(|init| init.pid).filter(|_| status != Status::Stopped);
    Ok(serde_json::to_vec(&State {
        oci_version: OCI_VERSION,
        id: &record.id,
        status: status.as_str(),
        pid,
        bundle: record.bundle.to_string_lossy(),
        annotations: &record.annotations,
    })?)
}

#[cfg(test)]
mod tests {
    use super::state_for_hooks;
    use crate::container::{Process, Record, Status};

    #[test]
    fn a_hook_gets_the_members_of_the_specification() {
        let record = Record {
            id: "web".to_owned(),
            bundle: "/b".into(),
            init: Some(Process { pid: 42, start_time: 7 }),
            annotations: [("a".to_owned(), "b".to_owned())].into(),
            ..Record::default()
        };
        let text = |status| String::from_utf8(state_for_hooks(&record, status).expect("writes")).expect("is text");
        assert_eq!(
            text(Status::Creating),
            r#"{"ociVersion":"1.3.0","id":"web","status":"creating","pid":42,"bundle":"/b","annotations":{"a":"b"}}"#
        );
        assert_eq!(
            text(Status::Stopped),
            r#"{"ociVersion":"1.3.0","id":"web","status":"stopped","bundle":"/b","annotations":{"a":"b"}}"#
        );
    }
}
