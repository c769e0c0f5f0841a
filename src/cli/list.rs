//! `davit list`.

use super::state::Document;
use super::{Scene, Takes, Verb, output, words};
use crate::container::{self, Container};
use clap::{ArgMatches, Args, ValueEnum};
use std::collections::HashMap;
use std::fmt::Write;

pub(super) const VERB: Verb = Verb {
    name: "list",
    about: "List the containers of this root directory",
    help: "\
List the containers of the root directory (--root) with their pid, status, bundle, time of creation and owner.

Exit status: 0, or 1 when the root directory given does not exist or cannot be read.

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
        let owners: Vec<String> = containers.iter().map(|container| owner(container.record.owner, &names)).collect();
        match words.format {
            Format::Table => table(&containers, &owners),
            Format::Json => {
                let all: Vec<_> = containers.iter().zip(&owners).map(|(one, owner)| Document::of(one, owner)).collect();
                // An empty list is null because it is in Go, where `list` comes from.
                if all.is_empty() { "null\n".to_owned() } else { serde_json::to_string(&all)? + "\n" }
            }
        }
    };
    output::print(&text)?;
    Ok(0)
}

/// The columns of runc's list: at least 12 wide, 3 apart.
fn table(containers: &[Container], owners: &[String]) -> String {
    let mut rows = vec![["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"].map(str::to_owned)];
    rows.extend(containers.iter().zip(owners).map(|(container, owner)| {
        let record = &container.record;
        [
            record.id.clone(),
            container.pid().to_string(),
            container.status.to_string(),
            record.bundle.display().to_string(),
            record.created.clone(),
            owner.clone(),
        ]
    }));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count() + 3).max().unwrap_or(0).max(12);
    let widths: [usize; 5] = std::array::from_fn(width);
    let mut text = String::new();
    for row in &rows {
        for (cell, width) in row.iter().zip(widths) {
            let _ = write!(text, "{cell:width$}");
        }
        text.push_str(&row[5]);
        text.push('\n');
    }
    text
}

/// The names in a passwd(5) file. Read here and not through the C library, which in a static binary cannot load the
/// modules that `nsswitch.conf` names.
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

/// The user's name, or `#1000` where it has none.
fn owner(uid: u32, names: &HashMap<u32, &str>) -> String {
    names.get(&uid).map_or_else(|| format!("#{uid}"), |name| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::{owner, table, user_names};
    use crate::container::{Container, Record, Status};

    #[test]
    fn a_users_first_name_counts_and_who_has_none_is_a_number() {
        let names = user_names("root:x:0:0:root:/root:/bin/sh\ntoor:x:0:0::/:\nbroken\nme:x:1000:1000::/:\n");
        assert_eq!(owner(0, &names), "root");
        assert_eq!(owner(1000, &names), "me");
        assert_eq!(owner(7, &names), "#7");
    }

    #[test]
    fn columns_are_at_least_12_wide_and_3_apart() {
        let record = Record { id: "a-long-name-for-it".to_owned(), bundle: "/b".into(), ..Record::default() };
        let record = Record { created: "2026-11-21T00:00:00Z".to_owned(), ..record };
        let container = Container { record, directory: "/x".into(), status: Status::Stopped };
        assert_eq!(
            table(&[container], &["root".to_owned()]),
            "ID                   PID         STATUS      BUNDLE      CREATED                OWNER\n\
             a-long-name-for-it   0           stopped     /b          2026-11-21T00:00:00Z   root\n"
        );
    }
}
