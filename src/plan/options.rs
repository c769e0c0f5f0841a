//! Parses mount options: the words of `mounts[].options` and their flags and attributes (config.md, "Linux mount
//! options"). Words that are not in the table are data for the file system.

use super::act::Change;
use crate::sys::mount::Attributes;

/// The effect of one generic option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    /// Sets flags of mount(2) and the corresponding attribute of the mount.
    Set(u64, u64),
    /// Clears these flags and this attribute.
    Clear(u64, u64),
    /// Replaces the access-time rule: mount(2) flag, MOUNT_ATTR value.
    AccessTime(u64, u64),
    /// Changes nothing.
    Nothing,
    /// Bind mount, recursive if true.
    Bind(bool),
    /// Changes an existing mount.
    Remount,
    /// Propagation type, recursive if true.
    Propagation(u64, bool),
    /// Sets and clears attributes of the mount and all mounts below it.
    Recursive(u64, u64),
    /// Maps ids, recursively if true.
    IdMap(bool),
    /// Copies the contents of the covered directory into the tmpfs.
    CopyUp,
    /// Makes the same symbolic link instead of binding its target.
    CopySymlink,
}

const RDONLY: u64 = libc::MOUNT_ATTR_RDONLY;
const NOSUID: u64 = libc::MOUNT_ATTR_NOSUID;
const NODEV: u64 = libc::MOUNT_ATTR_NODEV;
const NOEXEC: u64 = libc::MOUNT_ATTR_NOEXEC;
const NODIRATIME: u64 = libc::MOUNT_ATTR_NODIRATIME;
const NOSYMFOLLOW: u64 = libc::MOUNT_ATTR_NOSYMFOLLOW;
const ATIME: u64 = libc::MOUNT_ATTR__ATIME;
const NOATIME: u64 = libc::MOUNT_ATTR_NOATIME;
const STRICTATIME: u64 = libc::MOUNT_ATTR_STRICTATIME;
pub(crate) const MS_NOSYMFOLLOW: u64 = 0x100;
const MS_LAZYTIME: u64 = 1 << 25;

/// All words, sorted for binary search. `features` prints this list.
const TABLE: [(&str, Effect); 63] = {
    use Effect::*;
    [
        ("async", Clear(libc::MS_SYNCHRONOUS, 0)),
        ("atime", Clear(libc::MS_NOATIME, NOATIME)),
        ("bind", Bind(false)),
        ("copy-symlink", CopySymlink),
        ("defaults", Nothing),
        ("dev", Clear(libc::MS_NODEV, NODEV)),
        ("diratime", Clear(libc::MS_NODIRATIME, NODIRATIME)),
        ("dirsync", Set(libc::MS_DIRSYNC, 0)),
        ("exec", Clear(libc::MS_NOEXEC, NOEXEC)),
        ("idmap", IdMap(false)),
        ("iversion", Set(libc::MS_I_VERSION, 0)),
        ("lazytime", Set(MS_LAZYTIME, 0)),
        ("loud", Clear(libc::MS_SILENT, 0)),
        ("mand", Set(libc::MS_MANDLOCK, 0)),
        ("noatime", AccessTime(libc::MS_NOATIME, NOATIME)),
        ("nodev", Set(libc::MS_NODEV, NODEV)),
        ("nodiratime", Set(libc::MS_NODIRATIME, NODIRATIME)),
        ("noexec", Set(libc::MS_NOEXEC, NOEXEC)),
        ("noiversion", Clear(libc::MS_I_VERSION, 0)),
        ("nolazytime", Clear(MS_LAZYTIME, 0)),
        ("nomand", Clear(libc::MS_MANDLOCK, 0)),
        ("norelatime", Clear(libc::MS_RELATIME, 0)),
        ("nostrictatime", Clear(libc::MS_STRICTATIME, STRICTATIME)),
        ("nosuid", Set(libc::MS_NOSUID, NOSUID)),
        ("nosymfollow", Set(MS_NOSYMFOLLOW, NOSYMFOLLOW)),
        ("private", Propagation(libc::MS_PRIVATE, false)),
        ("ratime", Recursive(0, ATIME)),
        ("rbind", Bind(true)),
        ("rdev", Recursive(0, NODEV)),
        ("rdiratime", Recursive(0, NODIRATIME)),
        ("relatime", AccessTime(libc::MS_RELATIME, 0)),
        ("remount", Remount),
        ("rexec", Recursive(0, NOEXEC)),
        ("ridmap", IdMap(true)),
        ("rnoatime", Recursive(NOATIME, ATIME)),
        ("rnodev", Recursive(NODEV, 0)),
        ("rnodiratime", Recursive(NODIRATIME, 0)),
        ("rnoexec", Recursive(NOEXEC, 0)),
        ("rnorelatime", Recursive(0, ATIME)),
        ("rnostrictatime", Recursive(0, ATIME)),
        ("rnosuid", Recursive(NOSUID, 0)),
        ("rnosymfollow", Recursive(NOSYMFOLLOW, 0)),
        ("ro", Set(libc::MS_RDONLY, RDONLY)),
        ("rprivate", Propagation(libc::MS_PRIVATE, true)),
        ("rrelatime", Recursive(0, ATIME)),
        ("rro", Recursive(RDONLY, 0)),
        ("rrw", Recursive(0, RDONLY)),
        ("rshared", Propagation(libc::MS_SHARED, true)),
        ("rslave", Propagation(libc::MS_SLAVE, true)),
        ("rstrictatime", Recursive(STRICTATIME, ATIME)),
        ("rsuid", Recursive(0, NOSUID)),
        ("rsymfollow", Recursive(0, NOSYMFOLLOW)),
        ("runbindable", Propagation(libc::MS_UNBINDABLE, true)),
        ("rw", Clear(libc::MS_RDONLY, RDONLY)),
        ("shared", Propagation(libc::MS_SHARED, false)),
        ("silent", Set(libc::MS_SILENT, 0)),
        ("slave", Propagation(libc::MS_SLAVE, false)),
        ("strictatime", AccessTime(libc::MS_STRICTATIME, STRICTATIME)),
        ("suid", Clear(libc::MS_NOSUID, NOSUID)),
        ("symfollow", Clear(MS_NOSYMFOLLOW, NOSYMFOLLOW)),
        ("sync", Set(libc::MS_SYNCHRONOUS, 0)),
        ("tmpcopyup", CopyUp),
        ("unbindable", Propagation(libc::MS_UNBINDABLE, false)),
    ]
};

/// Every option that the runtime itself implements, for the features document.
pub(crate) fn known() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|(word, _)| *word)
}

/// The combined effect of a list of options.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// MS_* for mount(2) of a new file system.
    pub(crate) flags: u64,
    /// The same options as attributes of a mount, for bind mounts.
    pub(crate) attributes: Attributes,
    /// Propagation and recursive changes, in the order of the list.
    pub(crate) changes: Vec<Change>,
    /// `bind` or `rbind`.
    pub(crate) bind: bool,
    /// `rbind`.
    pub(crate) recursive_bind: bool,
    /// `remount`.
    pub(crate) remount: bool,
    /// `idmap` (false) or `ridmap` (true).
    pub(crate) id_map: Option<bool>,
    /// `tmpcopyup`.
    pub(crate) copy_up: bool,
    /// `copy-symlink`.
    pub(crate) copy_symlink: bool,
    /// The other words, which are data for the file system.
    pub(crate) data: Vec<String>,
}

/// Parses options from left to right. A later option overrides an earlier opposite one.
pub(crate) fn read(words: &[String]) -> Options {
    let mut options = Options::default();
    for word in words {
        match TABLE.binary_search_by(|(known, _)| (*known).cmp(word.as_str())) {
            Ok(found) => options.apply(TABLE[found].1),
            Err(_) if word.is_empty() => (),
            Err(_) => options.data.push(word.clone()),
        }
    }
    options
}

impl Options {
    fn apply(&mut self, effect: Effect) {
        let attributes = &mut self.attributes;
        match effect {
            Effect::Nothing => (),
            Effect::Set(flags, set) => {
                self.flags |= flags;
                attributes.set |= set;
                attributes.clear &= !set;
            }
            // The access-time rule is a field with several values. Clearing it restores the kernel's default, relatime.
            Effect::Clear(flags, NOATIME | STRICTATIME) => {
                self.flags &= !flags;
                attributes.set &= !ATIME;
                attributes.clear |= ATIME;
            }
            Effect::Clear(flags, clear) => {
                self.flags &= !flags;
                attributes.set &= !clear;
                attributes.clear |= clear;
            }
            Effect::AccessTime(flag, set) => {
                self.flags &= !(libc::MS_NOATIME | libc::MS_RELATIME | libc::MS_STRICTATIME);
                self.flags |= flag;
                attributes.set = attributes.set & !ATIME | set;
                attributes.clear |= ATIME;
            }
            Effect::Bind(recursive) => {
                self.bind = true;
                // A later `bind` does not cancel an `rbind`, because Kubernetes' container runtimes append `bind`.
                self.recursive_bind |= recursive;
            }
            Effect::Remount => self.remount = true,
            Effect::Propagation(propagation, recursive) => {
                self.changes.push(Change { recursive, attributes: Attributes { set: 0, clear: 0, propagation } });
            }
            Effect::Recursive(set, clear) => {
                let attributes = Attributes { set, clear, propagation: 0 };
                self.changes.push(Change { recursive: true, attributes });
            }
            Effect::IdMap(recursive) => self.id_map = Some(recursive),
            Effect::CopyUp => self.copy_up = true,
            Effect::CopySymlink => self.copy_symlink = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ATIME, Options, STRICTATIME, TABLE, read};

    fn options(words: &str) -> Options {
        read(&words.split(',').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn the_table_is_sorted_for_binary_search() {
        assert!(TABLE.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn a_later_option_overrides_an_earlier_one() {
        assert_eq!(options("ro,rw").flags, 0);
        assert_eq!(options("rw,ro").flags, libc::MS_RDONLY);
        assert_eq!(options("ro,rw").attributes.clear, libc::MOUNT_ATTR_RDONLY);
        assert_eq!(options("noatime,strictatime").flags, libc::MS_STRICTATIME);
    }

    #[test]
    fn changing_the_access_time_rule_clears_the_whole_field() {
        let attributes = options("strictatime").attributes;
        assert_eq!((attributes.set, attributes.clear), (STRICTATIME, ATIME));
        let attributes = options("noatime,atime").attributes;
        assert_eq!((attributes.set, attributes.clear), (0, ATIME));
    }

    #[test]
    fn superblock_options_and_defaults_are_never_data() {
        let words = "defaults,silent,loud,iversion,noiversion,relatime,nosuid,lazytime,nolazytime,sync,async,dirsync,mand,nomand";
        assert!(options(words).data.is_empty());
        assert_eq!(options("size=1m,mode=755,nosuid").data, ["size=1m", "mode=755"]);
    }

    #[test]
    fn propagation_and_recursive_changes_keep_their_order() {
        let changes = options("rprivate,rro,shared").changes;
        assert_eq!(changes.len(), 3);
        assert_eq!(changes[0].attributes.propagation, libc::MS_PRIVATE);
        assert_eq!(changes[1].attributes.set, libc::MOUNT_ATTR_RDONLY);
        assert_eq!((changes[2].attributes.propagation, changes[2].recursive), (libc::MS_SHARED, false));
    }
}
