//! Performs the Landlock steps: makes the ruleset, adds its rules, enters the domain. Paths are resolved in the
//! container's root, which the process has entered.

use super::{Init, StepError};
use crate::plan::landlock::{FILE_RIGHTS, Landlock};
use crate::sys::{Errno, landlock, path};
use std::os::fd::AsFd;

impl Init<'_> {
    pub(super) fn landlock(&mut self, step: &Landlock) -> Result<(), StepError> {
        if let Landlock::Ruleset(handled) = step {
            self.ruleset = Some(landlock::ruleset(*handled)?);
            return Ok(());
        }
        let ruleset = self.ruleset.as_ref().ok_or(Errno::EBADF)?.as_fd();
        match step {
            Landlock::Ruleset(_) => {}
            Landlock::Path { path, access, optional } => {
                let root = path::open_following_links(c"/", libc::O_PATH | libc::O_DIRECTORY)?;
                let file = match path::open_in_root(root.as_fd(), path, libc::O_PATH) {
                    Err(Errno::ENOENT) if *optional => return Ok(()),
                    file => file?,
                };
                // The kernel refuses rights of directories for anything else.
                let is_directory = path::status(file.as_fd())?.st_mode & libc::S_IFMT == libc::S_IFDIR;
                let access = if is_directory { *access } else { access & FILE_RIGHTS };
                if access != 0 {
                    landlock::allow_path(ruleset, file.as_fd(), access)?;
                }
            }
            Landlock::Port { port, access } => landlock::allow_port(ruleset, *port, *access)?,
            Landlock::Restrict => {
                landlock::restrict(ruleset)?;
                self.ruleset = None;
            }
        }
        Ok(())
    }
}
