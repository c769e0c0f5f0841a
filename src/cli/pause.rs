//! `davit pause`.

use super::{Named, Scene, Takes, Verb, id, words};
use crate::container;
use clap::{ArgMatches, Args};

pub(super) const VERB: Verb = Verb {
    name: "pause",
    about: "Suspend all processes of a container",
    help: "\
Freeze every process of the container ID, which must be created or running, and wait until all are frozen. They continue
after `davit resume`. `davit kill ID KILL` also works on a paused container.

Exit status: 0 if the container is paused, 1 otherwise.

Example:
  davit pause web",
    takes: Takes::Exactly(1),
    flags_end: false,
    define: Named::augment_args,
    perform,
};

fn perform(matches: &ArgMatches, scene: &Scene<'_>) -> anyhow::Result<u8> {
    let words = words::<Named>(matches)?;
    container::pause(&scene.root()?, &id(&words.id)?)?;
    Ok(0)
}
