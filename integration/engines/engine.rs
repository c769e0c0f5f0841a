//! An engine with one runtime: its state directory, its command line, and helpers to create containers.

use super::{
    census::Census,
    daemon::{Daemon, Setup},
    place::{PLACE, allowances, at, fresh, has_nat, ours, which},
    snippets::snippet,
    time_limit::{CLEANING, left},
};
use crate::harness::call::{Call, Output};
use crate::harness::cgroups::BY_SYSTEMD;
use crate::harness::runtime::runtime_name;
use crate::harness::skip::skip;
use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{LazyLock, Mutex, OnceLock, PoisonError},
};

/// The image of all containers: a busybox tree.
pub(crate) const IMAGE: &str = "localhost/bb:latest";

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
    /// Whether the runtime is the one under test. Otherwise the engine uses runc with its default configuration.
    pub(crate) ours: bool,
    number: usize,
    /// Additional flags of Docker's daemon. The first one is part of the directory's name.
    flags: &'static [&'static str],
    /// The state of the machine before the engine was set up. `None` if the setup failed.
    before: OnceLock<Option<Census>>,
    daemon: Mutex<Option<Daemon>>,
}

pub(crate) static ENGINES: LazyLock<Vec<Engine>> = LazyLock::new(|| {
    let kinds = [Kind::Docker, Kind::Containerd, Kind::Podman, Kind::Buildah];
    let columns = kinds.into_iter().flat_map(|kind| [(kind, true), (kind, false)]).enumerate();
    columns.map(|(number, (kind, ours))| Engine::new(kind, ours, number, &[])).collect()
});

/// A container. Dropping it removes the container, also after a failed check.
pub(crate) struct Up<'a> {
    engine: &'a Engine,
    pub(crate) name: String,
}

impl Drop for Up<'_> {
    fn drop(&mut self) {
        let words = ["rm", "-f", "-v", self.name.as_str()];
        // By default, Podman waits ten seconds for programs that ignore SIGTERM.
        let podman = ["rm", "-f", "-v", "-t", "0", self.name.as_str()];
        self.engine.clean(if self.engine.kind == Kind::Podman { &podman } else { &words });
    }
}

impl Engine {
    fn new(kind: Kind, ours: bool, number: usize, flags: &'static [&'static str]) -> Self {
        Self { kind, ours, number, flags, before: OnceLock::new(), daemon: Mutex::new(None) }
    }

    /// Starts a second daemon of the same engine, with more flags. It ends when the value is dropped.
    pub(crate) fn with_flags(&self, flags: &'static [&'static str]) -> Self {
        let other = Self::new(self.kind, self.ours, self.number + ENGINES.len(), flags);
        other.need();
        other
    }

    pub(crate) fn name(&self) -> String {
        format!("{}-{}", self.program(), if self.ours { runtime_name() } else { "runc" })
    }

    /// The name of the same engine with the runtime under test.
    pub(crate) fn peer(&self) -> String {
        format!("{}-{}", self.program(), runtime_name())
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

    /// Skips if the engine is not installed. Otherwise starts its daemon and imports the image, once.
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
        let set_up = || {
            fs::create_dir_all(self.dir()).unwrap();
            let before = Census::take();
            catch_unwind(AssertUnwindSafe(|| self.set_up())).is_ok().then_some(before)
        };
        assert!(
            self.before.get_or_init(set_up).is_some(),
            "the setup of this engine failed; its first failed check has the reason"
        );
    }

    fn set_up(&self) {
        let daemon = match self.kind {
            Kind::Docker => Some(Daemon::docker(&self.setup(), self.flags)),
            Kind::Containerd => Some(Daemon::containerd(&self.setup())),
            Kind::Podman | Kind::Buildah => None,
        };
        if daemon.is_some() {
            *self.daemon.lock().unwrap_or_else(PoisonError::into_inner) = daemon;
            self.call(&["version"]).ok();
        }
        match self.kind {
            Kind::Docker => drop(self.call(&["import", &at("tree.tar"), IMAGE]).ok()),
            Kind::Containerd => drop(Call::new(&self.dir(), &["cp", "-a", &at("tree"), &self.file("tree")]).run().ok()),
            Kind::Podman => {
                let configuration = self.podman_configuration() + &allowances();
                fs::write(self.file("containers.conf"), configuration).unwrap();
                self.call(&["import", &at("tree.tar"), IMAGE]).ok();
            }
            Kind::Buildah => {
                fs::write(self.file("containers.conf"), allowances()).unwrap();
                self.call(&["from", "--name", "base", "scratch"]).ok();
                self.call(&["add", "base", &at("tree.tar"), "/"]).ok();
                self.call(&["commit", "base", IMAGE]).ok();
                self.call(&["rm", "base"]).ok();
            }
        }
    }

    /// The major number of Docker's version.
    pub(crate) fn docker_major(&self) -> u32 {
        let output = self.call(&["version", "--format", "{{.Server.Version}}"]).ok();
        output.line().split('.').next().unwrap_or_default().parse().unwrap()
    }

    /// The last lines of the daemon's log.
    pub(super) fn daemon_text(&self) -> String {
        let daemon = self.daemon.lock().unwrap_or_else(PoisonError::into_inner);
        let text = daemon.as_ref().map(Daemon::text).unwrap_or_default();
        let lines: Vec<_> = text.lines().rev().take(4).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    /// Stops the daemon, if one is running.
    pub(super) fn end_daemon(&self) {
        let daemon = self.daemon.lock().unwrap_or_else(PoisonError::into_inner).take();
        let ran = daemon.is_some();
        drop(daemon);
        if ran && self.kind == Kind::Docker && self.flags.is_empty() && has_nat() {
            // Docker sets the policy of FORWARD to DROP and leaves it so, which would break the next engines.
            Call::new(&self.dir(), &["iptables", "-P", "FORWARD", "ACCEPT"]).run().ok();
        }
    }

    /// Stops the daemon. Returns the state of the machine before the setup.
    pub(super) fn shut_down(&self) -> &Census {
        self.end_daemon();
        self.before.get().and_then(Option::as_ref).unwrap()
    }

    /// The directory of the engine's files.
    pub(crate) fn dir(&self) -> PathBuf {
        let part = self.flags.first().copied().unwrap_or_default();
        Path::new(PLACE).join(self.name() + part)
    }

    pub(crate) fn file(&self, name: &str) -> String {
        self.dir().join(name).to_str().unwrap().to_owned()
    }

    fn setup(&self) -> Setup {
        let (dir, runtime, docker_host) = (self.dir(), self.runtime(), self.docker_host());
        Setup { dir, runtime, ours: self.ours, docker_host, number: self.number }
    }

    pub(super) fn docker_host(&self) -> String {
        format!("unix://{}", self.file("docker.sock"))
    }

    fn podman_configuration(&self) -> String {
        if self.ours {
            snippet("containers.conf", &self.runtime())
        } else {
            "[engine]\nruntime = \"runc\"\n".to_owned()
        }
    }

    /// Prepares a call of the engine's command line.
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
        let mut call = Call::new(&self.dir(), &[first, words].concat()).env("HOME", "/root");
        if matches!(self.kind, Kind::Podman | Kind::Buildah) {
            call = call.env("CONTAINERS_CONF", &self.file("containers.conf"));
        }
        match self.kind {
            Kind::Podman => call,
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
        self.prepare(words).spawn().finish_within(left())
    }

    /// Calls Compose as the separate program `docker-compose`.
    pub(crate) fn standalone(&self, words: &[&str]) -> Output {
        let host = self.docker_host();
        let words = [&["docker-compose", "--host", &host], words].concat();
        Call::new(&self.dir(), &words).env("HOME", "/root").spawn().finish_within(left())
    }

    /// Removes something after a check. Prints a failure, but does not panic again.
    pub(crate) fn clean(&self, words: &[&str]) {
        let running = self.prepare(words).spawn();
        if !running.ends_within(CLEANING) {
            eprintln!("integration: {} {} did not exit; output: {}", self.name(), words.join(" "), running.text());
        }
    }

    /// `run --rm` of a shell script in a container without a network, which starts fastest.
    pub(crate) fn sh(&self, flags: &[&str], script: &str) -> Output {
        self.call(&[&["run", "--rm", "--network", "none"], flags, &[IMAGE, "sh", "-c", script]].concat())
    }

    /// Starts a detached container that runs a shell script, without a network.
    pub(crate) fn up(&self, flags: &[&str], script: &str) -> Up<'_> {
        self.up_on(&[&["--network", "none"], flags].concat(), script)
    }

    /// Starts a detached container that runs a shell script, with the network of the flags.
    pub(crate) fn up_on(&self, flags: &[&str], script: &str) -> Up<'_> {
        let up = Up { engine: self, name: fresh("up") };
        self.call(&[&["run", "-d", "--name", &up.name], flags, &[IMAGE, "sh", "-c", script]].concat()).ok();
        up
    }

    /// A field of `inspect`.
    pub(crate) fn inspect(&self, name: &str, field: &str) -> String {
        self.call(&["inspect", "--format", &format!("{{{{{field}}}}}"), name]).ok().line().to_owned()
    }

    /// Waits until a container exits. Returns the exit status that the engine reports.
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
