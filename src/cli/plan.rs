//! `davit plan`.

use super::{Scene, Takes, Verb, output, words};
use crate::container::{self, Comparison, CreateRequest, Id};
use crate::report::{Coded, ProblemReport};
use anyhow::bail;
use clap::{ArgMatches, Args, ValueEnum};
use serde_json::json;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

pub(super) const VERB: Verb = Verb {
    name: "plan",
    about: "Show what creating a container from a bundle would do",
    help: "\
Show every step from config.json of the BUNDLE to the running program, for this host and this user, each with the place
in config.json that requires it. Nothing is created. Problems in config.json are reported as by `davit create`; with
--format json, stdout has them as well, each with the JSON pointer of its place.

With --host, plan for the host and the user that FILE describes, and read nothing on this machine but the bundle. FILE
is a JSON object; each omitted member means that the host has the feature or the user the privilege:
  privileged (CAP_SYS_ADMIN), permitted (the caller's capabilities), lastCapability,
  canDetachExe (a kernel with CONFIG_CHECKPOINT_RESTORE), apparmor, selinux, landlock (the ABI version),
  controllers, v1Controllers

With --against, show what differs from the plan of OTHER for the same host: - begins a line that only OTHER has, + one
that only BUNDLE has. OTHER is a bundle, another config.json for the same bundle, or the name of a container, which
counts as it was created. A name with a slash is always a path. The path of a bundle is shown as BUNDLE.

Exit status: 0, or 1 if the container could not be created.
With --against, as diff: 0 if the plans are equal, 1 if they differ, 2 if one of them cannot be made.

Example:
  davit plan /bundles/web
  davit plan --host ci.json --format json /bundles/web
  davit plan --against /bundles/web-before /bundles/web",
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
    /// Show the differences from the plan of OTHER: a bundle, a config.json or a container
    #[arg(long, value_name = "OTHER")]
    against: Option<OsString>,
    /// With --against, words of 12 or more hexadecimal digits do not count: the ids that engines generate
    #[arg(long)]
    ignore_ids: bool,
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
    let host = words.host.as_deref();
    if let Some(other) = &words.against {
        let root = scene.root()?;
        let with = Comparison { other, root: &root, ignore_ids: words.ignore_ids };
        return compare(request, &with, host, words.format, scene).map_err(|error| Coded::new(TROUBLE, error).into());
    }
    if words.ignore_ids {
        bail!("--ignore-ids needs --against; see davit plan --help");
    }
    let outline = match (container::plan(request, host, scene.log), words.format) {
        (Ok(plan), _) => plan.outline(),
        (Err(error), Format::Text) => return Err(error),
        (Err(error), Format::Json) => {
            print_problems(&error)?;
            return Err(error);
        }
    };
    let text = match words.format {
        Format::Text => outline.to_string(),
        Format::Json => serde_json::to_string_pretty(&outline)? + "\n",
    };
    output::print(&text)?;
    Ok(0)
}

/// The exit status of diff(1) when it cannot compare.
const TROUBLE: u8 = 2;

fn compare(
    request: CreateRequest,
    with: &Comparison<'_>,
    host: Option<&Path>,
    format: Format,
    scene: &Scene<'_>,
) -> anyhow::Result<u8> {
    let differences = container::compare(request, with, host, scene.log)?;
    let text = match format {
        Format::Text => differences.to_string(),
        Format::Json => serde_json::to_string_pretty(&differences)? + "\n",
    };
    output::print(&text)?;
    Ok(u8::from(!differences.is_empty()))
}

/// Prints the problems of a configuration as JSON. Prints nothing for an error of another kind, such as a missing file.
fn print_problems(error: &anyhow::Error) -> anyhow::Result<()> {
    let Some(report) = error.downcast_ref::<ProblemReport>() else { return Ok(()) };
    let problem = |(origin, problem): &(String, String)| json!({"origin": origin, "problem": problem});
    let problems: Vec<_> = report.rows().iter().map(problem).collect();
    let document = json!({"problems": problems, "more": report.more()});
    output::print(&(serde_json::to_string_pretty(&document)? + "\n"))
}
