//! Replays attacks by a hostile image or by a hostile container next to the tested one. The configuration is trusted;
//! the root file system and its processes are not.
//!
//! The attacks are in the submodules; each test is named after its CVE. `docs/security.md` lists the CVEs and how older
//! runtimes behave. This file holds only what all of them share: a host directory that must not change, and a container
//! that attacks.

mod cgroup_names;
mod cgroups;
mod descriptors;
mod devices;
mod executable;
mod identity;
mod masks;
mod paths;
mod procfs;
mod races;
mod streams;
mod visible;

use crate::harness::bundle::{Container, wait_in};
use crate::harness::trial::Test;
use std::{fs, path::PathBuf};

pub(crate) fn tests() -> Vec<Test> {
    let parts = [
        cgroup_names::tests,
        cgroups::tests,
        descriptors::tests,
        devices::tests,
        executable::tests,
        identity::tests,
        masks::tests,
        paths::tests,
        procfs::tests,
        races::tests,
        streams::tests,
        visible::tests,
    ];
    parts.into_iter().flat_map(|part| part()).collect()
}

/// Creates a host directory next to the root that must not change. It holds one file with known text.
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

/// Checks that the host does not change, whether `create` succeeds or fails.
#[track_caller]
fn harmless(c: &Container) {
    harmless_with(c, "placed", 0);
}

/// Like `harmless`; also checks that a created container has `expected` mounts whose lines contain `word`.
/// A mount on the host's directory within the container's mount namespace is invisible on the host. It is missing below
/// the container's root, so the count shows it.
#[track_caller]
fn harmless_with(c: &Container, word: &str, expected: usize) {
    let output = c.create();
    untouched(c);
    if output.code() == 0 {
        let mounts = fs::read_to_string(format!("/proc/{}/mountinfo", c.pid())).unwrap();
        let inside = mounts.lines().filter(|line| line.contains(word)).count();
        assert_eq!(inside, expected, "a mount is not where the container's root is:\n{mounts}");
        c.start();
        untouched(c);
    } else {
        c.nothing_left();
    }
}

/// A container whose process attacks until the test asks it to stop. `probe/attacker.rs` has the attacks.
struct Attacker(Container);

impl Attacker {
    /// Starts the container and waits until the attack begins.
    fn new(c: Container) -> Self {
        let attacker = Self(c.up());
        attacker.wait("ready");
        attacker
    }

    fn wait(&self, line: &str) -> String {
        let (out, mut text) = (self.0.root("out"), String::new());
        wait_in(&out, &format!("the attacker to report {line}"), || {
            text = fs::read_to_string(out.join("report")).unwrap_or_default();
            text.lines().any(|reported| reported == line)
        });
        text
    }

    /// Ends the attack and returns its report.
    fn end(&self) -> String {
        fs::write(self.0.root("out/give-up"), "").unwrap();
        self.wait("end")
    }
}
