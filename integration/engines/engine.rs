//! An engine with one runtime below it: where it keeps its state, how its daemon is started, how it is called, and the
//! containers made with it.

use super::snippets::snippet;
use crate::{
    bundle::{BY_SYSTEMD, wait_in},
    call::{Call, Output, RUNTIME, Running, runtime_name},
    kernel,
    trial::skip,
};
use nix::mount::{MsFlags, mount};
use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::{
        LazyLock, Mutex, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// The image all containers are made of: a busybox tree.
pub(crate) const IMAGE: &str = "localhost/bb:latest";
/// Far above what an emulated machine needs for the slowest of the checks.
pub(crate) const LIMIT: Duration = Duration::from_secs(240);
/// Everything the suite writes; on a tmpfs of the suite's own mount namespace.
const PLACE: &str = "/run/davit-engines";

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Docker,
    Containerd,
    Podman,
    Buildah,
}

/// One column of the table.
pub(crate) struct Engine {
    pub(crate) kind: Kind,
    /// Whether it is the runtime under test; otherwise runc, as the engine finds it by itself.
    pub(crate) ours: bool,
    number: usize,
    daemon: OnceLock<Mutex<Running>>,
}

pub(crate) static ENGINES: LazyLock<Vec<Engine>> = LazyLock::new(|| {
    let kinds = [Kind::Docker, Kind::Containerd, Kind::Podman, Kind::Buildah];
    let columns = kinds.into_iter().flat_map(|kind| [(kind, true), (kind, false)]).enumerate();
    columns.map(|(number, (kind, ours))| Engine { kind, ours, number, daemon: OnceLock::new() }).collect()
});

static COUNT: AtomicUsize = AtomicUsize::new(0);

/// A name no other container has.
pub(crate) fn fresh(what: &str) -> String {
    format!("{what}{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Hides the host's state under tmpfs, makes the tree of the image, brings the loopback of the new network namespace up.
pub(crate) fn prepare() -> Result<(), String> {
    let tmpfs = |path: &str| {
        fs::create_dir_all(path).map_err(|error| format!("{path}: {error}"))?;
        let done = mount(Some("tmpfs"), path, Some("tmpfs"), MsFlags::empty(), Some("mode=755"));
        done.map_err(|errno| format!("tmpfs on {path}: {errno}"))
    };
    // A runtime below /run would vanish with it.
    let runtime = fs::read(RUNTIME.as_str()).map_err(|error| format!("{}: {error}", *RUNTIME))?;
    // Held before it is covered: systemd and its bus are there.
    let run = fs::File::open("/run").map_err(|error| format!("/run: {error}"))?;
    for path in ["/run", "/var/lib/containers", "/var/lib/containerd", "/var/lib/docker", "/var/lib/cni"] {
        tmpfs(path)?;
    }
    let make = || -> std::io::Result<()> {
        super::keep_systemd(&run)?;
        fs::create_dir_all(PLACE)?;
        fs::write(ours(), runtime)?;
        fs::set_permissions(ours(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        make_tree(&Path::new(PLACE).join("tree"))?;
        // Where `--userns=auto` takes its ids from: a user who exists.
        let users = fs::read_to_string("/etc/passwd")? + "containers:x:999999:999999::/:/bin/false\n";
        let ids = "containers:1000000:1000000\n".to_owned();
        for (name, text) in [("passwd", users), ("subuid", ids.clone()), ("subgid", ids)] {
            let file = Path::new(PLACE).join(name);
            fs::write(&file, text)?;
            mount(Some(&file), &Path::new("/etc").join(name), None::<&str>, MsFlags::MS_BIND, None::<&str>)?;
        }
        Ok(())
    };
    make().map_err(|error| format!("{PLACE}: {error}"))?;
    let tar = Call::new(Path::new(PLACE), &["tar", "-C", &at("tree"), "-cf", &at("tree.tar"), "."]).run();
    let up = Call::new(Path::new(PLACE), &["ip", "link", "set", "lo", "up"]).run();
    if tar.status.success() && up.status.success() { Ok(()) } else { Err(format!("{tar:?}\n{up:?}")) }
}

/// The runtime under test, under its own name.
fn ours() -> PathBuf {
    Path::new(PLACE).join(runtime_name())
}

/// A path below the suite's directory.
pub(crate) fn at(name: &str) -> String {
    format!("{PLACE}/{name}")
}

fn make_tree(tree: &Path) -> std::io::Result<()> {
    for name in ["bin", "dev", "etc", "proc", "root", "sys", "tmp", "var"] {
        fs::create_dir_all(tree.join(name))?;
    }
    fs::set_permissions(tree.join("tmp"), std::os::unix::fs::PermissionsExt::from_mode(0o1777))?;
    let busybox = ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|path| Path::new(path).exists());
    fs::copy(busybox.unwrap_or("/bin/busybox"), tree.join("bin/busybox"))?;
    let list = Call::new(Path::new(PLACE), &["/bin/busybox", "--list"]).run().ok();
    for applet in list.out.lines().filter(|name| *name != "busybox") {
        symlink("busybox", tree.join("bin").join(applet))?;
    }
    fs::write(tree.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/tmp:/bin/sh\n")?;
    fs::write(tree.join("etc/group"), "root:x:0:\nuser:x:1000:\n")
}

/// A container that is removed at the end of its check, whatever became of that.
pub(crate) struct Up<'a> {
    engine: &'a Engine,
    pub(crate) name: String,
}

impl Drop for Up<'_> {
    fn drop(&mut self) {
        let words = ["rm", "-f", "-v", self.name.as_str()];
        // Podman would wait ten seconds for programs that do not care to be stopped.
        let podman = ["rm", "-f", "-v", "-t", "0", self.name.as_str()];
        self.engine.call(if self.engine.kind == Kind::Podman { &podman } else { &words });
    }
}

impl Engine {
    pub(crate) fn name(&self) -> String {
        format!("{}-{}", self.program(), if self.ours { runtime_name() } else { "runc" })
    }

    fn program(&self) -> &'static str {
        match self.kind {
            Kind::Docker => "docker",
            Kind::Containerd => "containerd",
            Kind::Podman => "podman",
            Kind::Buildah => "buildah",
        }
    }

    /// The runtime's path.
    pub(crate) fn runtime(&self) -> String {
        if self.ours {
            return ours().to_str().unwrap().to_owned();
        }
        which("runc").unwrap_or_else(|| skip("runc is not installed"))
    }

    /// Skips where the engine is not installed; otherwise sees to it that its daemon runs and has the image.
    pub(crate) fn need(&self) {
        let programs: &[&str] = match self.kind {
            Kind::Docker => &["docker", "dockerd"],
            Kind::Containerd => &["containerd", "ctr"],
            Kind::Podman => &["podman", "conmon"],
            Kind::Buildah => &["buildah"],
        };
        for name in programs {
            if which(name).is_none() {
                skip(format!("{name} is not installed"));
            }
        }
        self.runtime();
        if fs::exists(self.dir()).unwrap() {
            return;
        }
        fs::create_dir_all(self.dir()).unwrap();
        match self.kind {
            Kind::Docker => self.start_docker(),
            Kind::Containerd => self.start_containerd(),
            Kind::Podman => fs::write(self.file("containers.conf"), self.podman_configuration()).unwrap(),
            Kind::Buildah => {}
        }
        match self.kind {
            Kind::Docker | Kind::Podman => drop(self.call(&["import", &at("tree.tar"), IMAGE]).ok()),
            Kind::Containerd => drop(Call::new(&self.dir(), &["cp", "-a", &at("tree"), &self.file("tree")]).run().ok()),
            Kind::Buildah => {
                self.call(&["from", "--name", "base", "scratch"]).ok();
                self.call(&["add", "base", &at("tree.tar"), "/"]).ok();
                self.call(&["commit", "base", IMAGE]).ok();
            }
        }
    }

    /// Its directory; what is below is its own.
    pub(crate) fn dir(&self) -> PathBuf {
        Path::new(PLACE).join(self.name())
    }

    pub(crate) fn file(&self, name: &str) -> String {
        self.dir().join(name).to_str().unwrap().to_owned()
    }

    /// Two daemons side by side need a bridge and addresses each.
    fn start_docker(&self) {
        let bridge = format!("engine{}", self.number);
        let subnet = format!("10.{}.0.0/16", 200 + self.number);
        for words in [
            vec!["ip", "link", "add", &bridge, "type", "bridge"],
            vec!["ip", "address", "add", &format!("172.31.{}.1/24", self.number), "dev", &bridge],
            vec!["ip", "link", "set", &bridge, "up"],
        ] {
            Call::new(&self.dir(), &words).run().ok();
        }
        let configuration = if self.ours { snippet("daemon.json", &self.runtime()) } else { "{}".to_owned() };
        fs::write(self.file("daemon.json"), configuration).unwrap();
        let nat = has_nat().to_string();
        let driver = if *BY_SYSTEMD { "systemd" } else { "cgroupfs" };
        let words = [
            "dockerd",
            "--config-file",
            &self.file("daemon.json"),
            "--host",
            &self.docker_host(),
            "--data-root",
            &self.file("data"),
            "--exec-root",
            &self.file("exec"),
            "--pidfile",
            &self.file("pid"),
            "--bridge",
            &bridge,
            "--default-address-pool",
            &format!("base={subnet},size=24"),
            &format!("--iptables={nat}"),
            "--ip6tables=false",
            &format!("--exec-opt=native.cgroupdriver={driver}"),
        ];
        let mut call = Call::new(&self.dir(), &words);
        if self.ours {
            let unit = snippet("docker.service", &self.runtime());
            let (name, value) =
                unit.trim_end().rsplit_once("Environment=").and_then(|(_, set)| set.split_once('=')).unwrap();
            call = call.env(name, value);
        }
        self.started(call, "docker.sock");
        self.call(&["version"]).ok();
    }

    fn docker_host(&self) -> String {
        format!("unix://{}", self.file("docker.sock"))
    }

    fn start_containerd(&self) {
        let version = Call::new(&self.dir(), &["containerd", "--version"]).run().ok().out;
        let old = version.split_whitespace().any(|word| word.trim_start_matches('v').starts_with("1."));
        let name = if old { "config.toml-1" } else { "config.toml" };
        let head = if old { "version = 2\n" } else { "version = 3\n" };
        let configuration = if self.ours { snippet(name, &self.runtime()) } else { head.to_owned() };
        fs::write(self.file("config.toml"), configuration).unwrap();
        let words = [
            "containerd",
            "--config",
            &self.file("config.toml"),
            "--root",
            &self.file("root"),
            "--state",
            &self.file("state"),
            "--address",
            &self.file("containerd.sock"),
        ];
        self.started(Call::new(&self.dir(), &words), "containerd.sock");
        self.call(&["version"]).ok();
    }

    /// Starts a daemon and waits for its socket.
    fn started(&self, call: Call, socket: &str) {
        let daemon = call.spawn();
        let pidfd = kernel::pidfd(daemon.pid()).unwrap();
        let socket = self.dir().join(socket);
        wait_in(&self.dir(), "the daemon's socket", || socket.exists() || kernel::readable(&pidfd, Duration::ZERO));
        assert!(socket.exists(), "the daemon ended: {:?}", daemon.finish());
        self.daemon.set(Mutex::new(daemon)).ok();
    }

    fn podman_configuration(&self) -> String {
        if self.ours {
            snippet("containers.conf", &self.runtime())
        } else {
            "[engine]\nruntime = \"runc\"\n".to_owned()
        }
    }

    /// A call of the engine's command line, not yet run.
    pub(crate) fn prepare(&self, words: &[&str]) -> Call {
        let (host, root, runroot) = (self.docker_host(), self.file("root"), self.file("runroot"));
        let (tmp, address) = (self.file("tmp"), self.file("containerd.sock"));
        let first: &[&str] = match self.kind {
            Kind::Docker => &["docker", "--host", &host],
            Kind::Containerd => &["ctr", "--address", &address],
            Kind::Podman => &[
                "podman",
                "--root",
                &root,
                "--runroot",
                &runroot,
                "--tmpdir",
                &tmp,
                if *BY_SYSTEMD { "--cgroup-manager=systemd" } else { "--cgroup-manager=cgroupfs" },
                "--events-backend=file",
            ],
            Kind::Buildah => &["buildah", "--root", &root, "--runroot", &runroot],
        };
        let call = Call::new(&self.dir(), &[first, words].concat()).env("HOME", "/root");
        match self.kind {
            Kind::Podman => call.env("CONTAINERS_CONF", &self.file("containers.conf")),
            Kind::Buildah if self.ours => {
                let script = snippet("buildah.sh", &self.runtime());
                let sets = script.split_whitespace().filter_map(|word| word.split_once('='));
                sets.fold(call, |call, (name, value)| call.env(name, value))
            }
            Kind::Buildah => call.env("BUILDAH_RUNTIME", &self.runtime()).env("BUILDAH_ISOLATION", "oci"),
            Kind::Docker => call.env("DOCKER_BUILDKIT", "0"),
            Kind::Containerd => call,
        }
    }

    pub(crate) fn call(&self, words: &[&str]) -> Output {
        self.prepare(words).spawn().finish_within(LIMIT)
    }

    /// `run --rm` of a shell script in a container without a network, which is the quickest kind.
    pub(crate) fn sh(&self, flags: &[&str], script: &str) -> Output {
        self.call(&[&["run", "--rm", "--network", "none"], flags, &[IMAGE, "sh", "-c", script]].concat())
    }

    /// A detached container that runs a shell script, without a network.
    pub(crate) fn up(&self, flags: &[&str], script: &str) -> Up<'_> {
        self.up_on(&[&["--network", "none"], flags].concat(), script)
    }

    /// A detached container that runs a shell script, with the network the flags name.
    pub(crate) fn up_on(&self, flags: &[&str], script: &str) -> Up<'_> {
        let up = Up { engine: self, name: fresh("up") };
        self.call(&[&["run", "-d", "--name", &up.name], flags, &[IMAGE, "sh", "-c", script]].concat()).ok();
        up
    }

    /// A field of `inspect`.
    pub(crate) fn inspect(&self, name: &str, field: &str) -> String {
        self.call(&["inspect", "--format", &format!("{{{{{field}}}}}"), name]).ok().line().to_owned()
    }

    /// Waits for the end of a container; its exit status as the engine tells it.
    pub(crate) fn wait(&self, name: &str) -> String {
        self.call(&["wait", name]).ok().line().to_owned()
    }

    /// A new directory to bind into containers.
    pub(crate) fn new_dir(&self) -> String {
        let path = self.file(&fresh("dir"));
        fs::create_dir(&path).unwrap();
        path
    }
}

/// The program of this name in PATH.
pub(crate) fn which(name: &str) -> Option<String> {
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':').map(|dir| format!("{dir}/{name}")).find(|path| Path::new(path).is_file())
}

/// Whether this kernel has NAT tables, without which names, published ports and Podman's bridges do not work.
pub(crate) fn has_nat() -> bool {
    static ANSWER: LazyLock<bool> = LazyLock::new(|| {
        let words =
            ["sh", "-c", "iptables -t nat -A POSTROUTING -s 192.0.2.1 -j MASQUERADE && iptables -t nat -F POSTROUTING"];
        Call::new(Path::new(PLACE), &words).run().status.success()
    });
    *ANSWER
}

/// Skips where there is no NAT.
pub(crate) fn need_nat() {
    if !has_nat() {
        skip("this kernel has no NAT tables");
    }
}

/// The cgroup of a process.
pub(crate) fn cgroup_of(pid: &str) -> PathBuf {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let path = text.lines().find_map(|line| line.strip_prefix("0::/")).unwrap();
    crate::bundle::cgroup_mount().join(path)
}
