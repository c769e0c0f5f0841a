//! `davit state`, and the document that `state` and `list` describe a container with.

use super::{SPEC_VERSION, Scene, Takes, Verb, id, output, words};
use crate::container::Container;
use anyhow::Context;
use clap::{ArgMatches, Args};
use serde::Serialize;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsString;

pub(super) const VERB: Verb = Verb {
    name: "state",
    about: "Print the state of a container as JSON",
    help: "\
Print the state of the container ID as the runtime specification defines it, and with it rootfs and the time it was
created. The status is creating, created, running, paused or stopped; the pid of a stopped container is 0.

Exit status: 0, or 1 when there is no such container.

Example:
  davit state web",
    takes: Takes::Exactly(1),
    flags_end: false,
    define: Words::augment_args,
    perform,
};

#[derive(Args)]
struct Words {
    /// Name of the container
    #[arg(value_name = "ID")]
    id: OsString,
}

/// A container as `state` prints it: the members of the specification's state, and those runc added, in runc's order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document<'a> {
    oci_version: &'static str,
    id: &'a str,
    pid: i32,
    status: &'static str,
    bundle: Cow<'a, str>,
    rootfs: Cow<'a, str>,
    created: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: &'a BTreeMap<String, String>,
    owner: &'a str,
}

impl<'a> Document<'a> {
    /// The document of a container whose owner is called `owner`; `state` leaves it empty.
    pub(super) fn of(container: &'a Container, owner: &'a str) -> Self {
        let record = &container.record;
        Document {
            oci_version: SPEC_VERSION,
            id: &record.id,
            pid: container.pid(),
            status: container.status.as_str(),
            bundle: record.bundle.to_string_lossy(),
            rootfs: record.rootfs.to_string_lossy(),
            created: &record.created,
            annotations: &record.annotations,
            owner,
        }
    }
}

fn perform(matches: &ArgMatches, scene: &Scene<'_>) -> anyhow::Result<u8> {
    let id = id(&words::<Words>(matches)?.id)?;
    let told = || format!("cannot tell the state of {id}");
    let container = Container::find(&scene.root()?, &id).with_context(told)?;
    // Two spaces and no newline at the end, as runc has it.
    output::print(&serde_json::to_string_pretty(&Document::of(&container, ""))?)?;
    Ok(0)
}
