//! Defines the commands under trial: the state before each, its arguments, and the expected result.

use crate::fingerprint::END;
use crate::world::World;
use anyhow::{Context, Result, bail};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use serde_json::Value;
use std::fs::{self, File};
use std::io::{PipeReader, Read};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// The id of every container.
pub(crate) const ID: &str = "one";
/// The time limit for a command without a fault, and for its container to print something.
const PATIENCE: Duration = Duration::from_secs(30);

/// The state before the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Before {
    Nothing,
    Created,
    Running,
    Paused,
    Stopped,
}

/// A command under trial.
pub(crate) struct Verb {
    pub(crate) name: &'static str,
    pub(crate) before: Before,
    /// Its arguments. `BUNDLE`, `ONCE`, `RESOURCES` and `ID` are placeholders.
    pub(crate) words: &'static [&'static str],
}

/// Every command that changes something, and one that only reads.
pub(crate) const VERBS: [Verb; 11] = [
    Verb { name: "create", before: Before::Nothing, words: &["create", "--bundle", "BUNDLE", "ID"] },
    Verb { name: "start", before: Before::Created, words: &["start", "ID"] },
    Verb { name: "run", before: Before::Nothing, words: &["run", "--bundle", "ONCE", "ID"] },
    Verb { name: "exec", before: Before::Running, words: &["exec", "ID", "/probe", "fingerprint", "once"] },
    Verb { name: "state", before: Before::Running, words: &["state", "ID"] },
    Verb { name: "kill", before: Before::Running, words: &["kill", "ID", "KILL"] },
    Verb { name: "pause", before: Before::Running, words: &["pause", "ID"] },
    Verb { name: "resume", before: Before::Paused, words: &["resume", "ID"] },
    Verb { name: "update", before: Before::Running, words: &["update", "--resources", "RESOURCES", "ID"] },
    Verb { name: "delete", before: Before::Stopped, words: &["delete", "ID"] },
    Verb { name: "delete --force", before: Before::Running, words: &["delete", "--force", "ID"] },
];

/// A started command, and the read end of the pipe for its output and its container's.
pub(crate) struct Started {
    pub(crate) child: Child,
    pub(crate) output: PipeReader,
}

/// The output or state after a command without a fault; other trials are compared with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark(pub(crate) String);

impl World {
    fn words<'a>(&'a self, words: &[&'a str]) -> Result<Vec<&'a str>> {
        let meant = |word: &&'a str| match *word {
            "BUNDLE" => Ok(self.bundle.as_str()),
            "ONCE" => Ok(self.bundle_once.as_str()),
            "RESOURCES" => self.resources.as_ref().map(|(file, ..)| file.as_str()).context("no controller to set"),
            "ID" => Ok(ID),
            other => Ok(other),
        };
        words.iter().map(meant).collect()
    }

    fn start(&self, program: &[&str], words: &[&str], stdin: Stdio) -> Result<Started> {
        let (output, inner) = std::io::pipe()?;
        let mut command = Command::new(program[0]);
        command.args(&program[1..]).args(["--root", &self.state]).args(self.words(words)?);
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("XDG_RUNTIME_DIR", "/run");
        command.stdin(stdin).stdout(inner).stderr(File::create(&self.errors)?);
        let child = command.spawn().with_context(|| program[0].to_owned())?;
        Ok(Started { child, output })
    }

    /// Starts a process that executes the command when its standard input ends.
    pub(crate) fn start_waiting(&self, verb: &Verb) -> Result<Started> {
        self.start(&["/proc/self/exe", "wait-then-exec", &self.runtime], verb.words, Stdio::piped())
    }

    /// Runs a command without a fault. Returns its status and its unread output.
    fn attempt(&self, words: &[&str]) -> Result<(WaitStatus, PipeReader)> {
        let started = self.start(&[&self.runtime], words, Stdio::null())?;
        let (done, finished) = mpsc::channel::<()>();
        let pid = Pid::from_raw(i32::try_from(started.child.id())?);
        let guard = std::thread::spawn(move || {
            if finished.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
                kill(pid, Signal::SIGKILL).ok();
            }
        });
        // Wait for every child: killed processes of a container may be reparented to this process, and the container's
        // init exits only after they are reaped.
        let status = loop {
            match waitpid(None, None) {
                Ok(status) if status.pid() == Some(pid) => break status,
                Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                Err(errno) => return Err(errno).context("wait for the command"),
            }
        };
        done.send(()).ok();
        guard.join().ok();
        Ok((status, started.output))
    }

    /// Runs a command that must succeed.
    pub(crate) fn succeed(&self, words: &[&str]) -> Result<PipeReader> {
        let (status, output) = self.attempt(words)?;
        if !matches!(status, WaitStatus::Exited(_, 0)) {
            bail!("`{}` without a fault: {status:?}: {}", words.join(" "), self.said().trim_end());
        }
        Ok(output)
    }

    /// Runs a command that may fail but must exit. Returns whether it succeeded.
    pub(crate) fn ends(&self, words: &[&str]) -> Result<bool> {
        Ok(!matches!(self.attempt(words)?.0, WaitStatus::Signaled(..)))
    }

    /// What the last command wrote to its standard error.
    pub(crate) fn said(&self) -> String {
        let bytes = fs::read(&self.errors).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Sets up the state before a command. Returns the output pipe of a container that is only created.
    pub(crate) fn prepare(&self, before: Before) -> Result<Option<PipeReader>> {
        if before == Before::Nothing {
            return Ok(None);
        }
        let output = self.succeed(&["create", "--bundle", "BUNDLE", "ID"])?;
        if before == Before::Created {
            return Ok(Some(output));
        }
        self.succeed(&["start", "ID"])?;
        print_of(output)?;
        match before {
            Before::Paused => drop(self.succeed(&["pause", "ID"])?),
            Before::Stopped => {
                let pid = self.pid()?;
                kill(pid, Signal::SIGKILL)?;
                reap(pid)?;
            }
            _ => (),
        }
        Ok(None)
    }

    /// The output of `state`.
    pub(crate) fn state_now(&self) -> Result<Value> {
        let mut text = String::new();
        self.succeed(&["state", "ID"])?.read_to_string(&mut text)?;
        serde_json::from_str(&text).with_context(|| format!("cannot parse output of state: {text:?}"))
    }

    pub(crate) fn status(&self) -> Result<String> {
        Ok(self.state_now()?["status"].as_str().unwrap_or_default().to_owned())
    }

    /// The container's first process.
    pub(crate) fn pid(&self) -> Result<Pid> {
        let pid = self.state_now()?["pid"].as_i64().context("state has no pid")?;
        Ok(Pid::from_raw(i32::try_from(pid)?))
    }

    /// The result after the command reported success.
    pub(crate) fn mark(&self, verb: &Verb, output: PipeReader, created: Option<PipeReader>) -> Result<Mark> {
        Ok(Mark(match verb.name {
            "create" => {
                let status = self.status()?;
                if status != "created" {
                    bail!("a container that is {status} after create");
                }
                self.succeed(&["start", "ID"])?;
                print_of(output)?
            }
            "start" => print_of(created.context("no output of a created container")?)?,
            "run" | "exec" => print_of(output)?,
            "state" => {
                let mut text = String::new();
                let mut output = output;
                output.read_to_string(&mut text)?;
                let mut state: Value =
                    serde_json::from_str(&text).with_context(|| format!("cannot parse output of state: {text:?}"))?;
                state["pid"] = Value::from(state["pid"].as_i64().is_some());
                state["created"] = Value::from(state["created"].as_str().is_some());
                state.to_string()
            }
            "kill" => {
                // Wait for it here: it is our child, so runtimes see its exit only with a delay.
                self.stopped()?
            }
            "pause" | "resume" => self.status()?,
            "update" => {
                let (_, file, _) = self.resources.as_ref().context("no controller to set")?;
                fs::read_to_string(file).with_context(|| file.display().to_string())?
            }
            _ => String::new(),
        }))
    }

    /// Waits until the container's process has ended.
    fn stopped(&self) -> Result<String> {
        let end = Instant::now() + PATIENCE;
        loop {
            while matches!(waitpid(None, Some(nix::sys::wait::WaitPidFlag::WNOHANG)), Ok(status) if status != WaitStatus::StillAlive)
            {
            }
            let status = self.status()?;
            if status == "stopped" || Instant::now() > end {
                return Ok(status);
            }
        }
    }
}

fn reap(pid: Pid) -> Result<()> {
    loop {
        match waitpid(pid, None) {
            Err(nix::errno::Errno::EINTR) => {}
            other => return other.map(drop).context("wait for the container's process"),
        }
    }
}

/// Reads what the probe prints, to its last line.
pub(crate) fn print_of(mut output: PipeReader) -> Result<String> {
    let end = Instant::now() + PATIENCE;
    let (mut text, mut bytes) = (Vec::new(), [0; 16384]);
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        if poll(&mut [PollFd::new(output.as_fd(), PollFlags::POLLIN)], timeout)? == 0 {
            bail!("the container's program did not say all: {}", String::from_utf8_lossy(&text));
        }
        let length = output.read(&mut bytes)?;
        text.extend_from_slice(&bytes[..length]);
        let said = String::from_utf8_lossy(&text);
        if said.trim_end().ends_with(END) {
            return Ok(said.into_owned());
        }
        if length == 0 {
            bail!("the container's program ended before it had said all: {said}");
        }
    }
}
