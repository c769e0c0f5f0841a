//! `davit delete`.

use super::{Scene, Takes, Verb, id, words};
use crate::container;
use clap::{ArgMatches, Args};
use std::ffi::OsString;

pub(super) const VERB: Verb = Verb {
    name: "delete",
    about: "Delete a stopped container: its cgroup and its state",
    help: "\
Delete the container ID: kill its remaining processes, remove its cgroup and its state directory, then run its poststop
hooks. It must be stopped, or created and never started. With --force it may be in any status, or not exist at all.

Exit status: 0 if it has been deleted, 1 otherwise.

Example:
  davit delete --force web",
    takes: Takes::Exactly(1),
    flags_end: false,
    define: Words::augment_args,
    perform,
};

#[derive(Args)]
struct Words {
    /// Kill the container first if it is running; succeed if it does not exist
    #[arg(long, short)]
    force: bool,
    /// Name of the container
    #[arg(value_name = "ID")]
    id: OsString,
}

fn perform(matches: &ArgMatches, scene: &Scene<'_>) -> anyhow::Result<u8> {
    let words = words::<Words>(matches)?;
    container::delete(&scene.root()?, &id(&words.id)?, words.force, scene.log)?;
    Ok(0)
}
