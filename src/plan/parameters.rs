//! Converts the options of a new file system to parameters of fsconfig(2).
//!
//! Leaves the meaning of each option to `options`.

use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The longest value that fsconfig(2) accepts, in bytes.
const LONGEST_VALUE: usize = 255;

/// The flags of mount(2) that are parameters of the file system for fsconfig(2).
const SUPERBLOCK_FLAGS: [(u64, &CStr); 5] = [
    (libc::MS_RDONLY, c"ro"),
    (libc::MS_SYNCHRONOUS, c"sync"),
    (libc::MS_DIRSYNC, c"dirsync"),
    (libc::MS_MANDLOCK, c"mand"),
    (MS_LAZYTIME, c"lazytime"),
];
/// Missing in the crate libc; from the kernel's linux/mount.h.
const MS_LAZYTIME: u64 = 1 << 25;

/// The flags of mount(2) that are attributes of the mount, or have no effect on a new mount.
const MOUNT_FLAGS: u64 = libc::MS_NOSUID
    | libc::MS_NODEV
    | libc::MS_NOEXEC
    | libc::MS_NOATIME
    | libc::MS_NODIRATIME
    | libc::MS_RELATIME
    | libc::MS_STRICTATIME
    | super::options::MS_NOSYMFOLLOW
    | libc::MS_SILENT;

/// The options of a new file system as parameters of fsconfig(2). `None` if only mount(2) accepts one of them: a flag
/// that is not a parameter, a value that is too long, or an escaped comma.
pub(super) fn of(flags: u64, source: &Path, data: Option<&CStr>) -> Option<Vec<(CString, Option<CString>)>> {
    let superblock = SUPERBLOCK_FLAGS.iter().filter(|(flag, _)| flags & flag != 0);
    if flags & !(MOUNT_FLAGS | SUPERBLOCK_FLAGS.iter().fold(0, |all, (flag, _)| all | flag)) != 0 {
        return None;
    }
    let own = |text: &[u8]| (text.len() <= LONGEST_VALUE).then(|| CString::new(text).ok()).flatten();
    let mut parameters = vec![(c"source".to_owned(), Some(own(source.as_os_str().as_bytes())?))];
    parameters.extend(superblock.map(|(_, name)| ((*name).to_owned(), None)));
    let data = data.map(CStr::to_bytes).unwrap_or_default();
    if data.contains(&b'\\') {
        return None;
    }
    let mut quoted = false;
    let words = data.split(|byte| {
        quoted ^= *byte == b'"';
        *byte == b',' && !quoted
    });
    for word in words.filter(|word| !word.is_empty()) {
        parameters.push(match word.iter().position(|byte| *byte == b'=') {
            Some(at) => {
                let value = &word[at + 1..];
                // In the data of mount(2), quotation marks protect commas (SELinux labels). They are not part of the
                // value.
                let value = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
                (own(&word[..at])?, Some(own(value)?))
            }
            None => (own(word)?, None),
        });
    }
    Some(parameters)
}

#[cfg(test)]
mod tests {
    use super::of;
    use std::path::Path;

    fn shown(flags: u64, data: &std::ffi::CStr) -> Option<String> {
        let text = |text: &std::ffi::CString| text.to_string_lossy().into_owned();
        let one = |(key, value): &(_, Option<_>)| {
            text(key) + &value.as_ref().map_or(String::new(), |value| format!("={}", text(value)))
        };
        of(flags, Path::new("tmpfs"), Some(data)).map(|list| list.iter().map(one).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn options_are_split_at_commas_outside_of_quotation_marks() {
        let label = c"size=1m,context=\"a:b:c0,c1\",noswap";
        assert_eq!(shown(0, label).as_deref(), Some("source=tmpfs size=1m context=a:b:c0,c1 noswap"));
        assert_eq!(shown(libc::MS_RDONLY | libc::MS_NOSUID, c"").as_deref(), Some("source=tmpfs ro"));
    }

    #[test]
    fn options_that_only_mount_2_accepts_are_none() {
        assert_eq!(shown(libc::MS_I_VERSION, c""), None);
        assert_eq!(shown(0, c"lowerdir=/a\\,b"), None);
        let long = std::ffi::CString::new(format!("lowerdir={}", "x".repeat(256))).expect("no NUL");
        assert_eq!(shown(0, &long), None);
    }
}
