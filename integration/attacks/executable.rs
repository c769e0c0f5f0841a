//! The runtime's own file on the host: no way from a container leads to it, neither for writing nor for reading.

use super::Attacker;
use crate::harness::bundle::{Container, namespace, own_copy};
use crate::harness::call::{Call, Output};
use crate::harness::runtime::RUNTIME;
use crate::harness::trial::{Test, rows, tests};
use serde_json::json;
use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::Path,
};

pub(super) fn tests() -> Vec<Test> {
    let mut all = tests![cve_2019_5736_as_the_program_by_a_descriptor];
    all.extend(rows!("cve_2019_5736_as_the_program", PROGRAMS, as_the_program));
    all.extend(rows!("cve_2019_5736_a_neighbour", NEIGHBOURS, neighbour));
    all.extend(rows!("cve_2026_31431_a_neighbour_reads", NEIGHBOURS[..1], neighbour_reads));
    all
}

/// A command that makes a container, by another file than the runtime under test.
fn by(binary: &Path, verb: &str, c: &Container) -> Output {
    c.write();
    let (binary, state, bundle) = (binary.to_str().unwrap(), c.state_dir(), c.dir.to_str().unwrap());
    Call::new(&c.dir, &[binary, "--root", state.to_str().unwrap(), verb, "--bundle", bundle, &c.id]).run()
}

/// Who looks for the file, in the pid namespace of containers that are being made.
type Neighbour = (&'static str, &'static [&'static str]);

const NEIGHBOURS: &[Neighbour] = &[
    ("tracer", &["CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE", "CAP_KILL"]),
    // With this one the mappings of a process are files as well, in /proc/PID/map_files.
    ("checkpointer", &["CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE", "CAP_KILL", "CAP_CHECKPOINT_RESTORE"]),
];

/// A neighbour looks for the file of `binary` while six containers are made by it; what it told.
fn attacked(row: &Neighbour, binary: &Path) -> String {
    let file = fs::metadata(binary).unwrap();
    let words = ["exe", &format!("{}:{}", file.dev(), file.ino())];
    let attacker = Attacker::new(Container::probe(&words).caps(row.1));
    let path = format!("/proc/{}/ns/pid", attacker.0.pid());
    for _ in 0..6 {
        let victim = Container::sleeper().edit(|c| namespace(c, "pid")["path"] = json!(path));
        by(binary, "create", &victim).ok();
    }
    // Nothing executes the file any more: an attacker that holds it succeeds now, or never.
    attacker.end()
}

/// A neighbour in the same pid namespace holds the executable of a container that is being made.
fn neighbour(row: &Neighbour) {
    // A copy, so that a runtime that fails the test is not destroyed on this host.
    let binary = own_copy("runtime", &RUNTIME);
    let before = fs::read(&binary).unwrap();
    let told = attacked(row, &binary);
    assert!(fs::read(&binary).unwrap() == before, "the runtime was overwritten: {told}");
}

/// A neighbour that can do nothing but read the file poisons the page cache all the same, where the kernel lets it.
fn neighbour_reads(row: &Neighbour) {
    let told = attacked(row, &own_copy("runtime", &RUNTIME));
    assert!(!told.contains("held"), "a container could open the runtime's file: {told}");
}

/// What the image's program is: (name, what stands at /program of the image, args).
type Program = (&'static str, fn(&Container), &'static [&'static str]);

const PROGRAMS: &[Program] = &[
    ("direct", |_| (), &["/proc/self/exe", "--version"]),
    ("through-a-link", |c| symlink("/proc/self/exe", c.root("program")).unwrap(), &["/program", "--version"]),
    ("as-interpreter", |c| script(c, "#!/proc/self/exe\n"), &["/program"]),
    ("of-the-thread", |_| (), &["/proc/thread-self/exe", "--version"]),
];

fn script(c: &Container, text: &str) {
    fs::write(c.root("program"), text).unwrap();
    fs::set_permissions(c.root("program"), fs::Permissions::from_mode(0o755)).unwrap();
}

/// The image's program is the runtime's own executable.
fn as_the_program(row: &Program) {
    let binary = own_copy("runtime", &RUNTIME);
    let (inode, before) = (fs::metadata(&binary).unwrap(), fs::read(&binary).unwrap());
    let c = Container::new(row.2);
    row.1(&c);
    let same = |c: &Container| {
        let exe = fs::metadata(format!("/proc/{}/exe", c.pid())).ok();
        exe.is_some_and(|exe| (exe.dev(), exe.ino()) == (inode.dev(), inode.ino()))
    };
    if by(&binary, "create", &c).code() == 0 {
        assert!(!same(&c), "the executable of the waiting init is the host's own file");
        c.start();
        assert!(!same(&c), "the executable of the container's process is the host's own file");
    }
    assert!(fs::read(&binary).unwrap() == before, "the runtime was overwritten");
}

/// The image's program is whatever a descriptor leads to that is open when it is executed: the runtime's file, or a directory of
/// the host's that has it below.
fn cve_2019_5736_as_the_program_by_a_descriptor() {
    let binary = own_copy("runtime", &RUNTIME);
    let mut c = Container::new(&[]);
    for number in 3..40 {
        for below in [Path::new("").into(), binary.clone()] {
            let program = format!("/proc/self/fd/{number}{}", below.display());
            c = c.edit(|c| c["process"]["args"] = json!([program, "--version"]));
            let said = by(&binary, "run", &c);
            assert_ne!(said.code(), 0, "{program} was executed: {said:?}");
        }
    }
}
