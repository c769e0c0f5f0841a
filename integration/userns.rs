//! Tests user namespaces: id maps, paths that the mapped root cannot access, ownership, and nested namespaces. Calls
//! by an ordinary user are left to `rootless`.

use crate::harness::bundle::{Container, namespace, push, without_namespace};
use crate::harness::kernel::need_idmapped_tmpfs;
use crate::harness::runtime::only_davit;
use crate::harness::skip::skip;
use crate::harness::trial::{Test, rows, tests};
use crate::harness::unshared::{apart, mount_tmpfs};
use nix::mount::{MsFlags, mount};
use serde_json::{Value, json};
use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
};

pub(crate) fn tests() -> Vec<Test> {
    let mut all = tests![
        several_mappings,
        a_container_root_that_is_not_mapped_is_refused,
        maps_of_a_joined_namespace_must_agree,
        sources_the_mapped_root_cannot_reach,
        default_devices_are_the_hosts,
        the_cgroup_belongs_to_the_user,
        without_a_cgroup_namespace_only_the_own_cgroup_is_seen,
        sysfs_without_a_network_namespace,
        restrictions_of_the_hosts_mount_stay,
        score_and_limits_are_set_from_outside,
        time_offsets_in_a_joined_user_namespace,
        hooks_are_not_in_the_time_namespace,
        idmapped_by_the_containers_own_map,
        recursive_id_maps,
        bind_on_proc_must_be_proc,
        copied_symlink,
    ];
    all.extend(rows!("joined", JOINED, joined));
    all.extend(rows!("on-earlier-mount", ON_EARLIER_MOUNT, source_on_an_earlier_mount));
    all.extend(rows!("outside", OUTSIDE, joined_outside));
    all
}

/// Namespaces joined together with the user namespace: (OCI name, name below /proc/PID/ns).
const JOINED: &[(&str, &[(&str, &str)])] = &[
    ("alone", &[]),
    ("pid", &[("pid", "pid")]),
    ("network", &[("network", "net")]),
    ("ipc-uts", &[("ipc", "ipc"), ("uts", "uts")]),
    ("all", &[("pid", "pid"), ("network", "net"), ("ipc", "ipc"), ("uts", "uts")]),
];

/// (name, user namespace, mode of the bundle, option of the bind, owner of the file that has uid 1000 on the host)
const ON_EARLIER_MOUNT: &[(&str, bool, u32, &str, &str)] = &[
    ("plain", false, 0o755, "bind", "1000"),
    ("userns", true, 0o755, "bind", "65534"),
    ("userns-unreachable", true, 0o700, "bind", "65534"),
    ("mapped-plain", false, 0o755, "idmap", "6000"),
    ("mapped-userns", true, 0o755, "idmap", "1000"),
    ("mapped-userns-unreachable", true, 0o700, "idmap", "1000"),
];

/// (name, whether the user namespace is joined too, namespaces that do not belong to it)
type Outside = (&'static str, bool, &'static [(&'static str, &'static str)]);

const OUTSIDE: &[Outside] = &[
    ("time-joined", true, &[("time", "time")]),
    ("network-joined", true, &[("network", "net")]),
    ("pid-joined", true, &[("pid", "pid")]),
    ("all-joined", true, ALL_OUTSIDE),
    ("network-new", false, &[("network", "net")]),
    ("time-new", false, &[("time", "time")]),
    ("all-new", false, ALL_OUTSIDE),
];

const ALL_OUTSIDE: &[(&str, &str)] =
    &[("ipc", "ipc"), ("network", "net"), ("pid", "pid"), ("time", "time"), ("uts", "uts"), ("cgroup", "cgroup")];

pub(crate) fn mapped(config: &mut Value) {
    push(&mut config["linux"]["namespaces"], json!({"type": "user"}));
    let map = json!([{"containerID": 0, "hostID": 100_000, "size": 65536}]);
    config["linux"]["uidMappings"] = map.clone();
    config["linux"]["gidMappings"] = map;
}

fn without_mount(config: &mut Value, destination: &str) {
    config["mounts"].as_array_mut().unwrap().retain(|mount| mount["destination"] != destination);
}

fn link(pid: &str, file: &str) -> String {
    fs::read_link(format!("/proc/{pid}/ns/{file}")).unwrap().to_str().unwrap().to_owned()
}

fn several_mappings() {
    let c = Container::sh("cat /proc/self/uid_map; id -u").edit(|c| {
        mapped(c);
        c["linux"]["uidMappings"] = json!([
            {"containerID": 0, "hostID": 100_000, "size": 1000}, {"containerID": 1000, "hostID": 1000, "size": 1},
            {"containerID": 1001, "hostID": 101_001, "size": 64000}
        ]);
        c["process"]["user"]["uid"] = json!(1000);
    });
    let output = c.prints();
    let words: Vec<_> = output.split_whitespace().collect();
    assert_eq!(words, ["0", "100000", "1000", "1000", "1000", "1", "1001", "101001", "64000", "1000"]);
}

fn a_container_root_that_is_not_mapped_is_refused() {
    only_davit("crun accepts a container without a mapped root");
    let c = Container::sh("id").edit(|c| {
        mapped(c);
        c["linux"]["uidMappings"][0]["containerID"] = json!(1);
    });
    c.refused("no mapping for container uid 0");
}

fn joined(row: &(&str, &'static [(&'static str, &'static str)])) {
    let first = Container::sleeper().edit(mapped).up();
    let pid = first.pid().to_string();
    let files = ["user", "pid", "net", "ipc", "uts", "mnt"];
    let show: Vec<_> = files.iter().map(|file| format!("readlink /proc/self/ns/{file}")).collect();
    let c = Container::sh(&format!("{}; id -u; cat /proc/self/uid_map", show.join("; "))).edit(|c| {
        push(&mut c["linux"]["namespaces"], json!({"type": "user", "path": format!("/proc/{pid}/ns/user")}));
        for (kind, file) in row.1 {
            namespace(c, kind)["path"] = json!(format!("/proc/{pid}/ns/{file}"));
        }
        c.as_object_mut().unwrap().remove("hostname");
    });
    let output = c.prints();
    let words: Vec<_> = output.split_whitespace().collect();
    for (file, inside) in files.iter().zip(&words) {
        let shared = *file == "user" || row.1.iter().any(|(_, joined)| joined == file);
        assert_eq!(*inside == link(&pid, file), shared, "{file}: {inside}");
        assert_ne!(*inside, link("self", file), "{file}");
    }
    assert_eq!(words[6..], ["0", "0", "100000", "65536"]);
}

/// The second container's user namespace is new, or that of a third container.
fn joined_outside(row: &Outside) {
    if !std::path::Path::new("/proc/self/ns/time").exists() {
        skip("this kernel has no time namespaces");
    }
    let first = Container::sleeper().edit(|c| push(&mut c["linux"]["namespaces"], json!({"type": "time"}))).up();
    let user = Container::sleeper().edit(mapped).up();
    let pid = first.pid().to_string();
    let show: Vec<_> = row.2.iter().map(|(_, file)| format!("readlink /proc/self/ns/{file}")).collect();
    let c = Container::sleeper().edit(|c| {
        mapped(c);
        if row.1 {
            namespace(c, "user")["path"] = json!(format!("/proc/{}/ns/user", user.pid()));
        }
        for (kind, file) in row.2 {
            if *kind == "time" {
                push(&mut c["linux"]["namespaces"], json!({"type": "time"}));
            }
            namespace(c, kind)["path"] = json!(format!("/proc/{pid}/ns/{file}"));
        }
        // Root of the user namespace cannot mount these without its own namespaces.
        for (kind, destination) in
            [("pid", "/proc"), ("ipc", "/dev/mqueue"), ("network", "/sys"), ("network", "/sys/fs/cgroup")]
        {
            if row.2.iter().any(|(joined, _)| *joined == kind) {
                without_mount(c, destination);
                if kind == "pid" {
                    let source = destination;
                    push(
                        &mut c["mounts"],
                        json!({"destination": destination, "source": source, "type": "bind", "options": ["rbind"]}),
                    );
                }
            }
        }
        c.as_object_mut().unwrap().remove("hostname");
    });
    let c = c.up();
    let own = c.pid().to_string();
    for (_, file) in row.2 {
        assert_eq!(link(&own, file), link(&pid, file), "{file}");
    }
    assert_eq!(link(&own, "user") == link(&user.pid().to_string(), "user"), row.1, "user");
    assert_ne!(link(&own, "user"), link("self", "user"), "user");
    let script = format!("{}; id -u", show.join("; "));
    let output = c.call(&["exec", &c.id, "sh", "-c", &script]).run().ok().out;
    let words: Vec<_> = output.split_whitespace().collect();
    let mut expected: Vec<_> = row.2.iter().map(|(_, file)| link(&pid, file)).collect();
    expected.push("0".to_owned());
    assert_eq!(words, expected, "exec");
}

fn maps_of_a_joined_namespace_must_agree() {
    only_davit("crun ignores the maps of a joined namespace");
    let first = Container::sleeper().edit(mapped).up();
    let path = format!("/proc/{}/ns/user", first.pid());
    let same = Container::sh("id -u").edit(|c| {
        mapped(c);
        namespace(c, "user")["path"] = json!(path);
    });
    assert_eq!(same.prints(), "0\n");
    let other = Container::sh("id -u").edit(|c| {
        mapped(c);
        namespace(c, "user")["path"] = json!(path);
        c["linux"]["gidMappings"][0]["size"] = json!(5);
    });
    other.refused("/linux/gidMappings: does not match the joined user namespace");
}

/// The source is below the container's root, where only an earlier entry makes it exist.
fn source_on_an_earlier_mount(row: &(&str, bool, u32, &str, &str)) {
    if row.3 == "idmap" {
        need_idmapped_tmpfs();
    }
    let c = Container::sh("stat -c %u /b/file; cat /b/file; cat /all/x/file");
    let c = if row.1 { c.edit(mapped) } else { c };
    let volume = c.dir.join("volume");
    fs::create_dir_all(volume.join("x")).unwrap();
    fs::write(volume.join("x/file"), "data\n").unwrap();
    std::os::unix::fs::chown(volume.join("x/file"), Some(1000), Some(1000)).unwrap();
    fs::create_dir(c.root("a")).unwrap();
    let (a, x) = (c.root("a").display().to_string(), c.root("a/x").display().to_string());
    let c = c
        .mount("/a", "bind", volume.to_str().unwrap(), &["bind"])
        .mount("/b", "bind", &x, &["bind"])
        .mount("/all", "bind", &a, &["rbind"])
        .edit(|c| {
            if row.3 == "idmap" {
                let map = json!([{"containerID": 0, "hostID": if row.1 { 100_000 } else { 5000 }, "size": 65536}]);
                let mounts = c["mounts"].as_array_mut().unwrap();
                let entry = mounts.iter_mut().find(|entry| entry["destination"] == "/b").unwrap();
                (entry["uidMappings"], entry["gidMappings"]) = (map.clone(), map);
                entry["options"] = json!(["bind", "idmap"]);
            }
        });
    fs::set_permissions(&c.dir, fs::Permissions::from_mode(row.2)).unwrap();
    for name in ["b", "all"] {
        fs::create_dir(c.root(name)).unwrap();
    }
    assert_eq!(c.prints(), format!("{}\ndata\ndata\n", row.4));
}

fn sources_the_mapped_root_cannot_reach() {
    only_davit("crun and runc cannot open sources that the mapped root cannot access");
    let c = Container::sh("cat /var/f").edit(mapped);
    let secret = c.dir.join("secret");
    fs::create_dir_all(secret.join("vol")).unwrap();
    fs::write(secret.join("vol/f"), "data\n").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o700)).unwrap();
    fs::set_permissions(&c.dir, fs::Permissions::from_mode(0o700)).unwrap();
    let source = secret.join("vol");
    let c = c.mount("/var", "bind", source.to_str().unwrap(), &["rbind", "ro"]);
    assert_eq!(c.prints(), "data\n");
}

fn default_devices_are_the_hosts() {
    let c = Container::sh(
        "stat -c %t:%T /dev/null /dev/zero /dev/urandom; echo x > /dev/null && head -c 2 /dev/zero | wc -c",
    );
    assert_eq!(c.edit(mapped).prints(), "1:3\n1:5\n1:9\n2\n");
}

fn with_cgroup_mount(script: &str) -> Container {
    Container::sh(script).edit(mapped).edit(|c| without_mount(c, "/sys/fs/cgroup")).mount(
        "/sys/fs/cgroup",
        "cgroup",
        "cgroup",
        &["nosuid", "noexec", "nodev"],
    )
}

fn the_cgroup_belongs_to_the_user() {
    only_davit("other runtimes let the container's root own it, or only with the systemd driver");
    let c = with_cgroup_mount("sleep 1000").edit(|c| c["process"]["user"] = json!({"uid": 1000, "gid": 1000})).up();
    let owner = |file: &str| fs::metadata(c.cgroup().join(file)).unwrap().uid();
    for file in ["", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"] {
        assert_eq!(owner(file), 101_000, "{file}");
    }
    // The container may not change its own limits.
    assert_eq!(owner("cgroup.freeze"), 0);
    let c = with_cgroup_mount("sleep 1000").edit(|c| {
        let mounts = c["mounts"].as_array_mut().unwrap();
        push(&mut mounts.last_mut().unwrap()["options"], json!("ro"));
    });
    let c = c.up();
    assert_eq!(fs::metadata(c.cgroup()).unwrap().uid(), 0);
}

fn without_a_cgroup_namespace_only_the_own_cgroup_is_seen() {
    only_davit("crun binds all of /sys/fs/cgroup");
    let script = "grep ' /sys/fs/cgroup ' /proc/self/mountinfo | cut -d' ' -f4,6 | cut -d, -f1;
        ls /sys/fs/cgroup/cgroup.procs; mkdir /sys/fs/cgroup/x || echo refused";
    let c = with_cgroup_mount(script).edit(|c| without_namespace(c, "cgroup"));
    let root = c.cgroup_path();
    assert_eq!(c.run().out, format!("{root} ro\n/sys/fs/cgroup/cgroup.procs\nrefused\n"));
}

fn sysfs_without_a_network_namespace() {
    let c =
        Container::sh("ls /sys/kernel > /dev/null && grep -o ' /sys r[ow],[a-z,]*' /proc/self/mountinfo").edit(|c| {
            mapped(c);
            without_namespace(c, "network");
            without_mount(c, "/sys/fs/cgroup");
            without_mount(c, "/sys");
        });
    let c = c.mount("/sys", "sysfs", "sysfs", &["nosuid", "noexec", "nodev", "ro"]);
    assert!(c.prints().starts_with(" /sys r"));
}

fn restrictions_of_the_hosts_mount_stay() {
    only_davit("crun's copy of the mount does not have them");
    apart(|| {
        let bound = |options: &[&str]| {
            let c = Container::sh("grep ' /var ' /proc/self/mountinfo | cut -d' ' -f6").edit(mapped);
            let place = c.dir.join("restricted");
            mount_tmpfs(&place);
            let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY | MsFlags::MS_NOEXEC;
            mount(None::<&str>, &place, None::<&str>, flags, None::<&str>).unwrap();
            let c = c.mount("/var", "bind", place.to_str().unwrap(), options);
            let output = c.run();
            nix::mount::umount(&place).unwrap();
            (output.code(), output.out.trim().to_owned(), output.err)
        };
        let (code, out, _) = bound(&["bind"]);
        assert!(code == 0 && out.starts_with("ro,noexec"), "{out}");
        for option in ["rw", "exec"] {
            let (code, out, err) = bound(&["bind", option]);
            assert!(code != 0 && err.contains("operation not permitted"), "{option}: {out}{err}");
        }
    });
}

fn score_and_limits_are_set_from_outside() {
    let c = Container::sh("cat /proc/self/oom_score_adj; ulimit -n; ulimit -H -n").edit(|c| {
        mapped(c);
        c["process"]["oomScoreAdj"] = json!(321);
        c["process"]["rlimits"] = json!([{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}]);
    });
    assert_eq!(c.prints(), "321\n100\n200\n");
}

fn time_offsets_in_a_joined_user_namespace() {
    only_davit("crun cannot write the offsets there");
    let first = Container::sleeper().edit(mapped).up();
    let path = format!("/proc/{}/ns/user", first.pid());
    let c = Container::sh("cat /proc/self/timens_offsets").edit(|c| {
        push(&mut c["linux"]["namespaces"], json!({"type": "user", "path": path}));
        push(&mut c["linux"]["namespaces"], json!({"type": "time"}));
        c["linux"]["timeOffsets"] = json!({"boottime": {"secs": 4000}});
    });
    let output = c.prints();
    let words: Vec<_> = output.split_whitespace().collect();
    assert_eq!(words[3..], ["boottime", "4000", "0"]);
}

fn hooks_are_not_in_the_time_namespace() {
    if !std::path::Path::new("/proc/self/ns/time").exists() {
        skip("this kernel has no time namespaces");
    }
    let c = Container::sh("true");
    let links = c.dir.join("links");
    let script = format!("readlink /proc/self/ns/time /proc/self/ns/time_for_children > {}", links.display());
    let c = c.edit(|c| {
        push(&mut c["linux"]["namespaces"], json!({"type": "time"}));
        c["linux"]["timeOffsets"] = json!({"monotonic": {"secs": 7}});
        c["hooks"] = json!({"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", script]}]});
    });
    c.run().ok();
    let (links, own) = (fs::read_to_string(links).unwrap(), link("self", "time"));
    assert_eq!(links, format!("{own}\n{own}\n"));
}

/// Mounts a tmpfs with a file of uid 3, and another tmpfs below it, at `vol` in the bundle.
fn owned_files(c: &Container) -> String {
    let place = c.dir.join("vol");
    mount_tmpfs(&place);
    mount_tmpfs(&place.join("sub"));
    for file in ["f", "sub/f"] {
        fs::write(place.join(file), "").unwrap();
        std::os::unix::fs::chown(place.join(file), Some(3), Some(4)).unwrap();
    }
    place.to_str().unwrap().to_owned()
}

fn idmapped_by_the_containers_own_map() {
    need_idmapped_tmpfs();
    apart(|| {
        let c = Container::sh("stat -c %u:%g /var/f; touch /var/new").edit(mapped);
        let source = owned_files(&c);
        let c = c.mount("/var", "bind", &source, &["bind", "idmap"]);
        let output = c.run();
        let owner = fs::metadata(format!("{source}/new")).map(|new| new.uid());
        nix::mount::umount2(source.as_str(), nix::mount::MntFlags::MNT_DETACH).unwrap();
        assert_eq!((output.out.as_str(), owner.ok()), ("3:4\n", Some(0)), "{}", output.err);
    });
}

fn recursive_id_maps() {
    need_idmapped_tmpfs();
    apart(|| {
        for (option, below) in [("idmap", "3:4"), ("ridmap", "5003:5004")] {
            let c = Container::sh("stat -c %u:%g /var/f /var/sub/f");
            let source = owned_files(&c);
            let c = c.mount("/var", "bind", &source, &["rbind", option]).edit(|c| {
                let map = json!([{"containerID": 0, "hostID": 5000, "size": 1000}]);
                let entry = c["mounts"].as_array_mut().unwrap().last_mut().unwrap();
                entry["uidMappings"] = map.clone();
                entry["gidMappings"] = map;
            });
            let output = c.run();
            nix::mount::umount2(source.as_str(), nix::mount::MntFlags::MNT_DETACH).unwrap();
            assert_eq!(output.out, format!("5003:5004\n{below}\n"), "{}", output.err);
        }
    });
}

fn bind_on_proc_must_be_proc() {
    let c = Container::sh("true").edit(|c| {
        without_mount(c, "/proc");
    });
    only_davit("the error texts are specific to davit");
    let c = c.mount("/proc", "bind", "/usr/bin", &["bind"]);
    c.refused("not of type proc");
}

fn copied_symlink() {
    only_davit("the option comes from crun, and runc does not support it");
    let c = Container::sh("readlink /link");
    let link = c.dir.join("link");
    std::os::unix::fs::symlink("/somewhere/else", &link).unwrap();
    let c = c.mount("/link", "bind", link.to_str().unwrap(), &["bind", "copy-symlink"]);
    assert_eq!(c.prints(), "/somewhere/else\n");
}
