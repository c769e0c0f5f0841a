//! The program inside the container, for what busybox cannot do. It prints what the kernel returns and leaves every
//! check to the test.
//!
//! It is this same static binary, at `/probe`, without a bind mount.

mod attacker;

use crate::harness::kernel;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use std::{
    fs::{self, File},
    io::{IoSlice, Read},
    os::fd::AsRawFd,
    process::ExitCode,
};

pub(crate) fn main(words: &[String]) -> ExitCode {
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["syscall", number, args @ ..] => syscalls(&[&[*number], args].concat()),
        ["fds"] => fds(),
        ["readable", names @ ..] => readable(names),
        ["notify", text] => notify(text),
        ["notify-with-descriptors"] => notify_with_descriptors(),
        ["writable", names @ ..] => writable(names),
        ["leaderless"] => leaderless(),
        ["uname26", command @ ..] => return as_linux_26(command),
        _ => {
            return attacker::main(&words).unwrap_or_else(|| {
                eprintln!("probe: unknown arguments {words:?}");
                ExitCode::from(2)
            });
        }
    }
    ExitCode::SUCCESS
}

/// Makes system calls in order, each given as `NUMBER,ARG,ARG…`. Prints one line per call: the result or the errno
/// name.
fn syscalls(calls: &[&str]) {
    for call in calls {
        let mut words = [0_u64; 7];
        for (place, word) in words.iter_mut().zip(call.split(',')) {
            *place = word.parse().unwrap();
        }
        let [number, args @ ..] = words;
        match kernel::syscall(i64::try_from(number).unwrap(), args) {
            Ok(value) => println!("{value}"),
            Err(errno) => println!("{errno:?}"),
        }
    }
}

/// Prints the open file descriptors and their targets.
fn fds() {
    let directory = fs::read_dir("/proc/self/fd").unwrap();
    let mut lines: Vec<_> = directory
        .filter_map(|entry| {
            let entry = entry.unwrap();
            let link = fs::read_link(entry.path()).ok()?.to_string_lossy().into_owned();
            // Skips the file descriptor of this listing itself.
            (!link.contains("/proc/") || !link.ends_with("/fd"))
                .then(|| format!("{} {link}", entry.file_name().to_string_lossy()))
        })
        .collect();
    lines.sort();
    println!("{}", lines.join("\n"));
}

fn report(name: &str, result: std::io::Result<()>) {
    match result {
        Ok(()) => println!("{name}: ok"),
        Err(error) => println!("{name}: {:?}", Errno::from_raw(error.raw_os_error().unwrap_or(0))),
    }
}

/// Opens each file and reads some of it.
fn readable(names: &[&str]) {
    for name in names {
        report(name, File::open(name).and_then(|mut file| file.read(&mut [0; 8192]).map(|_| ())));
    }
}

/// Sends a message to the service manager, as systemd-notify(1) does.
fn notify(text: &str) {
    let socket = std::os::unix::net::UnixDatagram::unbound().unwrap();
    socket.send_to(text.as_bytes(), std::env::var("NOTIFY_SOCKET").unwrap()).unwrap();
}

/// Sends the service manager three file descriptors in one message.
fn notify_with_descriptors() {
    let socket = std::os::unix::net::UnixDatagram::unbound().unwrap();
    socket.connect(std::env::var("NOTIFY_SOCKET").unwrap()).unwrap();
    let carried = [ControlMessage::ScmRights(&[0, 1, 2])];
    let text = [IoSlice::new(b"FDSTORE=1")];
    sendmsg::<()>(socket.as_raw_fd(), &text, &carried, MsgFlags::empty(), None).unwrap();
}

/// Ends the main thread while another thread keeps running. That thread writes `/out/ready` when /proc shows the
/// process as a zombie.
fn leaderless() {
    std::thread::spawn(|| {
        let is_zombie = || fs::read_to_string("/proc/self/stat").unwrap().contains(") Z ");
        while !is_zombie() {
            std::thread::yield_now();
        }
        fs::write("/out/ready", "\n").unwrap();
        loop {
            std::thread::park();
        }
    });
    kernel::syscall(libc::SYS_exit, [0; 6]).unwrap();
}

/// Opens each file for writing.
fn writable(names: &[&str]) {
    for name in names {
        report(name, File::options().write(true).open(name).map(|_| ()));
    }
}

/// Runs a command on the host that sees kernel version 2.6 (personality(2), UNAME26).
fn as_linux_26(command: &[&str]) -> ExitCode {
    use std::os::unix::process::CommandExt;
    kernel::syscall(libc::SYS_personality, [0x002_0000, 0, 0, 0, 0, 0]).unwrap();
    let error = std::process::Command::new(command[0]).args(&command[1..]).exec();
    eprintln!("{}: {error}", command[0]);
    ExitCode::from(127)
}
