//! The directory of a checkpoint's images: opened safely, checked, and with a manifest of what CRIU's own images do not
//! say.
//!
//! An image directory may come from another host, so nothing in it may lead elsewhere: a page file that is a link would
//! give a container the content of any file of the host. Deliberately does not read CRIU's images.

use crate::container::CriuRequest;
use crate::sys::{Errno, path, process};
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::ffi::{CStr, CString};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The manifest, beside CRIU's images.
const MANIFEST: &str = "davit.json";
const C_MANIFEST: &CStr = c"davit.json";

/// CRIU's link to the image that this one is based on.
const PARENT: &str = "parent";

/// The version of the manifest. A reader refuses a higher one.
const VERSION: u32 = 1;

/// The largest manifest that is read.
const LARGEST: u64 = 4 << 20;

/// How many images may be based on each other.
const LONGEST_CHAIN: usize = 1000;

/// What davit needs for a restore besides CRIU's images.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Manifest {
    /// Version of this format, [`VERSION`].
    pub(crate) version: u32,
    /// The keys of the mounts that CRIU has left out: places in the configuration, or paths of devices.
    pub(crate) mounts: Vec<String>,
    /// The mount points of these mounts, in the same order.
    pub(crate) points: Vec<PathBuf>,
    /// The standard streams that lead out of the container.
    pub(crate) streams: Vec<Stream>,
    /// The namespaces that CRIU has left out: `net` and `pid`.
    pub(crate) namespaces: Vec<String>,
}

/// A standard stream that leads out of the container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stream {
    /// The number of the descriptor: 0, 1 or 2.
    pub(crate) number: usize,
    /// CRIU's name of the file.
    pub(crate) key: String,
}

/// An open image directory, and the directory of CRIU's work files.
#[derive(Debug)]
pub(crate) struct Images {
    directory: OwnedFd,
    work: OwnedFd,
}

impl Images {
    /// Makes the directories if they are missing.
    pub(crate) fn make(request: &CriuRequest) -> Result<Images> {
        for path in [Some(&request.image_path), request.work_path.as_ref()].into_iter().flatten() {
            make(path)?;
        }
        Images::open_both(request)
    }

    /// Opens the directories of an existing checkpoint, and checks the files of the images.
    pub(crate) fn open(request: &CriuRequest) -> Result<Images> {
        if let Some(path) = &request.work_path {
            make(path)?;
        }
        let images = Images::open_both(request)?;
        let mut directory = images.directory.try_clone()?;
        for _ in 0..LONGEST_CHAIN {
            match check(&directory).with_context(|| format!("image directory {}", request.image_path.display()))? {
                Some(parent) => directory = parent,
                None => return Ok(images),
            }
        }
        bail!("more than {LONGEST_CHAIN} images are based on each other")
    }

    fn open_both(request: &CriuRequest) -> Result<Images> {
        let work = request.work_path.as_ref().unwrap_or(&request.image_path);
        Ok(Images { directory: open("image", &request.image_path)?, work: open("work", work)? })
    }

    /// The image directory and the directory of the log, for CRIU.
    pub(crate) fn descriptors(&self) -> [std::os::fd::BorrowedFd<'_>; 2] {
        [self.directory.as_fd(), self.work.as_fd()]
    }

    /// Opens CRIU's log.
    pub(crate) fn log(&self, name: &str) -> Option<OwnedFd> {
        let name = CString::new(name).ok()?;
        path::open_entry(self.work.as_fd(), &name, libc::O_RDONLY | libc::O_NONBLOCK).ok()
    }

    /// Checks that the parent image exists. Its path is relative, so that the chain can be moved as a whole.
    pub(crate) fn check_parent(&self, parent: &Path) -> Result<()> {
        if parent.is_absolute() {
            bail!("--parent-path {}: must be relative to the image directory", parent.display());
        }
        let from_images = in_directory(&self.directory, "").join(parent);
        match fs::metadata(from_images) {
            Ok(found) if found.is_dir() => Ok(()),
            Ok(_) => bail!("--parent-path {}: not a directory", parent.display()),
            Err(error) => Err(error).with_context(|| format!("--parent-path {}", parent.display())),
        }
    }

    /// Writes the manifest.
    pub(crate) fn write(&self, manifest: &Manifest) -> Result<()> {
        let bytes = serde_json::to_vec(&Manifest { version: VERSION, ..manifest.clone() })?;
        let path = in_directory(&self.directory, MANIFEST);
        let options = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).clone();
        let file = options.clone().custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path);
        file.and_then(|mut file| file.write_all(&bytes)).with_context(|| format!("write {MANIFEST}"))
    }

    /// Removes the manifest of a checkpoint that has failed, so that nobody restores from it.
    pub(crate) fn discard(&self) {
        // The error that made the checkpoint fail is the one to report.
        let _ = path::remove_entry(self.directory.as_fd(), C_MANIFEST);
    }

    /// Reads the manifest.
    pub(crate) fn read(&self) -> Result<Manifest> {
        let file = match path::open_entry(self.directory.as_fd(), C_MANIFEST, libc::O_RDONLY | libc::O_NONBLOCK) {
            Err(Errno::ENOENT) => {
                bail!("the image directory has no {MANIFEST}: it has no complete checkpoint of davit")
            }
            file => file.map_err(io::Error::from).with_context(|| format!("open {MANIFEST}"))?,
        };
        let mut bytes = Vec::new();
        File::from(file).take(LARGEST).read_to_end(&mut bytes).with_context(|| format!("read {MANIFEST}"))?;
        let manifest: Manifest = serde_json::from_slice(&bytes).with_context(|| format!("read {MANIFEST}"))?;
        match manifest.version {
            VERSION => Ok(manifest),
            other => bail!("{MANIFEST} has version {other}; this davit knows {VERSION}"),
        }
    }
}

fn make(path: &Path) -> Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.with_context(|| format!("make {}", path.display()))
}

/// Whether a directory belongs to a user who is neither root nor the caller.
fn is_foreign(owner: u32) -> bool {
    owner != 0 && owner != process::effective_uid()
}

/// A path to an entry of an open directory, for as long as it is open.
fn in_directory(directory: &OwnedFd, name: &str) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}/{name}", directory.as_raw_fd()))
}

/// Opens a directory, but not through a link in its last component, and not one that another user could change.
fn open(what: &str, path: &Path) -> Result<OwnedFd> {
    let context = || format!("{what} directory {}", path.display());
    let c_path = CString::new(path.as_os_str().as_bytes()).with_context(context)?;
    let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_NOFOLLOW;
    let directory = match path::open_following_links(&c_path, flags) {
        Err(Errno::ENOTDIR | Errno::ELOOP) if path.is_symlink() => bail!("{}: is a symbolic link", context()),
        opened => opened.map_err(io::Error::from).with_context(context)?,
    };
    let owner = path::status(directory.as_fd()).map_err(io::Error::from).with_context(context)?.st_uid;
    if is_foreign(owner) {
        bail!("{}: belongs to uid {owner}, not to root or to the caller", context());
    }
    Ok(directory)
}

/// Checks that all entries are regular files, except the link to the parent image, which is returned opened.
fn check(directory: &OwnedFd) -> Result<Option<OwnedFd>> {
    let mut parent = None;
    let path = in_directory(directory, "");
    for entry in fs::read_dir(&path).context("read")? {
        let entry = entry.context("read")?;
        let (name, kind) = (entry.file_name(), entry.file_type().context("read")?);
        if kind.is_symlink() && name == PARENT {
            let text = fs::read_link(entry.path()).context("read the link to the parent image")?;
            if text.is_absolute() {
                bail!("{PARENT} leads to {}: an image can only be based on one at a relative path", text.display());
            }
            let flags = libc::O_DIRECTORY;
            let opened = OpenOptions::new().read(true).custom_flags(flags).open(entry.path());
            let opened = opened.with_context(|| format!("open the parent image {}", text.display()))?;
            let owner = opened.metadata()?.uid();
            if is_foreign(owner) {
                bail!("the parent image {} belongs to uid {owner}", text.display());
            }
            parent = Some(opened.into());
        } else if !kind.is_file() && !kind.is_dir() {
            bail!("{} is neither a regular file nor a directory", name.display());
        }
    }
    Ok(parent)
}
