//! `davit kill`.

use super::{Scene, Takes, Verb, id, words};
use crate::container::{self, signal};
use clap::{ArgMatches, Args};
use std::ffi::OsString;

pub(super) const VERB: Verb = Verb {
    name: "kill",
    about: "Send a signal to a container's first process",
    help: "\
Send SIGNAL (TERM unless given) to the first process of the container ID, which must be creating, created, running
or paused. KILL kills all processes of a container that shares its pid namespace with others.

SIGNAL is a number or a name, with or without SIG, in upper or lower case: 9, KILL, SIGKILL, kill, RTMIN+3.

Exit status: 0 if the signal was sent, 1 otherwise.

Example:
  davit kill web HUP",
    takes: Takes::Between(1, 2),
    flags_end: false,
    define: Words::augment_args,
    perform,
};

#[derive(Args)]
struct Words {
    /// With KILL, kill every process in the container's cgroup; succeed if the first process has exited
    #[arg(long, short, hide = true)]
    all: bool,
    /// Name of the container
    #[arg(value_name = "ID")]
    id: OsString,
    /// Number or name of the signal
    #[arg(value_name = "SIGNAL", default_value = "TERM", hide_default_value = true)]
    signal: OsString,
}

fn perform(matches: &ArgMatches, scene: &Scene<'_>) -> anyhow::Result<u8> {
    let words = words::<Words>(matches)?;
    let signal = signal::parse(&words.signal.to_string_lossy())?;
    container::kill(&scene.root()?, &id(&words.id)?, signal, words.all)?;
    Ok(0)
}
