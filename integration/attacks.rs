//! What a hostile image or a hostile neighbour may try. The configuration is trusted; the root and its processes are not.
//!
//! Each test names the CVE it plays. "Refused" and "harmless" are both good answers; reaching the host is not.

use crate::{
    bundle::{Container, namespace, own_copy, wait_in},
    call::{Call, LIMIT, Output, RUNTIME},
    kernel,
    trial::{Test, rows, tests},
};
use nix::{
    fcntl::{AT_FDCWD, RenameFlags, renameat2},
    sys::stat::{Mode, SFlag, makedev, mknod},
};
use serde_json::{Value, json};
use std::{
    fs,
    os::unix::fs::{MetadataExt, symlink},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

pub(crate) fn tests() -> Vec<Test> {
    let mut all = tests![
        cwd_on_a_leaked_descriptor,
        a_directory_moved_out_is_no_cwd,
        the_runtimes_binary_cannot_be_overwritten,
        the_runtimes_binary_as_the_program,
        proc_through_a_link,
        sys_through_a_link,
        dev_is_a_link_to_the_host,
        device_path_through_a_link,
        console_is_a_link_to_the_host,
        pts_ptmx_is_no_terminal,
        a_masked_link_stays_inside,
        readonly_path_through_a_link_stays_inside,
        the_root_itself_is_a_link,
        tmpcopyup_follows_no_link,
        cgroup_mount_through_a_link,
        a_target_swapped_during_create,
        passwd_of_the_image_is_hostile,
        nothing_of_the_host_is_reachable_from_the_root,
    ];
    all.extend(rows!("target", TARGETS, target));
    all.extend(rows!("cwd", CWDS, cwd));
    all.extend(rows!("null", NULLS, null));
    all
}

/// A directory of the host, beside the root, that must stay as it is: one file with known text.
fn outside(c: &Container) -> PathBuf {
    let path = c.dir.join("outside");
    fs::create_dir(&path).unwrap();
    fs::write(path.join("file"), "host\n").unwrap();
    path
}

#[track_caller]
fn untouched(c: &Container) {
    let path = c.dir.join("outside");
    let names: Vec<_> = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["file"], "the host's directory was changed");
    assert_eq!(fs::read_to_string(path.join("file")).unwrap(), "host\n", "the host's file was changed");
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(path.to_str().unwrap()), "something is mounted on the host's directory");
}

/// Whatever the answer is, the host is as before, while the container lives and after.
#[track_caller]
fn harmless(c: &Container) {
    let said = c.create();
    untouched(c);
    if said.code() == 0 {
        c.start();
        untouched(c);
    } else {
        c.nothing_left();
    }
}

/// CVE-2019-18837, CVE-2021-30465, CVE-2024-45310: (name, the link in the root, the destination of the mount).
/// `HOST` in a link is the directory of the host.
const TARGETS: &[(&str, &str, &str, &str)] = &[
    ("absolute", "m", "HOST", "/m"),
    ("through-parent", "m", "HOST", "/m/sub"),
    ("through-parents", "m", "HOST", "/m/a/b/c"),
    ("dots", "m", "../../../../../../../../../../HOST", "/m"),
    ("dots-to-a-new-name", "m", "../../../../../../../../../../HOST/new", "/m"),
    ("dangling", "m", "HOST/new", "/m"),
    ("dots-in-the-destination", "x", "HOST", "/../../../../../../..HOST/sub"),
    ("self-root", "m", "/proc/self/root/HOST", "/m/sub"),
    ("self-cwd", "m", "/proc/self/cwd/../outside", "/m/sub"),
];

fn target(row: &(&str, &str, &str, &str)) {
    for kind in ["tmpfs", "directory", "file"] {
        let c = Container::sleeper();
        let host = outside(&c);
        let with_host = |text: &str| text.replace("HOST", host.to_str().unwrap());
        symlink(with_host(row.2), c.root(row.1)).unwrap();
        let destination = with_host(row.3);
        let source = c.dir.join("source");
        let c = match kind {
            "tmpfs" => c.mount(&destination, "tmpfs", "tmpfs", &[]),
            "directory" => {
                fs::create_dir(&source).unwrap();
                c.mount(&destination, "bind", source.to_str().unwrap(), &["bind"])
            }
            _ => {
                fs::write(&source, "source").unwrap();
                c.mount(&destination, "bind", source.to_str().unwrap(), &["bind"])
            }
        };
        harmless(&c);
    }
}

/// CVE-2024-21626: working directories that are descriptors.
const CWDS: &[(&str, &str)] = &[
    ("fd-3", "/proc/self/fd/3"),
    ("fd-5", "/proc/self/fd/5"),
    ("fd-6", "/proc/self/fd/6"),
    ("fd-7", "/proc/self/fd/7"),
    ("fd-8", "/proc/self/fd/8"),
    ("fd-9", "/proc/self/fd/9"),
    ("fd-10", "/proc/thread-self/fd/10"),
    ("fd-8-dots", "/proc/self/fd/8/../../.."),
];

fn cwd(row: &(&str, &str)) {
    // A descriptor of the runtime's own may lead to a place inside the root; any other must not be entered.
    let script = "test \"$(stat -c %d:%i .)\" = \"$(stat -c %d:%i \"$(readlink /proc/self/cwd)\")\" && echo inside";
    let c = Container::sh(script).edit(|c| c["process"]["cwd"] = json!(row.1));
    let said = c.run();
    assert!(said.code() != 0 || said.out == "inside\n", "{said:?}");
    c.nothing_left();
}

fn cwd_on_a_leaked_descriptor() {
    for shell in ["exec 7</", "exec 7</sys/fs/cgroup"] {
        let c = Container::sh("echo running").edit(|c| c["process"]["cwd"] = json!("/proc/self/fd/7"));
        let said = crate::process::wrapped(&c, &format!("{shell}; exec \"$@\""), "run").run().fails();
        assert!(!said.out.contains("running"), "{said:?}");
        c.nothing_left();
    }
}

fn a_directory_moved_out_is_no_cwd() {
    // A link of the image named as the working directory leads through a descriptor too.
    let c = Container::sh("echo running").edit(|c| c["process"]["cwd"] = json!("/place"));
    symlink("/proc/self/fd/7/", c.root("place")).unwrap();
    let said = crate::process::wrapped(&c, "exec 7</; exec \"$@\"", "run").run().fails();
    assert!(!said.out.contains("running"), "{said:?}");
}

/// `create` by another file than the runtime under test.
fn create_by(binary: &Path, c: &Container) -> Output {
    c.write();
    let (binary, state, bundle) = (binary.to_str().unwrap(), c.state_dir(), c.dir.to_str().unwrap());
    Call::new(&c.dir, &[binary, "--root", state.to_str().unwrap(), "create", "--bundle", bundle, &c.id]).run()
}

/// CVE-2019-5736: a neighbour in the same pid namespace holds the executable of a container that is being made.
fn the_runtimes_binary_cannot_be_overwritten() {
    // A copy, so that a runtime that fails the test is not destroyed on this host.
    let binary = own_copy("runtime", &RUNTIME);
    let before = fs::read(&binary).unwrap();
    let attacker = Container::sh("/probe probe exe /out/told & exec sleep 1000").caps(&[
        "CAP_SYS_PTRACE",
        "CAP_DAC_OVERRIDE",
        "CAP_KILL",
    ]);
    let attacker = attacker.up();
    let path = format!("/proc/{}/ns/pid", attacker.pid());
    wait_in(&attacker.root("out"), "the attacker", || attacker.root("out/told").exists());
    for _ in 0..3 {
        let victim = Container::sleeper().edit(|c| namespace(c, "pid")["path"] = json!(path));
        create_by(&binary, &victim).ok();
        drop(victim);
        // The file is no longer busy; the attacker writes as soon as it sees that.
        let told = || fs::read_to_string(attacker.root("out/told")).unwrap();
        if told().contains("held") {
            wait_in(&attacker.root("out"), "the attack", || told().lines().count() >= 2);
        }
        assert!(fs::read(&binary).unwrap() == before, "the runtime was overwritten: {}", told());
    }
    fs::write(attacker.root("out/give-up"), "").unwrap();
    let told = || fs::read_to_string(attacker.root("out/told")).unwrap();
    wait_in(&attacker.root("out"), "the attack's end", || {
        let lines = told();
        lines.lines().count() >= 2 || lines.contains("never")
    });
    assert!(fs::read(&binary).unwrap() == before, "the runtime was overwritten: {}", told());
}

/// The other form: the image's program is the runtime's own executable.
fn the_runtimes_binary_as_the_program() {
    let binary = own_copy("runtime", &RUNTIME);
    let inode = fs::metadata(&binary).unwrap();
    let c = Container::new(&["/proc/self/exe", "--version"]);
    let said = create_by(&binary, &c);
    if said.code() != 0 {
        return;
    }
    let exe = fs::metadata(format!("/proc/{}/exe", c.pid())).unwrap();
    let same = (exe.dev(), exe.ino()) == (inode.dev(), inode.ino());
    assert!(!same, "the executable of the waiting init is the host's own file");
}

/// CVE-2019-19921, CVE-2023-27561, CVE-2023-28642.
fn through_a_link(name: &str) {
    let c = Container::sleeper();
    outside(&c);
    fs::remove_dir(c.root(name)).unwrap();
    fs::create_dir(c.root("elsewhere")).unwrap();
    symlink("elsewhere", c.root(name)).unwrap();
    let said = c.create().fails();
    assert!(said.err.contains(name), "{said:?}");
    c.nothing_left();
    assert_eq!(fs::read_dir(c.root("elsewhere")).unwrap().count(), 0);
}

fn proc_through_a_link() {
    through_a_link("proc");
}

fn sys_through_a_link() {
    through_a_link("sys");
}

fn cgroup_mount_through_a_link() {
    let c = Container::sleeper();
    let host = outside(&c);
    symlink(&host, c.root("cg")).unwrap();
    harmless(&c.mount("/cg/sub", "cgroup", "cgroup", &["ro"]));
}

fn without_dev(c: &mut Value) {
    c["mounts"].as_array_mut().unwrap().retain(|mount| !mount["destination"].as_str().unwrap().starts_with("/dev"));
}

/// CVE-2026-41579, CVE-2026-47766: devices and links are made where /dev leads.
fn dev_is_a_link_to_the_host() {
    let c = Container::sleeper().edit(without_dev);
    let host = outside(&c);
    fs::remove_dir(c.root("dev")).unwrap();
    symlink(&host, c.root("dev")).unwrap();
    harmless(&c);
    let c = Container::sleeper();
    let host = outside(&c);
    fs::remove_dir(c.root("dev")).unwrap();
    symlink(format!("../../../../../../../..{}", host.display()), c.root("dev")).unwrap();
    harmless(&c);
}

fn device_path_through_a_link() {
    let c = Container::sleeper().edit(|c| {
        c["linux"]["devices"] = json!([
            {"type": "c", "path": "/l/node", "major": 1, "minor": 3, "fileMode": 0o777, "uid": 1000, "gid": 1000},
            {"type": "p", "path": "/l/deep/er/pipe"}
        ]);
    });
    let host = outside(&c);
    symlink(&host, c.root("l")).unwrap();
    harmless(&c);
}

fn terminal(c: &Container) -> (std::os::unix::net::UnixListener, Output) {
    let path = c.dir.join("console.sock");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let said = c.prepare("create", &["--console-socket", path.to_str().unwrap()]).run();
    (listener, said)
}

/// CVE-2025-52565.
fn console_is_a_link_to_the_host() {
    let c = Container::sh("echo text >/dev/console").edit(without_dev).edit(|c| c["process"]["terminal"] = json!(true));
    let c = c.mount("/dev/pts", "devpts", "devpts", &["newinstance", "ptmxmode=0666"]);
    let host = outside(&c);
    symlink(host.join("file"), c.root("dev/console")).unwrap();
    let (_listener, said) = terminal(&c);
    untouched(&c);
    if said.code() == 0 {
        c.start();
        untouched(&c);
    }
}

/// CVE-2025-52565: what stands at /dev/pts/ptmx is the image's.
fn pts_ptmx_is_no_terminal() {
    let c = Container::sh("echo text").edit(without_dev).edit(|c| c["process"]["terminal"] = json!(true));
    let host = outside(&c);
    fs::create_dir(c.root("dev/pts")).unwrap();
    symlink(host.join("file"), c.root("dev/pts/ptmx")).unwrap();
    symlink("pts/ptmx", c.root("dev/ptmx")).unwrap();
    let (_listener, said) = terminal(&c);
    said.fails();
    untouched(&c);
    c.nothing_left();
}

/// CVE-2025-31133: what stands at /dev/null of the image when a file is to be masked.
type Null = (&'static str, fn(&Container));

const NULLS: &[Null] = &[
    ("link-to-proc", |c| symlink("/proc/sys/kernel/hostname", c.root("dev/null")).unwrap()),
    ("link-to-file", |c| symlink("/etc/passwd", c.root("dev/null")).unwrap()),
    ("fifo", |c| mknod(&c.root("dev/null"), SFlag::S_IFIFO, Mode::from_bits_truncate(0o666), 0).unwrap()),
    ("file", |c| fs::write(c.root("dev/null"), "visible\n").unwrap()),
    ("zero", |c| mknod(&c.root("dev/null"), SFlag::S_IFCHR, Mode::from_bits_truncate(0o666), makedev(1, 5)).unwrap()),
    ("directory", |c| fs::create_dir(c.root("dev/null")).unwrap()),
];

fn null(row: &Null) {
    let c = Container::sh("head -c 10 /secret; echo; stat -c '%F %t:%T' /secret").edit(without_dev).edit(|c| {
        c["linux"]["maskedPaths"] = json!(["/secret"]);
    });
    fs::write(c.root("secret"), "secret\n").unwrap();
    (row.1)(&c);
    let said = c.run();
    assert!(!said.out.contains("secret") && !said.out.contains("visible"), "{said:?}");
    if said.code() == 0 {
        // Masked by the real device, whatever the image has.
        assert_eq!(said.out, "\ncharacter special file 1:3\n", "{said:?}");
    }
    c.nothing_left();
}

fn a_masked_link_stays_inside() {
    let c = Container::sh("cat /etc/passwd | head -c 4; cat /m/file 2>/dev/null; exec sleep 1000");
    let host = outside(&c);
    symlink(&host, c.root("m")).unwrap();
    symlink(host.join("file"), c.root("n")).unwrap();
    let c = c.edit(|c| c["linux"]["maskedPaths"] = json!(["/m", "/n", "/m/file"]));
    harmless(&c);
}

fn readonly_path_through_a_link_stays_inside() {
    let c = Container::sleeper();
    let host = outside(&c);
    symlink(&host, c.root("m")).unwrap();
    let c = c.edit(|c| c["linux"]["readonlyPaths"] = json!(["/m", "/m/file"]));
    harmless(&c);
    fs::write(host.join("file"), "host\n").unwrap();
}

fn the_root_itself_is_a_link() {
    let c = Container::sh("echo inside").edit(|c| c["root"]["path"] = json!("link"));
    symlink("rootfs", c.dir.join("link")).unwrap();
    // runc refuses, crun follows; the bundle is the caller's, so both are sound.
    let said = c.run();
    assert!(said.code() != 0 || said.out == "inside\n", "{said:?}");
    c.nothing_left();
}

fn tmpcopyup_follows_no_link() {
    let c = Container::sh("cat /m/file /m/sub/file 2>/dev/null | grep -c host; echo end");
    let host = outside(&c);
    symlink(&host, c.root("m")).unwrap();
    let c = c.mount("/m", "tmpfs", "tmpfs", &["tmpcopyup"]);
    let said = c.run();
    assert!(said.code() != 0 || said.out == "0\nend\n", "{said:?}");
    untouched(&c);
    let c = Container::sh("cat /m/sub/file 2>/dev/null | grep -c host; echo end");
    let host = outside(&c);
    fs::create_dir(c.root("m")).unwrap();
    symlink(&host, c.root("m/sub")).unwrap();
    let c = c.mount("/m", "tmpfs", "tmpfs", &["tmpcopyup"]);
    assert_eq!(c.prints(), "0\nend\n");
    untouched(&c);
}

/// CVE-2021-30465: a neighbour that shares a volume swaps a directory for a link while the container is made.
fn a_target_swapped_during_create() {
    static STOP: AtomicBool = AtomicBool::new(false);
    let c = Container::sleeper();
    let host = outside(&c);
    fs::create_dir_all(c.root("vol/m")).unwrap();
    symlink(&host, c.root("vol/link")).unwrap();
    let (one, other) = (c.root("vol/m"), c.root("vol/link"));
    let swapper = thread::spawn(move || {
        while !STOP.load(Ordering::Relaxed) {
            renameat2(AT_FDCWD, &one, AT_FDCWD, &other, RenameFlags::RENAME_EXCHANGE).unwrap();
            thread::yield_now();
        }
    });
    let mut c = c;
    for number in 0..6 {
        c = c.mount(&format!("/vol/m/{number}"), "tmpfs", "tmpfs", &[]);
    }
    for _ in 0..4 {
        let said = c.create();
        if said.code() == 0 {
            let pid = c.pid();
            c.delete().ok();
            kernel::wait_exit(pid, LIMIT);
        }
        untouched(&c);
    }
    STOP.store(true, Ordering::Relaxed);
    swapper.join().unwrap();
    c.nothing_left();
}

/// CVE-2016-3697: names are never looked up to become ids; the home directory is only text.
fn passwd_of_the_image_is_hostile() {
    let c = Container::sh("id -u").edit(|c| c["process"]["user"] = json!({"uid": 1000, "gid": 1000}));
    fs::write(c.root("etc/passwd"), format!("1000:x:0:0::/root:/bin/sh\n{}\nx:x:1000:0::/h\n", "y".repeat(100_000)))
        .unwrap();
    assert_eq!(c.prints(), "1000\n");
    // A program that asks for no names itself: it would wait at the pipe as well.
    let c = Container::new(&["/bin/true"]).edit(|c| c["process"]["user"] = json!({"uid": 1000, "gid": 1000}));
    fs::remove_file(c.root("etc/passwd")).unwrap();
    mknod(&c.root("etc/passwd"), SFlag::S_IFIFO, Mode::from_bits_truncate(0o666), 0).unwrap();
    // A runtime that opens the pipe waits for ever; whether it runs or refuses is its own choice.
    c.prepare("run", &[]).spawn().finish_within(Duration::from_secs(10));
}

fn nothing_of_the_host_is_reachable_from_the_root() {
    let c = Container::sh(
        "cd /; cd ../../../..; ls -d ../outside 2>/dev/null; ls -A | grep -c probe; ls -l /proc/1/fd | grep -c outside",
    );
    outside(&c);
    let said = c.run();
    assert_eq!(said.out, "1\n0\n", "{said:?}");
}
