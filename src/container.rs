//! The container as its users know it: a name, a state directory, a status, and the verbs that may be said to it.
//!
//! One file per verb; each is a row of the table verb × status and says what it refuses. Every verb takes words that were
//! already parsed and returns values: what is printed, and how, is `cli`'s business. A verb that goes on after something
//! went wrong says so to the log it is given. `docs/lifecycle.md` draws how the verbs work together.

mod caller;
mod create;
mod delete;
mod events;
mod exec;
mod hooks;
mod kill;
mod list;
mod oom;
mod own_executable;
mod pause;
mod plan;
mod ps;
mod request;
mod resume;
mod run;
pub(crate) mod signal;
mod start;
mod state;
mod stats;
mod update;

pub(crate) use crate::spec::state::Status;
pub(crate) use create::create;
pub(crate) use delete::delete;
pub(crate) use events::{events, statistics};
pub(crate) use exec::{exec, failed as exec_failed};
pub(crate) use kill::kill;
pub(crate) use list::list;
pub(crate) use pause::pause;
pub(crate) use plan::plan;
pub(crate) use ps::{pids, ps};
pub(crate) use request::{CgroupManager, CreateRequest, ExecRequest, ExecWords, Program, Rootless, RunRequest};
pub(crate) use resume::resume;
pub(crate) use run::run;
pub(crate) use start::start;
pub(crate) use state::document::state_for_hooks;
pub(crate) use state::id::Id;
pub(crate) use state::process::Process;
pub(crate) use state::record::Record;
pub(crate) use state::root::Root;
pub(crate) use state::status::START;
pub(crate) use stats::{Samples, Usage};
pub(crate) use update::{Change, update};

use crate::sys;
use anyhow::Context;
use state::{dir, status};
use std::path::PathBuf;

/// What is said of a container that there is none of. Load-bearing: containerd, Docker and Podman look for the words.
const NO_CONTAINER: &str = "container does not exist";

/// A container that exists, as it was a moment ago.
#[derive(Clone, Debug)]
pub(crate) struct Container {
    /// What is remembered of it.
    pub(crate) record: Record,
    /// Its state directory.
    pub(crate) directory: PathBuf,
    /// What was seen of it.
    pub(crate) status: Status,
}

impl Container {
    /// Looks a container up.
    pub(crate) fn find(root: &Root, id: &Id) -> anyhow::Result<Self> {
        Container::seek(root, id)?.context(NO_CONTAINER)
    }

    /// As [`Container::find`], with `None` for a container that does not exist.
    fn seek(root: &Root, id: &Id) -> anyhow::Result<Option<Self>> {
        let directory = root.of(id);
        match dir::read_record(&directory)? {
            Some(record) => Container::seen(record, directory).map(Some),
            None => Ok(None),
        }
    }

    /// The container of that record, with the status it has now.
    fn seen(record: Record, directory: PathBuf) -> anyhow::Result<Self> {
        let frozen = || record.open_cgroup()?.map_or(Ok(false), |cgroup| cgroup.is_frozen());
        let status = status::of(&record, &directory, frozen)?;
        Ok(Container { record, directory, status })
    }
}

/// The effective uid and gid of whoever runs this.
pub(crate) fn caller() -> (u32, u32) {
    (sys::process::effective_uid(), sys::process::effective_gid())
}
