//! Fuzz targets for every document and file that davit parses. Generating inputs for long runs is left to `hack/fuzz`;
//! the test below runs briefly on the same small corpora (`tools/fuzz/corpus`). A target must return a valid result or
//! an error: no panic, no hang, no unbounded memory.

use crate::container::Record;
use crate::plan::resources::{self, CgroupFacts};
use crate::plan::{self, Exec, Host, Request};
use crate::spec::load;
use crate::spec::pointer::Pointer;
use crate::spec::problem::Problems;
use crate::{bpf, cgroup, container, dbus, launch, resctrl};
use oci_spec::runtime::Spec;
use std::sync::LazyLock;

/// A target's name and its function.
type Target = (&'static str, fn(&[u8]));

/// Runs the target called `target` on `bytes`. Panics if there is no such target, or if the target finds a bug.
pub fn run(target: &str, bytes: &[u8]) {
    let (_, function) = TARGETS.iter().find(|(name, _)| *name == target).expect("a known target");
    function(bytes);
}

/// All targets.
const TARGETS: &[Target] = &[
    ("config", config),
    ("process", process),
    ("resources", resources),
    ("seccomp", bpf::seccomp::fuzz),
    ("device_rules", bpf::device::fuzz),
    ("dbus", dbus::fuzz),
    ("notify", notify),
    ("kernel_files", kernel_files),
    ("state", state),
];

fn hosts() -> impl Iterator<Item = Host> {
    let controllers = ["cpuset", "cpu", "io", "memory", "hugetlb", "pids", "rdma", "misc"].map(str::to_owned);
    let cgroup = CgroupFacts { controllers: controllers.into(), v1: Vec::new() };
    let host = Host { last_capability: 40, permitted: u64::MAX, can_detach_exe: true, cgroup, ..Host::default() };
    [true, false].into_iter().map(move |privileged| Host { privileged, ..host.clone() })
}

/// `config.json`. In a build with assertions, such as a test, compiling checks the plan against every rule.
fn config(bytes: &[u8]) {
    let Ok(loaded) = load::load(bytes) else { return };
    // `exec` later reads the copy that `create` saved.
    load::reload(loaded.snapshot.as_deref().map_or(bytes, str::as_bytes)).expect("what create keeps can be read");
    for host in hosts() {
        let request = Request { id: "fuzz".to_owned(), bundle: "/bundle".into(), ..Request::default() };
        let _ = plan::compile(&loaded.spec, &host, &request);
    }
}

/// The container for `exec`. It has no seccomp filter, because compiling one takes longer than everything else.
static MINIMAL: LazyLock<Spec> = LazyLock::new(|| {
    load::reload(include_bytes!("../tests/plans/minimal/config.json")).expect("a recorded configuration")
});

/// The document of `exec --process`.
fn process(bytes: &[u8]) {
    let Ok((process, _)) = load::load_process(bytes) else { return };
    for host in hosts() {
        for namespaces in [0, libc::CLONE_NEWPID as u64, u64::MAX] {
            let exec = Exec { namespaces, ..Exec::default() };
            let _ = plan::compile_exec(&MINIMAL, &process, &host, &exec);
        }
    }
}

/// The document of `update --resources`. Whatever it contains, only files of the cgroup itself are written (GHSA-5g49).
fn resources(bytes: &[u8]) {
    let Ok(resources) = load::load_resources(bytes) else { return };
    let (mut problems, mut warnings) = (Problems::default(), Vec::new());
    for host in hosts() {
        let plan = resources::compile(&resources, &Pointer::of(""), &host.cgroup, &mut problems, &mut warnings);
        let Ok(plan) = std::mem::take(&mut problems).or(plan) else { continue };
        for write in plan.writes.iter().chain(&plan.writes_inside) {
            let sound = !write.file.contains(['/', '\0']) && !write.file.is_empty() && !write.file.starts_with('.');
            assert!(sound, "{write:?}");
        }
    }
}

/// Files of cgroups, resctrl and /proc.
fn kernel_files(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    cgroup::fuzz(&text);
    resctrl::fuzz(&text);
    launch::fuzz(&text);
}

/// Messages of the container's program to its service manager.
fn notify(bytes: &[u8]) {
    let found = String::from_utf8_lossy(bytes).lines().any(|line| line == "READY=1");
    assert!(found || !container::is_ready(bytes));
}

/// `state.json`: a parsed record survives writing and re-reading.
fn state(bytes: &[u8]) {
    let Ok(record) = Record::parse(bytes) else { return };
    let again = record.to_bytes().and_then(|bytes| Record::parse(&bytes));
    assert_eq!(again.expect("what was read is written and read"), record);
}

#[cfg(test)]
mod tests {
    use super::TARGETS;
    use std::fs;
    use std::path::Path;

    /// A random number generator with the same sequence in every run (splitmix64).
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, limit: usize) -> usize {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            ((mixed ^ (mixed >> 27)) >> 8) as usize % limit.max(1)
        }
    }

    /// Fragments of documents, inserted at random places.
    const PIECES: &[&str] = &[
        "0",
        "-1",
        "99999999999999999999",
        "null",
        "{}",
        "[]",
        "\"\"",
        "\"../x\"",
        ",",
        "\\u0000",
        "\n",
        " ",
        "/",
        "e9",
        "\u{fffd}",
    ];

    fn mutate(bytes: &mut Vec<u8>, dice: &mut Dice) {
        for _ in 0..=dice.below(3) {
            let (at, other) = (dice.below(bytes.len() + 1), dice.below(bytes.len() + 1));
            let (from, to) = (at.min(other), at.max(other).min(at.min(other) + 24));
            match dice.below(4) {
                0 => drop(bytes.drain(from..to)),
                1 => bytes.extend_from_within(from..to),
                2 => drop(bytes.splice(from..from, PIECES[dice.below(PIECES.len())].bytes())),
                _ if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
                _ => bytes.truncate(from),
            }
        }
    }

    #[test]
    fn fuzz_targets_survive_mutated_corpora() {
        let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/fuzz/corpus");
        let mut dice = Dice(7);
        for (name, target) in TARGETS {
            let files = fs::read_dir(corpora.join(name)).expect("each target has a corpus");
            let mut files: Vec<_> = files.map(|entry| entry.expect("an entry").path()).collect();
            files.sort();
            assert!(!files.is_empty(), "{name} has nothing in its corpus");
            for file in files {
                let bytes = fs::read(&file).expect("a file of the corpus");
                target(&bytes);
                for _ in 0..100 {
                    let mut bytes = bytes.clone();
                    mutate(&mut bytes, &mut dice);
                    target(&bytes);
                }
            }
        }
    }
}
