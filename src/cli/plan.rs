//! `davit plan`.

use super::{Scene, Takes, Verb, output, words};
use crate::container::{self, CreateRequest, Id};
use clap::{ArgMatches, Args, ValueEnum};
use std::path::PathBuf;

pub(super) const VERB: Verb = Verb {
    name: "plan",
    about: "Show what creating a container from a bundle would do",
    help: "\
Show every step from config.json of the BUNDLE to the running program, for this host and this user, each with the place
in config.json that requires it. Nothing is created. Problems in config.json are reported as by `davit create`.

With --host, plan for the host and the user that FILE describes, and read nothing on this machine but the bundle. FILE
is a JSON object; each omitted member means that the host has the feature or the user the privilege:
  privileged (CAP_SYS_ADMIN), permitted (the caller's capabilities), lastCapability,
  canDetachExe (a kernel with CONFIG_CHECKPOINT_RESTORE), apparmor, selinux, controllers, v1Controllers

Exit status: 0, or 1 if the container could not be created.

Example:
  davit plan /bundles/web",
    takes: Takes::Exactly(1),
    flags_end: false,
    define: Words::augment_args,
    perform,
};

#[derive(Args)]
struct Words {
    /// Format of the plan
    #[arg(long, short, default_value = "text")]
    format: Format,
    /// Plan without pivot_root, as create --no-pivot
    #[arg(long)]
    no_pivot: bool,
    /// Plan without a session keyring, as create --no-new-keyring
    #[arg(long)]
    no_new_keyring: bool,
    /// Plan for the host that FILE describes
    #[arg(long, value_name = "FILE")]
    host: Option<PathBuf>,
    /// Directory with config.json
    #[arg(value_name = "BUNDLE")]
    bundle: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

fn perform(matches: &ArgMatches, scene: &Scene<'_>) -> anyhow::Result<u8> {
    let words = words::<Words>(matches)?;
    let request = CreateRequest {
        // No container gets this id; it shows where the id is used.
        id: Id::new("ID")?,
        bundle: words.bundle,
        console_socket: None,
        pidfd_socket: None,
        pid_file: None,
        no_pivot: words.no_pivot,
        no_new_keyring: words.no_new_keyring,
        preserve_fds: 0,
        cgroup_manager: scene.cgroup_manager()?,
        rootless: scene.rootless()?,
    };
    let outline = container::plan(request, words.host.as_deref(), scene.log)?.outline();
    let text = match words.format {
        Format::Text => outline.to_string(),
        Format::Json => serde_json::to_string_pretty(&outline)? + "\n",
    };
    output::print(&text)?;
    Ok(0)
}
