//! Creates pseudo terminals (pty(7)) inside a container without trusting its paths. Copying their data is left to
//! `relay`.

use super::{Errno, Result, done, path};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// A pseudo terminal: the master for the outside and the slave for the program.
pub(crate) struct Pty {
    /// The master, which is passed outside.
    pub(crate) master: OwnedFd,
    /// The slave, which becomes standard input, output and error.
    pub(crate) slave: OwnedFd,
}

/// Opens a new pseudo terminal of the devpts mounted at `/dev/pts` below `root`.
///
/// Checks that the ptmx file is the devpts' own (device 5:2, inode 2), because an image can put any file there
/// (CVE-2025-52565). The slave comes from TIOCGPTPEER (Linux 4.13), not from a path.
pub(crate) fn open_pty(root: BorrowedFd<'_>) -> Result<Pty> {
    let ptmx = path::open_in_root_without_links(root, c"/dev/pts/ptmx", libc::O_PATH | libc::O_NOFOLLOW)?;
    let status = path::status(ptmx.as_fd())?;
    let genuine = status.st_rdev == libc::makedev(5, 2) && status.st_ino == 2;
    if !genuine || path::file_system(ptmx.as_fd())? != libc::DEVPTS_SUPER_MAGIC as u64 {
        return Err(Errno::ENODEV);
    }
    let master =
        path::open_in_root_without_links(root, c"/dev/pts/ptmx", libc::O_RDWR | libc::O_NOCTTY | libc::O_NOFOLLOW)?;
    let opened = path::status(master.as_fd())?;
    if (opened.st_dev, opened.st_ino) != (status.st_dev, status.st_ino) {
        return Err(Errno::ENODEV);
    }
    let unlocked: libc::c_int = 0;
    // SAFETY: the kernel reads within bounds, because TIOCSPTLCK reads one int.
    done(unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCSPTLCK, &raw const unlocked) })?;
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: no memory is involved, because TIOCGPTPEER takes open flags and returns a new descriptor.
    let slave = Errno::result(unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER, flags) })?;
    // SAFETY: nothing else owns the descriptor, because the kernel has just made it.
    Ok(Pty { master, slave: unsafe { OwnedFd::from_raw_fd(slave) } })
}

/// Sets the window size, in characters.
pub(crate) fn set_size(terminal: BorrowedFd<'_>, rows: u16, columns: u16) -> Result<()> {
    let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the kernel reads within bounds, because TIOCSWINSZ reads one winsize.
    done(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) })
}

/// Returns the window size as rows and columns.
pub(crate) fn size(terminal: BorrowedFd<'_>) -> Result<(u16, u16)> {
    // SAFETY: zero is a valid value, because winsize is plain data.
    let mut size: libc::winsize = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes within bounds, because TIOCGWINSZ writes one winsize.
    done(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) })?;
    Ok((size.ws_row, size.ws_col))
}

/// Makes `terminal` the controlling terminal of this session, which this process leads.
pub(crate) fn control(terminal: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: no memory is involved, because TIOCSCTTY takes a number; 0 does not take the terminal away from another
    // session.
    done(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSCTTY, 0) })
}

/// Makes `terminal` standard input, output and error.
pub(crate) fn become_standard(terminal: BorrowedFd<'_>) -> Result<()> {
    (0..=2).try_for_each(|standard| duplicate_onto(terminal, standard))
}

/// Duplicates `fd` onto the descriptor `number`, which survives execve.
pub(crate) fn duplicate_onto(fd: BorrowedFd<'_>, number: i32) -> Result<()> {
    // SAFETY: no memory is involved, because dup2 takes numbers. The old descriptor `number` is closed on purpose.
    done(unsafe { libc::dup2(fd.as_raw_fd(), number) })
}

/// Returns the three standard descriptors of this process.
pub(crate) fn standard() -> [BorrowedFd<'static>; 3] {
    // SAFETY: the borrow is valid, because descriptors 0 to 2 stay open for the life of the process: `entry` opens
    // /dev/null for closed ones.
    [0, 1, 2].map(|number| unsafe { BorrowedFd::borrow_raw(number) })
}

/// Makes the slave pass line feeds unchanged, without a carriage return (termios(3), ONLCR).
pub(crate) fn keep_line_ends(master: &OwnedFd) -> Result<()> {
    use nix::sys::termios::{OutputFlags, SetArg, tcgetattr, tcsetattr};
    let mut settings = tcgetattr(master)?;
    settings.output_flags.remove(OutputFlags::ONLCR);
    tcsetattr(master, SetArg::TCSANOW, &settings)
}

/// The caller's terminal in raw mode; restored on drop.
#[derive(Debug)]
pub(crate) struct Raw {
    terminal: OwnedFd,
    before: nix::sys::termios::Termios,
}

impl Raw {
    /// Puts the first of standard error, output and input that is a terminal into raw mode; `None` if none is.
    pub(crate) fn enter() -> Result<Option<Raw>> {
        use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
        let [input, output, error] = standard();
        for stream in [error, output, input] {
            let Ok(before) = tcgetattr(stream) else { continue };
            let mut raw = before.clone();
            cfmakeraw(&mut raw);
            // The container's terminal passes plain line feeds (`keep_line_ends`); this terminal adds the carriage
            // returns.
            raw.output_flags = before.output_flags;
            tcsetattr(stream, SetArg::TCSANOW, &raw)?;
            let terminal = nix::unistd::dup(stream)?;
            let flags = nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC);
            nix::fcntl::fcntl(&terminal, flags)?;
            return Ok(Some(Raw { terminal, before }));
        }
        Ok(None)
    }

    /// Returns another descriptor of the terminal.
    pub(crate) fn try_clone(&self) -> Option<OwnedFd> {
        self.terminal.try_clone().ok()
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // A closed terminal needs no restoring, so errors are ignored.
        let _ = nix::sys::termios::tcsetattr(&self.terminal, nix::sys::termios::SetArg::TCSANOW, &self.before);
    }
}
