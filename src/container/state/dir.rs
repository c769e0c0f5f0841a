//! A container's state directory: its files, and the lock that lets one command at a time change the container's
//! status.
//!
//! The lock is flock(2) on the directory: it ends with its holder, and with the directory. `create` holds it only while
//! it writes, so that a creation that hangs in a hook blocks nobody. `start` and `delete` hold it while they work.
//! `kill`, `state`, `pause` and the others do not use it. While a process waits for the lock, the directory can be
//! removed, or replaced by a new one; so the locked directory is compared with the path.

use crate::container::state::id::Id;
use crate::container::state::record::Record;
use crate::container::state::root::Root;
use crate::spec::load;
use anyhow::{Context, bail};
use oci_spec::runtime::Spec;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The record.
const STATE: &str = "state.json";
/// The record while it is being written.
const STATE_DRAFT: &str = ".state.json";
/// The configuration at `create`. Later changes in the bundle have no effect.
const CONFIG: &str = "config.json";

/// Error for an id that is in use. Engines match this text.
const TAKEN: &str = "container with given ID already exists";

/// Error of a creator whose directory was removed.
pub(crate) const DELETED: &str = "the container was deleted while it was being created";

/// An open state directory.
#[derive(Debug)]
pub(crate) struct Dir {
    path: PathBuf,
    file: File,
}

/// The lock on a state directory, released when dropped. It has a separate file description that no child inherits, so
/// closing it always releases the lock.
#[derive(Debug)]
pub(crate) struct Locked<'a> {
    dir: &'a Dir,
    held: File,
}

impl Dir {
    /// Makes the state directory of a new container, and the root directory if it is missing.
    pub(crate) fn make(root: &Root, id: &Id) -> anyhow::Result<Self> {
        let path = root.of(id);
        let make = || DirBuilder::new().mode(0o711).create(&path);
        let made = match make() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                root.make()?;
                make()
            }
            made => made,
        };
        match made {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                bail!(TAKEN);
            }
            made => made.with_context(|| format!("make the state directory {}", path.display()))?,
        }
        let dir = Dir::open_new(&path);
        if dir.is_err() {
            // Best effort: the first error is reported.
            let _ = fs::remove_dir(&path);
        }
        dir
    }

    fn open_new(path: &Path) -> anyhow::Result<Self> {
        let file = open_directory(path).with_context(|| format!("open the state directory {}", path.display()))?;
        let dir = Dir { path: path.to_owned(), file };
        // Regardless of the umask, because root of a user namespace must reach the sockets in the directory.
        let wanted = 0o711;
        if dir.metadata()?.mode() & 0o777 != wanted {
            let chmod = dir.file.set_permissions(Permissions::from_mode(wanted));
            chmod.with_context(|| format!("chmod 0711 {}", dir.path.display()))?;
        }
        Ok(dir)
    }

    /// The state directory of an existing container, or `None`.
    pub(crate) fn open(root: &Root, id: &Id) -> anyhow::Result<Option<Self>> {
        let path = root.of(id);
        match open_directory(&path) {
            Ok(file) => Ok(Some(Dir { path, file })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("open the state directory {}", path.display())),
        }
    }

    /// The path of the directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A short path to a file in this directory: a socket's path has at most 108 bytes.
    pub(crate) fn short_path(&self, name: &str) -> PathBuf {
        by_descriptor(&self.file, name)
    }

    /// Whether the directory is empty.
    pub(crate) fn is_empty(&self) -> anyhow::Result<bool> {
        let entries = fs::read_dir(self.short_path("."));
        let mut entries = entries.with_context(|| format!("read the state directory {}", self.path.display()))?;
        Ok(entries.next().is_none())
    }

    /// The record in this directory, even if the path leads elsewhere by now. Does not take the lock.
    pub(crate) fn peek(&self) -> anyhow::Result<Option<Record>> {
        read_record(&self.short_path("."))
    }

    /// Waits for the lock. `None` if the directory was removed meanwhile.
    pub(crate) fn lock(&self) -> anyhow::Result<Option<Locked<'_>>> {
        let locked = || -> io::Result<File> {
            let held = File::open(self.short_path("."))?;
            held.lock().map(|()| held)
        };
        match locked() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("lock the state directory {}", self.path.display())),
            Ok(held) => Ok(self.is_current()?.then_some(Locked { dir: self, held })),
        }
    }

    /// Waits for the lock on a new directory without a record. Between making and opening it, another process may have
    /// removed it and made its own.
    pub(crate) fn lock_new(&self) -> anyhow::Result<Locked<'_>> {
        // As above. rmdir removes only an empty directory, so no container is lost.
        let abandon = |_: &anyhow::Error| drop(fs::remove_dir(&self.path));
        let locked = self.lock().inspect_err(abandon)?.context(DELETED)?;
        match locked.read().inspect_err(abandon)? {
            Some(_) => bail!(TAKEN),
            None => Ok(locked),
        }
    }

    /// Whether the path still leads to this directory.
    fn is_current(&self) -> anyhow::Result<bool> {
        let ours = self.metadata()?;
        match fs::symlink_metadata(&self.path) {
            Ok(now) => Ok((now.dev(), now.ino()) == (ours.dev(), ours.ino())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error).with_context(|| format!("stat {}", self.path.display())),
        }
    }

    fn metadata(&self) -> anyhow::Result<fs::Metadata> {
        self.file.metadata().with_context(|| format!("stat {}", self.path.display()))
    }
}

impl Locked<'_> {
    /// Writes the record atomically, for readers without the lock.
    pub(crate) fn write(&self, record: &Record) -> anyhow::Result<()> {
        self.draft(record)?;
        self.settle()
    }

    /// Writes the draft of a record. Only the creator of a container writes records.
    pub(crate) fn draft(&self, record: &Record) -> anyhow::Result<()> {
        write_private(&self.dir.path.join(STATE_DRAFT), &record.to_bytes()?)
    }

    /// Replaces the record by the draft.
    pub(crate) fn settle(&self) -> anyhow::Result<()> {
        let draft = self.dir.path.join(STATE_DRAFT);
        let state = self.dir.path.join(STATE);
        fs::rename(&draft, &state).with_context(|| format!("rename {} to {STATE}", draft.display()))
    }

    /// Writes the configuration that the container is created from.
    pub(crate) fn write_config(&self, config: &[u8]) -> anyhow::Result<()> {
        write_private(&self.dir.path.join(CONFIG), config)
    }

    /// The lock as a descriptor. It is held until the descriptor and its copies are closed.
    pub(crate) fn into_descriptor(self) -> OwnedFd {
        self.held.into()
    }

    /// The record; `None` if it has not been written.
    pub(crate) fn read(&self) -> anyhow::Result<Option<Record>> {
        read_record(&self.dir.path)
    }

    /// Removes the directory with its content. Other commands wait for the lock, and then notice that it is gone.
    pub(crate) fn remove(self) -> anyhow::Result<()> {
        let path = &self.dir.path;
        fs::remove_dir_all(path).with_context(|| format!("remove the state directory {}", path.display()))
    }
}

/// The record in a state directory; `None` if the directory or the file is missing. Needs no lock.
pub(crate) fn read_record(directory: &Path) -> anyhow::Result<Option<Record>> {
    let path = directory.join(STATE);
    let mut bytes = Vec::with_capacity(8192);
    let mut read = || -> io::Result<()> {
        let file = File::open(&path)?;
        refuse_others(&file)?;
        (&file).take(64 << 20).read_to_end(&mut bytes).map(drop)
    };
    match read() {
        Ok(()) => Record::parse(&bytes).map(Some).with_context(|| format!("cannot read {}", path.display())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// The file with the configuration that the container was created from.
pub(crate) fn config_path(directory: &Path) -> PathBuf {
    directory.join(CONFIG)
}

/// The configuration that the container was created from.
pub(crate) fn read_config(directory: &Path) -> anyhow::Result<Spec> {
    let path = config_path(directory);
    let bytes = fs::read(&path).with_context(|| format!("read {}", path.display()))?;
    Ok(load::reload(&bytes).map_err(|problems| problems.of(&path.display().to_string()))?)
}

/// Opens a directory, but not through a symbolic link.
fn open_directory(path: &Path) -> io::Result<File> {
    let directory = OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY | libc::O_NOFOLLOW).open(path)?;
    refuse_others(&directory)?;
    Ok(directory)
}

/// Refuses state that belongs neither to root nor to the caller, because its owner could choose which hooks run with
/// the caller's rights.
fn refuse_others(file: &File) -> io::Result<()> {
    let owner = file.metadata()?.uid();
    if owner == 0 || owner == crate::sys::process::effective_uid() {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::PermissionDenied,
        format!("it belongs to uid {owner}, not to root or to the caller"),
    ))
}

/// Writes a file that only its owner may read, because environments hold passwords.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(bytes)).with_context(|| format!("write {}", path.display()))
}

/// A short path to a file in an open directory.
pub(crate) fn by_descriptor(directory: &File, name: &str) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}/{name}", directory.as_raw_fd()))
}
