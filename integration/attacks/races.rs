//! Tests races: a neighbour that shares a volume, or the root itself, swaps two names while a container is created.
//! Links that do not change are left to `paths`.
//!
//! One name is the directory or file that the config means, the other is a link to the host. A try is one path that is
//! resolved while the names are swapped; the number of swaps is checked.

use super::{Attacker, outside, untouched};
use crate::harness::bundle::{Container, push};
use crate::harness::call::LIMIT;
use crate::harness::kernel;
use crate::harness::runtime::only_davit;
use crate::harness::trial::{Test, rows};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs, os::unix::fs::symlink};

pub(super) fn tests() -> Vec<Test> {
    rows!("cve_2021_30465_swapped", RACES, race).collect()
}

/// Paths resolved by each creation, and the number of creations, so that there are 2,000 tries.
const PATHS: usize = 100;
const CREATIONS: usize = 20;

struct Race(
    &'static str,
    /// The two names in the root that are swapped.
    [&'static str; 2],
    /// Creates the first of them.
    fn(&Container, &str),
    /// Adds the entry for the path with this number to the config.
    fn(&mut Value, usize),
    /// How many mounts each creation has at those paths.
    usize,
);

const RACES: &[Race] = &[
    Race("directory", ["vol/m", "vol/link"], directory, tmpfs, PATHS),
    Race("parent", ["vol", "link"], |c, path| directory(c, &format!("{path}/m")), tmpfs, PATHS),
    Race("file", ["vol/m", "vol/link"], directory, bind_file, PATHS),
    Race(
        "masked",
        ["vol/m", "vol/link"],
        full_directory,
        |c, n| {
            push(&mut c["linux"]["maskedPaths"], json!(format!("/vol/m/{n}")));
        },
        0,
    ),
    Race(
        "readonly",
        ["vol/m", "vol/link"],
        full_directory,
        |c, n| {
            push(&mut c["linux"]["readonlyPaths"], json!(format!("/vol/m/{n}")));
        },
        0,
    ),
    Race(
        "device",
        ["vol/m", "vol/link"],
        directory,
        |c, n| {
            push(&mut c["linux"]["devices"], json!({"type": "p", "path": format!("/vol/m/{n}")}));
        },
        0,
    ),
    Race(
        "late-ro",
        ["vol/m", "vol/link"],
        full_directories,
        |c, n| {
            let mount = |at: &str, source: &str, options: &[&str]| json!({"destination": format!("{at}/{n}"), "type": "tmpfs", "source": source, "options": options});
            push(&mut c["mounts"], mount("/volume", "other", &[]));
            push(&mut c["mounts"], mount("/vol/m", "raced", &["ro"]));
        },
        PATHS,
    ),
    Race(
        "copy-up",
        ["vol/m", "vol/link"],
        full_directories,
        |c, n| {
            let destination = format!("/vol/m/{n}");
            let options = json!(["tmpcopyup"]);
            push(
                &mut c["mounts"],
                json!({"destination": destination, "type": "tmpfs", "source": "raced", "options": options}),
            );
        },
        PATHS,
    ),
    // /dev is mounted before /proc, so the name of the procfs can come to mean another directory before it is masked.
    Race(
        "proc-and-dev",
        ["proc", "dev"],
        |_, _| (),
        |c, n| {
            let mounts = c["mounts"].as_array_mut().unwrap();
            if n == 0
                && let Some(at) = mounts.iter().position(|mount| mount["destination"] == "/dev")
            {
                let dev = mounts.remove(at);
                mounts.insert(0, dev);
            }
        },
        0,
    ),
    // CVE-2019-19921: the race in its title. One try per creation.
    Race("proc", ["proc", "link"], |_, _| (), |_, _| (), 0),
    // CVE-2026-41579.
    Race("dev", ["dev", "link"], |_, _| (), |_, _| (), 0),
];

fn directory(c: &Container, path: &str) {
    fs::create_dir_all(c.root(path)).unwrap();
}

fn full_directory(c: &Container, path: &str) {
    directory(c, path);
    for number in 0..PATHS {
        fs::write(c.root(path).join(number.to_string()), "").unwrap();
    }
}

fn full_directories(c: &Container, path: &str) {
    for number in 0..PATHS {
        let inside = c.root(path).join(number.to_string());
        fs::create_dir_all(&inside).unwrap();
        fs::write(inside.join("copied"), "").unwrap();
        fs::create_dir_all(c.root("volume").join(number.to_string())).unwrap();
    }
    // A copy that goes astray lands in another volume of the container.
    symlink("/volume", c.root("vol/link")).unwrap();
}

fn tmpfs(config: &mut Value, number: usize) {
    let mount = json!({"destination": format!("/vol/m/{number}"), "type": "tmpfs", "source": "raced"});
    push(&mut config["mounts"], mount);
}

fn bind_file(config: &mut Value, number: usize) {
    let mount =
        json!({"destination": format!("/vol/m/{number}"), "type": "bind", "source": "raced", "options": ["bind"]});
    push(&mut config["mounts"], mount);
}

/// Mounts in the container that are reachable from its root; `None` if the container has exited.
fn mounts(c: &Container) -> Option<String> {
    fs::read_to_string(format!("/proc/{}/mountinfo", c.pid())).ok()
}

/// Masked and read-only paths in the container's procfs, wherever that is mounted.
fn closed_in_proc(mounts: &str) -> BTreeSet<String> {
    let fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let (procs, others): (Vec<_>, Vec<_>) = fields.partition(|line| line[3] == "/" && line.contains(&"proc"));
    let [proc] = procs.as_slice() else { panic!("not one procfs:\n{mounts}") };
    // The name of its mount point may change between two lines.
    let inside = others.iter().filter(|line| line[1] == proc[0]);
    inside.map(|line| line[4].splitn(3, '/').last().unwrap().to_owned()).collect()
}

fn race(race: &Race) {
    if matches!(race.0, "proc" | "proc-and-dev" | "late-ro" | "copy-up") {
        only_davit("runc and crun lose this race, though not every time");
    }
    let mut c = Container::sleeper();
    let host = outside(&c);
    fs::write(c.dir.join("raced"), "").unwrap();
    fs::create_dir_all(c.root("vol")).unwrap();
    let Race(_, [one, other], make, ask, expected) = race;
    make(&c, one);
    if c.root(other).symlink_metadata().is_err() {
        symlink(&host, c.root(other)).unwrap();
    }
    for number in 0..PATHS {
        c = c.edit(|c| ask(c, number));
    }
    // The attacker's volume is the victim's root.
    let words = ["swap", &format!("/victim/{one}"), &format!("/victim/{other}")];
    let volume = c.root("");
    let attacker = Container::probe(&words).mount("/victim", "bind", volume.to_str().unwrap(), &["rbind", "rw"]);
    let usual = closed_in_proc(&mounts(&Container::sleeper().up()).unwrap());
    assert!(usual.contains("sys"), "{usual:?}");
    let attacker = Attacker::new(attacker);
    let mut created = 0;
    for _ in 0..CREATIONS {
        let output = c.create();
        if output.code() == 0 {
            let pid = c.pid();
            if let Some(mounts) = mounts(&c) {
                created += 1;
                let inside = mounts.lines().filter(|line| line.contains("raced")).count();
                assert_eq!(inside, *expected, "a mount is not where the container's root is:\n{mounts}");
                if race.0 == "late-ro" {
                    let writable = mounts.lines().find(|line| line.contains("raced") && !line.contains(" ro,"));
                    assert_eq!(writable, None, "a read-only mount is writable");
                }
                // A mount moves with the name it is on; masks and read-only mounts inside move with that mount.
                assert_eq!(closed_in_proc(&mounts), usual, "not everything of /proc is closed:\n{mounts}");
            }
            c.kill("KILL");
            kernel::wait_exit(pid, LIMIT);
            c.delete().ok();
        }
        untouched(&c);
        if race.0 == "copy-up" {
            let astray = (0..PATHS).find(|number| c.root("volume").join(format!("{number}/copied")).exists());
            assert_eq!(astray, None, "a volume was copied to");
        }
    }
    let report = attacker.end();
    let swapped = report.lines().find_map(|line| line.strip_prefix("swapped ")?.parse::<u64>().ok()).unwrap();
    assert!(swapped > 2000, "the names were swapped only {swapped} times");
    println!("{}: {CREATIONS} creations, {created} succeeded, {swapped} exchanges", race.0);
    c.nothing_left();
}
