//! `davit ps`.

use super::list::Format;
use super::{Scene, Takes, Verb, id, output, words};
use crate::container;
use clap::{ArgMatches, Args};
use std::ffi::OsString;

pub(super) const VERB: Verb = Verb {
    name: "ps",
    about: "Show the processes of a container",
    help: "\
Show the processes of the container ID: as a table, printed by the host's ps(1) with the given options (default: -ef),
or as a JSON array of their pids on the host.

Exit status: 0, or 1 if there is no such container or ps cannot be run.

Example:
  davit ps web -o pid,rss,args",
    takes: Takes::AtLeast(1),
    flags_end: true,
    define: |command| Words::augment_args(command).override_usage("davit ps [OPTIONS] <ID> [PS OPTIONS]..."),
    perform,
};

#[derive(Args)]
struct Words {
    /// Format of the output
    #[arg(long, short, default_value = "table")]
    format: Format,
    /// Name of the container, then options for ps(1), passed on unchanged
    #[arg(value_name = "ID", required = true, trailing_var_arg = true)]
    words: Vec<OsString>,
}

fn perform(matches: &ArgMatches, scene: &Scene<'_>) -> anyhow::Result<u8> {
    let words = words::<Words>(matches)?;
    let (root, id) = (scene.root()?, id(&words.words[0])?);
    let text = match words.format {
        Format::Json => serde_json::to_string(&container::pids(&root, &id)?)? + "\n",
        Format::Table => container::ps(&root, &id, &words.words[1..])?,
    };
    output::print(&text)?;
    Ok(0)
}
