//! Sets HOME from the image's /etc/passwd for a program whose environment has none.
//!
//! When this runs is decided in `plan::last_steps`. The file is not trusted: only a regular file is opened, and its
//! size is limited.

use super::{Init, StepError};
use crate::sys::program::Strings;
use crate::sys::{Errno, path, pipe};
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

impl Init<'_> {
    /// Engines leave HOME to the runtime. Uses /etc/passwd only if it is a regular file that has a line for this uid
    /// within the first `MAX_PASSWD` bytes. Otherwise HOME is "/".
    pub(super) fn find_home(&mut self, uid: u32) -> Result<(), StepError> {
        let text = match open_regular_file(c"/etc/passwd").and_then(|file| read(file.as_fd())) {
            // The image has no passwd file, the user may not read it, or it is not a regular file.
            Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP | Errno::EACCES | Errno::ENXIO | Errno::EINVAL) => {
                Vec::new()
            }
            text => text?,
        };
        let home = home_in(&text, uid).unwrap_or_else(|| b"/".to_vec());
        let mut environment = self.plan.program.environment.clone();
        environment.retain(|entry| !entry.to_bytes().starts_with(b"HOME="));
        environment.push(CString::new([b"HOME=", home.as_slice()].concat()).map_err(|_| Errno::EINVAL)?);
        self.inputs.environment = Strings::new(environment);
        Ok(())
    }
}

/// The maximum number of bytes read from a passwd file.
const MAX_PASSWD: usize = 1 << 20;

/// Opens a regular file outside procfs and sysfs. Checks the file through O_PATH before opening it for reading, because
/// opening a device or a kernel file can have side effects.
fn open_regular_file(path: &CStr) -> Result<OwnedFd, Errno> {
    let open = |flags| -> Result<OwnedFd, Errno> {
        /// SYSFS_MAGIC of linux/magic.h.
        const SYSFS: u64 = 0x6265_6572;
        let file = path::open_following_links(path, flags)?;
        let is_regular = path::status(file.as_fd())?.st_mode & libc::S_IFMT == libc::S_IFREG;
        let is_kernel_file = [libc::PROC_SUPER_MAGIC as u64, SYSFS].contains(&path::file_system(file.as_fd())?);
        if is_regular && !is_kernel_file { Ok(file) } else { Err(Errno::EINVAL) }
    };
    drop(open(libc::O_PATH)?);
    open(libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOCTTY)
}

fn read(file: BorrowedFd<'_>) -> Result<Vec<u8>, Errno> {
    let mut text = Vec::new();
    let mut part = [0; 4096];
    while text.len() < MAX_PASSWD {
        match pipe::read(file, &mut part)? {
            0 => break,
            length => text.extend_from_slice(&part[..length]),
        }
    }
    Ok(text)
}

/// The sixth field of the first line whose third field is the number (passwd(5)), if it is absolute.
fn home_in(passwd: &[u8], uid: u32) -> Option<Vec<u8>> {
    let uid = uid.to_string();
    passwd.split(|byte| *byte == b'\n').find_map(|line| {
        let mut fields = line.split(|byte| *byte == b':').skip(2);
        let found = fields.next()? == uid.as_bytes();
        let home = fields.nth(2)?;
        (found && home.starts_with(b"/")).then(|| home.to_vec())
    })
}

#[cfg(test)]
mod tests {
    use super::home_in;

    #[test]
    fn home_is_the_absolute_path_of_the_uids_passwd_line() {
        let passwd = b"root:x:0:0::/root:/bin/sh\n12:x:7:0::/no:/\nu:x:12:0::/home/u:/\nbad:x:9:0::rel:/\nshort:x:8";
        assert_eq!(home_in(passwd, 0).as_deref(), Some(&b"/root"[..]));
        assert_eq!(home_in(passwd, 12).as_deref(), Some(&b"/home/u"[..]));
        assert_eq!(home_in(passwd, 9), None);
        assert_eq!(home_in(passwd, 8), None);
    }
}
