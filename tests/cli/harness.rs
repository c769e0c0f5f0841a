//! Helpers for the tests of the command line: the program, a temporary directory, and a process that acts as the init
//! process of a container.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};

/// The result of a call of the program.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Answer {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("the program writes UTF-8");
        Answer { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Answer {
    /// Checks for exit status 0 and an empty stderr. Returns stdout.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!((self.code, self.err.as_str()), (Some(0), ""), "stdout: {}", self.out);
        self.out
    }

    /// Checks for exit status 1 and one line on stderr that begins with `error: `. Returns the rest of that line.
    #[track_caller]
    pub(crate) fn error(self) -> String {
        assert_eq!(self.code, Some(1), "{self:?}");
        let line = self.err.strip_prefix("error: ").and_then(|rest| rest.strip_suffix('\n'));
        let line = line.unwrap_or_else(|| panic!("not an error line: {:?}", self.err));
        assert!(!line.contains('\n'), "more than one line: {:?}", self.err);
        line.to_owned()
    }
}

/// A command that runs `program`.
#[expect(clippy::disallowed_methods, reason = "the ban is the runtime's; a test has no container to protect")]
pub(crate) fn command(program: impl AsRef<std::ffi::OsStr>) -> std::process::Command {
    let mut command = std::process::Command::new(program);
    command.stdin(Stdio::null()).env_remove("XDG_RUNTIME_DIR");
    command
}

/// Runs davit with these arguments.
pub(crate) fn davit(words: &[&str]) -> Answer {
    command(env!("CARGO_BIN_EXE_davit")).args(words).output().expect("davit runs").into()
}

/// A temporary directory of one test, removed when it ends.
pub(crate) struct TestDir(pub(crate) PathBuf);

impl TestDir {
    pub(crate) fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("davit-cli-{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a directory");
        TestDir(path)
    }

    /// The path of a file in the directory, as a string.
    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("text").to_owned()
    }

    /// The root directory for davit.
    pub(crate) fn root(&self) -> String {
        self.path("root")
    }

    /// Runs davit on the root directory.
    pub(crate) fn davit(&self, words: &[&str]) -> Answer {
        davit(&[&["--root", &self.root()], words].concat())
    }

    /// Writes the record of a container; `more` are further members.
    pub(crate) fn record(&self, id: &str, more: &str) -> PathBuf {
        let directory = Path::new(&self.root()).join(id);
        fs::create_dir_all(&directory).expect("a directory");
        let record = format!(
            r#"{{"version":1,"id":"{id}","bundle":"/bundles/{id}","rootfs":"/bundles/{id}/rootfs","created":"2026-11-21T00:00:00.5Z","owner":0{more}}}"#
        );
        fs::write(directory.join("state.json"), record).expect("a file");
        directory
    }

    /// Writes the record of a container whose init process is `init`.
    pub(crate) fn container(&self, id: &str, init: &FakeInit) -> PathBuf {
        self.record(id, &format!(r#","init":{}"#, init.as_json(0)))
    }
}

impl Drop for TestDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A process that sleeps until it is killed, at the latest when the test ends.
pub(crate) struct FakeInit(pub(crate) Child);

impl FakeInit {
    pub(crate) fn new() -> Self {
        FakeInit(command("sleep").arg("1000").spawn().expect("sleep runs"))
    }

    /// The pid and start time as in the record. A start time `shift` ticks later belongs to another process.
    pub(crate) fn as_json(&self, shift: u64) -> String {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id())).expect("it lives");
        let (_, fields) = stat.rsplit_once(')').expect("a name in parentheses");
        let start: u64 = fields.split_whitespace().nth(19).expect("field 22").parse().expect("a number");
        format!(r#"{{"pid":{},"startTime":{}}}"#, self.0.id(), start + shift)
    }

    /// Whether the process is running.
    pub(crate) fn lives(&mut self) -> bool {
        self.0.try_wait().expect("it is ours").is_none()
    }

    /// Waits for the process; returns the signal that killed it.
    pub(crate) fn signal(&mut self) -> Option<i32> {
        use std::os::unix::process::ExitStatusExt;
        self.0.wait().expect("it is ours").signal()
    }
}

impl Drop for FakeInit {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
