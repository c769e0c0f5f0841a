//! Tests the runtime as an ordinary user and as root of a user namespace that an ordinary user created: id maps with
//! and without newuidmap, the container lifecycle, errors. Engines around the runtime are left to `rootless_engines`.

use crate::harness::call::{Call, LIMIT, Output};
use crate::harness::cgroups::{cgroup_mount, need_controller};
use crate::harness::runtime::RUNTIME;
use crate::harness::runtime::only_davit;
use crate::harness::skip::skip;
use crate::harness::trial::{Test, tests};
use crate::harness::unshared::apart;
use crate::harness::user::{AS_USER, UID, give_range, mappings};
use nix::mount::{MsFlags, mount};
use serde_json::{Value, json};
use std::{
    fs,
    os::unix::fs::chown,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

pub(crate) fn tests() -> Vec<Test> {
    tests![
        the_own_id_is_mapped,
        a_full_container_lifecycle,
        a_proc_that_hides_processes_of_others,
        newuidmap_maps_ranges,
        a_missing_newuidmap_is_named,
        ids_of_other_users_are_refused,
        groups_are_refused,
        groups_of_an_added_process_are_refused,
        an_unmapped_terminal_group_is_reported,
        without_pid_namespace_and_cgroup_there_is_a_warning,
        rootless_flag_overrides_detection,
        a_created_process_is_not_accessible_to_neighbours,
        a_pid_namespace_is_joined_in_an_outer_user_namespace,
        no_user_namespace_is_refused,
        owners_that_are_not_mapped_are_refused,
        devices_are_the_hosts,
        sysfs_of_an_own_network,
        a_limit_without_a_cgroup_is_refused,
        root_of_an_outer_user_namespace,
        a_container_in_a_container,
        without_a_visible_cgroup_hierarchy,
        rootless_podman_setup_in_an_outer_user_namespace,
        rootlesskit_setup,
    ]
}

static COUNT: AtomicUsize = AtomicUsize::new(0);

/// A bundle, a runtime and an $XDG_RUNTIME_DIR that the user owns.
pub(crate) struct User {
    pub(crate) dir: PathBuf,
    pub(crate) id: String,
}

impl User {
    pub(crate) fn new(script: &str, edit: impl FnOnce(&mut Value)) -> User {
        only_davit("the bundle comes from spec --rootless, whose output differs");
        if *AS_USER {
            skip("needs root: the test switches to the user itself");
        }
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("davit-rootless-{}-{number}", std::process::id());
        let user = User { dir: Path::new("/tmp").join(&name), id: name };
        for path in ["run", "rootfs/bin", "rootfs/proc", "rootfs/dev", "rootfs/sys", "rootfs/tmp"] {
            fs::create_dir_all(user.dir.join(path)).unwrap();
        }
        // Copies with cp(1): another test's child could inherit a descriptor of this process that is open for writing,
        // and a file open for writing cannot be executed. The copy is needed because the user may lack access to the
        // original.
        Call::new(&user.dir, &["cp", RUNTIME.as_str(), user.dir.join("runtime").to_str().unwrap()]).run().ok();
        fs::copy(busybox(), user.dir.join("rootfs/bin/busybox")).unwrap();
        for applet in ["sh", "cat", "cut", "id", "ls", "sleep", "stat", "test", "grep", "wc", "readlink"] {
            std::os::unix::fs::symlink("busybox", user.dir.join("rootfs/bin").join(applet)).unwrap();
        }
        for path in ["", "run", "rootfs", "rootfs/proc", "rootfs/dev", "rootfs/sys", "rootfs/tmp"] {
            chown(user.dir.join(path), Some(UID), Some(UID)).unwrap();
        }
        user.davit(&["spec", "--rootless"]).ok();
        let file = user.dir.join("config.json");
        let mut config: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        config["process"]["terminal"] = json!(false);
        config["process"]["args"] = json!(["sh", "-ec", script]);
        edit(&mut config);
        fs::write(&file, config.to_string()).unwrap();
        user
    }

    /// Runs a program as the user, in the bundle.
    pub(crate) fn call(&self, words: &[&str]) -> Output {
        self.call_with_path(words, "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
    }

    fn call_with_path(&self, words: &[&str], path: &str) -> Output {
        let user = ["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups", "env", "-i"];
        let runtime_dir = format!("XDG_RUNTIME_DIR={}", self.dir.join("run").display());
        let path = format!("PATH={path}");
        let words = [&user[..], &[&runtime_dir, &path], words].concat();
        Call::new(&self.dir, &words).cwd(&self.dir).run()
    }

    fn davit(&self, words: &[&str]) -> Output {
        self.call(&[&["./runtime"], words].concat())
    }

    fn run(&self) -> Output {
        self.davit(&["run", &self.id])
    }

    /// Kills and deletes a running container.
    fn end(&self) {
        let state: Value = serde_json::from_str(&self.davit(&["state", &self.id]).ok().out).unwrap();
        self.davit(&["kill", &self.id, "KILL"]).ok();
        crate::harness::kernel::wait_exit(i32::try_from(state["pid"].as_i64().unwrap()).unwrap(), LIMIT);
        self.davit(&["delete", &self.id]).ok();
    }

    #[track_caller]
    fn refused(&self, text: &str) {
        self.run().fails().says(text);
        let left = fs::read_dir(self.dir.join("run/davit")).map_or(0, Iterator::count);
        assert_eq!(left, 0, "leftovers exist");
    }
}

impl Drop for User {
    fn drop(&mut self) {
        self.davit(&["delete", "--force", &self.id]);
        fs::remove_dir_all(&self.dir).ok();
    }
}

fn busybox() -> &'static str {
    ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|path| Path::new(path).exists()).unwrap()
}

/// Maps root to the user, and the following ids to the range.
fn ranged(config: &mut Value) {
    let map = mappings();
    config["linux"]["uidMappings"] = map.clone();
    config["linux"]["gidMappings"] = map;
}

fn the_own_id_is_mapped() {
    let user = User::new("id -u; id -g; cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups", |_| ());
    let output = user.run().ok().silent().out;
    let words: Vec<_> = output.split_whitespace().collect();
    assert_eq!(words, ["0", "0", "0", "1000", "1", "0", "1000", "1", "deny"]);
}

/// On a host with `hidepid=2` a process that the user may not trace is missing from /proc, as one that `exec` adds.
fn a_proc_that_hides_processes_of_others() {
    apart(|| {
        mount(Some("proc"), "/proc", Some("proc"), MsFlags::empty(), Some("hidepid=2")).unwrap();
        let user = User::new("exec sleep 1000", |_| ());
        user.davit(&["create", &user.id]).ok();
        user.davit(&["start", &user.id]).ok();
        assert_eq!(user.davit(&["exec", &user.id, "sh", "-c", "exit 7"]).code(), 7);
        user.end();
    });
}

fn a_full_container_lifecycle() {
    let user = User::new("echo up; exec sleep 1000", |_| ());
    user.davit(&["create", &user.id]).ok();
    assert!(user.dir.join("run/davit").join(&user.id).is_dir(), "the state is in $XDG_RUNTIME_DIR/davit");
    let state: Value = serde_json::from_str(&user.davit(&["state", &user.id]).ok().out).unwrap();
    assert_eq!(state["status"], "created");
    user.davit(&["start", &user.id]).ok();
    assert_eq!(user.davit(&["list", "-q"]).ok().line(), user.id);
    assert_eq!(user.davit(&["exec", &user.id, "sh", "-c", "id -u; grep -c . /proc/1/cmdline"]).ok().out, "0\n1\n");
    assert_eq!(user.davit(&["exec", &user.id, "sh", "-c", "exit 7"]).code(), 7);
    let output = user.davit(&["exec", "--additional-gids", "5", &user.id, "true"]).exits(255);
    output.says("/user/additionalGids: cannot set any additional groups in a rootless container");
    user.davit(&["kill", &user.id, "KILL"]).ok();
    let pid = i32::try_from(state["pid"].as_i64().unwrap()).unwrap();
    crate::harness::kernel::wait_exit(pid, LIMIT);
    user.davit(&["delete", &user.id]).ok();
    assert_eq!(user.davit(&["list", "-q"]).ok().out, "");
}

fn newuidmap_maps_ranges() {
    apart(|| {
        let user = User::new("cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups; id -G", |c| {
            ranged(c);
            c["process"]["user"]["additionalGids"] = json!([5]);
        });
        give_range(&user.dir);
        let output = user.run().ok().out;
        let map = "0 1000 1 1 300000 65536";
        let words = output.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(words, format!("{map} {map} allow 0 5"));
    });
}

fn a_missing_newuidmap_is_named() {
    let user = User::new("id", ranged);
    let words = ["/usr/bin/env", "PATH=/nonexistent", "./runtime", "run", &user.id];
    let output = user.call(&words).fails();
    output.says("/linux/uidMappings: mapping ids other than the caller's own needs newuidmap");
}

fn ids_of_other_users_are_refused() {
    if !Path::new("/usr/bin/newuidmap").exists() {
        skip("newuidmap is missing (package uidmap)");
    }
    let user = User::new("id", |c| c["linux"]["uidMappings"][0]["hostID"] = json!(0));
    user.refused("/linux/uidMappings: newuidmap ended with status 1");
}

fn groups_are_refused() {
    let user = User::new("id", |c| c["process"]["user"]["additionalGids"] = json!([5]));
    user.refused("/process/user/additionalGids: cannot set any additional groups in a rootless container");
}

fn groups_of_an_added_process_are_refused() {
    let user = User::new("exec sleep 1000", |_| ());
    user.davit(&["run", "--detach", &user.id]).ok();
    let output = user.davit(&["exec", "--additional-gids", "5", &user.id, "id"]).exits(255);
    output.says("additionalGids").says("cannot set any additional groups in a rootless container");
    assert_eq!(user.davit(&["exec", &user.id, "id", "-u"]).ok().line(), "0");
    user.end();
}

fn an_unmapped_terminal_group_is_reported() {
    let user = User::new("id", |c| {
        let mounts = c["mounts"].as_array_mut().unwrap();
        let terminals = mounts.iter_mut().find(|mount| mount["type"] == "devpts").unwrap();
        terminals["options"].as_array_mut().unwrap().push(json!("gid=5"));
    });
    user.refused("gid=5: the container's user namespace does not map gid 5; leave it out");
}

fn without_pid_namespace_and_cgroup_there_is_a_warning() {
    let user = User::new("id -u", sees_the_hosts_processes);
    let output = user.davit(&["--cgroup-manager=disabled", "run", &user.id]).ok();
    output.says("neither a pid namespace nor a cgroup of its own");
    assert!(!User::new("id", |_| ()).davit(&["--cgroup-manager=disabled", "run", "x"]).ok().err.contains("neither"));
}

/// `--rootless` decides whether a cgroup that cannot be created is an error.
fn rootless_flag_overrides_detection() {
    let user = User::new("id -u", |c| c["linux"]["cgroupsPath"] = json!("/davit-rootless-not-delegated"));
    let metadata = fs::metadata(cgroup_mount()).unwrap();
    if std::os::unix::fs::MetadataExt::uid(&metadata) == UID {
        skip("the user owns the whole cgroup hierarchy");
    }
    for flag in ["--rootless=auto", "--rootless=true"] {
        assert_eq!(user.davit(&[flag, "run", &user.id]).ok().line(), "0", "{flag}");
    }
    user.davit(&["--rootless=false", "run", &user.id]).fails().says("mkdir ").says("permission denied");
    user.davit(&["--rootless=perhaps", "run", &user.id])
        .fails()
        .says("invalid rootless: perhaps (true, false or auto)");
}

/// During creation the container's process is visible to its user. Another container of the same user has the same host
/// uid. It sees the process if it shares the pid namespace, but may not access it.
fn a_created_process_is_not_accessible_to_neighbours() {
    let created = User::new("exec sleep 1000", |_| ());
    created.davit(&["create", &created.id]).ok();
    let state: Value = serde_json::from_str(&created.davit(&["state", &created.id]).ok().out).unwrap();
    let process = format!("/proc/{}", state["pid"]);
    let script = format!(
        "readlink {process}/exe || true; readlink {process}/fd/0 || true; cat {process}/environ {process}/maps"
    );
    let output = created.call(&["sh", "-c", &script]).ok();
    assert!(output.out.contains("davit") && output.out.contains("[vdso]") && output.err.is_empty(), "{output:?}");
    let neighbour = User::new(&format!("id -u; stat -c %u {process}; {script} || true"), sees_the_hosts_processes);
    let output = neighbour.davit(&["--cgroup-manager=disabled", "run", &neighbour.id]).ok();
    assert_eq!(output.out, "0\n0\n", "both processes are root as seen by the observer");
    assert_eq!(output.err.matches("Permission denied").count(), 2, "{output:?}");
    created.davit(&["delete", "--force", &created.id]).ok();
}

/// Removes the pid namespace from the config and uses the host's procfs.
fn sees_the_hosts_processes(config: &mut Value) {
    config["linux"]["namespaces"].as_array_mut().unwrap().retain(|entry| entry["type"] != "pid");
    for mount in config["mounts"].as_array_mut().unwrap() {
        if mount["type"] == "proc" {
            *mount = json!({"destination": "/proc", "type": "bind", "source": "/proc", "options": ["rbind"]});
        }
    }
}

fn a_pid_namespace_is_joined_in_an_outer_user_namespace() {
    let user = User::new("exec sleep 1000", |c| {
        for map in ["uidMappings", "gidMappings"] {
            c["linux"][map][0]["hostID"] = json!(0);
        }
    });
    // A second container of the same root joins the first one's pid namespace; it may not mount a procfs for it.
    let mut second: Value = serde_json::from_slice(&fs::read(user.dir.join("config.json")).unwrap()).unwrap();
    second["process"]["args"] = json!(["sh", "-c", "echo pid $$"]);
    second["root"]["path"] = json!(user.dir.join("rootfs"));
    second["mounts"].as_array_mut().unwrap().retain(|mount| mount["type"] != "proc");
    for list in ["maskedPaths", "readonlyPaths"] {
        second["linux"].as_object_mut().unwrap().remove(list);
    }
    let listed = second["linux"]["namespaces"].as_array_mut().unwrap();
    listed.iter_mut().find(|entry| entry["type"] == "pid").unwrap()["path"] = json!("/proc/PID/ns/pid");
    let bundle = user.dir.join("run/second");
    fs::create_dir(&bundle).unwrap();
    fs::write(bundle.join("template.json"), second.to_string()).unwrap();
    chown(&bundle, Some(UID), Some(UID)).unwrap();
    let script = r#"./runtime run --detach first || exit
        pid=$(./runtime state first | sed -n 's/.*"pid": *\([0-9]*\).*/\1/p')
        sed "s|PID|$pid|" run/second/template.json >run/second/config.json
        ./runtime run --bundle run/second second; status=$?; ./runtime delete --force first; exit $status"#;
    let output = user.call(&["unshare", "-Ur", "sh", "-c", script]).ok().out;
    let pid: i32 = output.trim().strip_prefix("pid ").unwrap().parse().unwrap();
    assert!(pid > 1, "{output}");
}

fn no_user_namespace_is_refused() {
    let user = User::new("id", |c| {
        c["linux"]["namespaces"].as_array_mut().unwrap().retain(|entry| entry["type"] != "user");
    });
    user.refused("rootless container requires user namespaces");
}

fn owners_that_are_not_mapped_are_refused() {
    let user = User::new("id", |c| {
        let mount = json!({"destination": "/tmp", "type": "tmpfs", "source": "t", "options": ["nosuid", "gid=5"]});
        c["mounts"].as_array_mut().unwrap().push(mount);
    });
    user.refused("/options/1: gid=5: the container's user namespace does not map gid 5");
}

fn devices_are_the_hosts() {
    let user = User::new("stat -c '%t %T %u' /dev/null; echo gone >/dev/null; test -c /dev/mem || echo none", |c| {
        c["process"]["user"]["umask"] = json!(0o22);
    });
    assert_eq!(user.run().ok().out, "1 3 65534\nnone\n");
}

fn sysfs_of_an_own_network() {
    let user = User::new("ls /sys/class/net; ls /sys/fs/cgroup | wc -l; grep -c ' /sys/fs/cgroup' /proc/mounts", |c| {
        c["linux"]["namespaces"].as_array_mut().unwrap().push(json!({"type": "network"}));
        for mount in c["mounts"].as_array_mut().unwrap() {
            if mount["destination"] == "/sys" {
                *mount = json!({"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["ro"]});
            }
        }
    });
    let output = user.run().ok().out;
    assert_eq!(output.lines().next(), Some("lo"), "{output}");
}

fn a_limit_without_a_cgroup_is_refused() {
    need_controller("pids");
    let metadata = fs::metadata(cgroup_mount()).unwrap();
    if std::os::unix::fs::MetadataExt::uid(&metadata) == UID {
        skip("the user owns the whole cgroup hierarchy");
    }
    let user = User::new("id", |c| {
        c["linux"]["cgroupsPath"] = json!("/davit-rootless-not-delegated");
        c["linux"]["resources"]["pids"] = json!({"limit": 10});
    });
    user.refused("/linux/resources/pids/limit: a limit needs a cgroup, but no cgroup is delegated to this user");
}

fn root_of_an_outer_user_namespace() {
    let user = User::new("id -u; cat /proc/self/uid_map; readlink /proc/1/exe", |c| {
        c["linux"]["uidMappings"][0]["hostID"] = json!(0);
        c["linux"]["gidMappings"][0]["hostID"] = json!(0);
    });
    let output = user.call(&["unshare", "-Ur", "./runtime", "run", &user.id]).ok().out;
    assert_eq!(output.split_whitespace().collect::<Vec<_>>(), ["0", "0", "0", "1", "/bin/busybox"]);
}

/// Inside an outer container, no cgroup hierarchy may be visible.
fn without_a_visible_cgroup_hierarchy() {
    let run = |edit: fn(&mut Value)| {
        let user = User::new("cat /proc/self/uid_map", |c| {
            c["linux"]["uidMappings"][0]["hostID"] = json!(0);
            c["linux"]["gidMappings"][0]["hostID"] = json!(0);
            edit(c);
        });
        let script = format!("mount -t tmpfs none /sys/fs/cgroup && exec ./runtime run {}", user.id);
        user.call(&["unshare", "-Urm", "sh", "-c", &script])
    };
    assert_eq!(run(|_| ()).ok().out.split_whitespace().collect::<Vec<_>>(), ["0", "0", "1"]);
    run(|c| c["linux"]["resources"]["pids"] = json!({"limit": 5}))
        .fails()
        .says("/linux/resources/pids/limit")
        .says("this host has no pids controller on cgroup v2");
}

/// The runtime runs as root inside a container of an ordinary user, and creates a nested container.
fn a_container_in_a_container() {
    let user = User::new("exec /bundle/runtime --root /tmp/state run --bundle /bundle/run/inner inner", |c| {
        c["root"]["readonly"] = json!(false);
        // The kernel refuses to mount a procfs if every visible procfs is partly covered.
        for list in ["maskedPaths", "readonlyPaths"] {
            c["linux"].as_object_mut().unwrap().remove(list);
        }
        // Mapping ids of the outer namespace, in particular its root, needs these (user_namespaces(7)).
        for set in ["bounding", "effective", "permitted"] {
            let held = c["process"]["capabilities"][set].as_array_mut().unwrap();
            held.extend(["CAP_SETUID", "CAP_SETGID", "CAP_SETFCAP"].map(|name| json!(name)));
        }
    });
    let file = user.dir.join("config.json");
    let mut outer: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let mut inner = outer.clone();
    inner["process"]["args"] = json!(["sh", "-c", "id -u; echo pid $$; cat /proc/self/uid_map; hostname"]);
    inner["hostname"] = json!("inner");
    inner["root"]["path"] = json!("/bundle/rootfs");
    for map in ["uidMappings", "gidMappings"] {
        inner["linux"][map][0]["hostID"] = json!(0);
    }
    let bind = json!({"destination": "/bundle", "type": "bind", "source": user.dir, "options": ["rbind"]});
    outer["mounts"].as_array_mut().unwrap().push(bind);
    fs::write(&file, outer.to_string()).unwrap();
    fs::create_dir(user.dir.join("run/inner")).unwrap();
    fs::write(user.dir.join("run/inner/config.json"), inner.to_string()).unwrap();
    std::os::unix::fs::symlink("busybox", user.dir.join("rootfs/bin/hostname")).unwrap();
    let output = user.run().ok();
    assert_eq!(
        output.out.split_whitespace().collect::<Vec<_>>(),
        ["0", "pid", "1", "0", "0", "1", "inner"],
        "{output:?}"
    );
}

/// Like rootless Podman: the runtime is root of a user namespace with ranges, and the container has no user namespace.
fn rootless_podman_setup_in_an_outer_user_namespace() {
    let user = User::new("exec sleep 1000", |c| {
        c["linux"]["namespaces"].as_array_mut().unwrap().retain(|entry| entry["type"] != "user");
        for map in ["uidMappings", "gidMappings"] {
            c["linux"].as_object_mut().unwrap().remove(map);
        }
    });
    let script = "./runtime run --detach $0 || exit
        ./runtime exec $0 sh -c 'id -u; grep -c . /proc/1/cmdline'; status=$?
        ./runtime delete --force $0; exit $status";
    let output = user.call(&["unshare", "-Ur", "--mount", "sh", "-c", script, &user.id]).ok().out;
    assert_eq!(output, "0\n1\n");
}

/// Like RootlessKit for Docker: the daemon runs in namespaces with ranges, and root drops capabilities for another
/// user.
fn rootlesskit_setup() {
    apart(|| {
        let user = User::new("id -u; id -G; cat /proc/self/uid_map", |c| {
            c["linux"]["namespaces"].as_array_mut().unwrap().retain(|entry| entry["type"] != "user");
            c["linux"]["namespaces"].as_array_mut().unwrap().push(json!({"type": "network"}));
            for map in ["uidMappings", "gidMappings"] {
                c["linux"].as_object_mut().unwrap().remove(map);
            }
            c["process"]["user"] = json!({"uid": 7, "gid": 8, "additionalGids": [9]});
        });
        give_range(&user.dir);
        let outer = ["unshare", "--user", "--map-root-user", "--map-auto", "--mount", "--net", "--cgroup"];
        let output = user.call(&[&outer[..], &["./runtime", "run", &user.id]].concat()).ok().out;
        let words = output.split_whitespace().collect::<Vec<_>>().join(" ");
        // unshare(1) decides how much of the range it maps.
        assert!(words.starts_with("7 8 9 0 1000 1 1 300000 "), "{words}");
    });
}
