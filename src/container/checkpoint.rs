//! `checkpoint`: saves the processes of a container, which end or run on.
//!
//! Everything that can be refused is refused before a process is stopped. CRIU does the work; if it fails, it resumes
//! the processes, and the container is as it was.

mod mounts;
mod service;

use super::images::{Images, Manifest, Stream};
use super::state::dir::{self, Dir, Locked};
use super::{CheckpointRequest, Container, NO_CONTAINER, Root, Status, delete};
use crate::criu::{self, Flag, Options};
use crate::plan::checkpoint::{self as decisions, Joined};
use crate::report::Log;
use crate::sys::{namespace, path, process, program};
use anyhow::{Context, Result, anyhow, bail};
use oci_spec::runtime::Spec;
use service::Service;
use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The name of CRIU's log.
const LOG: &str = "dump.log";

/// Saves a running or paused container. Deletes it afterwards, unless it runs on: its processes have ended then.
pub(crate) fn checkpoint(root: &Root, request: &CheckpointRequest, log: &Log) -> Result<()> {
    attempt(root, request, log).with_context(|| format!("cannot checkpoint {}", request.id))
}

fn attempt(root: &Root, request: &CheckpointRequest, log: &Log) -> Result<()> {
    let dir = Dir::open(root, &request.id)?.context(NO_CONTAINER)?;
    let locked = dir.lock()?.context(NO_CONTAINER)?;
    let record = locked.read()?.context(NO_CONTAINER)?;
    let container = Container::seen(record, dir.path().to_owned())?;
    match container.status {
        Status::Running | Status::Paused => (),
        Status::Created => bail!("the container has not been started; its process waits for `start` outside"),
        Status::Creating => bail!("container is still being created"),
        Status::Stopped => bail!("container not running"),
    }
    check_caller()?;
    let spec = dir::read_config(dir.path())?;
    if let Some(why) = decisions::refusal(&spec) {
        bail!(why);
    }
    check_descriptor(request)?;
    let images = Images::make(&request.criu)?;
    if let Some(parent) = &request.parent_path {
        images.check_parent(parent)?;
    }
    let service = Service::start()?;
    check_features(request, &service)?;
    let manifest = manifest(&container, &spec)?;
    let options = options(request, &container, &spec, &images, &manifest)?;
    log.lap("prepare the checkpoint");
    save(request, &container, &images, service, &options, &manifest)?;
    log.lap("save the processes");
    if request.leave_running || request.pre_dump {
        return Ok(());
    }
    remove(&container, locked, log)
}

/// Deletes the container, as runc does: engines restore it under the same id without deleting it first.
fn remove(container: &Container, locked: Locked<'_>, log: &Log) -> Result<()> {
    delete::destroy(&container.record, locked, log).context("the checkpoint is complete, but the container is left")
}

/// CRIU needs rights that only root of the host has.
pub(super) fn check_caller() -> Result<()> {
    if process::effective_uid() != 0 || crate::host::in_user_namespace() {
        bail!("checkpoint and restore need root of the host: CRIU reads and sets what no other user may");
    }
    Ok(())
}

/// Refuses a status descriptor that is not open, because CRIU would fail after it has stopped the processes.
fn check_descriptor(request: &CheckpointRequest) -> Result<()> {
    match request.status_fd {
        Some(fd) if !program::is_inherited(fd) => bail!("--status-fd {fd}: not an open file descriptor"),
        _ => Ok(()),
    }
}

/// Refuses what this CRIU on this kernel cannot do.
fn check_features(request: &CheckpointRequest, service: &Service) -> Result<()> {
    let lazy = request.criu.lazy_pages;
    let tracked = request.pre_dump || request.parent_path.is_some();
    if !lazy && !tracked {
        return Ok(());
    }
    let features = criu::ask_features(service.socket())?;
    if lazy && !features.lazy_pages {
        bail!("--lazy-pages: this kernel or this CRIU has no lazy pages (userfaultfd)");
    }
    if tracked && !features.memory_tracking {
        let flag = if request.pre_dump { "--pre-dump" } else { "--parent-path" };
        bail!("{flag}: this kernel or this CRIU cannot track changed memory (CONFIG_MEM_SOFT_DIRTY or PAGEMAP_SCAN)");
    }
    Ok(())
}

fn manifest(container: &Container, spec: &Spec) -> Result<Manifest> {
    let joined = decisions::joined_namespaces(spec);
    let external = joined.iter().filter_map(|(_, how, _)| match how {
        Joined::External(name) => Some((*name).to_owned()),
        Joined::ByPath(_) => None,
    });
    Ok(Manifest { streams: streams(container.pid())?, namespaces: external.collect(), ..Manifest::default() })
}

/// The standard streams of the first process that lead out of the container: pipes, and files of the host.
fn streams(pid: i32) -> Result<Vec<Stream>> {
    let inside = mounts::ids(pid)?;
    let mut streams = Vec::new();
    for number in 0..3 {
        let file = format!("/proc/{pid}/fd/{number}");
        let Ok(target) = fs::read_link(&file) else { continue };
        let bytes = target.as_os_str().as_bytes();
        if bytes.starts_with(b"pipe:[") {
            streams.push(Stream { number, key: target.to_string_lossy().into_owned() });
        } else if bytes.starts_with(b"/") {
            let info = fs::read_to_string(format!("/proc/{pid}/fdinfo/{number}")).with_context(|| file.clone())?;
            if let Some(mount) = mounts::id_in(&info).filter(|mount| !inside.contains(mount)) {
                let inode = fs::metadata(&file).with_context(|| file.clone())?.ino();
                streams.push(Stream { number, key: format!("file[{mount:x}:{inode:x}]") });
            }
        }
    }
    Ok(streams)
}

fn options(
    request: &CheckpointRequest,
    container: &Container,
    spec: &Spec,
    images: &Images,
    manifest: &Manifest,
) -> Result<Options> {
    let [directory, work] = images.descriptors();
    let mut options = Options::new(directory, work, LOG);
    request.criu.apply(&mut options);
    configuration(spec, &mut options)?;
    let pid = container.pid();
    options.process(pid);
    options.set(Flag::LeaveRunning, request.leave_running);
    options.set(Flag::TcpSkipInFlight, request.tcp_skip_in_flight);
    options.set(Flag::LinkRemap, request.link_remap);
    options.set(Flag::TrackMemory, request.pre_dump);
    options.set(Flag::OrphanTerminal, true);
    if let Some(cgroup) = &container.record.cgroup {
        options.freeze_cgroup(&cgroup.path);
    }
    if let Some(parent) = &request.parent_path {
        options.parent_image(parent);
    }
    if let Some(fd) = request.status_fd {
        options.status_fd(fd);
    }
    if let Some((address, port)) = &request.page_server {
        options.page_server(address, *port);
    }
    for stream in manifest.streams.iter().filter(|stream| stream.key.starts_with("file[")) {
        options.external(&stream.key);
    }
    for (kind, how, _) in decisions::joined_namespaces(spec) {
        if let Joined::External(name) = how {
            let file = CString::new(format!("/proc/{pid}/ns/{name}"))?;
            let opened = path::open_following_links(&file, libc::O_RDONLY).map_err(io::Error::from);
            let opened =
                opened.with_context(|| format!("open the {} namespace", crate::plan::namespaces::name(kind)))?;
            let number = namespace::number(opened.as_fd()).map_err(io::Error::from)?;
            options.external(&format!("{name}[{number}]:{}", external_key(name)));
        }
    }
    Ok(options)
}

/// The name under which CRIU knows a namespace that it has left out.
pub(super) fn external_key(name: &str) -> String {
    format!("davit-{name}")
}

/// CRIU's configuration file: that of the annotation `org.criu.config`, or the one that runc's users have. It overrides
/// all other options.
pub(super) fn configuration(spec: &Spec, options: &mut Options) -> Result<()> {
    const ANNOTATION: &str = "org.criu.config";
    const DEFAULT: &str = "/etc/criu/runc.conf";
    match spec.annotations().as_ref().and_then(|all| all.get(ANNOTATION)) {
        Some(file) if file.is_empty() => (),
        Some(file) if !Path::new(file).is_absolute() => bail!("/annotations/{ANNOTATION}: {file:?} must be absolute"),
        Some(file) => {
            fs::metadata(file).with_context(|| format!("/annotations/{ANNOTATION}: {file}"))?;
            options.config_file(Path::new(file));
        }
        None if Path::new(DEFAULT).exists() => options.config_file(Path::new(DEFAULT)),
        None => (),
    }
    Ok(())
}

fn save(
    request: &CheckpointRequest,
    container: &Container,
    images: &Images,
    service: Service,
    options: &Options,
    manifest: &Manifest,
) -> Result<()> {
    let mut options = options.clone();
    let external = decisions::external_mounts(&dir::read_config(&container.directory)?, &container.record.bundle);
    let external = mounts::external(container.pid(), &external)?;
    for (point, key) in &external {
        options.external_mount(point.as_os_str().as_bytes(), key.as_bytes());
    }
    let (points, mounts) = external.into_iter().unzip();
    let manifest = Manifest { mounts, points, ..manifest.clone() };
    images.write(&manifest)?;
    let answer = match request.pre_dump {
        true => criu::pre_dump(service.socket(), &options),
        false => criu::dump(service.socket(), &options, &mut |_| Ok(())),
    };
    let failed = match answer {
        Ok(answer) if answer.success => return service.finish(),
        Ok(answer) => explain(&answer, images, LOG),
        Err(error) => error,
    };
    images.discard();
    drop(service);
    match thaw(container) {
        Ok(()) => Err(failed),
        Err(second) => Err(anyhow!("{failed:#}; cleaning up: {second:#}")),
    }
}

/// CRIU resumes the processes after a failure, but not if it was killed.
fn thaw(container: &Container) -> Result<()> {
    let cgroup = container.record.open_cgroup()?.filter(|_| container.status != Status::Paused);
    match cgroup {
        Some(cgroup) if cgroup.is_frozen()? => cgroup.thaw(),
        _ => Ok(()),
    }
}

/// The error for a request that CRIU could not serve: what its log says.
pub(super) fn explain(answer: &criu::Answer, images: &Images, log: &str) -> anyhow::Error {
    let lines = images.log(log).map(criu::last_lines).unwrap_or_default();
    let number = match answer.errno {
        0 => String::new(),
        errno => format!(" ({})", crate::report::errno_words(crate::sys::Errno::from_raw(errno))),
    };
    match (lines.is_empty(), answer.message.is_empty()) {
        (false, _) => anyhow!("criu{number}: {lines}"),
        (true, false) => anyhow!("criu{number}: {}", answer.message),
        (true, true) => anyhow!("criu has failed{number} and left no log"),
    }
}
