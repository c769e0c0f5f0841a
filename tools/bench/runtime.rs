//! Measures one runtime: its bundles, its containers, and one turn of every operation.
//!
//! Uses the runtime only through the usual command line. The configuration comes from the runtime's `spec`, or from
//! Docker.

use super::spawn::Spawner;
use super::{OPERATIONS, Options, docker, peak};
use anyhow::{Context, Result, ensure};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A runtime with its own state directory, a bundle that runs /bin/true, and a container that runs forever.
pub(crate) struct Runtime<'a> {
    spawner: &'a Spawner,
    pub(crate) path: &'a str,
    pub(crate) root: String,
    pub(crate) bundle: String,
    waiting_bundle: String,
    docker_bundle: String,
    pid_file: String,
    /// A container name unique to this runtime, so that the default cgroups of the runtimes differ.
    pub(crate) id: String,
    pub(crate) waiting: String,
    /// Whether it has `exec`, which the specification does not require.
    executes: bool,
}

impl<'a> Runtime<'a> {
    pub(crate) fn new(spawner: &'a Spawner, options: &Options, name: &str, path: &'a str) -> Result<Self> {
        let home = options.work.join(name);
        let text = |path: PathBuf| path.into_os_string().into_string().ok().context("a path that is not UTF-8");
        let mut this = Self {
            spawner,
            path,
            root: text(home.join("state"))?,
            bundle: text(home.join("true"))?,
            waiting_bundle: text(home.join("wait"))?,
            docker_bundle: text(home.join("docker"))?,
            pid_file: text(home.join("pid"))?,
            id: format!("speed-{name}"),
            waiting: format!("speed-{name}-waiting"),
            executes: false,
        };
        fs::create_dir_all(&this.root)?;
        this.write_bundle(options, &this.bundle, &json!(["/bin/true"]))?;
        this.write_bundle(options, &this.waiting_bundle, &json!(["/bin/sleep", "1000000"]))?;
        write_root(options, &this.docker_bundle)?;
        docker::write_configuration(Path::new(&this.docker_bundle), &json!(["/bin/true"]))?;
        this.command(&["create", "--bundle", &this.waiting_bundle, &this.waiting])?;
        this.command(&["start", &this.waiting])?;
        match this.command(&this.exec_words()) {
            Ok(_) => this.executes = true,
            Err(error) => writeln!(std::io::stderr(), "speed: {name} has no time for exec: {error:#}")?,
        }
        Ok(this)
    }

    /// Writes a bundle from the runtime's `spec`, with another program, no terminal, and a rootfs that has that
    /// program.
    pub(crate) fn write_bundle(&self, options: &Options, bundle: &str, args: &Value) -> Result<()> {
        write_root(options, bundle)?;
        self.command(&["spec", "--bundle", bundle])?;
        let file = Path::new(bundle).join("config.json");
        let mut config: Value =
            serde_json::from_slice(&fs::read(&file).context("the config.json that `spec` should have written")?)?;
        config["process"]["args"] = args.clone();
        config["process"]["terminal"] = json!(false);
        fs::write(&file, serde_json::to_vec_pretty(&config)?)?;
        Ok(())
    }

    pub(crate) fn command(&self, words: &[&str]) -> Result<Duration> {
        self.spawner.run(&self.words(words))
    }

    fn words<'w>(&'w self, words: &[&'w str]) -> Vec<&'w str> {
        [&[self.path, "--root", &self.root], words].concat()
    }

    /// The standard error of the last command.
    pub(crate) fn errors(&self) -> Result<String> {
        Ok(fs::read_to_string(self.spawner.errors())?)
    }

    fn exec_words(&self) -> [&str; 3] {
        ["exec", &self.waiting, "/bin/true"]
    }

    /// One turn of every operation, in the order of [`OPERATIONS`]. `None` for operations that the runtime lacks.
    pub(crate) fn turn(&self) -> Result<[Option<Duration>; OPERATIONS.len()]> {
        self.turn_by(&mut |words| self.spawner.run(words))
    }

    /// The same, where `perform` runs each of the commands.
    pub(crate) fn turn_by(
        &self,
        perform: &mut dyn FnMut(&[&str]) -> Result<Duration>,
    ) -> Result<[Option<Duration>; OPERATIONS.len()]> {
        let mut command = |words: &[&str]| perform(&self.words(words));
        let run = command(&["run", "--bundle", &self.bundle, &self.id])?;
        let docker = command(&["run", "--bundle", &self.docker_bundle, &self.id])?;
        let create = command(&["create", "--bundle", &self.bundle, "--pid-file", &self.pid_file, &self.id])?;
        let start = command(&["start", &self.id])?;
        wait_for_container(&self.pid_file)?;
        let delete = command(&["delete", &self.id])?;
        let exec = if self.executes { Some(command(&self.exec_words())?) } else { None };
        let state = command(&["state", &self.waiting])?;
        let list = command(&["list"])?;
        let kill = command(&["kill", &self.waiting, "CONT"])?;
        let lifecycle = create + start + delete;
        let [run, docker, lifecycle, create, start, delete] = [run, docker, lifecycle, create, start, delete].map(Some);
        Ok([run, docker, lifecycle, create, start, delete, exec, Some(state), Some(list), Some(kill)])
    }

    /// The system calls of one `run` and one `create`, including child processes. `None` if strace cannot run.
    pub(crate) fn system_calls(&self, work: &Path) -> Result<Option<[f64; 2]>> {
        let Some(strace) =
            ["/usr/bin/strace", "/usr/local/bin/strace"].into_iter().find(|path| Path::new(path).exists())
        else {
            return Ok(None);
        };
        let counts = work.join("strace");
        let out = counts.to_str().context("a path that is not UTF-8")?;
        let counted = |verb: &'static str| {
            let strace = [strace, "-f", "-c", "-U", "calls,name", "-o", out];
            [&strace[..], &[self.path, "--root", &self.root, verb, "--bundle", &self.bundle, &self.id]].concat()
        };
        self.spawner.run(&counted("run"))?;
        let run = total(&counts)?;
        // strace keeps tracing the process that waits for `start`, until that process is killed.
        let create = self.spawner.start(&counted("create"))?;
        while !self.is_created() {
            ensure!(
                waitpid(create, Some(WaitPidFlag::WNOHANG))? == WaitStatus::StillAlive,
                "create failed below strace"
            );
        }
        self.command(&["delete", "--force", &self.id])?;
        waitpid(create, None)?;
        Ok(Some([run, total(&counts)?]))
    }

    fn is_created(&self) -> bool {
        let state = self.command(&["state", &self.id]).and_then(|_| Ok(fs::read(self.spawner.output())?));
        state.is_ok_and(|text| serde_json::from_slice(&text).is_ok_and(|state: Value| state["status"] == "created"))
    }

    /// The cost of one system call in the container with Docker's configuration, in ns: see `minimum calls`.
    pub(crate) fn call_cost(&self, options: &Options) -> Result<[f64; 2]> {
        let bundle = Path::new(&self.docker_bundle);
        fs::copy(&options.minimum, bundle.join("rootfs/bin/minimum")).context("copying the minimum")?;
        docker::write_configuration(bundle, &json!(["/bin/minimum", "calls"]))?;
        self.command(&["run", "--bundle", &self.docker_bundle, &self.id])?;
        call_cost(&fs::read_to_string(self.spawner.output())?)
    }

    /// Peak resident set, in MiB, of the largest process of one `run`.
    pub(crate) fn peak(&self, options: &Options) -> Result<f64> {
        let command = [self.path, "--root", &self.root, "run", "--bundle", &self.bundle, &self.id];
        peak(self.spawner, options, &command)
    }
}

impl Drop for Runtime<'_> {
    fn drop(&mut self) {
        for id in [&self.waiting, &self.id] {
            // Ignore errors: the container may not exist, and the first failure was already reported.
            let _ = self.command(&["delete", "--force", id]);
        }
    }
}

/// Parses the output of `minimum calls`.
pub(crate) fn call_cost(printed: &str) -> Result<[f64; 2]> {
    let numbers: Vec<f64> = printed.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    numbers.try_into().ok().context("`minimum calls` did not print two numbers")
}

/// The number of calls that strace counted.
fn total(counts: &Path) -> Result<f64> {
    let counts = fs::read_to_string(counts)?;
    let total = counts.lines().find_map(|line| line.trim().strip_suffix("total")).context("strace printed no total")?;
    Ok(total.trim().parse()?)
}

/// Creates a root file system with the programs.
fn write_root(options: &Options, bundle: &str) -> Result<()> {
    let root = Path::new(bundle).join("rootfs");
    for directory in ["bin", "dev", "proc", "sys", "etc"] {
        fs::create_dir_all(root.join(directory))?;
    }
    for program in ["true", "sleep"] {
        fs::copy(&options.busybox, root.join("bin").join(program)).context("copying busybox")?;
    }
    Ok(())
}

/// Waits for a container's init process to exit. The driver is the subreaper, so init is its child.
pub(crate) fn wait_for_container(pid_file: &str) -> Result<()> {
    let pid = fs::read_to_string(pid_file)?.trim().parse().context("the pid file")?;
    waitpid(Pid::from_raw(pid), None).context("waiting for the container")?;
    Ok(())
}
