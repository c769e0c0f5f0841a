//! `davit restore`.

use super::{Scene, Takes, Verb, checkpoint, id, words};
use crate::container::{self, CreateRequest, RestoreRequest, RunRequest};
use anyhow::bail;
use clap::{ArgMatches, Args};
use std::ffi::OsString;
use std::path::PathBuf;

pub(super) const VERB: Verb = Verb {
    name: "restore",
    about: "Create a container whose processes continue from a checkpoint",
    help: "\
Create the container ID from the bundle, with the processes that `davit checkpoint` has saved, and wait until its first
process exits, as `davit run` does. With --detach, return as soon as they run. The id, the bundle's directory and the
cgroup may differ from those of the checkpoint; the root file system and config.json must be the same. Needs root, and
CRIU in PATH. If it fails, nothing is left.

Exit status: that of the first process, or 128 and the number of the signal that killed it; 1 if it could not be
restored.

Example:
  davit restore --bundle /bundles/web --image-path /var/tmp/web web",
    takes: Takes::Exactly(1),
    flags_end: false,
    define: Words::augment_args,
    perform,
};

#[derive(Args)]
struct Words {
    #[command(flatten)]
    common: checkpoint::Common,
    /// Directory with config.json
    #[arg(long, short, value_name = "DIR", default_value = ".", hide_default_value = true)]
    bundle: PathBuf,
    /// AF_UNIX socket that receives the master of the container's terminal
    #[arg(long, value_name = "SOCKET")]
    console_socket: Option<PathBuf>,
    /// Write the pid of the container's first process to FILE
    #[arg(long, value_name = "FILE")]
    pid_file: Option<PathBuf>,
    /// Return as soon as the container runs
    #[arg(long, short)]
    detach: bool,
    /// Do not delete the container after it exits
    #[arg(long)]
    keep: bool,
    /// Do not become the parent of the container's orphaned processes
    #[arg(long)]
    no_subreaper: bool,
    /// Refused: CRIU enters the root with pivot_root
    #[arg(long)]
    no_pivot: bool,
    /// Label of the restored processes, as TYPE:NAME
    #[arg(long, value_name = "TYPE:NAME")]
    lsm_profile: Option<String>,
    /// SELinux label of the restored mounts
    #[arg(long, value_name = "LABEL")]
    lsm_mount_context: Option<String>,
    /// Name of the container
    #[arg(value_name = "ID")]
    id: OsString,
}

fn perform(matches: &ArgMatches, scene: &Scene<'_>) -> anyhow::Result<u8> {
    let words = words::<Words>(matches)?;
    if words.no_pivot {
        bail!("--no-pivot: CRIU enters the root with pivot_root, which is impossible on an initramfs");
    }
    let given = |path: Option<PathBuf>| path.filter(|path| !path.as_os_str().is_empty());
    let text = |text: Option<String>| text.filter(|text| !text.is_empty());
    let create = CreateRequest {
        id: id(&words.id)?,
        bundle: if words.bundle.as_os_str().is_empty() { PathBuf::from(".") } else { words.bundle },
        console_socket: given(words.console_socket),
        pidfd_socket: None,
        pid_file: given(words.pid_file),
        no_pivot: false,
        // The keyrings of the processes are CRIU's affair.
        no_new_keyring: true,
        preserve_fds: 0,
        cgroup_manager: scene.cgroup_manager()?,
        rootless: scene.rootless()?,
    };
    let run = RunRequest { create, detach: words.detach, keep: words.keep, no_subreaper: words.no_subreaper };
    let request = RestoreRequest {
        run,
        criu: words.common.request()?,
        lsm_profile: text(words.lsm_profile),
        lsm_mount_context: text(words.lsm_mount_context),
    };
    container::restore(&scene.root()?, request, scene.log)
}
