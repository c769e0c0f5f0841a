//! `davit create`.

use super::{Scene, Takes, Verb, id, paths, words};
use crate::container::{self, CreateRequest};
use clap::{ArgMatches, Args};
use std::ffi::OsString;
use std::path::PathBuf;

pub(super) const VERB: Verb = Verb {
    name: "create",
    about: "Create a container without starting its program",
    help: "\
Create the container ID from the bundle: its namespaces, cgroup, mounts and limits, and a first process that waits for
`davit start` before it executes the program. All problems of config.json are reported at once, before anything is
created; if creation fails, everything is removed again. Later changes of config.json do not affect the container.

Exit status: 0 when the container is created, 1 otherwise.

Example:
  davit create --bundle /bundles/web --pid-file /run/web.pid web",
    takes: Takes::Exactly(1),
    flags_end: false,
    define: Words::augment_args,
    perform,
};

// Without a clap group, because `run` includes these arguments and both groups would have the same name.
#[derive(Args)]
#[group(skip)]
pub(super) struct Words {
    /// Directory with config.json
    #[arg(long, short, value_name = "DIR", default_value = ".", hide_default_value = true, value_parser = paths())]
    bundle: PathBuf,
    /// AF_UNIX socket that receives the master of the container's terminal
    #[arg(long, value_name = "SOCKET", value_parser = paths())]
    console_socket: Option<PathBuf>,
    /// AF_UNIX socket that receives a pidfd of the container's first process
    #[arg(long, value_name = "SOCKET", value_parser = paths())]
    pidfd_socket: Option<PathBuf>,
    /// Write the pid of the container's first process to FILE
    #[arg(long, value_name = "FILE", value_parser = paths())]
    pid_file: Option<PathBuf>,
    /// Change the root with chroot, for a root file system on an initramfs; less secure
    #[arg(long)]
    no_pivot: bool,
    /// Keep the caller's session keyring, sharing its keys
    #[arg(long)]
    no_new_keyring: bool,
    /// Pass N file descriptors, starting at 3, to the program
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    preserve_fds: u32,
    /// Name of the container
    #[arg(value_name = "ID")]
    id: OsString,
}

impl Words {
    /// The request of these arguments.
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
