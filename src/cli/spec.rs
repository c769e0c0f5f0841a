//! `davit spec`.

use super::{Scene, Takes, Verb, words};
use crate::container;
use crate::spec::template;
use anyhow::Context;
use clap::{ArgMatches, Args};
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

pub(super) const VERB: Verb = Verb {
    name: "spec",
    about: "Write a default config.json",
    help: "\
Write config.json into the bundle (default: the current directory): a shell with namespaces of its own, few capabilities
and the root file system in rootfs. With --rootless, write one that an unprivileged user can run.

Exit status: 0 if it has been written, 1 otherwise; an existing config.json is not overwritten.

Example:
  davit spec --bundle /bundles/web",
    takes: Takes::Exactly(0),
    flags_end: false,
    define: Words::augment_args,
    perform,
};

#[derive(Args)]
struct Words {
    /// Directory to write config.json into
    #[arg(long, short, value_name = "DIR", default_value = ".", hide_default_value = true)]
    bundle: PathBuf,
    /// For an unprivileged user: in a user namespace that maps the caller to root
    #[arg(long)]
    rootless: bool,
}

fn perform(matches: &ArgMatches, _: &Scene<'_>) -> anyhow::Result<u8> {
    let words = words::<Words>(matches)?;
    let caller = if words.rootless {
        let (uid, gid) = container::caller();
        template::Caller::Rootless { uid, gid }
    } else {
        template::Caller::Root
    };
    let document = template::config(caller)?;
    let path = words.bundle.join("config.json");
    let file = OpenOptions::new().write(true).create_new(true).mode(0o666).open(&path);
    match file.and_then(|mut file| file.write_all(document.as_bytes())) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            anyhow::bail!("file {} exists: remove it first", path.display())
        }
        done => done.with_context(|| format!("cannot write {}", path.display())).map(|()| 0),
    }
}
