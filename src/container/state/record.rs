//! The record of a container between invocations: `state.json` in its state directory.
//!
//! The format is davit's own. Unknown members are ignored, so that an older davit can read the file of a newer one. The
//! record has no status: `status` derives it.

use crate::cgroup::{self, Cgroup, Layout};
use crate::container::state::process::Process;
use crate::resctrl;
use oci_spec::runtime::Hook;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The version of the format. A reader refuses a higher one, because its members may have another meaning.
pub(crate) const VERSION: u32 = 1;

/// `state.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Record {
    /// Version of this format, [`VERSION`].
    pub(crate) version: u32,
    /// The container's id, which is the name of the directory.
    pub(crate) id: String,
    /// Absolute path of the bundle.
    pub(crate) bundle: PathBuf,
    /// Absolute path of the root file system on the host.
    pub(crate) rootfs: PathBuf,
    /// The container's first process; absent until it has been made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) init: Option<Process>,
    /// The creating process. The container is being created as long as it lives; absent afterwards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) creator: Option<Process>,
    /// Time of creation, RFC 3339 in UTC with nanoseconds.
    pub(crate) created: String,
    /// The creator's effective uid.
    pub(crate) owner: u32,
    /// `annotations` of the configuration.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
    /// Its cgroup, and whether davit made it; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cgroup: Option<cgroup::Record>,
    /// The resctrl groups made for it; `delete` removes them.
    #[serde(skip_serializing_if = "resctrl::Record::is_empty")]
    pub(crate) resctrl: resctrl::Record,
    /// The id of the mount on `rootfs` below which the container's mounts are, if they are in the caller's mount
    /// namespace; `delete` removes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) root_mount: Option<u64>,
    /// Whether init shares its pid namespace, so that its end does not end the container's other processes.
    pub(crate) shared_pid_namespace: bool,
    /// The inode number of its own user namespace. The first process can move to another one later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user_namespace: Option<u64>,
    /// Whether the container kept its creator's session keyring. Added processes then keep theirs.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) no_new_keyring: bool,
    /// Error texts of the steps after `start`, by number, for `start` to report which one failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) steps_after_start: Vec<(u16, String)>,
    /// `hooks.poststart` of the configuration, for `start` to run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) poststart: Vec<Hook>,
    /// `hooks.poststop` of the configuration, for `delete` to run. Recorded, so that neither command parses the
    /// configuration.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) poststop: Vec<Hook>,
}

impl Record {
    /// Parses the file. The error has line and column.
    pub(crate) fn parse(bytes: &[u8]) -> anyhow::Result<Self> {
        let record: Record = serde_json::from_str(std::str::from_utf8(bytes)?)?;
        match record.version {
            1..=VERSION => Ok(record),
            0 => anyhow::bail!("not a state file of davit: it has no version"),
            newer => anyhow::bail!("version {newer} was written by a newer davit; this one knows {VERSION}"),
        }
    }

    /// The container's cgroup; `None` if there is none, or none any more.
    pub(crate) fn open_cgroup(&self) -> anyhow::Result<Option<Cgroup>> {
        match &self.cgroup {
            Some(cgroup) => Cgroup::open(&Layout::probe()?, cgroup),
            None => Ok(None),
        }
    }

    /// Serializes the record.
    pub(crate) fn to_bytes(&self) -> anyhow::Result<Vec<u8>> {
        Ok(serde_json::to_vec(self)?)
    }
}

#[cfg(test)]
mod tests {
    use super::{Record, VERSION};
    use crate::container::state::process::Process;

    #[test]
    fn what_is_written_is_read_back() {
        let record = Record {
            version: VERSION,
            id: "web".to_owned(),
            init: Some(Process { pid: 42, start_time: 777 }),
            annotations: [("a".to_owned(), "b".to_owned())].into(),
            shared_pid_namespace: true,
            ..Record::default()
        };
        assert_eq!(Record::parse(&record.to_bytes().expect("writes")).expect("reads"), record);
    }

    #[test]
    fn a_newer_davit_may_add_members_but_not_change_the_version() {
        assert_eq!(Record::parse(br#"{"version":1,"id":"web","mood":{"x":[1]}}"#).expect("reads").id, "web");
        let newer = Record::parse(br#"{"version":2,"id":"web"}"#).expect_err("is newer").to_string();
        assert_eq!(newer, "version 2 was written by a newer davit; this one knows 1");
    }

    #[test]
    fn a_broken_file_is_located() {
        let error = Record::parse(b"{\"version\":1,\n\"id\":}").expect_err("is broken").to_string();
        assert!(error.ends_with("at line 2 column 6"), "{error}");
        assert!(Record::parse(b"").is_err());
        assert!(Record::parse(b"{}").expect_err("foreign").to_string().contains("no version"));
    }
}
