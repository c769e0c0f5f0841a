//! `davit start`.

use super::{Named, Scene, Takes, Verb, id, words};
use crate::container;
use clap::{ArgMatches, Args};

pub(super) const VERB: Verb = Verb {
    name: "start",
    about: "Start the program of a created container",
    help: "\
Let the first process of the created container ID execute its program. Return when the program has been executed and
the poststart hooks have run.

Exit status: 0 if the program runs, 1 otherwise.

Example:
  davit start web",
    takes: Takes::Exactly(1),
    flags_end: false,
    define: Named::augment_args,
    perform,
};

fn perform(matches: &ArgMatches, scene: &Scene<'_>) -> anyhow::Result<u8> {
    let words = words::<Named>(matches)?;
    container::start(&scene.root()?, &id(&words.id)?, scene.log)?;
    Ok(0)
}
