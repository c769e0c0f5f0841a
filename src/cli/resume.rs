//! `davit resume`.

use super::{Named, Scene, Takes, Verb, id, words};
use crate::container;
use clap::{ArgMatches, Args};

pub(super) const VERB: Verb = Verb {
    name: "resume",
    about: "Let the processes of a paused container go on",
    help: "\
Let every process of the paused container ID go on, and wait until they do.

Exit status: 0 when the container goes on, 1 otherwise.

Example:
  davit resume web",
    takes: Takes::Exactly(1),
    flags_end: false,
    define: Named::augment_args,
    perform,
};

fn perform(matches: &ArgMatches, scene: &Scene<'_>) -> anyhow::Result<u8> {
    let words = words::<Named>(matches)?;
    container::resume(&scene.root()?, &id(&words.id)?)?;
    Ok(0)
}
