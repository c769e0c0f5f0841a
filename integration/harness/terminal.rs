//! Pseudo-terminals for programs under test, and a program that follows the size of its terminal.

use crate::harness::call::{Call, Running};
use crate::harness::kernel;
use nix::{
    pty::{Winsize, openpty},
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{fs::File, io::Read, os::fd::OwnedFd, time::Duration};

/// Opens a terminal of this size. Returns its master and its slave.
pub(crate) fn open_terminal(rows: u16, columns: u16) -> (File, OwnedFd) {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    let pair = openpty(Some(&size), None).unwrap();
    (File::from(pair.master), pair.slave)
}

/// Runs a call on a terminal of 33 rows and 77 columns. Whenever the program prints "ready", sets the size to `new` and
/// sends SIGWINCH. Checks that the program prints "fitting". `left` is the time limit for the next output.
pub(crate) fn run_on_terminal(call: Call, new: Option<(u16, u16)>, left: impl Fn() -> Duration) -> Running {
    let (mut master, slave) = open_terminal(33, 77);
    let running = call.stdio(&slave);
    drop(slave);
    let (mut output, mut part) = (String::new(), [0; 4096]);
    // At the end of a terminal, read(2) fails with EIO.
    while kernel::readable(&master, left())
        && let Ok(count @ 1..) = master.read(&mut part)
    {
        let chunk = String::from_utf8_lossy(&part[..count]);
        output.push_str(&chunk);
        if let Some((rows, columns)) = new.filter(|_| chunk.contains("ready")) {
            kernel::set_window_size(&master, rows, columns);
            // This is not the controlling terminal of the called program, so the kernel sends no SIGWINCH. The test
            // sends it, and repeats it because the called program may not have installed its handler yet.
            kill(Pid::from_raw(running.pid()), Signal::SIGWINCH).unwrap();
        }
    }
    assert!(output.contains("fitting"), "{output}");
    running
}
