//! `davit list`.

use super::{Scene, Takes, Verb, output, words};
use crate::container::{self, Container};
use crate::spec::state::{Report, list_json, list_table};
use clap::{ArgMatches, Args, ValueEnum};
use std::collections::HashMap;

pub(super) const VERB: Verb = Verb {
    name: "list",
    about: "List the containers of this root directory",
    help: "\
List the containers of the root directory (--root) with pid, status, bundle, creation time and owner.

Exit status: 0, or 1 if the given root directory does not exist or cannot be read.

Example:
  davit list --format json",
    takes: Takes::Exactly(0),
    flags_end: false,
    define: Words::augment_args,
    perform,
};

#[derive(Args)]
struct Words {
    /// Format of the list
    #[arg(long, short, default_value = "table")]
    format: Format,
    /// Print only the ids
    #[arg(long, short)]
    quiet: bool,
}

/// What a list or a table may be printed as.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people.
    Table,
    /// For programs.
    Json,
}

fn perform(matches: &ArgMatches, scene: &Scene<'_>) -> anyhow::Result<u8> {
    let words = words::<Words>(matches)?;
    let containers = container::list(&scene.root()?, scene.log)?;
    let text = if words.quiet {
        containers.iter().fold(String::new(), |text, container| text + &container.record.id + "\n")
    } else {
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let names = user_names(&passwd);
        let row = |container: &Container| Report { owner: owner(container.record.owner, &names), ..container.report() };
        let rows: Vec<Report> = containers.iter().map(row).collect();
        match words.format {
            Format::Table => list_table(&rows),
            Format::Json => list_json(&rows)? + "\n",
        }
    };
    output::print(&text)?;
    Ok(0)
}

/// The user names of a passwd(5) file. Not read through the C library, because a static binary cannot load the modules
/// of `nsswitch.conf`.
fn user_names(passwd: &str) -> HashMap<u32, &str> {
    let mut names = HashMap::new();
    for line in passwd.lines() {
        let mut fields = line.split(':');
        if let (Some(name), Some(Ok(uid))) = (fields.next(), fields.nth(1).map(str::parse)) {
            names.entry(uid).or_insert(name);
        }
    }
    names
}

/// The user's name, or `#1000` without one.
fn owner(uid: u32, names: &HashMap<u32, &str>) -> String {
    names.get(&uid).map_or_else(|| format!("#{uid}"), |name| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::{owner, user_names};

    #[test]
    fn owners_have_their_first_name_or_a_number() {
        let names = user_names("root:x:0:0:root:/root:/bin/sh\ntoor:x:0:0::/:\nbroken\nme:x:1000:1000::/:\n");
        assert_eq!(owner(0, &names), "root");
        assert_eq!(owner(1000, &names), "me");
        assert_eq!(owner(7, &names), "#7");
    }
}
