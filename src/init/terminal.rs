//! Sets up the container's terminal. Copying its data is left to the parent or to the receiver of the console socket.

use super::{Broken, InPart, Init};
use crate::channel::Part;
use crate::sys::{Errno, mount, path, terminal};
use std::os::fd::AsFd;

impl Init<'_> {
    /// Opens a pty of the container's own devpts, mounts its slave on /dev/console, uses it as the standard streams,
    /// and sends its master to the parent.
    pub(super) fn open_terminal(
        &mut self,
        size: Option<(u16, u16)>,
        console: bool,
        controlling: bool,
    ) -> Result<(), Broken> {
        let root = match &self.root {
            Some(root) => root.try_clone().map_err(|_| Errno::EMFILE)?,
            // A process that joined the container already has the container's root as its own.
            None => path::open_following_links(c"/", libc::O_PATH | libc::O_DIRECTORY)?,
        };
        let pty = terminal::open_pty(root.as_fd()).part(Part::Source)?;
        if let Some((rows, columns)) = size {
            terminal::set_size(pty.master.as_fd(), rows, columns)?;
        }
        if console {
            let dev = path::open_in_root_without_links(root.as_fd(), c"/dev", libc::O_PATH | libc::O_DIRECTORY);
            let dev = dev.part(Part::Target)?;
            let target = match path::open_entry(dev.as_fd(), c"console", libc::O_PATH) {
                Err(Errno::ENOENT) => {
                    path::make_file(dev.as_fd(), c"console", 0o644).part(Part::Target)?;
                    path::open_entry(dev.as_fd(), c"console", libc::O_PATH).part(Part::Target)?
                }
                other => other.part(Part::Target)?,
            };
            let slave = mount::clone_tree_of(pty.slave.as_fd(), false).part(Part::Attach)?;
            mount::attach(slave.as_fd(), target.as_fd()).part(Part::Attach)?;
        }
        if controlling {
            terminal::control(pty.slave.as_fd())?;
        }
        terminal::become_standard(pty.slave.as_fd())?;
        Ok(self.inputs.channel.give_terminal(&pty.master)?)
    }
}
