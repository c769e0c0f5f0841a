//! Tests `NOTIFY_SOCKET`: the runtime notifies a service manager when the program is ready, and sends its pid. Cgroups
//! by systemd are left to `systemd`.

use crate::harness::bundle::Container;
use crate::harness::call::LIMIT;
use crate::harness::kernel;
use crate::harness::runtime::only_davit;
use crate::harness::trial::{Test, rows, tests};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use std::{
    fs,
    io::IoSliceMut,
    os::{fd::AsRawFd, unix::net::UnixDatagram},
    time::Duration,
};

pub(crate) fn tests() -> Vec<Test> {
    let mut all = tests![
        start_waits_until_the_program_is_ready,
        a_manager_that_closes_its_socket_is_reported,
        without_a_manager_nothing_is_added,
        descriptors_sent_to_the_manager_are_ignored,
    ];
    all.extend(rows!("notified", WAYS, notified));
    all.extend(rows!("ends", WAYS, ends));
    all
}

/// (name, whether the runtime waits until the manager has read everything)
const WAYS: &[(&str, bool)] = &[("start", true), ("detached", true), ("foreground", false)];

/// A container whose script notifies with `/probe probe notify`, and the manager's socket.
fn notifying(script: &str) -> (Container, UnixDatagram) {
    let script = format!("echo $NOTIFY_SOCKET >/out/name; {script}");
    let c = Container::sh(&script);
    let manager = UnixDatagram::bind(c.dir.join("manager")).unwrap();
    (c, manager)
}

fn manager(c: &Container) -> String {
    c.dir.join("manager").to_str().unwrap().to_owned()
}

/// Receives one message, and returns whether it had a descriptor; the descriptor is closed.
fn message(manager: &UnixDatagram) -> (String, bool) {
    assert!(kernel::readable(manager, LIMIT), "the manager receives nothing");
    let mut bytes = [0; 4096];
    let mut control = nix::cmsg_space!([i32; 4]);
    let mut parts = [IoSliceMut::new(&mut bytes)];
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let received = recvmsg::<()>(manager.as_raw_fd(), &mut parts, Some(&mut control), flags).unwrap();
    let length = received.bytes;
    let mut closed = false;
    for one in received.cmsgs().unwrap() {
        if let ControlMessageOwned::ScmRights(fds) = one {
            closed |= fds.into_iter().all(|fd| nix::unistd::close(fd).is_ok());
        }
    }
    (String::from_utf8_lossy(&bytes[..length]).into_owned(), closed)
}

/// A message with more descriptors than anybody expects is no error of `start`.
fn descriptors_sent_to_the_manager_are_ignored() {
    let (c, manager_socket) = notifying(&format!("/probe probe notify-with-descriptors; {READY}"));
    let env = manager(&c);
    c.prepare("create", &[]).env("NOTIFY_SOCKET", &env).run().ok();
    let call = c.call(&["start", &c.id]).env("NOTIFY_SOCKET", &env).spawn();
    let (text, _) = message(&manager_socket);
    assert!(text.ends_with("READY=1\n"), "{text}");
    assert_eq!(message(&manager_socket), ("BARRIER=1".to_owned(), true));
    call.finish().ok();
}

const READY: &str = "/probe probe notify STATUS=loading; /probe probe notify READY=1; exec sleep 1000";

fn notified(row: &(&str, bool)) {
    let (c, manager_socket) = notifying(READY);
    let env = manager(&c);
    let call = match row.0 {
        "start" => {
            c.prepare("create", &[]).env("NOTIFY_SOCKET", &env).run().ok();
            c.call(&["start", &c.id]).env("NOTIFY_SOCKET", &env).spawn()
        }
        "detached" => c.prepare("run", &["--detach"]).env("NOTIFY_SOCKET", &env).spawn(),
        _ => c.prepare("run", &[]).env("NOTIFY_SOCKET", &env).spawn(),
    };
    let (text, _) = message(&manager_socket);
    assert_eq!(text, format!("MAINPID={}\nREADY=1\n", c.pid()));
    assert_eq!(c.wait_out("name"), "/run/notify/notify.sock\n");
    if row.1 {
        // The manager has not read the barrier yet.
        assert!(!call.ends_within(Duration::from_millis(50)), "it did not wait for the manager");
        assert_eq!(message(&manager_socket), ("BARRIER=1".to_owned(), true));
        call.finish().ok().silent();
    } else {
        c.kill("KILL").ok();
        call.finish().exits(137);
    }
}

/// The runtime stops waiting if the program exits without a notification.
fn ends(row: &(&str, bool)) {
    only_davit("other runtimes poll");
    let (c, manager_socket) = notifying("exit 0");
    let env = manager(&c);
    match row.0 {
        "start" => {
            c.prepare("create", &[]).env("NOTIFY_SOCKET", &env).run().ok();
            c.call(&["start", &c.id]).env("NOTIFY_SOCKET", &env).run().ok();
        }
        "detached" => drop(c.prepare("run", &["--detach"]).env("NOTIFY_SOCKET", &env).run().ok()),
        _ => drop(c.prepare("run", &[]).env("NOTIFY_SOCKET", &env).run().ok()),
    }
    assert!(!kernel::readable(&manager_socket, Duration::ZERO));
}

fn start_waits_until_the_program_is_ready() {
    let (c, manager_socket) = notifying(&format!("read x </out/go; {READY}"));
    nix::unistd::mkfifo(&c.root("out/go"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let env = manager(&c);
    c.prepare("create", &[]).env("NOTIFY_SOCKET", &env).run().ok();
    let mount = fs::read_to_string(format!("/proc/{}/mountinfo", c.pid())).unwrap();
    let mount = mount.lines().find(|line| line.contains(" /run/notify ")).expect("no mount on /run/notify");
    assert!(mount.contains(" ro,nosuid,nodev,noexec"), "{mount}");
    let start = c.call(&["start", &c.id]).env("NOTIFY_SOCKET", &env).spawn();
    // The writer of the fifo blocks until the program has opened it, so the program runs by then.
    fs::OpenOptions::new().write(true).open(c.root("out/go")).unwrap();
    let (text, _) = message(&manager_socket);
    assert!(text.contains("READY=1"), "{text}");
    message(&manager_socket);
    start.finish().ok();
}

/// The container keeps running without its manager; the runtime warns that the manager was not notified.
fn a_manager_that_closes_its_socket_is_reported() {
    only_davit("other runtimes end the relay silently");
    let (c, manager_socket) =
        notifying("read x </out/go; /probe probe notify READY=1; echo >/out/done; exec sleep 1000");
    nix::unistd::mkfifo(&c.root("out/go"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let run = c.prepare("run", &[]).env("NOTIFY_SOCKET", &manager(&c)).spawn();
    let mut go = fs::OpenOptions::new().write(true).open(c.root("out/go")).unwrap();
    // Closing is not enough: a process that another test has just forked may still hold the descriptor.
    manager_socket.shutdown(std::net::Shutdown::Both).unwrap();
    drop(manager_socket);
    std::io::Write::write_all(&mut go, b"\n").unwrap();
    c.wait_out("done");
    crate::harness::bundle::wait_in(&c.dir, "the warning", || run.text().contains("NOTIFY_SOCKET: notify the manager"));
    c.kill("KILL").ok();
    run.finish().exits(137);
}

fn without_a_manager_nothing_is_added() {
    let c = Container::sh("echo \"<$NOTIFY_SOCKET>\"; grep -c /run/notify /proc/self/mountinfo");
    let output = c.prepare("run", &[]).env("NOTIFY_SOCKET", "").run();
    assert_eq!(output.out, "<>\n0\n");
}
