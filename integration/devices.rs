//! Tests `/dev`: default devices and links, `linux.devices`, and the device rules of the cgroup. Attacks through
//! devices are in `attacks/devices.rs`.

use crate::harness::bundle::Container;
use crate::harness::runtime::only_davit;
use crate::harness::trial::{Test, rows, tests};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use serde_json::{Value, json};
use std::{fs, os::unix::fs::symlink};

pub(crate) fn tests() -> Vec<Test> {
    let mut all = tests![
        default_devices,
        default_devices_work,
        links_of_dev,
        no_link_without_proc,
        ptmx_gives_a_terminal,
        listed_devices,
        a_listed_device_replaces_the_default,
        an_existing_matching_device_is_kept,
        a_device_only_for_its_owner,
        bound_dev_is_left_alone,
        mknod_is_allowed_and_use_is_not,
        rules_change_live_and_stay_over_later_updates,
        no_access_slips_through_a_change_of_rules,
        a_container_without_a_device_program_gets_one,
    ];
    all.extend(rows!("occupied", OCCUPIED, occupied));
    all.extend(rows!("rule", RULES, rule));
    all.extend(rows!("refused change", REFUSED_CHANGES, refused_change));
    all
}

const DEFAULTS: &str = "full 1 7\nnull 1 3\nrandom 1 8\ntty 5 0\nurandom 1 9\nzero 1 5\n";

fn default_devices() {
    let c = Container::sh(
        "cd /dev; for d in full null random tty urandom zero; do stat -c '%n %F %t %T %a %u:%g' $d; done",
    );
    let wanted: String = DEFAULTS
        .lines()
        .map(|line| {
            let (name, numbers) = line.split_once(' ').unwrap();
            format!("{name} character special file {numbers} 666 0:0\n")
        })
        .collect();
    assert_eq!(c.prints(), wanted);
}

fn default_devices_work() {
    let c = Container::sh(
        "echo x >/dev/null && echo null; head -c 2 /dev/zero | tr '\\0' 0; echo; head -c 5 /dev/urandom | wc -c
         head -c 5 /dev/random | wc -c; echo x 2>/dev/null >/dev/full || echo full",
    );
    assert_eq!(c.prints(), "null\n00\n5\n5\nfull\n");
}

fn links_of_dev() {
    let c = Container::sh("cd /dev; for l in fd stdin stdout stderr ptmx; do readlink $l; done");
    assert_eq!(c.prints(), "/proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\n/proc/self/fd/2\npts/ptmx\n");
}

fn no_link_without_proc() {
    // The runtime creates the links only if their targets exist after the mounts.
    let c = Container::sh("ls /dev/pts /dev/null").edit(|c| {
        c["linux"]["maskedPaths"] = json!([]);
        c["linux"]["readonlyPaths"] = json!([]);
        c["mounts"].as_array_mut().unwrap().retain(|mount| mount["destination"] != "/proc");
    });
    assert!(c.prints().contains("/dev/null"));
}

fn ptmx_gives_a_terminal() {
    let c = Container::sh("exec 3<>/dev/ptmx && ls /dev/pts");
    assert_eq!(c.prints(), "0\nptmx\n");
}

fn listed_devices() {
    let devices = json!([
        {"type": "c", "path": "/dev/kmsg2", "major": 1, "minor": 11, "fileMode": 0o640, "uid": 5, "gid": 6},
        {"type": "u", "path": "/opt/deep/zero2", "major": 1, "minor": 5, "fileMode": 0o666},
        {"type": "b", "path": "/dev/block", "major": 7, "minor": 0, "fileMode": 0o100_600},
        {"type": "p", "path": "/dev/pipe", "fileMode": 0o622},
        {"type": "c", "path": "/dev/plain", "major": 1, "minor": 3}
    ]);
    let c = Container::sh(
        "stat -c '%n %F %t %T %a %u:%g' /dev/kmsg2 /opt/deep/zero2 /dev/block; stat -c '%n %F %a' /dev/pipe /dev/plain",
    )
    .edit(|c| c["linux"]["devices"] = devices);
    assert_eq!(
        c.prints(),
        "/dev/kmsg2 character special file 1 b 640 5:6\n/opt/deep/zero2 character special file 1 5 666 0:0\n\
         /dev/block block special file 7 0 600 0:0\n/dev/pipe fifo 622\n/dev/plain character special file 666\n"
    );
}

fn a_listed_device_replaces_the_default() {
    let c = Container::sh("stat -c '%F %t %T %a' /dev/full; echo kept >/dev/full; head -c 1 /dev/full | wc -c");
    let c = c.edit(|c| {
        c["linux"]["devices"] = json!([{"type": "c", "path": "/dev/full", "major": 1, "minor": 5, "fileMode": 0o600}]);
    });
    assert_eq!(c.prints(), "character special file 1 5 600\n1\n");
}

/// Removes the tmpfs on /dev, so the container uses the image's own directory.
fn without_dev(c: &mut Value) {
    c["mounts"].as_array_mut().unwrap().retain(|mount| !mount["destination"].as_str().unwrap().starts_with("/dev"));
}

fn node(c: &Container, path: &str, kind: SFlag, major: u64, minor: u64) {
    mknod(&c.root(path), kind, Mode::from_bits_truncate(0o666), makedev(major, minor)).unwrap();
}

fn an_existing_matching_device_is_kept() {
    let c = Container::sh("stat -c '%F %t %T' /dev/mine /dev/null").edit(without_dev).edit(|c| {
        c["linux"]["devices"] = json!([{"type": "c", "path": "/dev/mine", "major": 1, "minor": 5}]);
    });
    node(&c, "dev/mine", SFlag::S_IFCHR, 1, 5);
    node(&c, "dev/null", SFlag::S_IFCHR, 1, 3);
    assert_eq!(c.prints(), "character special file 1 5\ncharacter special file 1 3\n");
}

/// (name, what creates a conflicting /dev/mine); the configuration requests character device 1:5.
type Occupied = (&'static str, fn(&Container));

const OCCUPIED: &[Occupied] = &[
    ("other-number", |c| node(c, "dev/mine", SFlag::S_IFCHR, 1, 3)),
    ("other-type", |c| node(c, "dev/mine", SFlag::S_IFBLK, 1, 5)),
    ("fifo", |c| node(c, "dev/mine", SFlag::S_IFIFO, 0, 0)),
    ("file", |c| fs::write(c.root("dev/mine"), "").unwrap()),
    ("directory", |c| fs::create_dir(c.root("dev/mine")).unwrap()),
    ("dangling-link", |c| symlink("/nowhere", c.root("dev/mine")).unwrap()),
];

fn occupied(row: &Occupied) {
    let c = Container::sleeper().edit(without_dev).edit(|c| {
        c["linux"]["devices"] = json!([{"type": "c", "path": "/dev/mine", "major": 1, "minor": 5}]);
    });
    (row.1)(&c);
    c.refused("/dev/mine");
}

fn a_device_only_for_its_owner() {
    let c = Container::probe(&["readable", "/dev/own", "/dev/other"]).edit(|c| {
        c["process"]["user"] = json!({"uid": 1000, "gid": 1000});
        c["linux"]["devices"] = json!([
            {"type": "c", "path": "/dev/own", "major": 1, "minor": 5, "fileMode": 0o600, "uid": 1000, "gid": 0},
            {"type": "c", "path": "/dev/other", "major": 1, "minor": 5, "fileMode": 0o600, "uid": 1001, "gid": 0}
        ]);
    });
    assert_eq!(c.prints(), "/dev/own: ok\n/dev/other: EACCES\n");
}

fn bound_dev_is_left_alone() {
    let c = Container::sh("ls /dev").edit(without_dev);
    fs::create_dir(c.dir.join("dev")).unwrap();
    fs::write(c.dir.join("dev/only"), "").unwrap();
    mknod(&c.dir.join("dev/null"), SFlag::S_IFCHR, Mode::from_bits_truncate(0o666), makedev(1, 3)).unwrap();
    let source = c.dir.join("dev");
    let c = c.mount("/dev", "bind", source.to_str().unwrap(), &["bind"]).edit(|c| {
        // Masks nothing: masking uses the container's /dev, which is mounted earlier.
        c["linux"]["maskedPaths"] = json!([]);
    });
    assert_eq!(c.prints(), "null\nonly\n");
    assert_eq!(fs::read_dir(c.dir.join("dev")).unwrap().count(), 2);
}

fn mknod_is_allowed_and_use_is_not() {
    let c = Container::sh(
        "mknod /tmp/k c 1 11 && echo made; mknod /tmp/b b 7 0 && echo made; exec /probe probe readable /tmp/k /tmp/b",
    );
    let c = c.caps(&["CAP_MKNOD", "CAP_DAC_OVERRIDE", "CAP_SYS_ADMIN"]);
    assert_eq!(c.prints(), "made\nmade\n/tmp/k: EPERM\n/tmp/b: EPERM\n");
}

/// (name, rules, results of reading and writing /dev/k, the kernel log (1:11), then of reading and writing /dev/q
/// (1:99), which has no driver)
type Rule = (&'static str, &'static str, [&'static str; 4]);

const RULES: &[Rule] = &[
    ("none", "[]", ["EPERM", "EPERM", "EPERM", "EPERM"]),
    ("deny-all", r#"[{"allow": false, "access": "rwm"}]"#, ["EPERM", "EPERM", "EPERM", "EPERM"]),
    (
        "allow-one",
        r#"[{"allow": false, "access": "rwm"}, {"allow": true, "type": "c", "major": 1, "minor": 11, "access": "rw"}]"#,
        ["ok", "ok", "EPERM", "EPERM"],
    ),
    (
        "read-only",
        r#"[{"allow": false, "access": "rwm"}, {"allow": true, "type": "c", "major": 1, "minor": 11, "access": "r"}]"#,
        ["ok", "EPERM", "EPERM", "EPERM"],
    ),
    (
        "other-type",
        r#"[{"allow": false, "access": "rwm"}, {"allow": true, "type": "b", "major": 1, "minor": 11, "access": "rw"}]"#,
        ["EPERM", "EPERM", "EPERM", "EPERM"],
    ),
    (
        "any-minor",
        r#"[{"allow": false, "access": "rwm"}, {"allow": true, "type": "c", "major": 1, "access": "rw"}]"#,
        ["ok", "ok", "ok", "ok"],
    ),
    (
        "minus-one",
        r#"[{"allow": false, "access": "rwm"}, {"allow": true, "type": "c", "major": 1, "minor": -1, "access": "rw"}]"#,
        ["ok", "ok", "ok", "ok"],
    ),
    (
        "later-wins",
        r#"[{"allow": false, "access": "rwm"}, {"allow": true, "type": "c", "major": 1, "minor": 11, "access": "rw"}, {"allow": false, "type": "c", "major": 1, "minor": 11, "access": "w"}]"#,
        ["ok", "EPERM", "EPERM", "EPERM"],
    ),
    (
        "allow-all",
        r#"[{"allow": false, "access": "rwm"}, {"allow": true, "type": "a", "access": "rwm"}]"#,
        ["ok", "ok", "ok", "ok"],
    ),
    (
        "allow-all-but-one",
        r#"[{"allow": true, "access": "rwm"}, {"allow": false, "type": "c", "major": 1, "minor": 11, "access": "rwm"}]"#,
        ["EPERM", "EPERM", "ok", "ok"],
    ),
];

fn rule(row: &Rule) {
    let script = "/probe probe readable /dev/k; /probe probe writable /dev/k; /probe probe readable /dev/q; /probe probe writable /dev/q";
    let c =
        Container::sh(script).caps(&["CAP_SYSLOG", "CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE", "CAP_SYS_RAWIO"]).edit(|c| {
            c["linux"]["resources"]["devices"] = serde_json::from_str(row.1).unwrap();
            c["linux"]["devices"] = json!([
                {"type": "c", "path": "/dev/k", "major": 1, "minor": 11, "fileMode": 0o666},
                {"type": "c", "path": "/dev/q", "major": 1, "minor": 99, "fileMode": 0o666}
            ]);
        });
    let output = c.prints();
    let answers: Vec<_> = output.lines().map(|line| line.split_once(": ").unwrap().1).collect();
    // Device 1:99 does not exist: the kernel returns ENXIO only after the cgroup has allowed the access.
    let answers: Vec<_> = answers.into_iter().map(|one| if one == "ENXIO" { "ok" } else { one }).collect();
    assert_eq!(answers, row.2);
}

/// A running container with a node for the kernel log, which the default rules deny. Opening it only for writing needs
/// no capability.
fn with_log(script: &str) -> Container {
    only_davit("other runtimes cannot change the device rules of a running container");
    let node = json!([{"type": "c", "path": "/dev/log2", "major": 1, "minor": 11, "fileMode": 0o666}]);
    Container::sh(script).edit(|c| c["linux"]["devices"] = node).up()
}

/// Which of the opens the rules grant: the log for writing, /dev/zero for reading and for writing.
fn opens(c: &Container) -> String {
    let script = "(: >/dev/log2) 2>/dev/null && echo log; (: </dev/zero) 2>/dev/null && echo r
                  (: >/dev/zero) 2>/dev/null && echo w; :";
    c.call(&["exec", &c.id, "sh", "-c", script]).run().ok().out.replace('\n', " ").trim_end().to_owned()
}

fn update(c: &Container, words: &[&str]) {
    c.call(&[&["update"], words, &[&c.id]].concat()).run().ok().silent();
}

fn rules_change_live_and_stay_over_later_updates() {
    let c = with_log("sleep 100");
    assert_eq!(opens(&c), "r w");
    update(&c, &["--device-allow", "c 1:11 w"]);
    assert_eq!(opens(&c), "log r w");
    update(&c, &["--device-deny", "/dev/zero:r", "--device-deny", "c 10:* rwm"]);
    assert_eq!(opens(&c), "log w");
    // An engine sends all resources to change a limit.
    let all = json!({"devices": [{"allow": false, "access": "rwm"}]}).to_string();
    c.call(&["update", "--resources", "-", &c.id]).input(&all).run().ok().silent();
    assert_eq!(opens(&c), "log w");
    update(&c, &["--device-deny", "/dev/zero:w"]);
    assert_eq!(opens(&c), "log");
    update(&c, &["--device-allow", "c 1:* rw", "--device-deny", "c 1:11 w"]);
    assert_eq!(opens(&c), "r w");
    c.call(&["update", "--devices", "--resources", "-", &c.id]).input(&all).run().ok().silent();
    assert_eq!(opens(&c), "r w");
    update(&c, &["--device-deny", "a"]);
    assert_eq!(opens(&c), "");
}

fn no_access_slips_through_a_change_of_rules() {
    let c = with_log(
        "while [ ! -e /out/stop ]; do
             (: >/dev/null) 2>/dev/null || echo denied >>/out/wrong
             (: >/dev/log2) 2>/dev/null && echo granted >>/out/wrong
             [ -e /out/runs ] || echo >/out/runs
         done; echo >/out/ended; sleep 100",
    );
    c.wait_out("runs");
    for round in 0..150 {
        update(&c, &[if round % 2 == 0 { "--device-allow" } else { "--device-deny" }, "c 1:5 rwm"]);
    }
    fs::write(c.root("out/stop"), "").unwrap();
    c.wait_out("ended");
    assert_eq!(fs::read_to_string(c.root("out/wrong")).unwrap_or_default(), "");
}

fn a_container_without_a_device_program_gets_one() {
    only_davit("other runtimes cannot change the device rules of a running container");
    let c = Container::sh("sleep 100").edit(|c| {
        c["linux"]["devices"] = json!([{"type": "c", "path": "/dev/log2", "major": 1, "minor": 11, "fileMode": 0o666}]);
        c["linux"]["resources"]["devices"] = json!([{"allow": true, "access": "rwm"}]);
    });
    let c = c.up();
    assert_eq!(opens(&c), "log r w");
    update(&c, &["--device-deny", "c 1:11"]);
    assert_eq!(opens(&c), "r w");
}

/// (name, flags, what the error says).
type RefusedChange = (&'static str, &'static [&'static str], &'static str);

const REFUSED_CHANGES: &[RefusedChange] = &[
    ("not a rule", &["--device-allow", "fuse"], "--device-allow \"fuse\": expected a rule such as \"c 10:229 rwm\""),
    ("not a device", &["--device-deny", "/dev"], "--device-deny \"/dev\": is not a device"),
    ("no such device", &["--device-allow", "/dev/none:r"], "/dev/none:r\": stat: no such file or directory"),
    ("no resources", &["--devices"], "--devices needs --resources"),
    ("no devices", &["--devices", "--resources", "/dev/stdin"], "--devices: the resources have no devices"),
];

fn refused_change(row: &RefusedChange) {
    let c = with_log("sleep 100");
    let words = [&["update", "--device-allow", "c 1:11 w"], row.1, &[&c.id]].concat();
    c.call(&words).input("{}").run().exits(1).says(row.2);
    assert_eq!(opens(&c), "r w");
}
