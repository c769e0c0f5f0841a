//! `davit checkpoint`, and the flags that it has in common with `restore`.

use super::{Scene, Takes, Verb, id, words};
use crate::container::{self, CheckpointRequest, CriuRequest};
use crate::criu::CgroupMode;
use anyhow::{Result, bail};
use clap::{ArgMatches, Args};
use std::ffi::OsString;
use std::path::PathBuf;

pub(super) const VERB: Verb = Verb {
    name: "checkpoint",
    about: "Save the processes of a running container",
    help: "\
Save the processes of the container ID to images from which `davit restore` continues them, on this host or on another
one with the same bundle. The container is deleted afterwards, unless --leave-running is given. Needs root, and CRIU in
PATH. What cannot be saved is refused before a process is stopped; if CRIU fails, the container runs on.

Exit status: 0 when the images are complete, 1 otherwise.

Example:
  davit checkpoint --image-path /var/tmp/web web",
    takes: Takes::Exactly(1),
    flags_end: false,
    define: Words::augment_args,
    perform,
};

// The flags in common. Without a clap group, because two commands include them.
#[derive(Args)]
#[group(skip)]
pub(super) struct Common {
    /// Directory of the images [default: ./checkpoint]
    #[arg(long, value_name = "DIR")]
    image_path: Option<PathBuf>,
    /// Directory of CRIU's log and other work files [default: the image directory]
    #[arg(long, value_name = "DIR")]
    work_path: Option<PathBuf>,
    /// Save or restore established TCP connections
    #[arg(long)]
    tcp_established: bool,
    /// Close established TCP connections instead of keeping them
    #[arg(long)]
    tcp_close: bool,
    /// Accept Unix sockets whose other end is outside of the container
    #[arg(long)]
    ext_unix_sk: bool,
    /// Accept processes whose session or terminal is outside of the container
    #[arg(long)]
    shell_job: bool,
    /// Save or restore file locks
    #[arg(long)]
    file_locks: bool,
    /// Use userfaultfd to transfer memory when it is needed
    #[arg(long)]
    lazy_pages: bool,
    /// Remove memory from parent images that a later image has
    #[arg(long)]
    auto_dedup: bool,
    /// Make a namespace without its content; only network is possible
    #[arg(long, value_name = "NAMESPACE")]
    empty_ns: Vec<String>,
    /// How CRIU treats cgroups: soft, full, strict or ignore [default: soft]
    #[arg(long, value_name = "MODE")]
    manage_cgroups_mode: Option<String>,
}

impl Common {
    /// The request of these flags.
    pub(super) fn request(self) -> Result<CriuRequest> {
        let given = |path: Option<PathBuf>| path.filter(|path| !path.as_os_str().is_empty());
        if let Some(other) = self.empty_ns.iter().find(|name| *name != "network") {
            bail!("--empty-ns {other}: CRIU can only make an empty network namespace");
        }
        let cgroup_mode = match self.manage_cgroups_mode.as_deref() {
            None | Some("" | "soft") => CgroupMode::Soft,
            Some("full") => CgroupMode::Full,
            Some("strict") => CgroupMode::Strict,
            Some("ignore") => CgroupMode::Ignore,
            Some(other) => bail!("invalid manage-cgroups-mode: {other} (soft, full, strict or ignore)"),
        };
        Ok(CriuRequest {
            image_path: given(self.image_path).unwrap_or_else(|| PathBuf::from("checkpoint")),
            work_path: given(self.work_path),
            tcp_established: self.tcp_established,
            tcp_close: self.tcp_close,
            ext_unix_sk: self.ext_unix_sk,
            shell_job: self.shell_job,
            file_locks: self.file_locks,
            auto_dedup: self.auto_dedup,
            lazy_pages: self.lazy_pages,
            empty_network: !self.empty_ns.is_empty(),
            cgroup_mode,
        })
    }
}

#[derive(Args)]
struct Words {
    #[command(flatten)]
    common: Common,
    /// Images of an earlier pre-dump, relative to the image directory
    #[arg(long, value_name = "DIR")]
    parent_path: Option<PathBuf>,
    /// Let the container run on
    #[arg(long)]
    leave_running: bool,
    /// Save only memory and let the container run on; a later checkpoint needs to save only what changed
    #[arg(long)]
    pre_dump: bool,
    /// Leave out TCP connections that are being made
    #[arg(long, visible_alias = "skip-in-flight")]
    tcp_skip_in_flight: bool,
    /// Link unlinked files that are open again where possible
    #[arg(long)]
    link_remap: bool,
    /// File descriptor that gets a zero byte when memory can be transferred
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    status_fd: Option<i32>,
    /// Send memory to the page server at ADDRESS:PORT
    #[arg(long, value_name = "ADDRESS:PORT")]
    page_server: Option<String>,
    /// Name of the container
    #[arg(value_name = "ID")]
    id: OsString,
}

fn perform(matches: &ArgMatches, scene: &Scene<'_>) -> Result<u8> {
    let words = words::<Words>(matches)?;
    let page_server = words.page_server.as_deref().filter(|text| !text.is_empty()).map(server).transpose()?;
    let request = CheckpointRequest {
        id: id(&words.id)?,
        criu: words.common.request()?,
        parent_path: words.parent_path.filter(|path| !path.as_os_str().is_empty()),
        leave_running: words.leave_running,
        pre_dump: words.pre_dump,
        tcp_skip_in_flight: words.tcp_skip_in_flight,
        link_remap: words.link_remap,
        // Go programs pass -1 for no descriptor.
        status_fd: words.status_fd.filter(|fd| *fd >= 0),
        page_server,
    };
    container::checkpoint(&scene.root()?, &request, scene.log).map(|()| 0)
}

fn server(text: &str) -> Result<(String, u16)> {
    let parsed = text.rsplit_once(':').and_then(|(address, port)| Some((address, port.parse().ok()?)));
    match parsed {
        Some((address, port)) if !address.is_empty() => Ok((address.to_owned(), port)),
        _ => bail!("--page-server {text}: expected ADDRESS:PORT"),
    }
}
