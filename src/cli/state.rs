//! `davit state`.

use super::{Named, Scene, Takes, Verb, id, output, words};
use crate::container::Container;
use anyhow::Context;
use clap::{ArgMatches, Args};

pub(super) const VERB: Verb = Verb {
    name: "state",
    about: "Print the state of a container as JSON",
    help: "\
Print the state of the container ID as the runtime specification defines it, with rootfs and the creation time
added. The status is creating, created, running, paused or stopped; the pid of a stopped container is 0.

A stopped container has the annotation io.davit.ended if davit knows why it ended: its exit status or the signal
(after `davit run --keep`, or while its parent has not reaped it), the signal that `davit kill` sent, and the OOM
killer and whose memory limit it was.

Exit status: 0, or 1 if there is no such container.

Example:
  davit state web",
    takes: Takes::Exactly(1),
    flags_end: false,
    define: Named::augment_args,
    perform,
};

fn perform(matches: &ArgMatches, scene: &Scene<'_>) -> anyhow::Result<u8> {
    let id = id(&words::<Named>(matches)?.id)?;
    let context = || format!("cannot get the state of {id}");
    let container = Container::find(&scene.root()?, &id).with_context(context)?;
    output::print(&container.report_with_end().to_json()?)?;
    Ok(0)
}
