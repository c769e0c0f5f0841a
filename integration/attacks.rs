//! What a hostile image or a hostile neighbour may try. The configuration is trusted; the root and its processes are not.
//!
//! Each test is named after the CVE it plays; `docs/security.md` says which there are, and what older runtimes do. Here is
//! only what all of them need: a piece of the host that must stay as it is, and a neighbour that attacks.

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
    harmless_with(c, "placed", 0);
}

/// The same, and a container that was created has so many mounts whose lines contain the `word`: one that went to the host's
/// directory, in the mount namespace of the container, is not seen on the host, but it is missing in the container.
#[track_caller]
fn harmless_with(c: &Container, word: &str, expected: usize) {
    let said = c.create();
    untouched(c);
    if said.code() == 0 {
        let mounts = fs::read_to_string(format!("/proc/{}/mountinfo", c.pid())).unwrap();
        let inside = mounts.lines().filter(|line| line.contains(word)).count();
        assert_eq!(inside, expected, "a mount is not where the container's root is:\n{mounts}");
        c.start();
        untouched(c);
    } else {
        c.nothing_left();
    }
}

/// A container whose process attacks, as the probe does by these words, until it is told to give up.
struct Attacker(Container);

impl Attacker {
    /// Starts it, and waits until it attacks.
    fn new(c: Container) -> Self {
        let attacker = Self(c.up());
        attacker.wait("ready");
        attacker
    }

    fn wait(&self, line: &str) -> String {
        let (out, mut text) = (self.0.root("out"), String::new());
        wait_in(&out, &format!("the attacker to say {line}"), || {
            text = fs::read_to_string(out.join("told")).unwrap_or_default();
            text.lines().any(|told| told == line)
        });
        text
    }

    /// Ends the attack; what it told.
    fn end(&self) -> String {
        fs::write(self.0.root("out/give-up"), "").unwrap();
        self.wait("end")
    }
}
