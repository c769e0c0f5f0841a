//! `restore`: makes a container whose processes continue from a checkpoint.
//!
//! As `run`, up to the program: the same claim of the id, cgroup, limits, foreground and deletion. The container's root
//! file system is prepared by the same steps as at `create`, in the mount namespace of the process that then executes
//! CRIU.

use super::checkpoint::{check_caller, configuration, explain, external_key};
use super::images::{Images, Manifest};
use super::run::{self, Attended};
use super::{CriuRequest, RestoreRequest, Root, RunRequest};
use crate::container::caller;
use crate::container::caller::foreground::Foreground;
use crate::container::create::pending::PendingContainer;
use crate::container::create::prepare::Build;
use crate::container::create::restored::{Restoration, Restored};
use crate::container::own_executable;
use crate::criu::{Flag, Options};
use crate::plan::checkpoint::{Joined, external_mounts, joined_namespaces, refusal};
use crate::plan::criu::{self, Criu, staged_name};
use crate::plan::namespaces::MOUNT;
use crate::report::Log;
use crate::sys::terminal::standard;
use crate::sys::{Errno, credentials, mount, namespace, path, socket};
use anyhow::{Context, Result, bail};
use oci_spec::runtime::Spec;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The name of CRIU's log.
const LOG: &str = "restore.log";

/// The directory in the state directory on which bind mounts are made for CRIU.
const STAGE: &str = "restore";

/// The device nodes that a mount may show besides those of `linux.devices`: every container has them.
const DEVICES: [&str; 6] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"];

/// Restores a container. Returns the exit status for davit.
pub(crate) fn restore(root: &Root, request: RestoreRequest, log: &Log) -> Result<u8> {
    let RestoreRequest { run: RunRequest { create, detach, keep, no_subreaper }, criu: wanted, .. } = request.clone();
    let id = create.id.clone();
    let started = || -> Result<(Restored, Option<Foreground>)> {
        own_executable::protect(false)?;
        check_caller()?;
        let (space, images) = MountSpace::make(|| Images::open(&wanted))?;
        let manifest = images.read()?;
        let mut build = Build::plan(root, create, true, log)?;
        build.check_console(detach)?;
        let restoration = prepare(&mut build, &request, &images, &manifest, &root.of(&id), &space)?;
        if !no_subreaper && !detach {
            credentials::subreaper().map_err(io::Error::from).context("become a subreaper")?;
        }
        let Prepared { restoration, kept } = restoration;
        let pending = PendingContainer::begin(build, root, log)?;
        drop(kept);
        let foreground = (!detach).then(|| Foreground::prepare(pending.build.has_terminal())).transpose()?;
        let restored =
            pending.finish_restored(restoration, foreground.as_ref(), |answer| explain(answer, &images, LOG))?;
        if let (Some(foreground), Some(master)) = (&foreground, restored.console.peek()) {
            foreground.prepare_terminal(master)?;
        }
        Ok((restored, foreground))
    };
    let (restored, foreground) = started().with_context(|| format!("cannot restore {id}"))?;
    let Restored { record, pid, pidfd, console } = restored;
    let attended = Attended { record, process: (pid, pidfd.as_fd()), console };
    run::attend(root, &id, attended, foreground, None, keep, log)
}

/// A mount namespace for CRIU, which ends with it. CRIU mounts in its work directory, which it opens through this
/// process's descriptors, so these must be opened in that namespace.
struct MountSpace(OwnedFd);

impl MountSpace {
    /// Makes the namespace, and calls `open` in it. This process is in its own namespace and directory afterwards.
    fn make<T>(open: impl FnOnce() -> Result<T>) -> Result<(MountSpace, T)> {
        let file = |path| path::open_following_links(path, libc::O_RDONLY).map_err(io::Error::from);
        let own = file(c"/proc/self/ns/mnt").context("open the mount namespace")?;
        let here = file(c".").context("open the working directory")?;
        namespace::unshare(MOUNT).map_err(io::Error::from).context("make a mount namespace")?;
        let inside = || -> Result<(MountSpace, T)> {
            mount::set_propagation_of_root(libc::MS_SLAVE | libc::MS_REC).context("set the propagation of mounts")?;
            let made = file(c"/proc/self/ns/mnt").context("open the mount namespace")?;
            Ok((MountSpace(made), open()?))
        };
        let made = inside();
        namespace::setns(own.as_fd(), MOUNT).context("return to the mount namespace")?;
        path::change_directory(here.as_fd()).context("return to the working directory")?;
        made
    }

    fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.0.as_raw_fd()))
    }
}

/// A request, and the descriptors that the process that executes CRIU inherits.
struct Prepared {
    restoration: Restoration,
    kept: Vec<OwnedFd>,
}

/// Decides the request to CRIU, and replaces the plan of the program by that of CRIU.
fn prepare(
    build: &mut Build,
    request: &RestoreRequest,
    images: &Images,
    manifest: &Manifest,
    state: &Path,
    space: &MountSpace,
) -> Result<Prepared> {
    if let Some(why) = refusal(&build.spec) {
        bail!(why);
    }
    let (socket, other) = socket::pair().context("make a socket pair")?;
    let [directory, work] = images.descriptors();
    let mut options = Options::new(directory, work, LOG);
    apply(&request.criu, request, &mut options);
    configuration(&build.spec, &mut options)?;
    options.root(&build.rootfs());
    refuse_links(&build.rootfs(), manifest)?;
    let mut kept = Vec::new();
    inherit_streams(manifest, &mut options, &mut kept)?;
    join_namespaces(&build.spec, manifest, &mut options, &mut kept)?;
    let stage = state.join(STAGE);
    let cgroup_mounts = external(&build.spec, &build.request.bundle, manifest, &stage, &mut options)?;
    let criu = Criu {
        socket: other.as_raw_fd(),
        inherited: kept.iter().map(AsRawFd::as_raw_fd).collect(),
        environment: caller::environment(),
    };
    kept.push(other);
    build.restores = true;
    build.plan = criu::restore(std::mem::take(&mut build.plan), &criu, &stage, &manifest.mounts, space.path());
    Ok(Prepared { restoration: Restoration { socket, options, cgroup_mounts }, kept })
}

/// Refuses a root file system in which a mount point has become a symbolic link since the checkpoint. CRIU would follow
/// the link (CVE-2026-119614). Points below other mounts do not exist yet, and are refused by CRIU if they never do.
fn refuse_links(root: &Path, manifest: &Manifest) -> Result<()> {
    let c_root = CString::new(root.as_os_str().as_bytes())?;
    let root = path::open_following_links(&c_root, libc::O_PATH | libc::O_DIRECTORY).map_err(io::Error::from);
    let root = root.context("/root/path")?;
    for point in &manifest.points {
        let c_point = CString::new(point.as_os_str().as_bytes())?;
        if let Err(Errno::ELOOP) = path::open_in_root_without_links(root.as_fd(), &c_point, libc::O_PATH) {
            bail!("the mount point {} leads through a symbolic link now", point.display());
        }
    }
    Ok(())
}

fn apply(wanted: &CriuRequest, request: &RestoreRequest, options: &mut Options) {
    wanted.apply(options);
    options.set(Flag::RestoreSibling, true);
    options.set(Flag::OrphanTerminal, true);
    if let Some(profile) = &request.lsm_profile {
        options.lsm_profile(profile);
    }
    if let Some(context) = &request.lsm_mount_context {
        options.lsm_mount_context(context);
    }
}

/// Gives the processes this process's standard streams in the place of those that led out of the container.
fn inherit_streams(manifest: &Manifest, options: &mut Options, kept: &mut Vec<OwnedFd>) -> Result<()> {
    for stream in &manifest.streams {
        let Some(own) = standard().get(stream.number).copied() else {
            bail!("the image names standard stream {}", stream.number);
        };
        let copy = own.try_clone_to_owned().context("duplicate a standard stream")?;
        options.inherit(&stream.key, copy.as_raw_fd());
        kept.push(copy);
    }
    Ok(())
}

/// Passes the namespaces of the configuration that the processes join.
fn join_namespaces(spec: &Spec, manifest: &Manifest, options: &mut Options, kept: &mut Vec<OwnedFd>) -> Result<()> {
    let joined = joined_namespaces(spec);
    for name in &manifest.namespaces {
        if !joined.iter().any(|(_, how, _)| *how == Joined::External(if name == "net" { "net" } else { "pid" })) {
            bail!(
                "the container was checkpointed with a {name} namespace from outside; config.json has no path of one"
            );
        }
    }
    for (_, how, path) in joined {
        match how {
            Joined::ByPath(kind) => options.join_namespace(kind, &path.to_string_lossy()),
            Joined::External(name) if manifest.namespaces.iter().any(|external| external == name) => {
                let c_path = CString::new(path.as_os_str().as_bytes())?;
                let opened = path::open_following_links(&c_path, libc::O_RDONLY).map_err(io::Error::from);
                let opened = opened.with_context(|| format!("open {}", path.display()))?;
                options.inherit(&external_key(name), opened.as_raw_fd());
                kept.push(opened);
            }
            Joined::External("net") => options.join_namespace("net", &path.to_string_lossy()),
            Joined::External(name) => bail!("the container was checkpointed with a {name} namespace of its own"),
        }
    }
    Ok(())
}

/// Tells CRIU the sources of mounts that it has not saved. Only the configuration names sources: the image chooses
/// among them. Returns the keys of mounts of the cgroup, which does not exist yet.
fn external(
    spec: &Spec,
    bundle: &Path,
    manifest: &Manifest,
    stage: &Path,
    options: &mut Options,
) -> Result<Vec<String>> {
    let configured = external_mounts(spec, bundle);
    let listed = spec.linux().as_ref().and_then(|linux| linux.devices().as_deref()).unwrap_or_default();
    let mut cgroup = Vec::new();
    for (number, key) in manifest.mounts.iter().enumerate() {
        let is_device = DEVICES.contains(&key.as_str()) || listed.iter().any(|device| device.path() == Path::new(key));
        match configured.iter().find(|external| external.key == *key) {
            Some(external) if external.source.is_some() => {
                let source = PathBuf::from(format!("{}{}", stage.display(), staged_name(number)));
                options.external_mount(key.as_bytes(), source.as_os_str().as_bytes());
            }
            Some(_) => cgroup.push(key.clone()),
            None if is_device => options.external_mount(key.as_bytes(), key.as_bytes()),
            None => bail!("the image has a mount of {key}, which config.json does not have"),
        }
    }
    Ok(cgroup)
}
