//! A container's state directory: its files, and the lock that lets one verb at a time change the container's status.
//!
//! The lock is flock(2) on the directory itself: it goes away with its holder, and with the directory. `create` holds it
//! only while it writes, so that a creation that hangs in a hook stands in nobody's way; `start` and `delete` hold it while
//! they work; `kill`, `state`, `pause` and the rest do without. Whoever gets the lock may find that the directory has been
//! removed, or removed and made anew, while it waited: it is compared with what the path now leads to.

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
/// The configuration as it was at `create`; later changes of the bundle's do not reach the container.
const CONFIG: &str = "config.json";

/// What is said of an id that is in use. Load-bearing: engines look for the words.
const TAKEN: &str = "container with given ID already exists";

/// What is said to a creator whose directory has gone.
pub(crate) const DELETED: &str = "the container was deleted while it was being created";

/// An open state directory.
#[derive(Debug)]
pub(crate) struct Dir {
    path: PathBuf,
    file: File,
}

/// The lock on a state directory, released when dropped. It is on a file description of its own, which no child made before
/// or after inherits: to close it is to unlock, and cannot fail to.
#[derive(Debug)]
pub(crate) struct Locked<'a> {
    dir: &'a Dir,
    held: File,
}

impl Dir {
    /// Makes the state directory of a new container; the root directory too, if it is missing.
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
            // Nobody knows of it yet; the error is why, and this its only consequence.
            let _ = fs::remove_dir(&path);
        }
        dir
    }

    fn open_new(path: &Path) -> anyhow::Result<Self> {
        let file = open_directory(path).with_context(|| format!("open the state directory {}", path.display()))?;
        let dir = Dir { path: path.to_owned(), file };
        // The root of a user namespace has to pass through to the sockets in here, whatever the umask is.
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

    /// The way to a file in this very directory, which is short: a socket's has 108 bytes at most.
    pub(crate) fn short_path(&self, name: &str) -> PathBuf {
        by_descriptor(&self.file, name)
    }

    /// Whether there is nothing in the directory.
    pub(crate) fn is_empty(&self) -> anyhow::Result<bool> {
        let entries = fs::read_dir(self.short_path("."));
        let mut entries = entries.with_context(|| format!("read the state directory {}", self.path.display()))?;
        Ok(entries.next().is_none())
    }

    /// The record in this very directory, whatever the path leads to by now, without the lock.
    pub(crate) fn peek(&self) -> anyhow::Result<Option<Record>> {
        read_record(&self.short_path("."))
    }

    /// Waits for the lock. `None` if the directory has gone meanwhile.
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

    /// Waits for the lock on a directory that was just made, in which there is no record yet. Between the making and the
    /// opening it may have been deleted and made anew by somebody else, whose it is then.
    pub(crate) fn lock_new(&self) -> anyhow::Result<Locked<'_>> {
        // As where it cannot be opened. Only an empty one goes, so nobody's container does.
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
    /// Writes the record, all at once for whoever reads it without the lock.
    pub(crate) fn write(&self, record: &Record) -> anyhow::Result<()> {
        self.draft(record)?;
        self.settle()
    }

    /// Writes the record where nobody reads it yet. Only the creator of a container writes records.
    pub(crate) fn draft(&self, record: &Record) -> anyhow::Result<()> {
        write_private(&self.dir.path.join(STATE_DRAFT), &record.to_bytes()?)
    }

    /// Makes the draft the record.
    pub(crate) fn settle(&self) -> anyhow::Result<()> {
        let draft = self.dir.path.join(STATE_DRAFT);
        let state = self.dir.path.join(STATE);
        fs::rename(&draft, &state).with_context(|| format!("rename {} to {STATE}", draft.display()))
    }

    /// Keeps the bytes of the configuration the container is made from.
    pub(crate) fn write_config(&self, config: &[u8]) -> anyhow::Result<()> {
        write_private(&self.dir.path.join(CONFIG), config)
    }

    /// The lock alone, which lasts as long as this or a copy of it is open.
    pub(crate) fn into_descriptor(self) -> OwnedFd {
        self.held.into()
    }

    /// The record; `None` if it has not been written.
    pub(crate) fn read(&self) -> anyhow::Result<Option<Record>> {
        read_record(&self.dir.path)
    }

    /// Removes the directory and all that is in it. No other verb gets at it, because they wait for the lock and then see
    /// that it has gone.
    pub(crate) fn remove(self) -> anyhow::Result<()> {
        let path = &self.dir.path;
        fs::remove_dir_all(path).with_context(|| format!("remove the state directory {}", path.display()))
    }
}

/// The record in a state directory; `None` if the directory or the file is missing. Needs no lock.
pub(crate) fn read_record(directory: &Path) -> anyhow::Result<Option<Record>> {
    let path = directory.join(STATE);
    let mut bytes = Vec::with_capacity(8192);
    match File::open(&path).and_then(|file| (&file).take(64 << 20).read_to_end(&mut bytes)) {
        Ok(_) => Record::parse(&bytes).map(Some).with_context(|| format!("cannot read {}", path.display())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// The configuration the container was made from.
pub(crate) fn read_config(directory: &Path) -> anyhow::Result<Spec> {
    let path = directory.join(CONFIG);
    let bytes = fs::read(&path).with_context(|| format!("read {}", path.display()))?;
    Ok(load::reload(&bytes).map_err(|problems| problems.of(&path.display().to_string()))?)
}

/// A directory that is one, and not a link to one.
fn open_directory(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY | libc::O_NOFOLLOW).open(path)
}

/// A file only its owner may read: environments hold passwords.
fn write_private(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(bytes)).with_context(|| format!("write {}", path.display()))
}

/// A path below an open directory that is short whatever the directory is called.
pub(crate) fn by_descriptor(directory: &File, name: &str) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}/{name}", directory.as_raw_fd()))
}
