//! Writes the log of one invocation (`--log`, `--log-format`, `--debug`) and the final error on stderr.
//!
//! What to log is left to the callers. Engines read the file: containerd takes the last line of level `error`, Podman
//! parses the whole file as one JSON object. So a problem that is not fatal never has level `error`. Warnings for a
//! file wait until the outcome is known: after a failure the file holds only the one error line (except with
//! `--debug`).

use super::timings::{ProcessStep, Timings, micros};
use super::{exit_code, for_people, one_line, time};
use anyhow::Context;
use std::cell::{Cell, RefCell};
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Instant, SystemTime};

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
    /// The format called `name`, if there is one.
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

/// `message` as a JSON string; the text format quotes the same way.
fn quoted(message: &str) -> String {
    serde_json::Value::from(message).to_string()
}

/// The log of this invocation.
#[derive(Debug, Default)]
pub(crate) struct Log {
    file: Option<File>,
    format: Format,
    /// When the invocation began, with `--debug`.
    debug: Option<Instant>,
    /// How many steps of the container's process are logged already.
    logged: Cell<usize>,
    /// Warnings for the file that wait for the outcome; see the module documentation.
    waiting: RefCell<Vec<String>>,
    /// Step timings, if they are recorded.
    timings: Option<RefCell<Timings>>,
}

impl Log {
    /// Opens the log. With a `path` the file is created now even if nothing is written, because containerd treats a
    /// missing file as a failure. Without a `path`, everything goes to stderr.
    pub(crate) fn open(path: Option<&Path>, format: Format, debug: bool) -> anyhow::Result<Self> {
        let file = path
            .map(|path| {
                // O_NONBLOCK: a FIFO without a reader fails (ENXIO) instead of blocking.
                let flags = libc::O_NONBLOCK | libc::O_NOCTTY | if is_others(path) { libc::O_NOFOLLOW } else { 0 };
                let file = OpenOptions::new().append(true).create(true).mode(0o644).custom_flags(flags).open(path);
                file.with_context(|| format!("cannot open the log {}", path.display()))
            })
            .transpose()?;
        Ok(Log { file, format, debug: debug.then(Instant::now), ..Log::default() })
    }

    /// Starts to record step timings.
    pub(crate) fn time(&mut self) {
        self.timings = Some(RefCell::new(Timings::begin()));
    }

    /// Whether step timings are recorded.
    pub(crate) fn is_timed(&self) -> bool {
        self.timings.is_some() || self.debug.is_some()
    }

    /// Records `step` as done; it took the time since the previous lap.
    pub(crate) fn lap(&self, step: &'static str) {
        self.debug(|| format!("done: {step}"));
        if let Some(timings) = &self.timings {
            timings.borrow_mut().lap(step);
        }
    }

    /// Records the steps of the container's process so far.
    pub(crate) fn process_steps(&self, steps: Vec<ProcessStep>) {
        for step in steps.iter().skip(self.logged.replace(steps.len().max(self.logged.get()))) {
            let (duration, place) = (micros(step.duration), if step.origin.is_empty() { "-" } else { &step.origin });
            self.debug(|| format!("the container's process: {place}: {} ({duration:.1} us)", step.act));
        }
        if let Some(timings) = &self.timings {
            timings.borrow_mut().process(steps);
        }
    }

    /// Writes the step timings to the log, in its format.
    pub(crate) fn write_timings(&self) {
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

    /// Logs a warning: a problem that does not stop the operation.
    pub(crate) fn warning(&self, message: &str) {
        if self.file.is_some() && self.debug.is_none() {
            self.waiting.borrow_mut().push(message.to_owned());
        } else {
            self.write("warning", message);
        }
    }

    /// Logs an error that does not stop the operation as a warning.
    pub(crate) fn warning_of(&self, error: &anyhow::Error) {
        self.warning(&one_line(error));
    }

    /// Logs a message with `--debug` only, with the time since the start. Without `--debug` the message is not built.
    pub(crate) fn debug(&self, message: impl FnOnce() -> String) {
        if let Some(begun) = self.debug {
            self.write("debug", &format!("+{:.3} ms {}", micros(begun.elapsed()) / 1000.0, message()));
        }
    }

    /// Whether `--debug` is given, for messages that need a measurement.
    pub(crate) fn is_debug(&self) -> bool {
        self.debug.is_some()
    }

    /// Marks the operation as successful and writes the waiting warnings. A foreground `run` calls this before it waits
    /// for the container to exit; for every other command `main` calls it.
    pub(crate) fn settle(&self) {
        for message in self.waiting.take() {
            self.write("warning", &message);
        }
    }

    /// Reports a fatal error in the log and on stderr, in one write each, and returns the exit code.
    pub(crate) fn fatal(&self, error: &anyhow::Error) -> u8 {
        let line = one_line(error);
        let waited = self.waiting.take();
        if let Some(mut file) = self.file.as_ref() {
            // Ignore a failed write: the error still goes to stderr.
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

    /// Writes one line to the file, or to stderr if there is none.
    fn write(&self, level: &str, message: &str) {
        match (self.file.as_ref(), self.format) {
            (None, Format::Text) => to_stderr(&format!("{level}: {message}\n")),
            (_, format) => self.put(&format.line(level, message, SystemTime::now())),
        }
    }

    /// Writes text unchanged to the file, or to stderr if there is none. A failed write is ignored, because there is
    /// nowhere left to report it.
    fn put(&self, text: &str) {
        match self.file.as_ref() {
            Some(mut file) => {
                let _ = file.write_all(text.as_bytes());
            }
            None => to_stderr(text),
        }
    }
}

/// Writes the text in one call, so that lines of several processes on one pipe do not mix. A failed write is ignored.
fn to_stderr(text: &str) {
    let end = text.floor_char_boundary(8_190);
    let _ = std::io::stderr().write_all(&text.as_bytes()[..end]);
}

/// Whether users other than root and the caller can create files in the directory of `path`. They control links there.
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
