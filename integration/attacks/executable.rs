//! Tests that a container can neither write nor read the runtime's executable on the host. Other host files are left to
//! `descriptors` and `paths`.

use super::Attacker;
use crate::harness::bundle::{Container, namespace, own_copy};
use crate::harness::call::{Call, Output};
use crate::harness::runtime::{RUNTIME, only_davit};
use crate::harness::trial::{Test, rows, tests};
use serde_json::json;
use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::Path,
};

pub(super) fn tests() -> Vec<Test> {
    let mut all = tests![cve_2019_5736_as_the_program_by_a_descriptor, relocated_data_stays_read_only];
    all.extend(rows!("cve_2019_5736_as_the_program", PROGRAMS, as_the_program));
    all.extend(rows!("cve_2019_5736_a_neighbour", NEIGHBOURS, neighbour));
    all.extend(rows!("cve_2026_31431_a_neighbour_reads", NEIGHBOURS[..1], neighbour_reads));
    all
}

/// A process that waits for its start has detached from the file. What relocation alone writes is read-only again by then.
fn relocated_data_stays_read_only() {
    const PT_LOAD: u64 = 1;
    const PT_GNU_RELRO: u64 = 0x6474_e552;
    only_davit("others do not map their own file again");
    let file = fs::read(RUNTIME.as_str()).unwrap();
    let number = |at: usize, length: usize| {
        file[at..at + length].iter().rev().fold(0, |number: u64, byte| number << 8 | u64::from(*byte))
    };
    let (offset, size, count) = (number(32, 8) as usize, number(54, 2) as usize, number(56, 2) as usize);
    let headers: Vec<_> = (0..count).map(|index| offset + index * size).collect();
    let find = |kind: u64| headers.iter().copied().find(|at| number(*at, 4) == kind);
    let (Some(first), Some(relro)) = (find(PT_LOAD), find(PT_GNU_RELRO)) else { panic!("no such segments") };
    let c = Container::sleeper();
    c.create().ok();
    let maps = fs::read_to_string(format!("/proc/{}/maps", c.pid())).unwrap();
    let range = |line: &str| {
        let (from, to) = line.split(' ').next().unwrap().split_once('-').unwrap();
        (u64::from_str_radix(from, 16).unwrap(), u64::from_str_radix(to, 16).unwrap())
    };
    // The ELF header is the beginning of the lowest mapping of a file.
    let base = range(maps.lines().find(|line| line.contains('/')).unwrap()).0 - number(first + 16, 8);
    let start = base + number(relro + 16, 8);
    let line = maps.lines().find(|line| range(line).0 <= start && start < range(line).1).unwrap();
    assert!(line.contains(" r--p "), "{line}\n{maps}");
}

/// Creates a container with a copy of the runtime under test.
fn by(binary: &Path, verb: &str, c: &Container) -> Output {
    c.write();
    let (binary, state, bundle) = (binary.to_str().unwrap(), c.state_dir(), c.dir.to_str().unwrap());
    Call::new(&c.dir, &[binary, "--root", state.to_str().unwrap(), verb, "--bundle", bundle, &c.id]).run()
}

/// Attackers that search for the file in the pid namespace of new containers: (name, capabilities).
type Neighbour = (&'static str, &'static [&'static str]);

const NEIGHBOURS: &[Neighbour] = &[
    ("tracer", &["CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE", "CAP_KILL"]),
    // CAP_CHECKPOINT_RESTORE also gives access to the files in /proc/PID/map_files.
    ("checkpointer", &["CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE", "CAP_KILL", "CAP_CHECKPOINT_RESTORE"]),
];

/// Runs an attacker that searches for the file `binary` while it creates six containers. Returns the attacker's report.
fn attacked(row: &Neighbour, binary: &Path) -> String {
    let file = fs::metadata(binary).unwrap();
    let words = ["exe", &format!("{}:{}", file.dev(), file.ino())];
    let attacker = Attacker::new(Container::probe(&words).caps(row.1));
    let path = format!("/proc/{}/ns/pid", attacker.0.pid());
    for _ in 0..6 {
        let victim = Container::sleeper().edit(|c| namespace(c, "pid")["path"] = json!(path));
        by(binary, "create", &victim).ok();
    }
    // No process executes the file any more, so an attacker that holds it can write to it now.
    attacker.end()
}

/// A neighbour in the same pid namespace tries to hold the executable of the runtime that creates a container.
fn neighbour(row: &Neighbour) {
    // Uses a copy, so that a failing test does not destroy the runtime on this host.
    let binary = own_copy("runtime", &RUNTIME);
    let before = fs::read(&binary).unwrap();
    let report = attacked(row, &binary);
    assert!(fs::read(&binary).unwrap() == before, "the runtime was overwritten: {report}");
}

/// A neighbour that can only read the file could still poison the page cache on a vulnerable kernel.
fn neighbour_reads(row: &Neighbour) {
    let report = attacked(row, &own_copy("runtime", &RUNTIME));
    assert!(!report.contains("held"), "a container could open the runtime's file: {report}");
}

/// The image's program: (name, function that creates /program in the image, args).
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

/// The program is a path through a descriptor that is open at exec time: the runtime's file, or a host directory above
/// it.
fn cve_2019_5736_as_the_program_by_a_descriptor() {
    let binary = own_copy("runtime", &RUNTIME);
    let mut c = Container::new(&[]);
    for number in 3..40 {
        for below in [Path::new("").into(), binary.clone()] {
            let program = format!("/proc/self/fd/{number}{}", below.display());
            c = c.edit(|c| c["process"]["args"] = json!([program, "--version"]));
            let output = by(&binary, "run", &c);
            assert_ne!(output.code(), 0, "{program} was executed: {output:?}");
        }
    }
}
