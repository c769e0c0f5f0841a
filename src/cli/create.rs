//! `davit create`.

use super::{Scene, Takes, Verb, id, words};
use crate::container::{self, CreateRequest};
use clap::{ArgMatches, Args};
use std::ffi::OsString;
use std::path::PathBuf;

pub(super) const VERB: Verb = Verb {
    name: "create",
    about: "Create a container, up to the moment before its program starts",
    help: "\
Create the container ID from the bundle: its namespaces, cgroup, mounts and limits, and a first process that waits for
`davit start` before it becomes the program. All mistakes of config.json are told at once, before anything is made; when
creation fails nothing is left behind. config.json may change afterwards without effect on the container.

Exit status: 0 when the container is created, 1 otherwise.

Example:
  davit create --bundle /bundles/web --pid-file /run/web.pid web",
    takes: Takes::Exactly(1),
    flags_end: false,
    define: Words::augment_args,
    perform,
};

// Without a clap group, because `run` takes in the words of `create` and both groups would have one name.
#[derive(Args)]
#[group(skip)]
pub(super) struct Words {
    /// Directory with config.json
    #[arg(long, short, value_name = "DIR", default_value = ".", hide_default_value = true)]
    bundle: PathBuf,
    /// AF_UNIX socket that gets the master of the container's terminal
    #[arg(long, value_name = "SOCKET")]
    console_socket: Option<PathBuf>,
    /// AF_UNIX socket that gets a pidfd of the container's first process
    #[arg(long, value_name = "SOCKET")]
    pidfd_socket: Option<PathBuf>,
    /// File that gets the pid of the container's first process
    #[arg(long, value_name = "FILE")]
    pid_file: Option<PathBuf>,
    /// Change the root by chroot, for a root file system on an initramfs; weaker
    #[arg(long)]
    no_pivot: bool,
    /// Stay in the caller's session keyring, and share its keys
    #[arg(long)]
    no_new_keyring: bool,
    /// Pass N descriptors on, from 3
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    preserve_fds: u32,
    /// Name of the container
    #[arg(value_name = "ID")]
    id: OsString,
}

impl Words {
    /// What is asked for.
    pub(super) fn request(self, scene: &Scene<'_>) -> anyhow::Result<CreateRequest> {
        let given = |path: Option<PathBuf>| path.filter(|path| !path.as_os_str().is_empty());
        Ok(CreateRequest {
            id: id(&self.id)?,
            bundle: if self.bundle.as_os_str().is_empty() { PathBuf::from(".") } else { self.bundle },
            console_socket: given(self.console_socket),
            pidfd_socket: given(self.pidfd_socket),
            pid_file: given(self.pid_file),
            no_pivot: self.no_pivot,
            no_new_keyring: self.no_new_keyring,
            preserve_fds: self.preserve_fds,
            cgroup_manager: scene.cgroup_manager()?,
            rootless: scene.rootless()?,
        })
    }
}

fn perform(matches: &ArgMatches, scene: &Scene<'_>) -> anyhow::Result<u8> {
    let request = words::<Words>(matches)?.request(scene)?;
    container::create(&scene.root()?, request, scene.log)?;
    Ok(0)
}
