//! Runs the runtime, or any program, with arguments, environment and input, and collects its output within a time
//! limit. Building containers is left to `bundle`.
//!
//! Output goes to files, not pipes: a detached container keeps the runtime's stdout open, so a pipe would never reach
//! EOF.

use crate::harness::kernel;
use std::{
    fs::{self, File},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

/// Time limit for every wait; the test fails after it. Far above what a slow virtual machine needs.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

static COUNT: AtomicUsize = AtomicUsize::new(0);

/// A program about to be started.
pub(crate) struct Call {
    command: Command,
    shown: String,
    out: PathBuf,
}

/// A program that was started and is not yet waited for; killed when dropped.
pub(crate) struct Running {
    child: Child,
    shown: String,
    out: PathBuf,
}

/// Exit status and output of a finished program.
pub(crate) struct Output {
    pub(crate) status: ExitStatus,
    pub(crate) out: String,
    pub(crate) err: String,
    shown: String,
}

impl Call {
    /// `place` is the directory for the output files.
    pub(crate) fn new(place: &Path, words: &[&str]) -> Self {
        let out = place.join(format!("out-{}", COUNT.fetch_add(1, Ordering::Relaxed)));
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).stdin(Stdio::null());
        Self { command, shown: words.join(" "), out }
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn cwd(mut self, path: &Path) -> Self {
        self.command.current_dir(path);
        self
    }

    /// Passes `text` as standard input, through a file.
    pub(crate) fn input(self, text: &str) -> Self {
        let path = self.out.with_extension("in");
        fs::write(&path, text).unwrap();
        let file = File::open(path).unwrap();
        self.stdin(file.into())
    }

    pub(crate) fn stdin(mut self, fd: OwnedFd) -> Self {
        self.command.stdin(fd);
        self
    }

    /// Starts the program with standard input, output and error on this terminal.
    pub(crate) fn stdio(mut self, fd: &OwnedFd) -> Running {
        for set in [Command::stdin, Command::stdout, Command::stderr] {
            set(&mut self.command, fd.try_clone().unwrap());
        }
        self.start()
    }

    /// Starts it with `fd` as standard output.
    pub(crate) fn stdout(mut self, fd: OwnedFd) -> Running {
        self.command.stdout(fd);
        self.command.stderr(File::options().create(true).append(true).open(self.out.with_extension("err")).unwrap());
        self.start()
    }

    pub(crate) fn spawn(mut self) -> Running {
        self.command.stdout(File::options().create(true).append(true).open(&self.out).unwrap());
        self.command.stderr(File::options().create(true).append(true).open(self.out.with_extension("err")).unwrap());
        self.start()
    }

    fn start(mut self) -> Running {
        let child = self.command.spawn().unwrap_or_else(|error| panic!("{}: {error}", self.shown));
        Running { child, shown: self.shown, out: self.out }
    }

    /// Runs the program and waits until it exits.
    pub(crate) fn run(self) -> Output {
        self.spawn().finish()
    }
}

impl Running {
    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    pub(crate) fn ends_within(&self, limit: Duration) -> bool {
        kernel::pidfd(self.pid()).is_none_or(|pidfd| kernel::readable(&pidfd, limit))
    }

    pub(crate) fn finish(self) -> Output {
        self.finish_within(LIMIT)
    }

    pub(crate) fn finish_within(mut self, limit: Duration) -> Output {
        assert!(self.ends_within(limit), "{} did not exit in {limit:?}; output: {}", self.shown, self.text());
        let status = self.child.wait().unwrap();
        let read = |path: &Path| String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned();
        let (out, err) = (read(&self.out), read(&self.out.with_extension("err")));
        Output { status, out, err, shown: self.shown.clone() }
    }

    /// The output so far, of both streams.
    pub(crate) fn text(&self) -> String {
        let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
        format!("{}{}", read(&self.out), read(&self.out.with_extension("err")))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            // The process may have exited in between; that error is harmless.
            self.child.kill().ok();
            self.ends_within(Duration::from_secs(5));
            self.child.try_wait().ok();
        }
    }
}

impl Output {
    pub(crate) fn code(&self) -> i32 {
        self.status.code().unwrap_or(-1)
    }

    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        self.exits(0)
    }

    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert!(self.code() == code, "{self:?} instead of exit {code}");
        self
    }

    #[track_caller]
    pub(crate) fn fails(self) -> Self {
        assert!(!self.status.success(), "{self:?} instead of a failure");
        self
    }

    /// Requires that standard error contains this text, possibly quoted in a log line.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.err.replace("\\\"", "\"").contains(text), "{self:?} instead of {text:?} on stderr");
        self
    }

    /// Requires that standard error is empty.
    #[track_caller]
    pub(crate) fn silent(self) -> Self {
        assert!(self.err.is_empty(), "{self:?} instead of an empty stderr");
        self
    }

    /// Standard output without the trailing newline.
    pub(crate) fn line(&self) -> &str {
        self.out.trim_end()
    }
}

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\n  {}", self.shown, self.status)?;
        for (name, text) in [("stdout", &self.out), ("stderr", &self.err)] {
            if !text.is_empty() {
                write!(f, "\n  {name}: {}", text.trim_end())?;
            }
        }
        Ok(())
    }
}
