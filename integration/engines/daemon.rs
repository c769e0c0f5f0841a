//! Starts and stops the daemons: their configuration and flags, and when they are ready.

use super::{place::has_nat, snippets::snippet, time_limit::CLEANING};
use crate::harness::bundle::wait_in_for;
use crate::harness::call::{Call, Running};
use crate::harness::cgroups::BY_SYSTEMD;
use crate::harness::kernel;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::json;
use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::Duration,
};

/// The directory of Debian's CNI plug-ins, which create the networks of pods.
pub(super) const CNI: &str = "/usr/lib/cni";

/// The parameters of a daemon.
pub(super) struct Setup {
    /// The directory for all of the daemon's files.
    pub(super) dir: PathBuf,
    /// The daemon's runtime, and whether it is the runtime under test.
    pub(super) runtime: String,
    pub(super) ours: bool,
    pub(super) docker_host: String,
    /// Makes the bridges and addresses of simultaneous daemons distinct.
    pub(super) number: usize,
}

impl Setup {
    fn file(&self, name: &str) -> String {
        self.dir.join(name).to_str().unwrap().to_owned()
    }
}

/// Whether this Docker reads the builder's runtime from its environment. Docker before 26 uses `runc` from PATH.
fn knows_builders_runtime(e: &Setup) -> bool {
    let output = Call::new(&e.dir, &["dockerd", "--version"]).run().ok();
    let major = output.out.split("version ").nth(1).and_then(|text| text.split('.').next()?.parse::<u32>().ok());
    major.unwrap() >= 26
}

/// A running daemon. Dropping it terminates the daemon and waits.
pub(super) struct Daemon(Running);

impl Drop for Daemon {
    fn drop(&mut self) {
        // With SIGTERM, Docker's daemon also terminates its own containerd.
        if let Err(errno) = kill(Pid::from_raw(self.0.pid()), Signal::SIGTERM) {
            eprintln!("integration: cannot terminate a daemon: {errno}");
        }
        if !self.0.ends_within(CLEANING) {
            eprintln!("integration: a daemon ignored SIGTERM and was killed; its log: {}", self.0.text());
        }
    }
}

impl Daemon {
    /// Starts a daemon and waits for its socket.
    fn start(dir: &Path, call: Call, socket: &str) -> Self {
        let daemon = call.spawn();
        let pidfd = kernel::pidfd(daemon.pid()).unwrap();
        let socket = dir.join(socket);
        let done = || socket.exists() || kernel::readable(&pidfd, Duration::ZERO);
        wait_in_for(dir, "the daemon's socket", CLEANING * 2, done);
        assert!(socket.exists(), "the daemon exited: {:?}", daemon.finish());
        Self(daemon)
    }

    pub(super) fn text(&self) -> String {
        self.0.text()
    }

    /// Starts Docker with `more` flags.
    pub(super) fn docker(e: &Setup, more: &[&str]) -> Self {
        let number = e.number;
        let bridge = format!("engine{number}");
        let subnet = format!("10.{}.0.0/16", 200 + number);
        for words in [
            vec!["ip", "link", "add", &bridge, "type", "bridge"],
            vec!["ip", "address", "add", &format!("172.31.{number}.1/24"), "dev", &bridge],
            vec!["ip", "link", "set", &bridge, "up"],
        ] {
            Call::new(&e.dir, &words).run().ok();
        }
        let configuration = if e.ours { snippet("daemon.json", &e.runtime) } else { "{}".to_owned() };
        fs::write(e.file("daemon.json"), configuration).unwrap();
        let nat = has_nat().to_string();
        let driver = if *BY_SYSTEMD { "systemd" } else { "cgroupfs" };
        let words = [
            "dockerd",
            "--config-file",
            &e.file("daemon.json"),
            "--host",
            &e.docker_host,
            "--data-root",
            &e.file("data"),
            "--exec-root",
            &e.file("exec"),
            "--pidfile",
            &e.file("pid"),
            "--bridge",
            &bridge,
            "--default-address-pool",
            &format!("base={subnet},size=24"),
            &format!("--iptables={nat}"),
            "--ip6tables=false",
            &format!("--exec-opt=native.cgroupdriver={driver}"),
        ];
        let mut call = Call::new(&e.dir, &[&words[..], more].concat());
        if e.ours && knows_builders_runtime(e) {
            let unit = snippet("docker.service", &e.runtime);
            let (name, value) =
                unit.trim_end().rsplit_once("Environment=").and_then(|(_, set)| set.split_once('=')).unwrap();
            call = call.env(name, value);
        } else if e.ours {
            fs::create_dir(e.file("bin")).unwrap();
            symlink(&e.runtime, e.file("bin/runc")).unwrap();
            call = call.env("PATH", &format!("{}:{}", e.file("bin"), std::env::var("PATH").unwrap_or_default()));
        }
        Self::start(&e.dir, call, "docker.sock")
    }

    /// Starts containerd with the documented configuration, plus the paths of CNI plug-ins and of its state.
    pub(super) fn containerd(e: &Setup) -> Self {
        let number = e.number;
        let version = Call::new(&e.dir, &["containerd", "--version"]).run().ok().out;
        let old = version.split_whitespace().any(|word| word.trim_start_matches('v').starts_with("1."));
        let name = if old { "config.toml-1" } else { "config.toml" };
        let head = if old { "version = 2\n" } else { "version = 3\n" };
        let configuration = if e.ours { snippet(name, &e.runtime) } else { head.to_owned() };
        let (plugin, programs) = if old {
            ("io.containerd.grpc.v1.cri", format!("bin_dir = '{CNI}'"))
        } else {
            ("io.containerd.cri.v1.runtime", format!("bin_dirs = ['{CNI}']"))
        };
        let (networks, opt) = (e.file("cni"), e.file("opt"));
        let places = format!(
            "[plugins.'{plugin}'.cni]\n  {programs}\n  conf_dir = '{networks}'
[plugins.'io.containerd.internal.v1.opt']\n  path = '{opt}'\n"
        );
        fs::write(e.file("config.toml"), configuration + &places).unwrap();
        let bridge = json!({"cniVersion": "0.4.0", "name": "pods", "plugins": [{
            "type": "bridge",
            "bridge": format!("pods{number}"),
            "isGateway": true,
            "ipam": {"type": "host-local", "ranges": [[{"subnet": format!("10.199.{number}.0/24")}]]},
        }]});
        fs::create_dir(e.file("cni")).unwrap();
        fs::write(e.file("cni/pods.conflist"), bridge.to_string()).unwrap();
        let words = [
            "containerd",
            "--config",
            &e.file("config.toml"),
            "--root",
            &e.file("root"),
            "--state",
            &e.file("state"),
            "--address",
            &e.file("containerd.sock"),
        ];
        Self::start(&e.dir, Call::new(&e.dir, &words), "containerd.sock")
    }
}
