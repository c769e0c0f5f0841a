//! Builds the suite's containers: bundle (busybox root, config), state directory, cgroup, runtime calls, and a final
//! check for leftovers on the host. Starting processes and waiting for them is left to `call` and `kernel`.

use crate::harness::call::{Call, LIMIT, Output};
use crate::harness::cgroups::{BY_SYSTEMD, DELEGATED, cgroup_mount};
use crate::harness::kernel;
use crate::harness::runtime::RUNTIME;
use crate::harness::user::{AS_USER, mappings};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use serde_json::{Value, json};
use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::{
        LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// Everything the suite writes is below this directory.
static PLACE: LazyLock<PathBuf> = LazyLock::new(|| PathBuf::from(format!("/tmp/davit-suite-{}", std::process::id())));
/// The parent cgroup of all containers of the suite, in the format of `linux.cgroupsPath`.
static CGROUP_PARENT: LazyLock<String> = LazyLock::new(|| match *AS_USER {
    true => format!("{}/davit-suite-{}", *DELEGATED, std::process::id()),
    false => format!("/davit-suite-{}", std::process::id()),
});
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Environment variable that identifies processes which a failed call leaked.
const MARK: &str = "DAVIT_SUITE_CONTAINER";

const APPLETS: &[&str] = &[
    "sh", "ash", "cat", "chmod", "cp", "cut", "date", "dd", "echo", "env", "false", "find", "grep", "head", "hostname",
    "id", "ip", "kill", "ln", "ls", "mkdir", "mkfifo", "mknod", "mount", "ps", "pwd", "readlink", "rm", "sed", "sleep",
    "sort", "stat", "stty", "sync", "tail", "test", "touch", "tr", "true", "tty", "umount", "uname", "wc",
];

pub(crate) struct Container {
    pub(crate) id: String,
    /// The bundle: config.json and rootfs. The state directory and the output of calls are next to them.
    pub(crate) dir: PathBuf,
    pub(crate) config: Value,
}

/// Creates the files that all containers share. The error is a message for the user who started the suite.
pub(crate) fn prepare() -> Result<(), String> {
    if !Path::new(RUNTIME.as_str()).is_file() {
        return Err(format!("no runtime at {} (set RUNTIME to the file of a runtime)", *RUNTIME));
    }
    if cfg!(not(target_feature = "crt-static")) {
        return Err("this suite runs in containers, so it must be static: cargo integration [FILTER]".to_owned());
    }
    let busybox = ["/bin/busybox", "/usr/bin/busybox", "/usr/local/bin/busybox"];
    let busybox = busybox.iter().find(|path| Path::new(path).exists());
    let busybox = busybox.ok_or("no busybox in /bin or /usr/bin: install the package busybox-static")?;
    let make = || -> std::io::Result<()> {
        fs::create_dir_all(PLACE.as_path())?;
        fs::copy(busybox, PLACE.join("busybox"))?;
        fs::copy("/proc/self/exe", PLACE.join("probe"))?;
        Ok(())
    };
    make().map_err(|error| format!("{}: {error}", PLACE.display()))?;
    nix::sys::prctl::set_child_subreaper(true).map_err(|errno| format!("cannot become a subreaper: {errno}"))
}

/// Removes what `prepare` created, and the parent cgroup if the runtime created it.
pub(crate) fn clear() {
    fs::remove_dir_all(PLACE.as_path()).ok();
    fs::remove_dir(cgroup_mount().join(&CGROUP_PARENT[1..])).ok();
}

/// Waits until `done` returns true. Checks it again on every change in `dir`.
pub(crate) fn wait_in(dir: &Path, what: &str, done: impl FnMut() -> bool) {
    wait_in_for(dir, what, LIMIT, done);
}

/// Like `wait_in`, with a time limit.
pub(crate) fn wait_in_for(dir: &Path, what: &str, limit: Duration, mut done: impl FnMut() -> bool) {
    let watch = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).unwrap();
    let events = AddWatchFlags::IN_CREATE
        | AddWatchFlags::IN_MODIFY
        | AddWatchFlags::IN_MOVED_TO
        | AddWatchFlags::IN_DELETE
        | AddWatchFlags::IN_CLOSE_WRITE;
    watch.add_watch(dir, events).unwrap();
    let end = Instant::now() + limit;
    while !done() {
        let left = end.saturating_duration_since(Instant::now());
        assert!(!left.is_zero() && kernel::readable(&watch, left), "timeout while waiting for {what}");
        watch.read_events().ok();
    }
}

/// Creates a busybox root at `path`.
pub(crate) fn make_root(path: &Path) {
    for name in ["bin", "dev", "etc", "out", "proc", "root", "sys", "tmp", "var"] {
        fs::create_dir_all(path.join(name)).unwrap();
    }
    fs::hard_link(PLACE.join("busybox"), path.join("bin/busybox")).unwrap();
    fs::hard_link(PLACE.join("probe"), path.join("probe")).unwrap();
    for applet in APPLETS {
        symlink("busybox", path.join("bin").join(applet)).unwrap();
    }
    fs::write(path.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/home/user:/bin/sh\n")
        .unwrap();
}

/// Copies a file to an executable. Another process writes it, because a process that another test has just forked would
/// inherit a descriptor open for writing, and exec would fail with ETXTBSY.
pub(crate) fn install(draft: &Path, program: &Path) {
    let done = std::process::Command::new("install").args(["-m", "755"]).args([draft, program]).status().unwrap();
    assert!(done.success(), "install {} {}: {done}", draft.display(), program.display());
}

/// Copies the program `of` to a new file in the suite's directory, not shared with other containers.
pub(crate) fn own_copy(name: &str, of: &str) -> PathBuf {
    let path = PLACE.join(format!("{name}-{}", COUNT.fetch_add(1, Ordering::Relaxed)));
    install(Path::new(of), &path);
    path
}

impl Container {
    /// A container that runs this command.
    pub(crate) fn new(args: &[&str]) -> Self {
        let id = format!("c{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let dir = PLACE.join(&id);
        make_root(&dir.join("rootfs"));
        fs::create_dir(dir.join("state")).unwrap();
        let mut config = default_config();
        if *AS_USER {
            push(&mut config["linux"]["namespaces"], json!({"type": "user"}));
            (config["linux"]["uidMappings"], config["linux"]["gidMappings"]) = (mappings(), mappings());
        }
        config["process"]["args"] = json!(args);
        config["linux"]["cgroupsPath"] = match *BY_SYSTEMD {
            true => json!(format!(":suite:{id}")),
            false => json!(format!("{}/{id}", *CGROUP_PARENT)),
        };
        Self { id, dir, config }
    }

    /// A container that runs a shell script.
    pub(crate) fn sh(script: &str) -> Self {
        Self::new(&["/bin/sh", "-c", script])
    }

    /// A container whose process waits until it is killed.
    pub(crate) fn sleeper() -> Self {
        Self::new(&["/bin/sleep", "1000"])
    }

    /// A container whose process is the probe with these arguments.
    pub(crate) fn probe(words: &[&str]) -> Self {
        let mut args = vec!["/probe", "probe"];
        args.extend(words);
        Self::new(&args)
    }

    pub(crate) fn edit(mut self, change: impl FnOnce(&mut Value)) -> Self {
        change(&mut self.config);
        self
    }

    pub(crate) fn mount(self, destination: &str, kind: &str, source: &str, options: &[&str]) -> Self {
        self.edit(|c| {
            push(
                &mut c["mounts"],
                json!({"destination": destination, "type": kind, "source": source, "options": options}),
            );
        })
    }

    /// Sets these capabilities of the process in the bounding, effective and permitted sets.
    pub(crate) fn caps(self, names: &[&str]) -> Self {
        self.edit(|c| {
            for set in ["bounding", "effective", "permitted"] {
                c["process"]["capabilities"][set] = json!(names);
            }
        })
    }

    /// The host path of a path inside the root.
    pub(crate) fn root(&self, path: &str) -> PathBuf {
        self.dir.join("rootfs").join(path.trim_start_matches('/'))
    }

    pub(crate) fn cgroup(&self) -> PathBuf {
        cgroup_mount().join(self.cgroup_path().trim_start_matches('/'))
    }

    /// The path of the container's cgroup, relative to the root of the hierarchy.
    pub(crate) fn cgroup_path(&self) -> String {
        let path = self.config["linux"]["cgroupsPath"].as_str().unwrap();
        match path.split(':').collect::<Vec<_>>()[..] {
            ["", prefix, name] if *AS_USER => format!("{}/user.slice/{prefix}-{name}.scope", *DELEGATED),
            ["", prefix, name] => format!("/system.slice/{prefix}-{name}.scope"),
            [slice, prefix, name] => format!("/{slice}/{prefix}-{name}.scope"),
            _ => path.to_owned(),
        }
    }

    pub(crate) fn state_dir(&self) -> PathBuf {
        self.dir.join("state")
    }

    /// Any call of the runtime with this container's `--root`.
    pub(crate) fn call(&self, words: &[&str]) -> Call {
        self.call_by(&[], words)
    }

    /// The same by a program of the host that executes its last arguments, such as a shell's `exec "$@"`.
    pub(crate) fn call_by(&self, program: &[&str], words: &[&str]) -> Call {
        let root = self.state_dir();
        let all = [program, &[RUNTIME.as_str(), "--root", root.to_str().unwrap()], words].concat();
        Call::new(&self.dir, &all).env(MARK, &self.id)
    }

    pub(crate) fn write(&self) {
        fs::write(self.dir.join("config.json"), serde_json::to_vec_pretty(&self.config).unwrap()).unwrap();
    }

    /// `create` or `run` with flags, not yet started.
    pub(crate) fn prepare(&self, verb: &str, flags: &[&str]) -> Call {
        self.write();
        // Other subcommands do not get the flag: they must use the saved state.
        let mut words = if *BY_SYSTEMD { vec!["--systemd-cgroup"] } else { Vec::new() };
        words.extend([verb, "--bundle", self.dir.to_str().unwrap()]);
        words.extend(flags);
        words.push(&self.id);
        self.call(&words)
    }

    /// Foreground run.
    pub(crate) fn run(&self) -> Output {
        self.prepare("run", &[]).run()
    }

    pub(crate) fn create(&self) -> Output {
        self.prepare("create", &[]).run()
    }

    pub(crate) fn start(&self) -> Output {
        self.verb("start")
    }

    /// Runs a subcommand whose only argument is the id.
    pub(crate) fn verb(&self, verb: &str) -> Output {
        self.call(&[verb, &self.id]).run()
    }

    /// Creates and starts the container, detached.
    pub(crate) fn up(self) -> Self {
        self.create().ok();
        self.start().ok();
        self
    }

    pub(crate) fn kill(&self, signal: &str) -> Output {
        self.call(&["kill", &self.id, signal]).run()
    }

    pub(crate) fn delete(&self) -> Output {
        self.verb("delete")
    }

    pub(crate) fn state(&self) -> Value {
        let output = self.verb("state").ok().silent();
        serde_json::from_str(&output.out).unwrap_or_else(|error| panic!("{output:?}: {error}"))
    }

    pub(crate) fn status(&self) -> String {
        self.state()["status"].as_str().unwrap().to_owned()
    }

    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.state()["pid"].as_i64().unwrap()).unwrap()
    }

    /// Kills the process and waits until it exits.
    pub(crate) fn stop(&self) {
        let pid = self.pid();
        self.kill("KILL").ok();
        kernel::wait_exit(pid, LIMIT);
    }

    /// Waits for a file that the container writes in `/out`, and returns its text once it ends with a newline.
    pub(crate) fn wait_out(&self, name: &str) -> String {
        let path = self.root("out").join(name);
        let mut text = String::new();
        wait_in(&self.root("out"), &format!("/out/{name}"), || {
            text = fs::read_to_string(&path).unwrap_or_default();
            text.ends_with('\n')
        });
        text
    }

    /// What a foreground run of this container prints.
    #[track_caller]
    pub(crate) fn prints(&self) -> String {
        self.run().ok().out
    }

    /// Requires that `create` fails with this text and leaves nothing on the host, without any delete.
    #[track_caller]
    pub(crate) fn refused(&self, text: &str) -> Output {
        let output = self.create().fails().says(text);
        self.nothing_left();
        output
    }

    /// Deletes the container by force, if it exists, and waits for its processes.
    fn remove(&self) -> Option<Output> {
        // A call is slow in an emulated machine, so it is skipped if there is nothing to delete.
        if !self.state_dir().join(&self.id).exists() {
            return None;
        }
        let cgroup = self.config["linux"]["cgroupsPath"].is_string().then(|| self.cgroup());
        let members = cgroup.and_then(|path| fs::read_to_string(path.join("cgroup.procs")).ok()).unwrap_or_default();
        let mut members: Vec<_> = members.lines().filter_map(|pid| pid.parse().ok()).collect();
        members.extend(self.children());
        // The call may block until the suite, as the parent, has reaped the processes that `exec` left in the
        // container.
        let call = self.call(&["delete", "--force", &self.id]).spawn();
        if members.len() > 1 {
            kernel::wait_exit_all(&members, LIMIT);
        }
        let output = call.finish();
        kernel::wait_exit_all(&members, LIMIT);
        Some(output)
    }

    /// Children of the suite that belong to this container, alive or not yet reaped: its init process and those of
    /// `exec`.
    fn children(&self) -> Vec<i32> {
        let own = format!(" {} ", std::process::id());
        let all = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
        let child = |pid: &i32| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let parent =
                stat.rsplit_once(')').is_some_and(|(_, rest)| rest.get(2..).is_some_and(|rest| rest.starts_with(&own)));
            parent && fs::read_to_string(format!("/proc/{pid}/cgroup")).is_ok_and(|text| text.contains(&self.id))
        };
        all.filter(child).collect()
    }

    /// Requires that the container left nothing on the host: no state, cgroup, mount or process.
    #[track_caller]
    pub(crate) fn nothing_left(&self) {
        let entries = fs::read_dir(self.state_dir()).into_iter().flatten();
        let left: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name())
            .filter(|name| !name.to_string_lossy().starts_with('.'))
            .collect();
        assert!(left.is_empty(), "left in the state directory: {left:?}");
        if self.config["linux"]["cgroupsPath"].is_string() {
            assert!(!self.cgroup().exists(), "the cgroup still exists: {}", self.cgroup().display());
        }
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let place = format!("{}/", self.dir.display());
        let left: Vec<_> = mounts.lines().filter(|line| line.contains(&place)).collect();
        assert!(left.is_empty(), "mounts still exist: {left:?}");
        for pid in self.processes() {
            let command = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default().replace('\0', " ");
            let gone = kernel::pidfd(pid).is_none_or(|fd| kernel::readable(&fd, Duration::from_secs(5)));
            assert!(gone, "a process still runs: {pid} {command}");
        }
    }

    /// Processes whose environment is from a call on this container.
    fn processes(&self) -> Vec<i32> {
        let mark = format!("{MARK}={}\0", self.id);
        let all = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
        let marked = |pid: &i32| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.windows(mark.len()).any(|part| part == mark.as_bytes())
        };
        all.filter(marked).collect()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // The test has failed already. A second panic here would abort the whole suite.
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.remove())).ok();
            return;
        }
        self.remove().into_iter().for_each(|output| drop(output.ok()));
        self.nothing_left();
        fs::remove_dir_all(&self.dir).ok();
    }
}

/// Appends to an array; creates the array if it is absent.
pub(crate) fn push(array: &mut Value, item: Value) {
    if array.is_null() {
        *array = json!([]);
    }
    array.as_array_mut().unwrap().push(item);
}

/// The entry of `linux.namespaces` of this type.
pub(crate) fn namespace<'a>(config: &'a mut Value, kind: &str) -> &'a mut Value {
    let all = config["linux"]["namespaces"].as_array_mut().unwrap();
    all.iter_mut().find(|entry| entry["type"] == kind).unwrap()
}

/// Removes this namespace from the config, so that the container shares it with the runtime.
pub(crate) fn without_namespace(config: &mut Value, kind: &str) {
    config["linux"]["namespaces"].as_array_mut().unwrap().retain(|entry| entry["type"] != kind);
}

fn default_config() -> Value {
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "terminal": false,
            "user": {"uid": 0, "gid": 0},
            "args": ["sh"],
            "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
            "cwd": "/",
            "capabilities": {
                "bounding": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"],
                "effective": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"],
                "permitted": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]
            },
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
            "noNewPrivileges": true
        },
        "root": {"path": "rootfs"},
        "hostname": "suite",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
             "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
             "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
             "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
            {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
            {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
             "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]}
        ],
        "linux": {
            "resources": {"devices": [{"allow": false, "access": "rwm"}]},
            "namespaces": [{"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"},
                           {"type": "cgroup"}],
            "maskedPaths": ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
                            "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
        }
    })
}
