//! Tests that neither the image nor the caller's environment adds ids or capabilities to the container's process.
//! Valid ids and capabilities are left to `process`.

use crate::harness::bundle::Container;
use crate::harness::call::{Call, Output};
use crate::harness::runtime::RUNTIME;
use crate::harness::trial::{Test, rows, tests};
use nix::sys::stat::{Mode, SFlag, mknod};
use serde_json::json;
use std::{fs, time::Duration};

pub(super) fn tests() -> Vec<Test> {
    let mut all = tests![
        cve_2016_3697_names_of_the_image_become_no_ids,
        cve_2016_8867_a_user_gets_no_ambient_capabilities,
        cve_2021_43784_long_values_overflow_nothing,
        cve_2022_27650_nothing_becomes_inheritable,
        cve_2022_29162_exec_adds_nothing_inheritable,
    ];
    all.extend(rows!("cve_2026_30892_exec_user", USERS, exec_user));
    all
}

/// The runtime never resolves names to ids; from /etc/passwd it takes only the home directory, as text.
fn cve_2016_3697_names_of_the_image_become_no_ids() {
    let c = Container::sh("id -u").edit(|c| c["process"]["user"] = json!({"uid": 1000, "gid": 1000}));
    fs::write(c.root("etc/passwd"), format!("1000:x:0:0::/root:/bin/sh\n{}\nx:x:1000:0::/h\n", "y".repeat(100_000)))
        .unwrap();
    assert_eq!(c.prints(), "1000\n");
    // This program resolves no names itself; one that does would block at the fifo as well.
    let c = Container::new(&["/bin/true"]).edit(|c| c["process"]["user"] = json!({"uid": 1000, "gid": 1000}));
    fs::remove_file(c.root("etc/passwd")).unwrap();
    mknod(&c.root("etc/passwd"), SFlag::S_IFIFO, Mode::from_bits_truncate(0o666), 0).unwrap();
    // A runtime that opens the fifo blocks forever. Running and failing are both accepted.
    c.prepare("run", &[]).spawn().finish_within(Duration::from_secs(10));
}

/// Prints the five capability sets in /proc/self/status.
const SHOW: &str = "grep ^Cap /proc/self/status | tr '\\n\\t' '  '";
const NONE: &str = "0000000000000000";

fn has(output: &Output, set: &str, value: &str) {
    assert!(output.out.contains(&format!("{set}: {value} ")), "{set} is not {value}: {output:?}");
}

/// The runtime runs with every capability in its ambient set. A non-root user in the container gets none of them.
fn cve_2016_8867_a_user_gets_no_ambient_capabilities() {
    let c = Container::sh(SHOW).edit(|c| c["process"]["user"] = json!({"uid": 1000, "gid": 1000}));
    c.write();
    let (suite, state) = (std::env::current_exe().unwrap(), c.state_dir());
    let mut words = vec![suite.to_str().unwrap(), "probe", "raise", &RUNTIME, "--root", state.to_str().unwrap()];
    words.extend(["run", "--bundle", c.dir.to_str().unwrap(), &c.id]);
    let output = Call::new(&c.dir, &words).run().ok();
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        has(&output, set, NONE);
    }
}

/// Message lengths had 16 bits. A longer value must arrive complete or be refused, and must not change later values.
fn cve_2021_43784_long_values_overflow_nothing() {
    let long = "x".repeat(0x1_0000 + 8);
    let c = Container::sh("echo ${#LONG}; id -u").edit(|c| {
        c["process"]["env"] = json!([format!("LONG={long}"), "PATH=/bin"]);
        c["process"]["user"] = json!({"uid": 1000, "gid": 1000, "additionalGids": (2..40_000).collect::<Vec<_>>()});
        c["annotations"] = json!({"long": long});
    });
    let output = c.run();
    assert!(output.code() != 0 || output.out == format!("{}\n1000\n", long.len()), "{}", output.code());
    // The id maps are the value that overflowed the messages in the CVE.
    let c = Container::sh("id -u").edit(|c| {
        let maps: Vec<_> = (0..9000_u32).map(|n| json!({"containerID": n, "hostID": 100_000 + n, "size": 1})).collect();
        crate::harness::bundle::push(&mut c["linux"]["namespaces"], json!({"type": "user"}));
        c["linux"]["uidMappings"] = json!(maps);
        c["linux"]["gidMappings"] = json!(maps);
    });
    c.create().fails();
    c.nothing_left();
}

fn cve_2022_27650_nothing_becomes_inheritable() {
    for uid in [0, 1000] {
        let c = Container::sh(SHOW).edit(|c| c["process"]["user"] = json!({"uid": uid, "gid": uid}));
        let output = c.run().ok();
        has(&output, "CapInh", NONE);
        has(&output, "CapAmb", NONE);
    }
}

fn cve_2022_29162_exec_adds_nothing_inheritable() {
    let c = Container::sleeper().up();
    for user in ["0", "1000"] {
        let flags = ["--user", user, "--cap", "CAP_CHOWN", "--cap", "CAP_SYS_ADMIN"];
        let output = c.call(&[&["exec"], &flags[..], &[&c.id, "/bin/sh", "-c", SHOW]].concat()).run().ok();
        has(&output, "CapInh", NONE);
        has(&output, "CapAmb", NONE);
    }
}

/// (name, value of `exec --user`, the resulting uid if it is valid).
const USERS: &[(&str, &str, Option<&str>)] = &[
    ("one", "1", Some("1")),
    ("pair", "1:2", Some("1")),
    ("zero", "0", Some("0")),
    ("zeros", "00", Some("0")),
    ("leading-zero", "01", Some("1")),
    ("not-given", "", Some("5")),
    ("colon", "1:", None),
    ("no-user", ":1", None),
    ("blank", " 1", None),
    ("blank-after", "1 ", None),
    ("letters", "1x", None),
    ("hexadecimal", "0x1", None),
    ("negative", "-1", None),
    ("beyond-32-bits", "4294967296", None),
    ("beyond-64-bits", "18446744073709551617", None),
    ("three", "1:2:3", None),
    ("name", "user", None),
    ("nobody-is-everybody", "4294967295", None),
];

/// A value that is not a number is refused. It never becomes another uid, such as root.
fn exec_user(row: &(&str, &str, Option<&str>)) {
    let c = Container::sleeper().edit(|c| c["process"]["user"] = json!({"uid": 5, "gid": 6})).up();
    let output = c.call(&["exec", "--user", row.1, &c.id, "/bin/sh", "-c", "id -u"]).run();
    match row.2 {
        Some(uid) if output.code() == 0 => assert_eq!(output.line(), uid, "{output:?}"),
        // Some runtimes reject leading zeros or an empty value.
        Some(_) => assert!(["zeros", "leading-zero", "not-given"].contains(&row.0), "{output:?}"),
        None => drop(output.fails()),
    }
}
