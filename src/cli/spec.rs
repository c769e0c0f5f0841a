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
    about: "Write a config.json to start from",
    help: "\
Write config.json into the bundle (the current directory unless given): a shell in all the usual namespaces, on the root
file system in rootfs, with few capabilities. With --rootless, one that a user other than root can run.

Exit status: 0 when it is written, 1 otherwise; a config.json that is there stays as it is.

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
    /// For a user other than root: in a user namespace, with the caller as its root
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
