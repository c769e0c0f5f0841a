//! Finds out which mounts of a running container are the host's, and under which key the configuration has them.
//!
//! The kernel's list of mounts is the truth: a path of the configuration may lead elsewhere by now, because the
//! container can replace directories by links (CVE-2026-119101). So a mount is recognised by what is mounted, and a
//! configured path only chooses between mounts of the same source.

use crate::plan::checkpoint::External;
use crate::sys::{beneath, path};
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

/// File system types of which a container can have its own instance even if the host has the same.
const OWN: [&str; 5] = ["proc", "sysfs", "mqueue", "devpts", "cgroup2"];

/// A line of /proc/PID/mountinfo.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mounted {
    id: u64,
    /// Major and minor number of the file system.
    device: String,
    /// The directory of the file system that is mounted.
    root: PathBuf,
    /// The mount point.
    point: PathBuf,
    kind: String,
}

/// The mount points of a container's mounts that are the host's, each with its key.
pub(super) fn external(pid: i32, wanted: &[External]) -> Result<Vec<(PathBuf, String)>> {
    let inside = list(&format!("/proc/{pid}/mountinfo"))?;
    let host = list("/proc/self/mountinfo")?;
    let root = open(Path::new(&format!("/proc/{pid}/root"))).context("open the container's root")?;
    // The key of each mount, by its place in the list.
    let mut keys: BTreeMap<usize, String> = BTreeMap::new();
    let mut unknown = Vec::new();
    for one in wanted {
        let at = mount_at(root.as_fd(), &one.target).and_then(|id| inside.iter().position(|mount| mount.id == id));
        let same: Vec<usize> = match &one.source {
            Some(source) => {
                let identity = identity(source, &host);
                let is_same = |mount: &Mounted| {
                    identity.as_ref().is_some_and(|(device, root)| {
                        mount.device == *device && undeleted(&mount.root) == undeleted(root)
                    })
                };
                positions(&inside, is_same)
            }
            None => positions(&inside, |mount| mount.kind == "cgroup2"),
        };
        let same: Vec<usize> = same.into_iter().filter(|index| !keys.contains_key(index)).collect();
        match at.filter(|at| same.contains(at)).or(same.first().copied()) {
            Some(index) => drop(keys.insert(index, one.key.clone())),
            None => unknown.push(one),
        }
    }
    for one in unknown {
        // The source was replaced. A mount point without links can only be the one that was configured.
        let literal = inside.iter().rposition(|mount| mount.point == one.target);
        match literal.filter(|index| !keys.contains_key(index)) {
            Some(index) => drop(keys.insert(index, one.key.clone())),
            None if one.source.is_none() => (),
            None => bail!("{}: the container has no mount of {} any more", one.key, shown(one.source.as_deref())),
        }
    }
    let top = inside.iter().find(|mount| mount.point == Path::new("/")).cloned();
    for (index, mount) in inside.iter().enumerate() {
        if keys.contains_key(&index) || !is_hosts(mount, &host, top.as_ref()) {
            continue;
        }
        match device_path(mount, &host) {
            Some(path) => drop(keys.insert(index, path)),
            None => bail!(
                "{}: {} is mounted there, which the host has too, but no entry of mounts; CRIU cannot save mounts \
                 below a recursive bind",
                mount.point.display(),
                mount.root.display()
            ),
        }
    }
    Ok(keys.into_iter().map(|(index, key)| (inside[index].point.clone(), key)).collect())
}

/// The ids of all mounts of a container.
pub(super) fn ids(pid: i32) -> Result<Vec<u64>> {
    Ok(list(&format!("/proc/{pid}/mountinfo"))?.into_iter().map(|mount| mount.id).collect())
}

fn shown(path: Option<&Path>) -> String {
    path.map(|path| path.display().to_string()).unwrap_or_default()
}

fn positions(mounts: &[Mounted], wanted: impl Fn(&Mounted) -> bool) -> Vec<usize> {
    mounts.iter().enumerate().filter(|(_, mount)| wanted(mount)).map(|(index, _)| index).collect()
}

/// Whether the mount shows a file system of the host that is neither the container's root nor one that a container has
/// instances of.
fn is_hosts(mount: &Mounted, host: &[Mounted], top: Option<&Mounted>) -> bool {
    let below_top = top.is_some_and(|top| top.device == mount.device && mount.root.starts_with(&top.root));
    !below_top && !OWN.contains(&mount.kind.as_str()) && host.iter().any(|other| other.device == mount.device)
}

/// The path of a device node of the host, for a mount of one.
fn device_path(mount: &Mounted, host: &[Mounted]) -> Option<String> {
    host.iter().rev().filter(|other| other.device == mount.device).find_map(|other| {
        let path = other.point.join(mount.root.strip_prefix(&other.root).ok()?);
        let is_device =
            path.starts_with("/dev") && fs::metadata(&path).is_ok_and(|file| file.file_type().is_char_device());
        is_device.then(|| path.to_str().map(str::to_owned)).flatten()
    })
}

/// What a host path leads to: the file system and the path in it, in the words of mountinfo.
fn identity(source: &Path, host: &[Mounted]) -> Option<(String, PathBuf)> {
    let file = open(source).ok()?;
    let mount = mount_id(file.as_fd())?;
    let mount = host.iter().find(|other| other.id == mount)?;
    let path = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).ok()?;
    let below = path.strip_prefix(&mount.point).ok()?;
    // Joining an empty path would add a slash.
    let root = if below.as_os_str().is_empty() { mount.root.clone() } else { mount.root.join(below) };
    Some((mount.device.clone(), root))
}

/// A path without the kernel's mark of a file that was deleted, as an editor does that replaces it.
fn undeleted(path: &Path) -> &[u8] {
    let bytes = path.as_os_str().as_bytes();
    bytes.strip_suffix(b"//deleted").unwrap_or(bytes)
}

/// The mount whose root a path inside the container leads to.
fn mount_at(root: BorrowedFd<'_>, target: &Path) -> Option<u64> {
    let target = CString::new(target.as_os_str().as_bytes()).ok()?;
    let file = path::open_in_root(root, &target, libc::O_PATH).ok()?;
    path::is_mount_root(file.as_fd()).ok().filter(|is_root| *is_root)?;
    mount_id(file.as_fd())
}

/// The id in mountinfo of the mount that a descriptor is on.
fn mount_id(fd: BorrowedFd<'_>) -> Option<u64> {
    id_in(&beneath::read_pseudo_file(&format!("/proc/self/fdinfo/{}", fd.as_raw_fd())).ok()?)
}

/// The id of a mount in the content of /proc/PID/fdinfo/FD.
pub(super) fn id_in(info: &str) -> Option<u64> {
    info.lines().find_map(|line| line.strip_prefix("mnt_id:"))?.trim().parse().ok()
}

fn open(path: &Path) -> Result<OwnedFd> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    Ok(path::open_following_links(&path, libc::O_PATH).map_err(io::Error::from)?)
}

fn list(file: &str) -> Result<Vec<Mounted>> {
    let text = fs::read(file).with_context(|| format!("read {file}"))?;
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| parse(line).with_context(|| format!("read {file}: {}", line.escape_ascii()))).collect()
}

/// Parses a line (proc_pid_mountinfo(5)).
fn parse(line: &[u8]) -> Option<Mounted> {
    let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    let dash = words.iter().skip(6).position(|word| *word == b"-")? + 6;
    let text = |index: usize| words.get(index).and_then(|word| std::str::from_utf8(word).ok());
    Some(Mounted {
        id: text(0)?.parse().ok()?,
        device: text(2)?.to_owned(),
        root: unescaped(words.get(3)?),
        point: unescaped(words.get(4)?),
        kind: text(dash + 1)?.to_owned(),
    })
}

/// The kernel writes blanks, tabs, line feeds and backslashes as three octal digits.
fn unescaped(word: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((first, after)) = rest.split_first() {
        let octal = after.get(..3).filter(|_| *first == b'\\').and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[3..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    PathBuf::from(std::ffi::OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::{Mounted, is_hosts, parse, undeleted};
    use std::path::{Path, PathBuf};

    #[test]
    fn a_line_is_read_with_any_number_of_optional_fields() {
        for optional in ["", "shared:1 ", "shared:1 master:2 "] {
            let line = format!("41 1 0:35 /a\\040b /x\\134y rw,relatime {optional}- tmpfs none rw");
            let expected = Mounted {
                id: 41,
                device: "0:35".to_owned(),
                root: PathBuf::from("/a b"),
                point: PathBuf::from("/x\\y"),
                kind: "tmpfs".to_owned(),
            };
            assert_eq!(parse(line.as_bytes()), Some(expected), "{line}");
        }
        assert_eq!(parse(b"41 1 0:35 /a /b rw shared:1"), None);
        assert_eq!(parse(b""), None);
    }

    #[test]
    fn a_mount_is_the_hosts_unless_it_is_part_of_the_root_or_an_instance() {
        let mount = |line: &str| parse(line.as_bytes()).expect("parses");
        let host = [mount("1 0 8:1 / / rw - ext4 a rw"), mount("2 1 0:5 / /proc rw - proc a rw")];
        let top = mount("9 8 8:1 /images/a / rw - ext4 a rw");
        for (line, expected) in [
            ("10 9 8:1 /images/a/etc /etc rw - ext4 a rw", false),
            ("11 9 8:1 /images/ab /etc rw - ext4 a rw", true),
            ("12 9 0:5 / /proc rw - proc a rw", false),
            ("13 9 0:77 / /run rw - tmpfs a rw", false),
        ] {
            assert_eq!(is_hosts(&mount(line), &host, Some(&top)), expected, "{line}");
        }
    }

    #[test]
    fn a_deleted_source_is_compared_by_its_old_path() {
        assert_eq!(undeleted(Path::new("/etc/hosts//deleted")), b"/etc/hosts");
        assert_eq!(undeleted(Path::new("/etc/hosts")), b"/etc/hosts");
    }
}
