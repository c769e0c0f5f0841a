//! A container as users know it: an id, a state directory, a status, and the commands on it.
//!
//! One file for each command; it checks in which status the command is allowed. Commands take parsed arguments and
//! return values: `cli` prints them. A command that continues after a problem adds a warning to its log.
//! `docs/lifecycle.md` shows how the commands work together.

mod caller;
mod checkpoint;
mod create;
mod delete;
mod device_program;
mod ended;
mod events;
mod exec;
mod hooks;
mod images;
mod kill;
mod list;
mod oom;
mod own_executable;
mod pause;
mod plan;
mod ps;
mod request;
mod restore;
mod resume;
mod root_mount;
mod run;
pub(crate) mod signal;
mod start;
mod state;
mod stats;
mod update;

pub(crate) use crate::spec::state::Status;
#[cfg(any(test, fuzzing))]
pub(crate) use caller::sd_notify::is_ready;
pub(crate) use checkpoint::checkpoint;
pub(crate) use create::create;
pub(crate) use delete::delete;
pub(crate) use events::{events, statistics};
pub(crate) use exec::{exec, failed as exec_failed};
pub(crate) use kill::kill;
pub(crate) use list::list;
pub(crate) use own_executable::runs_from_copy;
pub(crate) use pause::pause;
pub(crate) use plan::{Comparison, compare, plan};
pub(crate) use ps::{pids, ps};
pub(crate) use request::{
    CgroupManager, CheckpointRequest, CreateRequest, CriuRequest, ExecRequest, ExecWords, Program, RestoreRequest,
    Rootless, RunRequest,
};
pub(crate) use restore::restore;
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
pub(crate) use update::{Change, DeviceChange, update};

use crate::sys;
use anyhow::Context;
use state::{dir, status};
use std::path::PathBuf;

/// Error for a container that does not exist. Engines match this text: containerd, Docker and Podman.
const NO_CONTAINER: &str = "container does not exist";

/// An existing container, as it was when it was read.
#[derive(Clone, Debug)]
pub(crate) struct Container {
    /// Its record.
    pub(crate) record: Record,
    /// Its state directory.
    pub(crate) directory: PathBuf,
    /// Its status at that time.
    pub(crate) status: Status,
}

impl Container {
    /// Reads the container `id`. An error if it does not exist.
    pub(crate) fn find(root: &Root, id: &Id) -> anyhow::Result<Self> {
        Container::find_if_exists(root, id)?.context(NO_CONTAINER)
    }

    /// As [`Container::find`], with `None` for a container that does not exist.
    fn find_if_exists(root: &Root, id: &Id) -> anyhow::Result<Option<Self>> {
        let directory = root.of(id);
        match dir::read_record(&directory)? {
            Some(record) => Container::seen(record, directory).map(Some),
            None => Ok(None),
        }
    }

    /// The container with this record, and its current status.
    fn seen(record: Record, directory: PathBuf) -> anyhow::Result<Self> {
        let frozen = || record.open_cgroup()?.map_or(Ok(false), |cgroup| cgroup.is_frozen());
        let status = status::of(&record, &directory, frozen)?;
        Ok(Container { record, directory, status })
    }
}

/// The effective uid and gid of this process.
pub(crate) fn caller() -> (u32, u32) {
    (sys::process::effective_uid(), sys::process::effective_gid())
}
