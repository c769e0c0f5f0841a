//! What a caller passes on without meaning to: ignored signals, limits, streams, keyrings.

use crate::harness::bundle::Container;
use crate::harness::call::Call;
use crate::harness::kernel;
use crate::harness::runtime::only_davit;
use crate::harness::skip::skip;
use crate::harness::trial::{Test, tests};
use crate::harness::user::AS_USER;
use nix::fcntl::OFlag;
use nix::sys::prctl;
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use nix::unistd::pipe2;
use serde_json::json;
use std::{
    fs::{self, File, Permissions},
    io::Read,
    os::unix::fs::{MetadataExt, PermissionsExt},
};

pub(crate) fn tests() -> Vec<Test> {
    tests![
        ignored_sigchld_loses_no_exit_status,
        a_small_file_size_limit_is_an_error,
        a_device_as_stream_keeps_its_owner,
        the_session_keyring_is_not_one_of_a_known_name,
        memfds_that_may_not_be_executed,
        attributes_of_the_caller_do_not_reach_the_program,
    ]
}

/// The runtime, started by a shell that has run `before`.
fn after(c: &Container, before: &str, words: &[&str]) -> Call {
    c.call_by(&["sh", "-c", &format!("{before}; exec \"$@\""), "sh"], words)
}

fn ignored_sigchld_loses_no_exit_status() {
    let bundle = |c: &Container| c.dir.to_str().unwrap().to_owned();
    let c = Container::sh("exit 7").edit(|c| {
        c["hooks"] = json!({"prestart": [{"path": "/bin/true"}], "poststop": [{"path": "/bin/true"}]});
    });
    c.write();
    let ignoring = ["env", "--ignore-signal=CHLD"];
    let said = c.call_by(&ignoring, &["run", "--bundle", &bundle(&c), &c.id]).run().exits(7);
    assert!(said.err.is_empty(), "{said:?}");
    let c = Container::sleeper().up();
    c.call_by(&ignoring, &["exec", &c.id, "sh", "-c", "exit 7"]).run().exits(7);
}

/// Address space randomization, timer slack and huge pages are the kernel's defaults, in `create` and `exec`. The nice
/// value is inherited, as by any program.
fn attributes_of_the_caller_do_not_reach_the_program() {
    let show = "cat /proc/self/personality /proc/self/timerslack_ns; grep THP_enabled /proc/self/status;
        cut -d' ' -f19 /proc/self/stat";
    let status = fs::read_to_string("/proc/self/status").unwrap();
    // A kernel without huge pages says 0.
    let huge_pages = status.lines().find(|line| line.starts_with("THP_enabled")).unwrap();
    let expected = format!("00000000\n50000\n{huge_pages}\n7\n");
    let c = Container::sh(&format!("({show}) >/out/first; exec sleep 1000"));
    c.write();
    let odd = ["nice", "-n", "7", "setarch", "--addr-no-randomize", "--read-implies-exec"];
    // The thread's own, so that no other test sees them.
    let output = std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            prctl::set_timerslack(1_234_567).unwrap();
            prctl::set_thp_disable(true).unwrap();
            let bundle = c.dir.to_str().unwrap();
            c.call_by(&odd, &["create", "--bundle", bundle, &c.id]).run().ok();
            c.start().ok();
            let output = c.call_by(&odd, &["exec", &c.id, "sh", "-c", show]).run().ok();
            prctl::set_thp_disable(false).unwrap();
            output
        });
        other.join().unwrap()
    });
    assert_eq!(c.wait_out("first"), expected);
    assert_eq!(output.out, expected);
}

fn a_small_file_size_limit_is_an_error() {
    only_davit("others write their state beyond the limit of the file size, or are killed by SIGXFSZ");
    let c = Container::sleeper();
    c.write();
    let bundle = c.dir.to_str().unwrap().to_owned();
    // What the suite keeps of standard error is a file too.
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC).unwrap();
    let run = after(&c, "ulimit -f 0; exec 2>&1", &["create", "--bundle", &bundle, &c.id]).stdout(writer);
    let mut said = String::new();
    File::from(reader).read_to_string(&mut said).unwrap();
    run.finish().exits(1);
    assert!(said.contains("file too large"), "{said}");
    c.nothing_left();
}

fn a_device_as_stream_keeps_its_owner() {
    let c = Container::sh("true").edit(|c| c["process"]["user"] = json!({"uid": 1000, "gid": 1000}));
    let (zero, file) = (c.dir.join("zero"), c.dir.join("file"));
    let mode = Mode::from_bits_truncate(0o666);
    if mknod(&zero, SFlag::S_IFCHR, mode, makedev(1, 5)).is_err() || File::open(&zero).is_err() {
        skip("this file system has no device nodes");
    }
    fs::write(&file, "").unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o666)).unwrap();
    for stream in [&zero, &file] {
        c.prepare("run", &[]).stdin(File::open(stream).unwrap().into()).run().ok();
        assert_eq!(fs::metadata(stream).unwrap().uid(), 0, "{}", stream.display());
    }
}

/// Any process with the container's uid could make a keyring of a name it foresees, and find there what a container puts in.
fn the_session_keyring_is_not_one_of_a_known_name() {
    const GET_ID: u64 = 0;
    const JOIN_SESSION: u64 = 1;
    const SETPERM: u64 = 5;
    const EVERYTHING_FOR_THE_USER: u64 = 0x3f3f_0000;
    const SESSION: u64 = -3_i64 as u64;
    let c = Container::probe(&["syscall", &format!("{},{GET_ID},{SESSION},0", libc::SYS_keyctl)]);
    let name = std::ffi::CString::new(format!("_ses.{}", c.id)).unwrap();
    let keyctl = |words: [u64; 3]| kernel::syscall(libc::SYS_keyctl, [words[0], words[1], words[2], 0, 0, 0]);
    // A session keyring belongs to a thread, so the suite's own stays.
    let (made, said) = std::thread::scope(|scope| {
        let attacker = scope.spawn(|| {
            let made = keyctl([JOIN_SESSION, name.as_ptr() as u64, 0]).ok()?;
            keyctl([SETPERM, made as u64, EVERYTHING_FOR_THE_USER]).unwrap();
            Some((made, c.run()))
        });
        attacker.join().unwrap().unwrap_or_else(|| skip("this kernel has no keyrings"))
    });
    let said = said.ok();
    let own: i64 = said.line().parse().unwrap_or_else(|_| panic!("{said:?}"));
    assert_ne!(own, made, "the container's session keyring is one that was there before");
}

/// The sysctl vm.memfd_noexec belongs to a pid namespace.
fn memfds_that_may_not_be_executed() {
    if *AS_USER {
        skip("a pid namespace with its own procfs takes root");
    }
    for value in ["0", "1", "2"] {
        let c = Container::sh("echo >/out/ready; exec sleep 1000").edit(|c| {
            c["hooks"] = json!({"createRuntime": [{"path": "/bin/cat"}], "createContainer": [{"path": "/bin/cat"}]});
        });
        c.write();
        let script = format!(
            "echo {value} >/proc/sys/vm/memfd_noexec || exit 77
             \"$@\" create --bundle {} {id} </dev/null >/dev/null 2>{log} && \"$@\" start {id} && \"$@\" exec {id} true && \"$@\" delete --force {id}",
            c.dir.display(),
            id = c.id,
            log = c.dir.join("log").display(),
        );
        let output = c.call_by(&["unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", &script, "sh"], &[]).run();
        if output.code() == 77 {
            skip("this kernel has no vm.memfd_noexec");
        }
        let log = fs::read_to_string(c.dir.join("log")).unwrap_or_default();
        assert_eq!(output.code(), 0, "{value}: {output:?} {log}");
    }
}
