//! `davit resume`.

use super::{Named, Scene, Takes, Verb, id, words};
use crate::container;
use clap::{ArgMatches, Args};

pub(super) const VERB: Verb = Verb {
    name: "resume",
    about: "Resume all processes of a paused container",
    help: "\
Resume every process of the paused container ID, and wait until all are running again.

Exit status: 0 if the container is resumed, 1 otherwise.

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
