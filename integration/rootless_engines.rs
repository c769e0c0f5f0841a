//! Tests the runtime with an ordinary user's engines: Docker with RootlessKit, and Podman with each network helper and
//! storage driver. Engines that run as root are left to `engines.rs`.

use crate::harness::call::{Call, Output};
use crate::harness::skip::skip;
use crate::harness::trial::{Test, rows, tests};
use crate::harness::unshared::{apart, host, mount_tmpfs};
use crate::harness::user::{UID, give_range};
use crate::rootless::User;
use nix::mount::{MsFlags, mount};
use nix::sys::stat::{Mode, SFlag, mknod};
use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    time::{Duration, Instant},
};

pub(crate) fn tests() -> Vec<Test> {
    let mut all = tests![docker_by_rootlesskit];
    all.extend(rows!("podman", PODMAN, podman));
    all
}

/// Time limit for each step of an engine; a daemon's first start in an emulated machine takes a minute.
const PATIENCE: Duration = Duration::from_secs(240);

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The path of a program; skips the test if it is missing.
fn need(program: &str) -> String {
    let places = PATH.split(':').chain(["/usr/share/docker.io/contrib"]);
    let found = places.map(|place| format!("{place}/{program}")).find(|path| Path::new(path).exists());
    found.unwrap_or_else(|| skip(format!("{program} is missing")))
}

/// Requires a device that a kernel module creates and that hosts usually make accessible to all users. If it is not
/// accessible yet, covers it with an accessible one, in this thread's mount namespace only.
fn need_device(path: &str, module: &str, place: &Path) {
    host(&["modprobe", module]).ok();
    let Ok(data) = fs::metadata(path) else { skip(format!("{path} is missing")) };
    if data.mode() & 0o006 != 0o006 {
        let own = place.join(module);
        mknod(&own, SFlag::S_IFCHR, Mode::empty(), data.rdev()).unwrap();
        fs::set_permissions(&own, fs::Permissions::from_mode(0o666)).unwrap();
        mount(Some(&own), path, None::<&str>, MsFlags::MS_BIND, None::<&str>).unwrap();
    }
}

/// A user with an archive of a root file system, and an engine's environment.
struct Engine {
    user: User,
    environment: Vec<String>,
    /// `$XDG_RUNTIME_DIR`.
    runtime_dir: String,
    /// Whether the user's systemd manager runs.
    by_systemd: bool,
}

impl Engine {
    fn new() -> Engine {
        let user = User::new("true", |_| ());
        give_range(&user.dir);
        let (tree, tar) = (user.dir.join("rootfs"), user.dir.join("run/tree.tar"));
        let words = ["tar", "-C", tree.to_str().unwrap(), "-cf", tar.to_str().unwrap(), "."];
        Call::new(&user.dir, &words).run().ok();
        let session = format!("/run/user/{UID}");
        let by_systemd = Path::new("/run/systemd/system").is_dir() && Path::new(&session).join("bus").exists();
        let own = user.dir.join("run").display().to_string();
        let runtime_dir = if by_systemd { session } else { own.clone() };
        let environment = vec![format!("HOME={own}"), format!("XDG_RUNTIME_DIR={runtime_dir}"), format!("PATH={PATH}")];
        Engine { user, environment, runtime_dir, by_systemd }
    }

    fn call(&self, words: &[&str]) -> Call {
        let own = ["setpriv", &format!("--reuid={UID}"), &format!("--regid={UID}"), "--clear-groups", "env", "-i"];
        let environment: Vec<_> = self.environment.iter().map(String::as_str).collect();
        Call::new(&self.user.dir, &[&own[..], &environment, words].concat()).cwd(&self.user.dir)
    }

    fn run(&self, words: &[&str]) -> Output {
        self.call(words).spawn().finish_within(PATIENCE)
    }

    fn davit(&self) -> String {
        self.user.dir.join("runtime").display().to_string()
    }

    /// The cgroup path of this pid, without the prefix.
    fn cgroup_of(pid: &str) -> String {
        fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap().trim().replace("0::", "")
    }
}

/// Starts Docker with its own rootless script, and runs a container's lifecycle.
fn docker_by_rootlesskit() {
    for program in ["rootlesskit", "dockerd", "docker", "slirp4netns"] {
        need(program);
    }
    let script = need("dockerd-rootless.sh");
    apart(|| {
        let mut engine = Engine::new();
        need_device("/dev/net/tun", "tun", &engine.user.dir);
        let socket = Path::new(&engine.runtime_dir).join("docker.sock");
        engine.environment.push(format!("DOCKER_HOST=unix://{}", socket.display()));
        engine.environment.push("DOCKERD_ROOTLESS_ROOTLESSKIT_NET=slirp4netns".to_owned());
        let davit = format!("davit={}", engine.davit());
        // No port must be reachable from outside, and some kernels in these tests lack NAT.
        let words = ["--iptables=false", "--ip6tables=false", "--add-runtime", &davit, "--default-runtime", "davit"];
        let driver = if engine.by_systemd { "systemd" } else { "none" };
        let daemon = engine.call(&[&[script.as_str()], &words[..]].concat()).spawn();
        let end = Instant::now() + PATIENCE;
        while !socket.exists() {
            // This waits for the daemon to exit.
            assert!(!daemon.ends_within(Duration::from_millis(100)), "the daemon has ended: {}", daemon.text());
            assert!(Instant::now() < end, "there is no {}: {}", socket.display(), daemon.text());
        }
        // The socket file exists before the daemon listens on it.
        while engine.run(&["docker", "version"]).code() != 0 {
            assert!(!daemon.ends_within(Duration::from_millis(100)), "the daemon has ended: {}", daemon.text());
            assert!(Instant::now() < end, "nobody listens at {}: {}", socket.display(), daemon.text());
        }
        let docker = |words: &[&str]| engine.run(&[&["docker"], words].concat());
        let info = docker(&["info", "--format", "{{.DefaultRuntime}} {{.CgroupDriver}} {{.SecurityOptions}}"]).ok();
        assert!(info.out.starts_with(&format!("davit {driver} ")) && info.out.contains("name=rootless"), "{info:?}");
        let tar = engine.user.dir.join("run/tree.tar");
        docker(&["import", tar.to_str().unwrap(), "bb"]).ok();
        let limits: &[&str] = if engine.by_systemd { &["--memory", "64m", "--pids-limit", "50"] } else { &[] };
        let run = [&["run", "--detach", "--name", "box"], limits, &["bb", "sleep", "1000"]].concat();
        let id = docker(&run).ok().line().to_owned();
        let shown = docker(&["inspect", "--format", "{{.State.Pid}} {{.HostConfig.Runtime}}", "box"]).ok();
        let (_, runtime) = shown.line().split_once(' ').unwrap();
        assert_eq!(runtime, "davit");
        let map = docker(&["exec", "box", "cat", "/proc/self/uid_map"]).ok();
        assert_eq!(map.out.split_whitespace().take(3).collect::<Vec<_>>(), ["0", "1000", "1"], "a user's ids");
        assert_eq!(docker(&["exec", "box", "sh", "-c", "id -u; exit 7"]).code(), 7);
        if engine.by_systemd {
            let output = docker(&["exec", "box", "cat", "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/pids.max"]).ok();
            assert_eq!(output.out, "67108864\n50\n");
            let units = ["systemctl", "--user", "list-units", "--all", "--no-legend", "--plain"];
            let unit = format!("docker-{id}.scope");
            let listed = || engine.run(&[&units[..], &[&unit]].concat()).ok().out;
            assert!(listed().starts_with(&unit), "{}", listed());
            docker(&["update", "--memory", "96m", "--memory-swap", "96m", "box"]).ok();
            assert_eq!(docker(&["exec", "box", "cat", "/sys/fs/cgroup/memory.max"]).ok().out, "100663296\n");
            docker(&["stop", "--time", "0", "box"]).ok();
            docker(&["rm", "box"]).ok();
            assert_eq!(listed(), "");
        } else {
            docker(&["stop", "--time", "0", "box"]).ok();
            docker(&["rm", "box"]).ok();
        }
        assert_eq!(docker(&["ps", "--all", "--quiet"]).ok().out, "");
        // On request it also ends its containers' monitors.
        host(&["kill", &daemon.pid().to_string()]).unwrap();
        daemon.finish_within(PATIENCE);
    });
}

/// Podman's flags and where their effect is checked: in the container, or from outside.
type Row = (&'static str, &'static str, &'static [&'static str], &'static [&'static str], &'static str, &'static str);

/// (name, needed program, global flags, flags of `run`, command in the container, start of its output).
const PODMAN: &[Row] = &[
    ("pasta", "pasta", &[], &["--network", "pasta"], "ls /sys/class/net | grep -v -x lo", ""),
    ("slirp4netns", "slirp4netns", &[], &["--network", "slirp4netns"], "ls /sys/class/net | grep -v -x lo", "tap0"),
    ("overlay", "podman", &[], &["--network", "none"], ROOT, "overlay"),
    (
        "fuse-overlayfs",
        "fuse-overlayfs",
        &["--storage-opt", "overlay.mount_program=/usr/bin/fuse-overlayfs"],
        &["--network", "none"],
        ROOT,
        "fuse.fuse-overlayfs",
    ),
];

/// The type of the root file system.
const ROOT: &str = "grep ' / ' /proc/mounts | cut -d' ' -f3";

fn podman(row: &Row) {
    let (name, program, global, flags, command, answer) = row;
    need("podman");
    need(program);
    apart(|| {
        // Podman keeps its locks there, by user id: two first starts at once conflict.
        mount_tmpfs(Path::new("/dev/shm"));
        let engine = Engine::new();
        need_device("/dev/fuse", "fuse", &engine.user.dir);
        if flags[1] != "none" {
            need_device("/dev/net/tun", "tun", &engine.user.dir);
        }
        let manager = if engine.by_systemd { "systemd" } else { "cgroupfs" };
        let davit = engine.davit();
        let fixed = ["podman", "--runtime", &davit, "--cgroup-manager", manager, "--storage-driver", "overlay"];
        let podman = |words: &[&str]| engine.run(&[&fixed[..], global, words].concat());
        let tar = engine.user.dir.join("run/tree.tar");
        podman(&["import", tar.to_str().unwrap(), "localhost/bb"]).ok();
        let run = [&["run", "--detach", "--name", "box"], *flags, &["localhost/bb", "sleep", "1000"]].concat();
        let began = podman(&run);
        if began.err.contains("unable to find network with name or ID pasta") {
            skip("this Podman does not support pasta");
        }
        began.ok();
        let output = podman(&["exec", "box", "sh", "-c", command]).ok();
        if *name == "overlay" && output.line() == "fuse.fuse-overlayfs" {
            skip("Podman reports that a user cannot mount overlay on this kernel and file system");
        }
        assert!(!output.line().is_empty() && output.out.starts_with(answer), "{output:?}");
        let pid = podman(&["inspect", "--format", "{{.State.Pid}}", "box"]).ok();
        assert_eq!(Engine::cgroup_of(pid.line()).contains("libpod"), engine.by_systemd);
        assert_eq!(podman(&["exec", "box", "sh", "-c", "exit 7"]).code(), 7);
        podman(&["stop", "--time", "0", "box"]).ok();
        podman(&["rm", "box"]).ok();
        assert_eq!(podman(&["ps", "--all", "--quiet"]).ok().out, "");
        // Ends the process that holds Podman's namespaces.
        podman(&["system", "migrate"]).ok();
    });
}
