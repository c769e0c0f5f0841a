//! Tests `mounts`, the root, masked and read-only paths by the mount table inside the container. Attacks through paths
//! and symbolic links are in `attacks/paths.rs`.

use crate::harness::bundle::{Container, push, without_namespace};
use crate::harness::kernel::need_idmapped_tmpfs;
use crate::harness::skip::skip;
use crate::harness::trial::{Test, rows, tests};
use crate::harness::unshared::apart;
use crate::harness::user::AS_USER;
use serde_json::json;
use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink},
    path::Path,
};

pub(crate) fn tests() -> Vec<Test> {
    let mut all = tests![
        only_the_configured_mounts_are_there,
        nothing_is_mounted_by_default,
        mounts_stay_in_the_container,
        mounts_are_done_in_order,
        remount_changes_an_earlier_mount,
        bind_creates_its_target,
        bind_of_a_file_creates_a_file,
        bind_of_a_file_on_a_directory,
        bind_source_is_relative_to_the_bundle,
        bind_of_a_missing_source,
        bind_options_leave_the_source_alone,
        bind_with_filesystem_options,
        rbind_brings_submounts_and_bind_does_not,
        destination_may_be_relative,
        destination_must_not_be_the_root,
        unknown_filesystem_is_named,
        unknown_option_fails,
        tmpfs_takes_the_mode_of_its_target,
        tmpfs_without_mode_gets_1777_on_a_new_target,
        tmpcopyup_copies_what_is_below,
        proc_is_of_the_containers_own_pid_namespace,
        cgroup_type_mounts_cgroup2,
        mqueue_is_mounted,
        only_some_files_of_proc_may_be_covered,
        idmap_without_mappings_fails,
        idmapped_bind_shifts_owners,
        readonly_root,
        writable_root,
        no_pivot_works,
        masked_paths_cannot_be_read,
        masked_path_that_is_missing_is_skipped,
        many_masked_directories,
        readonly_paths_cannot_be_written,
        readonly_paths_keep_their_flags,
        many_mounts_with_few_open_files,
        without_a_mount_namespace_the_mounts_are_made_and_removed,
        without_a_mount_namespace_a_failed_create_leaves_no_mount,
        without_a_mount_namespace_the_engines_mount_stays,
    ];
    all.extend(rows!("option", OPTIONS, fresh));
    all.extend(rows!("bind", BINDS, bind));
    all.extend(rows!("recursive", RECURSIVE, recursive));
    all.extend(rows!("propagation", PROPAGATION, propagation));
    all.extend(rows!("root-propagation", ROOT_PROPAGATION, root_propagation));
    all
}

/// A line of /proc/self/mountinfo.
#[derive(Debug)]
struct Line {
    point: String,
    /// Per-mount options.
    options: Vec<String>,
    /// `shared:1`, `master:1`, `unbindable`.
    propagation: Vec<String>,
    kind: String,
    /// Options of the superblock.
    superblock: Vec<String>,
}

fn parse(text: &str) -> Vec<Line> {
    let split =
        |text: &str, by: char| text.split(by).filter(|one| !one.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    let line = |line: &str| {
        let (left, right) = line.split_once(" - ")?;
        let (left, right) = (split(left, ' '), split(right, ' '));
        Some(Line {
            point: left[4].clone(),
            options: split(&left[5], ','),
            propagation: left[6..].to_vec(),
            kind: right[0].clone(),
            superblock: right.last().map(|all| split(all, ',')).unwrap_or_default(),
        })
    };
    text.lines().filter_map(line).collect()
}

/// Returns the mount table, as the container's own process sees it.
#[track_caller]
fn table(c: &Container) -> Vec<Line> {
    parse(&c.prints())
}

fn show() -> Container {
    Container::new(&["/bin/cat", "/proc/self/mountinfo"])
}

/// Returns the topmost mount at this point.
#[track_caller]
fn at(lines: Vec<Line>, point: &str) -> Line {
    lines.into_iter().rev().find(|line| line.point == point).unwrap_or_else(|| panic!("nothing is mounted on {point}"))
}

/// (name, options, expected options, forbidden options): `x` is a per-mount option, `+x` a superblock option.
type Row = (&'static str, &'static [&'static str], &'static [&'static str], &'static [&'static str]);

const OPTIONS: &[Row] = &[
    ("none", &[], &["rw", "relatime"], &["ro", "nosuid", "nodev", "noexec"]),
    ("defaults", &["defaults"], &["rw", "relatime"], &["ro"]),
    ("ro", &["ro"], &["ro"], &["rw"]),
    ("rw", &["rw"], &["rw"], &["ro"]),
    ("ro-rw", &["ro", "rw"], &["rw"], &["ro"]),
    ("rw-ro", &["rw", "ro"], &["ro"], &["rw"]),
    ("nosuid", &["nosuid"], &["nosuid"], &[]),
    ("suid", &["nosuid", "suid"], &[], &["nosuid"]),
    ("nodev", &["nodev"], &["nodev"], &[]),
    ("dev", &["nodev", "dev"], &[], &["nodev"]),
    ("noexec", &["noexec"], &["noexec"], &[]),
    ("exec", &["noexec", "exec"], &[], &["noexec"]),
    ("sync", &["sync"], &["+sync"], &[]),
    ("async", &["sync", "async"], &[], &["+sync"]),
    ("dirsync", &["dirsync"], &["+dirsync"], &[]),
    ("lazytime", &["lazytime"], &["+lazytime"], &[]),
    ("nolazytime", &["lazytime", "nolazytime"], &[], &["+lazytime"]),
    ("iversion", &["iversion"], &[], &[]),
    ("noiversion", &["noiversion"], &[], &[]),
    ("silent", &["silent"], &[], &[]),
    ("loud", &["loud"], &[], &[]),
    ("mand", &["mand"], &[], &[]),
    ("nomand", &["nomand"], &[], &[]),
    ("noatime", &["noatime"], &["noatime"], &["relatime"]),
    ("atime", &["noatime", "atime"], &["relatime"], &["noatime"]),
    ("relatime", &["relatime"], &["relatime"], &[]),
    ("norelatime", &["norelatime"], &[], &["noatime"]),
    ("strictatime", &["strictatime"], &[], &["relatime", "noatime"]),
    ("nostrictatime", &["strictatime", "nostrictatime"], &["relatime"], &[]),
    ("nodiratime", &["nodiratime"], &["nodiratime"], &[]),
    ("diratime", &["nodiratime", "diratime"], &[], &["nodiratime"]),
    ("nosymfollow", &["nosymfollow"], &["nosymfollow"], &[]),
    ("symfollow", &["nosymfollow", "symfollow"], &[], &["nosymfollow"]),
    ("size", &["size=1m"], &["+size=1024k"], &[]),
    ("mode", &["mode=0700", "nosuid"], &["+mode=700", "nosuid"], &[]),
    ("owner", &["uid=5", "gid=6"], &["+uid=5", "+gid=6"], &[]),
    (
        "many",
        &["nosuid", "noexec", "size=4k", "ro", "strictatime"],
        &["ro", "nosuid", "noexec", "+size=4k"],
        &["relatime"],
    ),
    ("rro", &["rro"], &["ro"], &["rw"]),
];

#[track_caller]
fn check(line: &Line, there: &[&str], absent: &[&str]) {
    let has = |wanted: &str| match wanted.strip_prefix('+') {
        Some(option) => line.superblock.iter().any(|one| one == option),
        None => line.options.iter().any(|one| one == wanted),
    };
    for wanted in there {
        assert!(has(wanted), "no {wanted} in {line:?}");
    }
    for unwanted in absent {
        assert!(!has(unwanted), "{unwanted} in {line:?}");
    }
}

fn fresh(row: &Row) {
    let line = at(table(&show().mount("/m", "tmpfs", "tmpfs", row.1)), "/m");
    assert_eq!(line.kind, "tmpfs");
    check(&line, row.2, row.3);
}

const BINDS: &[Row] = &[
    ("plain", &["bind"], &["rw"], &["ro"]),
    ("ro", &["bind", "ro"], &["ro"], &["rw"]),
    ("ro-first", &["ro", "bind"], &["ro"], &[]),
    ("flags", &["rbind", "nosuid", "nodev", "noexec"], &["rw", "nosuid", "nodev", "noexec"], &[]),
    ("noatime", &["bind", "noatime"], &["noatime"], &["relatime"]),
    ("nodiratime", &["bind", "nodiratime"], &["nodiratime"], &[]),
    ("nosymfollow", &["bind", "nosymfollow"], &["nosymfollow"], &[]),
    ("ro-rw", &["bind", "ro", "rw"], &["rw"], &["ro"]),
    ("rro", &["rbind", "rro"], &["ro"], &["rw"]),
];

fn bind(row: &Row) {
    let c = show();
    fs::create_dir(c.dir.join("src")).unwrap();
    let source = c.dir.join("src");
    let line = at(table(&c.mount("/m", "none", source.to_str().unwrap(), row.1)), "/m");
    check(&line, row.2, row.3);
}

/// The effect of the options on a mount below the source: /sys/fs/cgroup below /sys.
const RECURSIVE: &[Row] = &[
    ("ro-is-not-recursive", &["rbind", "nosymfollow"], &[], &["nosymfollow"]),
    ("rro", &["rbind", "rro"], &["ro"], &["rw"]),
    ("rrw", &["rbind", "rro", "rrw"], &["rw"], &["ro"]),
    ("rnosuid", &["rbind", "rnosuid"], &["nosuid"], &[]),
    ("rsuid", &["rbind", "rnosuid", "rsuid"], &[], &["nosuid"]),
    ("rnodev", &["rbind", "rnodev"], &["nodev"], &[]),
    ("rdev", &["rbind", "rnodev", "rdev"], &[], &["nodev"]),
    ("rnoexec", &["rbind", "rnoexec"], &["noexec"], &[]),
    ("rexec", &["rbind", "rnoexec", "rexec"], &[], &["noexec"]),
    ("rnoatime", &["rbind", "rnoatime"], &["noatime"], &["relatime"]),
    ("ratime", &["rbind", "rnoatime", "ratime"], &["relatime"], &["noatime"]),
    ("rstrictatime", &["rbind", "rstrictatime"], &[], &["relatime", "noatime"]),
    ("rnostrictatime", &["rbind", "rstrictatime", "rnostrictatime"], &["relatime"], &[]),
    ("rrelatime", &["rbind", "rnoatime", "rrelatime"], &["relatime"], &["noatime"]),
    ("rnorelatime", &["rbind", "rnorelatime"], &[], &["noatime"]),
    ("rnodiratime", &["rbind", "rnodiratime"], &["nodiratime"], &[]),
    ("rdiratime", &["rbind", "rnodiratime", "rdiratime"], &[], &["nodiratime"]),
    ("rnosymfollow", &["rbind", "rnosymfollow"], &["nosymfollow"], &[]),
    ("rsymfollow", &["rbind", "rnosymfollow", "rsymfollow"], &[], &["nosymfollow"]),
    ("together", &["rbind", "rro", "rnosuid", "rnoatime"], &["ro", "nosuid", "noatime"], &[]),
];

fn recursive(row: &Row) {
    if *AS_USER && ["rsuid", "rdev", "rexec"].contains(&row.0) {
        skip("a user namespace cannot clear flags of the host's mounts (mount_namespaces(7))");
    }
    let line = at(table(&show().mount("/m", "bind", "/sys", row.1)), "/m/fs/cgroup");
    check(&line, row.2, row.3);
}

/// (name, options, the start of the one propagation field)
const PROPAGATION: &[(&str, &[&str], &str)] = &[
    ("default", &[], ""),
    ("private", &["private"], ""),
    ("rprivate", &["rprivate"], ""),
    ("shared", &["shared"], "shared:"),
    ("rshared", &["rshared"], "shared:"),
    ("slave", &["slave"], ""),
    ("rslave", &["rslave"], ""),
    ("slave-of-itself", &["shared", "slave"], ""),
    ("unbindable", &["unbindable"], "unbindable"),
    ("runbindable", &["runbindable"], "unbindable"),
];

fn propagation(row: &(&str, &[&str], &str)) {
    let line = at(table(&show().mount("/m", "tmpfs", "tmpfs", row.1)), "/m");
    let found = line.propagation.join(" ");
    assert!(if row.2.is_empty() { found.is_empty() } else { found.starts_with(row.2) }, "{line:?}");
}

const ROOT_PROPAGATION: &[(&str, &str)] = &[
    ("private", ""),
    ("slave", ""),
    ("rslave", ""),
    ("shared", "shared:"),
    ("rshared", "shared:"),
    ("unbindable", "unbindable"),
];

fn root_propagation(row: &(&str, &str)) {
    let c = show().edit(|c| c["linux"]["rootfsPropagation"] = json!(row.0));
    let line = at(table(&c), "/");
    let found = line.propagation.join(" ");
    assert!(if row.1.is_empty() { !found.contains("shared") } else { found.contains(row.1) }, "{line:?}");
}

fn only_the_configured_mounts_are_there() {
    let c = show().edit(|c| c["linux"]["maskedPaths"] = json!([]));
    let c = c.edit(|c| c["linux"]["readonlyPaths"] = json!([]));
    let mut points: Vec<_> = table(&c).into_iter().map(|line| line.point).collect();
    points.sort_unstable();
    assert_eq!(points, ["/", "/dev", "/dev/pts", "/dev/shm", "/proc", "/sys", "/sys/fs/cgroup"]);
}

/// Even mounts that every program expects (/proc, /sys, /dev/pts, /dev/shm) come only from the configuration.
fn nothing_is_mounted_by_default() {
    let c = Container::sleeper().edit(|c| {
        c["mounts"] = json!([]);
        c["linux"]["maskedPaths"] = json!([]);
        c["linux"]["readonlyPaths"] = json!([]);
    });
    let c = c.up();
    let mounts = fs::read_to_string(format!("/proc/{}/mountinfo", c.pid())).unwrap();
    let points: Vec<_> = mounts.lines().filter_map(|line| line.split(' ').nth(4)).collect();
    assert_eq!(points, ["/"], "{mounts}");
}

fn mounts_stay_in_the_container() {
    let c = Container::sleeper().mount("/m", "tmpfs", "tmpfs", &[]).up();
    let host = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!host.contains(c.dir.to_str().unwrap()), "{host}");
}

fn mounts_are_done_in_order() {
    let c = Container::sh("cat /m/sub/file; test -e /hidden/file || echo hidden");
    for (name, text) in [("a/sub/file", "a"), ("b/file", "b\n"), ("h/file", "h")] {
        let path = c.dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let (a, b, h) = (c.dir.join("a"), c.dir.join("b"), c.dir.join("h"));
    let c = c
        .mount("/m", "bind", a.to_str().unwrap(), &["bind"])
        .mount("/m/sub", "bind", b.to_str().unwrap(), &["bind"])
        .mount("/hidden", "bind", h.to_str().unwrap(), &["bind"])
        .mount("/hidden", "tmpfs", "tmpfs", &[]);
    assert_eq!(c.prints(), "b\nhidden\n");
}

fn remount_changes_an_earlier_mount() {
    let c =
        show().mount("/m", "tmpfs", "tmpfs", &["nosuid"]).mount("/m", "tmpfs", "tmpfs", &["remount", "ro", "noexec"]);
    let lines = table(&c);
    assert_eq!(lines.iter().filter(|line| line.point == "/m").count(), 1);
    check(&at(lines, "/m"), &["ro", "noexec"], &[]);
}

fn bind_creates_its_target() {
    let c = Container::sh("ls -d /new/deep/er; cat /new/deep/er/file");
    fs::create_dir(c.dir.join("src")).unwrap();
    fs::write(c.dir.join("src/file"), "content\n").unwrap();
    let source = c.dir.join("src");
    let c = c.mount("/new/deep/er", "bind", source.to_str().unwrap(), &["rbind"]);
    assert_eq!(c.prints(), "/new/deep/er\ncontent\n");
}

fn bind_of_a_file_creates_a_file() {
    let c = Container::sh("test -f /new/file && cat /new/file; echo more >>/new/file");
    let source = c.dir.join("src");
    fs::write(&source, "content\n").unwrap();
    let c = c.mount("/new/file", "bind", source.to_str().unwrap(), &["bind"]);
    assert_eq!(c.prints(), "content\n");
    assert_eq!(fs::read_to_string(source).unwrap(), "content\nmore\n");
    assert_eq!(fs::metadata(c.root("new/file")).unwrap().len(), 0, "the target was written, not covered");
}

fn bind_of_a_file_on_a_directory() {
    let c = Container::sleeper();
    let source = c.dir.join("src");
    fs::write(&source, "").unwrap();
    let output = c.mount("/etc", "bind", source.to_str().unwrap(), &["bind"]);
    let output = output.refused("");
    assert!(output.err.to_lowercase().contains("not a directory"), "{output:?}");
}

fn bind_source_is_relative_to_the_bundle() {
    let c = Container::sh("cat /m/file");
    fs::create_dir(c.dir.join("src")).unwrap();
    fs::write(c.dir.join("src/file"), "content\n").unwrap();
    let c = c.mount("/m", "bind", "src", &["bind"]);
    assert_eq!(c.prepare("run", &[]).cwd(Path::new("/")).run().ok().out, "content\n");
}

fn bind_of_a_missing_source() {
    let output = Container::sleeper().mount("/m", "bind", "/no/such/source", &["bind"]).refused("/no/such/source");
    assert!(output.err.to_lowercase().contains("no such file"), "{output:?}");
}

fn bind_options_leave_the_source_alone() {
    let c = Container::sh("touch /m/x 2>/dev/null || echo refused; touch /n/x && echo written");
    fs::create_dir(c.dir.join("src")).unwrap();
    let source = c.dir.join("src").to_str().unwrap().to_owned();
    let c = c.mount("/m", "bind", &source, &["bind", "ro"]).mount("/n", "bind", &source, &["bind"]);
    assert_eq!(c.prints(), "refused\nwritten\n");
    fs::write(Path::new(&source).join("y"), "").unwrap();
}

fn bind_with_filesystem_options() {
    Container::sleeper().mount("/m", "bind", "/sys", &["bind", "size=1m"]).refused("filesystem-specific options");
}

fn rbind_brings_submounts_and_bind_does_not() {
    let c = show().mount("/r", "bind", "/sys", &["rbind"]).mount("/b", "bind", "/sys", &["bind"]);
    let points: Vec<_> = table(&c).into_iter().map(|line| line.point).collect();
    assert!(points.iter().any(|point| point == "/r/fs/cgroup"), "{points:?}");
    assert!(!points.iter().any(|point| point.starts_with("/b/")), "{points:?}");
}

fn destination_may_be_relative() {
    assert_eq!(at(table(&show().mount("m/n", "tmpfs", "tmpfs", &[])), "/m/n").kind, "tmpfs");
}

fn destination_must_not_be_the_root() {
    Container::sleeper().mount("/", "tmpfs", "tmpfs", &[]).refused("");
}

fn unknown_filesystem_is_named() {
    let output = Container::sleeper().mount("/m", "nosuchfs", "x", &[]).refused("/m");
    assert!(output.err.to_lowercase().contains("no such device") || output.err.contains("nosuchfs"), "{output:?}");
}

fn unknown_option_fails() {
    let output = Container::sleeper().mount("/m", "tmpfs", "tmpfs", &["nosuchoption"]).refused("/m");
    assert!(output.err.to_lowercase().contains("invalid argument"), "{output:?}");
}

fn tmpfs_without_mode_gets_1777_on_a_new_target() {
    let c = Container::sh("stat -c %a /new/m; touch /new/m/file; echo $?");
    let c = c.mount("/new/m", "tmpfs", "tmpfs", &[]).edit(|c| {
        c["process"]["user"] = json!({"uid": 1000, "gid": 1000});
    });
    assert_eq!(c.prints(), "1777\n0\n");
}

fn tmpfs_takes_the_mode_of_its_target() {
    let c = Container::sh("stat -c %a /m; stat -c %a /n");
    fs::create_dir(c.root("m")).unwrap();
    fs::set_permissions(c.root("m"), fs::Permissions::from_mode(0o1751)).unwrap();
    let c = c.mount("/m", "tmpfs", "tmpfs", &[]).mount("/n", "tmpfs", "tmpfs", &["mode=0711"]);
    assert_eq!(c.prints(), "1751\n711\n");
}

fn tmpcopyup_copies_what_is_below() {
    let c = Container::sh(
        "cat /m/sub/file; readlink /m/link; stat -c %a:%u /m/sub; echo changed >/m/sub/file; cat /m/sub/file",
    );
    fs::create_dir_all(c.root("m/sub")).unwrap();
    fs::write(c.root("m/sub/file"), "kept\n").unwrap();
    fs::set_permissions(c.root("m/sub"), fs::Permissions::from_mode(0o750)).unwrap();
    chown(c.root("m/sub"), Some(0), Some(0)).unwrap();
    symlink("/etc/passwd", c.root("m/link")).unwrap();
    let c = c.mount("/m", "tmpfs", "tmpfs", &["tmpcopyup", "nosuid"]);
    assert_eq!(c.prints(), "kept\n/etc/passwd\n750:0\nchanged\n");
    assert_eq!(fs::read_to_string(c.root("m/sub/file")).unwrap(), "kept\n");
}

fn proc_is_of_the_containers_own_pid_namespace() {
    assert_eq!(
        Container::sh("cd /proc; echo [0-9]*; tr '\\0' ' ' </proc/1/cmdline | cut -c1-7").prints(),
        "1\n/bin/sh\n"
    );
}

fn cgroup_type_mounts_cgroup2() {
    let c = Container::sh("grep ' /sys/fs/cgroup ' /proc/self/mountinfo; cat /sys/fs/cgroup/cgroup.procs");
    let output = c.prints();
    assert!(output.contains(" - cgroup2 "), "{output}");
    assert!(
        output.lines().any(|line| line == "1"),
        "the container's own cgroup is not the root of the mount: {output}"
    );
}

fn mqueue_is_mounted() {
    if !fs::read_to_string("/proc/filesystems").unwrap().contains("mqueue") {
        skip("this kernel has no mqueue");
    }
    let c = show().mount("/dev/mqueue", "mqueue", "mqueue", &["nosuid", "noexec", "nodev"]);
    check(&at(table(&c), "/dev/mqueue"), &["nosuid", "noexec", "nodev"], &[]);
}

fn only_some_files_of_proc_may_be_covered() {
    let c = Container::sh("cat /proc/uptime");
    let source = c.dir.join("fake");
    fs::write(&source, "fake\n").unwrap();
    let source = source.to_str().unwrap().to_owned();
    assert_eq!(c.mount("/proc/uptime", "bind", &source, &["bind"]).prints(), "fake\n");
    for path in ["/proc/version", "/proc/self/attr", "/proc/sys/kernel/core_pattern", "/proc/1/ns"] {
        Container::sleeper().mount(path, "tmpfs", "tmpfs", &[]).refused("inside /proc");
    }
}

fn idmap_without_mappings_fails() {
    Container::sleeper().mount("/m", "bind", "/sys", &["bind", "idmap"]).refused("");
}

fn idmapped_bind_shifts_owners() {
    need_idmapped_tmpfs();
    let c = Container::sh("stat -c %u:%g /m/file");
    let source = c.dir.join("src");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("file"), "").unwrap();
    chown(source.join("file"), Some(1000), Some(1001)).unwrap();
    let c = c.edit(|c| {
        let map = |host: u32| json!([{"containerID": 1000, "hostID": host, "size": 10}]);
        push(
            &mut c["mounts"],
            json!({"destination": "/m", "type": "bind", "source": source, "options": ["bind", "idmap"],
                   "uidMappings": map(2000), "gidMappings": map(3000)}),
        );
    });
    assert_eq!(c.prints(), "2000:3001\n");
    assert_eq!(fs::metadata(c.dir.join("src/file")).unwrap().uid(), 1000);
}

/// Each of these mounts needs a descriptor of the runtime.
fn many_mounts_with_few_open_files() {
    let c = Container::sh("ulimit -S -n; ulimit -H -n >/dev/null; test -e /m/299/bin && echo all");
    let root = c.root("/").display().to_string();
    let out = c.dir.join("hook");
    let c = c.edit(|c| {
        if !*AS_USER {
            crate::userns::mapped(c);
        }
        for number in 0..300 {
            let entry =
                json!({"destination": format!("/m/{number}"), "type": "bind", "source": root, "options": ["bind"]});
            push(&mut c["mounts"], entry);
        }
        c["process"].as_object_mut().unwrap().remove("rlimits");
        let script = format!("ulimit -S -n >{}", out.display());
        c["hooks"] = json!({"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", script]}]});
        if !*AS_USER {
            c["hooks"]["createContainer"] =
                json!([{"path": "/bin/sh", "args": ["sh", "-c", format!("ulimit -S -n >>{}", out.display())]}]);
        }
    });
    fs::write(&out, "").unwrap();
    fs::set_permissions(&out, fs::Permissions::from_mode(0o666)).unwrap();
    for number in 0..300 {
        fs::create_dir_all(c.root(&format!("m/{number}"))).unwrap();
    }
    let output = crate::process::wrapped(&c, "ulimit -S -n 128; exec \"$@\"", "run").run().ok();
    assert_eq!(output.out, "128\nall\n");
    assert!(fs::read_to_string(&out).unwrap().lines().all(|line| line == "128"), "hooks got the runtime's limit");
}

fn in_the_callers_mounts(script: &str) -> Container {
    if *AS_USER {
        skip("a user has no rights to the host's mount namespace");
    }
    Container::sh(script).edit(|c| {
        without_namespace(c, "mount");
        c["linux"]["maskedPaths"] = json!(["/proc/version"]);
        c["linux"]["readonlyPaths"] = json!(["/proc/sys"]);
        c["root"]["readonly"] = json!(true);
    })
}

fn mounts_below(path: &Path) -> Vec<String> {
    let all = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
    let points = all.lines().filter_map(|line| line.split(' ').nth(4));
    points.filter(|point| Path::new(point).starts_with(path)).map(str::to_owned).collect()
}

fn without_a_mount_namespace_the_mounts_are_made_and_removed() {
    let script =
        "echo $$; test -c /dev/null && echo dev; touch /x /proc/sys/kernel/hostname; wc -c /proc/version; echo up";
    let c = in_the_callers_mounts(script);
    let output = c.run().ok().says("/x: Read-only file system").says("/hostname: Read-only file system");
    assert_eq!(output.out, "1\ndev\n0 /proc/version\nup\n");
    c.nothing_left();
    let c = in_the_callers_mounts("exec sleep 1000").up();
    assert!(mounts_below(&c.root("/")).iter().any(|point| point.ends_with("/rootfs/dev/pts")));
    let inside = c.call(&["exec", &c.id, "sh", "-c", "readlink /proc/self/ns/mnt; head -c 2 /dev/zero | wc -c"]).run();
    let own = fs::read_link("/proc/self/ns/mnt").unwrap();
    assert_eq!(inside.ok().out, format!("{}\n2\n", own.display()));
    c.call(&["delete", "--force", &c.id]).run().ok();
    c.nothing_left();
    fs::write(c.root("x"), "the source stays writable").unwrap();
}

fn without_a_mount_namespace_a_failed_create_leaves_no_mount() {
    let c = in_the_callers_mounts("true");
    c.edit(|c| c["process"]["args"] = json!(["/bin/no-such-program"])).refused("no-such-program");
    let c = in_the_callers_mounts("true").mount("/m", "no-such-type", "none", &[]);
    c.refused("no-such-type");
}

fn without_a_mount_namespace_the_engines_mount_stays() {
    apart(|| {
        let c = in_the_callers_mounts("exec sleep 1000");
        let (root, none) = (c.root("/"), None::<&str>);
        nix::mount::mount(Some(&root), &root, none, nix::mount::MsFlags::MS_BIND, none).unwrap();
        let before = mounts_below(&root);
        let c = c.up();
        assert!(mounts_below(&root).len() > before.len() + 4);
        c.call(&["delete", "--force", &c.id]).run().ok();
        assert_eq!(mounts_below(&root), before);
        // Somebody else has unmounted the container's root.
        let c = in_the_callers_mounts("exec sleep 1000").up();
        let root = c.root("/");
        nix::mount::umount2(&root, nix::mount::MntFlags::MNT_DETACH).unwrap();
        nix::mount::mount(Some(&root), &root, none, nix::mount::MsFlags::MS_BIND, none).unwrap();
        c.call(&["delete", "--force", &c.id]).run().ok();
        assert_eq!(mounts_below(&root).len(), 1);
    });
}

fn readonly_root() {
    let c = Container::sh("touch /x; touch /dev/x && echo dev; grep ' / / \\| / ' /proc/self/mountinfo | head -1");
    let c = c.edit(|c| c["root"]["readonly"] = json!(true));
    let output = c.run().ok().says("Read-only file system");
    assert!(output.out.starts_with("dev\n"), "{output:?}");
    assert!(!c.root("x").exists());
    fs::write(c.root("x"), "the source stays writable").unwrap();
}

fn writable_root() {
    let c = Container::sh("echo data >/x; echo $?");
    assert_eq!(c.prints(), "0\n");
    assert_eq!(fs::read_to_string(c.root("x")).unwrap(), "data\n");
}

fn no_pivot_works() {
    let c = Container::sh("ls / | grep -c probe; ls /../.. | grep -c probe; cat /proc/self/comm");
    assert_eq!(c.prepare("run", &["--no-pivot"]).run().ok().out, "1\n1\ncat\n");
}

fn masked_paths_cannot_be_read() {
    let c = Container::sh(
        "cat /secret; ls -A /hidden; touch /hidden/x 2>/dev/null && echo written; stat -c '%F %t:%T' /secret; ls /hidden2",
    );
    fs::write(c.root("secret"), "secret\n").unwrap();
    for directory in ["hidden", "hidden2"] {
        fs::create_dir(c.root(directory)).unwrap();
        fs::write(c.root(directory).join("file"), "").unwrap();
    }
    let c = c.edit(|c| c["linux"]["maskedPaths"] = json!(["/secret", "/hidden", "/hidden2"]));
    assert_eq!(c.prints(), "character special file 1:3\n");
}

fn masked_path_that_is_missing_is_skipped() {
    let c = Container::sh("ls /nothing 2>/dev/null || echo none");
    let c = c.edit(|c| c["linux"]["maskedPaths"] = json!(["/nothing", "/nothing/below"]));
    let c = c.edit(|c| c["linux"]["readonlyPaths"] = json!(["/nothing", "/nothing/below"]));
    assert_eq!(c.prints(), "none\n");
}

fn many_masked_directories() {
    let c = Container::sh("ls -A /m/* | grep -c file");
    let names: Vec<_> = (0..100).map(|number| format!("/m/{number}")).collect();
    for name in &names {
        fs::create_dir_all(c.root(name)).unwrap();
        fs::write(c.root(name).join("file"), "").unwrap();
    }
    let c = c.edit(|c| c["linux"]["maskedPaths"] = json!(names));
    assert_eq!(c.run().out, "0\n");
}

fn readonly_paths_cannot_be_written() {
    let c = Container::sh("for f in /r/x /f /r/m/x; do echo >>$f || echo $f; done 2>/dev/null; echo ok >/w/x");
    for directory in ["r", "w", "r/m"] {
        fs::create_dir(c.root(directory)).unwrap();
    }
    fs::write(c.root("f"), "").unwrap();
    let c = c.mount("/r/m", "tmpfs", "tmpfs", &[]);
    let c = c.edit(|c| c["linux"]["readonlyPaths"] = json!(["/r", "/f", "/none"]));
    let output = c.prints();
    assert!(output.starts_with("/r/x\n/f\n"), "{output}");
    assert_eq!(fs::read_to_string(c.root("w/x")).unwrap(), "ok\n");
}

fn readonly_paths_keep_their_flags() {
    let c = show().mount("/r", "tmpfs", "tmpfs", &["nosuid", "nodev", "noexec"]);
    let c = c.edit(|c| c["linux"]["readonlyPaths"] = json!(["/r"]));
    check(&at(table(&c), "/r"), &["ro", "nosuid", "nodev", "noexec"], &[]);
}
