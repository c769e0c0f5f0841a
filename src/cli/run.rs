//! `davit run`.

use super::{Scene, Takes, Verb, create, words};
use crate::container::{self, RunRequest};
use clap::{ArgMatches, Args};

pub(super) const VERB: Verb = Verb {
    name: "run",
    about: "Create a container, start it, wait for its end and delete it",
    help: "\
Create and start the container ID, pass signals on to it, wait for its program to end, and delete it. With --detach,
return as soon as it runs; it is then for `davit delete` to delete it.

Exit status: the program's own, or 128 and the number of the signal that killed it; 1 when it could not be run.

Example:
  davit run --bundle /bundles/web web",
    takes: Takes::Exactly(1),
    flags_end: false,
    define: Words::augment_args,
    perform,
};

// Without a clap group, because `run` takes in the words of `create` and both groups would have one name.
#[derive(Args)]
#[group(skip)]
struct Words {
    #[command(flatten)]
    create: create::Words,
    /// Return as soon as the container runs
    #[arg(long, short)]
    detach: bool,
    /// Do not delete the container when it has ended
    #[arg(long)]
    keep: bool,
    /// Do not adopt the processes that the container leaves behind
    #[arg(long)]
    no_subreaper: bool,
}

fn perform(matches: &ArgMatches, scene: &Scene<'_>) -> anyhow::Result<u8> {
    let words = words::<Words>(matches)?;
    let request = RunRequest {
        create: words.create.request(scene)?,
        detach: words.detach,
        keep: words.keep,
        no_subreaper: words.no_subreaper,
    };
    container::run(&scene.root()?, request, scene.log)
}
