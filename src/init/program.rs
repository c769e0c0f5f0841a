//! Finding the program and executing it.

use super::{Broken, Init, broken};
use crate::channel::Part;
use crate::sys::{Errno, program};
use std::ffi::{CStr, CString};

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
