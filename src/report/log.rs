//! The log of one invocation, as `--log`, `--log-format` and `--debug` ask for it, and the last words on stderr.
//!
//! Engines read the file: containerd takes the last line of level `error`, Podman takes the whole file for one JSON object.
//! So what is not fatal is never an error here, and in a file it waits until the outcome is known: after a failure the
//! file holds the one error line and nothing else (`--debug` lifts that). Does not know what is worth saying.

use super::timings::{ProcessStep, Timings};
use super::{exit_code, for_people, one_line, time};
use anyhow::Context;
use std::cell::RefCell;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::SystemTime;

/// How a line of the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Format {
    /// `time="2026-11-21T00:00:00Z" level=error msg="…"`
    #[default]
    Text,
    /// `{"level":"error","msg":"…","time":"2026-11-21T00:00:00Z"}`
    Json,
}

impl Format {
    /// The format of that name, if there is one.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "text" => Some(Format::Text),
            "json" => Some(Format::Json),
            _ => None,
        }
    }

    /// One line, newline included.
    fn line(self, level: &str, message: &str, moment: SystemTime) -> String {
        let time = time::seconds(moment);
        match self {
            Format::Text => format!("time=\"{time}\" level={level} msg={}\n", quoted(message)),
            Format::Json => format!("{{\"level\":\"{level}\",\"msg\":{},\"time\":\"{time}\"}}\n", quoted(message)),
        }
    }
}

/// `message` as a JSON string, which is also how the text format quotes.
fn quoted(message: &str) -> String {
    serde_json::Value::from(message).to_string()
}

/// Where this invocation tells what happens.
#[derive(Debug, Default)]
pub(crate) struct Log {
    file: Option<File>,
    format: Format,
    debug: bool,
    /// Warnings for the file that wait for the outcome; see the head of this file.
    waiting: RefCell<Vec<String>>,
    /// How long the steps take, if somebody wants to know.
    timings: Option<RefCell<Timings>>,
}

impl Log {
    /// Opens the log. With a `path` the file is created now even if nothing will be written, because containerd takes a
    /// missing file for a failure of its own. Without one, everything goes to stderr.
    pub(crate) fn open(path: Option<&Path>, format: Format, debug: bool) -> anyhow::Result<Self> {
        let file = path
            .map(|path| {
                // A FIFO that nobody reads is an error (ENXIO), not a wait.
                let flags = libc::O_NONBLOCK | libc::O_NOCTTY | if is_others(path) { libc::O_NOFOLLOW } else { 0 };
                let file = OpenOptions::new().append(true).create(true).mode(0o644).custom_flags(flags).open(path);
                file.with_context(|| format!("cannot open the log {}", path.display()))
            })
            .transpose()?;
        Ok(Log { file, format, debug, waiting: RefCell::default(), timings: None })
    }

    /// From now on takes down how long steps take.
    pub(crate) fn time(&mut self) {
        self.timings = Some(RefCell::new(Timings::begin()));
    }

    /// Whether anybody wants to know how long steps take.
    pub(crate) fn is_timed(&self) -> bool {
        self.timings.is_some()
    }

    /// What was done since the last lap.
    pub(crate) fn lap(&self, step: &'static str) {
        if let Some(timings) = &self.timings {
            timings.borrow_mut().lap(step);
        }
    }

    /// What the container's process did meanwhile.
    pub(crate) fn process_steps(&self, steps: Vec<ProcessStep>) {
        if let Some(timings) = &self.timings {
            timings.borrow_mut().process(steps);
        }
    }

    /// Tells how long the steps took, where the log goes and in its format.
    pub(crate) fn tell_timings(&self) {
        let Some(timings) = self.timings.as_ref().map(RefCell::borrow) else { return };
        let text = match self.format {
            Format::Text => timings.table(),
            Format::Json => {
                let (time, timings) = (time::seconds(SystemTime::now()), timings.json());
                format!("{{\"level\":\"info\",\"msg\":\"timings\",\"time\":\"{time}\",\"timings\":{timings}}}\n")
            }
        };
        self.put(&text);
    }

    /// Something the user should know, though the work goes on.
    pub(crate) fn warning(&self, message: &str) {
        if self.file.is_some() && !self.debug {
            self.waiting.borrow_mut().push(message.to_owned());
        } else {
            self.write("warning", message);
        }
    }

    /// As [`Log::warning`], for an error that does not stop the work.
    pub(crate) fn warning_of(&self, error: &anyhow::Error) {
        self.warning(&one_line(error));
    }

    /// Something only `--debug` shows. The message is made only when it is wanted.
    pub(crate) fn debug(&self, message: impl FnOnce() -> String) {
        if self.debug {
            self.write("debug", &message());
        }
    }

    /// What was asked for is done: warnings that waited are written. A foreground `run` says this before it waits for the
    /// container's end, everything else leaves it to `main`.
    pub(crate) fn settle(&self) {
        for message in self.waiting.take() {
            self.write("warning", &message);
        }
    }

    /// Tells a fatal error, in the log and on stderr, in one write each, and returns the exit code.
    pub(crate) fn fatal(&self, error: &anyhow::Error) -> u8 {
        let line = one_line(error);
        let waited = self.waiting.take();
        if let Some(mut file) = self.file.as_ref() {
            // A log that cannot be written is no reason to hide the error that follows on stderr.
            let _ = file.write_all(self.format.line("error", &line, SystemTime::now()).as_bytes());
        }
        let text = if self.file.is_none() && self.format == Format::Json {
            self.format.line("error", &line, SystemTime::now())
        } else {
            let mut text = format!("error: {}\n", for_people(error));
            for warning in waited {
                let _ = writeln!(text, "warning: {warning}");
            }
            text
        };
        to_stderr(&text);
        exit_code(error)
    }

    /// One line to the file, or to stderr when there is none.
    fn write(&self, level: &str, message: &str) {
        match (self.file.as_ref(), self.format) {
            (None, Format::Text) => to_stderr(&format!("{level}: {message}\n")),
            (_, format) => self.put(&format.line(level, message, SystemTime::now())),
        }
    }

    /// Text as it stands, to the file, or to stderr when there is none. Nothing is left to tell a failure to.
    fn put(&self, text: &str) {
        match self.file.as_ref() {
            Some(mut file) => {
                let _ = file.write_all(text.as_bytes());
            }
            None => to_stderr(text),
        }
    }
}

/// The text in one write, so that lines of several processes on one pipe do not mix. Nothing is left to tell a failure to.
fn to_stderr(text: &str) {
    let end = text.floor_char_boundary(8_190);
    let _ = std::io::stderr().write_all(&text.as_bytes()[..end]);
}

/// Whether others than root and the caller can make files in the directory of `path`. Links there lead where they want.
fn is_others(path: &Path) -> bool {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let own = nix::unistd::geteuid().as_raw();
    std::fs::metadata(directory).is_ok_and(|data| data.mode() & 0o002 != 0 || ![0, own].contains(&data.uid()))
}

#[cfg(test)]
mod tests {
    use super::Format;
    use std::time::UNIX_EPOCH;

    #[test]
    fn a_json_line_is_what_logrus_writes() {
        let line = Format::Json.line("error", "no \"such\"\nfile \u{1b}[31m é", UNIX_EPOCH);
        assert_eq!(
            line,
            "{\"level\":\"error\",\"msg\":\"no \\\"such\\\"\\nfile \\u001b[31m é\",\"time\":\"1970-01-01T00:00:00Z\"}\n"
        );
        let value: serde_json::Value = serde_json::from_str(&line).expect("valid JSON");
        assert_eq!(value["msg"], "no \"such\"\nfile \u{1b}[31m é");
    }

    #[test]
    fn a_text_line_quotes_its_message() {
        let line = Format::Text.line("warning", "a \"b\"", UNIX_EPOCH);
        assert_eq!(line, "time=\"1970-01-01T00:00:00Z\" level=warning msg=\"a \\\"b\\\"\"\n");
    }

    #[test]
    fn formats_have_two_names() {
        assert_eq!(Format::named("json"), Some(Format::Json));
        assert_eq!(Format::named("text"), Some(Format::Text));
        assert_eq!(Format::named("xml"), None);
    }
}
