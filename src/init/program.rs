//! Finding the program and executing it.

use super::{Broken, Init, broken};
use crate::channel::Part;
use crate::sys::program::Strings;
use crate::sys::{Errno, path, pipe, program};
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd};

impl Init<'_> {
    /// Resolves args[0] as execvp(3) does, with the program's own PATH and rights. The reasons are told apart, because
    /// engines turn them into the exit codes 126 and 127.
    pub(super) fn find_program(&mut self) -> Result<(), Broken> {
        let name = self.plan.program.arguments.first().map_or(c"", CString::as_c_str);
        if name.is_empty() {
            return Err(broken(Part::NotInPath, Errno::ENOENT));
        }
        if name.to_bytes().contains(&b'/') {
            may_execute(name).map_err(|(part, errno)| broken(part, errno))?;
            self.program = Some(name.to_owned());
            return Ok(());
        }
        let mut forbidden = None;
        for directory in &self.plan.program.search {
            let candidate = join(directory, name);
            match may_execute(&candidate) {
                Ok(()) => {
                    self.program = Some(candidate);
                    return Ok(());
                }
                Err((Part::NotPermitted, errno)) => forbidden = Some(errno),
                Err(_) => (),
            }
        }
        Err(forbidden.map_or(broken(Part::NotInPath, Errno::ENOENT), |errno| broken(Part::NotPermitted, errno)))
    }

    /// Engines leave HOME to the runtime. What the image says is only believed as far as it is an ordinary file of a
    /// reasonable size with a line for this very number; otherwise HOME is "/".
    pub(super) fn find_home(&mut self, uid: u32) -> Result<(), Broken> {
        let home = path::open_following_links(c"/etc/passwd", libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOCTTY)
            .and_then(|file| read_ordinary(file.as_fd()))
            .ok()
            .and_then(|text| home_in(&text, uid))
            .unwrap_or_else(|| b"/".to_vec());
        let mut environment = self.plan.program.environment.clone();
        environment.retain(|entry| !entry.to_bytes().starts_with(b"HOME="));
        environment.push(CString::new([b"HOME=", home.as_slice()].concat()).map_err(|_| Errno::EINVAL)?);
        self.given.environment = Strings::new(environment);
        Ok(())
    }

    pub(super) fn execute(&mut self) -> Result<(), Broken> {
        let path = self.program.as_deref().unwrap_or(c"");
        self.given.channel.executing()?;
        Err(program::execute(path, &self.given.arguments, &self.given.environment).into())
    }
}

fn may_execute(path: &CStr) -> Result<(), (Part, Errno)> {
    let status = program::status(path).map_err(|errno| match errno {
        Errno::EACCES => (Part::NotPermitted, errno),
        _ => (Part::NoSuchFile, errno),
    })?;
    if status.st_mode & libc::S_IFMT == libc::S_IFDIR {
        return Err((Part::IsDirectory, Errno::EACCES));
    }
    program::may_execute(path).map_err(|errno| (Part::NotPermitted, errno))
}

/// An empty directory of PATH is the working directory.
fn join(directory: &CStr, name: &CStr) -> CString {
    let mut path = directory.to_bytes().to_vec();
    if path.is_empty() {
        path.push(b'.');
    }
    path.push(b'/');
    path.extend_from_slice(name.to_bytes());
    CString::new(path).unwrap_or_default()
}

/// The most of a passwd file that is read, in bytes.
const PASSWD: usize = 1 << 20;

fn read_ordinary(file: BorrowedFd<'_>) -> Result<Vec<u8>, Errno> {
    if path::status(file)?.st_mode & libc::S_IFMT != libc::S_IFREG {
        return Err(Errno::EINVAL);
    }
    let mut text = Vec::new();
    let mut part = [0; 4096];
    while text.len() < PASSWD {
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
    fn home_is_that_of_the_number_and_absolute() {
        let passwd = b"root:x:0:0::/root:/bin/sh\n12:x:7:0::/no:/\nu:x:12:0::/home/u:/\nbad:x:9:0::rel:/\nshort:x:8";
        assert_eq!(home_in(passwd, 0).as_deref(), Some(&b"/root"[..]));
        assert_eq!(home_in(passwd, 12).as_deref(), Some(&b"/home/u"[..]));
        assert_eq!(home_in(passwd, 9), None);
        assert_eq!(home_in(passwd, 8), None);
    }
}
