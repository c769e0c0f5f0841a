//! `davit run`.

use super::{Scene, Takes, Verb, create, words};
use crate::container::{self, RunRequest};
use clap::{ArgMatches, Args};

pub(super) const VERB: Verb = Verb {
    name: "run",
    about: "Create and start a container, wait until it exits and delete it",
    help: "\
Create and start the container ID, forward signals to it, wait until its program exits, and delete it. With --detach,
return as soon as it runs; `davit delete` then deletes it. A warning explains an end by a signal that was not forwarded,
or by the OOM killer.

Exit status: the program's own, or 128 and the number of the signal that killed it; 1 if it could not be run.

Example:
  davit run --bundle /bundles/web web",
    takes: Takes::Exactly(1),
    flags_end: false,
    define: Words::augment_args,
    perform,
};

// Without a clap group, because these arguments include those of `create` and both groups would have the same name.
#[derive(Args)]
#[group(skip)]
struct Words {
    #[command(flatten)]
    create: create::Words,
    /// Return as soon as the container runs
    #[arg(long, short)]
    detach: bool,
    /// Do not delete the container after it exits
    #[arg(long)]
    keep: bool,
    /// Do not become the parent of the container's orphaned processes
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
