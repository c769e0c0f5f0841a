//! Reports errors: formats the message, picks the exit code, writes the log line.
//!
//! Whether something is an error is left to the callers, and the module knows nothing about containers. An error is a
//! chain from the outermost context ("cannot create web") to the kernel's error, joined by `: `. It is one line,
//! because engines read the line and match substrings of it. Only several problems of one document take several lines.

mod log;
pub(crate) mod time;
mod timings;

pub(crate) use log::{Format, Log};
pub(crate) use timings::ProcessStep;

use nix::errno::Errno;
use std::error::Error;
use std::fmt::{self, Write};

/// Maximum length of one message in bytes. conmon reads at most 8191 bytes of a runtime's stderr. A pipe takes up to
/// 4096 bytes atomically, and more in one piece if it is empty, as ours is.
const LIMIT: usize = 8_000;

/// The default exit code of a failure.
const FAILURE: u8 = 1;

/// An error with its own exit code, such as 255 for a failed `exec`. Its text is that of the inner error.
#[derive(Debug)]
pub(crate) struct Coded {
    code: u8,
    error: anyhow::Error,
}

impl Coded {
    /// Wraps `error` so that davit exits with `code`.
    pub(crate) fn new(code: u8, error: impl Into<anyhow::Error>) -> Self {
        Coded { code, error: error.into() }
    }
}

impl fmt::Display for Coded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl Error for Coded {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}

/// Several problems of one document: a headline with their number, then one row of place and problem for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProblemReport {
    document: String,
    rows: Vec<(String, String)>,
    /// Number of further problems without a row.
    more: usize,
}

impl ProblemReport {
    /// The problems found in `document` (such as `config.json`) as rows of place and problem, in output order.
    pub(crate) fn new(document: impl Into<String>, rows: impl IntoIterator<Item = (String, String)>) -> Self {
        ProblemReport { document: document.into(), rows: rows.into_iter().collect(), more: 0 }
    }

    /// Adds the number of further problems that are only counted.
    pub(crate) fn and_more(self, more: usize) -> Self {
        ProblemReport { more, ..self }
    }

    /// The rows of place and problem.
    pub(crate) fn rows(&self) -> &[(String, String)] {
        &self.rows
    }

    /// The number of further problems without a row.
    pub(crate) fn more(&self) -> usize {
        self.more
    }

    /// Whether there is at most one problem, so that one line suffices.
    fn is_one(&self) -> bool {
        self.rows.len() + self.more <= 1
    }

    /// `config.json has 3 problems`.
    fn headline(&self) -> String {
        let count = self.rows.len() + self.more;
        format!("{} has {count} problem{}", self.document, if count == 1 { "" } else { "s" })
    }

    /// The one-line form. A single problem has no headline; several are joined by semicolons.
    fn line(&self) -> String {
        let mut text = if self.is_one() { String::new() } else { self.headline() + ": " };
        for (index, (place, what)) in self.rows.iter().enumerate() {
            text.push_str(if index == 0 { "" } else { "; " });
            // An empty place means the whole document.
            text.push_str(if place.is_empty() { &self.document } else { place });
            text.push_str(": ");
            text.push_str(what);
        }
        if self.more > 0 {
            let _ = write!(text, "; and {} more", self.more);
        }
        visible(&text)
    }

    /// The form for people: the headline, then one line per problem with the places in their own column. Rows that do
    /// not fit in `room` bytes are only counted.
    fn table(&self, room: usize) -> String {
        let mut text = visible(&self.headline());
        let width = self.rows.iter().map(|(place, _)| visible(place).chars().count()).max().unwrap_or(0);
        let mut left_out = self.more;
        for (index, (place, what)) in self.rows.iter().enumerate() {
            let row = format!("\n  {:width$}  {}", visible(place), visible(what));
            if text.len() + row.len() + 32 > room {
                left_out += self.rows.len() - index;
                break;
            }
            text.push_str(&row);
        }
        if left_out > 0 {
            let _ = write!(text, "\n  and {left_out} more");
        }
        text
    }
}

impl fmt::Display for ProblemReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line())
    }
}

impl Error for ProblemReport {}

/// The exit code for `error`.
pub(crate) fn exit_code(error: &anyhow::Error) -> u8 {
    error.chain().find_map(|link| link.downcast_ref::<Coded>()).map_or(FAILURE, |coded| coded.code)
}

/// The error on one line, for the log and for engines.
pub(crate) fn one_line(error: &anyhow::Error) -> String {
    shorten(join_chain(error, ProblemReport::line))
}

/// The error for people, without the leading `error: ` and without a newline at the end. One line, unless a document
/// has several problems.
pub(crate) fn for_people(error: &anyhow::Error) -> String {
    let table = |several: &ProblemReport| if several.is_one() { several.line() } else { several.table(LIMIT - 500) };
    shorten(join_chain(error, table))
}

/// Joins the chain by `: `; `several` formats a list of problems.
fn join_chain(error: &anyhow::Error, several: impl Fn(&ProblemReport) -> String) -> String {
    let mut text = String::new();
    for link in error.chain() {
        let mut link: &(dyn Error + 'static) = link;
        while let Some(coded) = link.downcast_ref::<Coded>() {
            link = coded.error.as_ref();
        }
        let words = match link.downcast_ref::<ProblemReport>() {
            Some(list) => several(list),
            None => visible(&text_of(link)),
        };
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&words);
    }
    text
}

/// The text of one error. An errno always has the same text, whichever type carries it.
fn text_of(error: &(dyn Error + 'static)) -> String {
    let number = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::raw_os_error).map(Errno::from_raw);
    match number.or_else(|| error.downcast_ref::<Errno>().copied()) {
        Some(errno) => errno_words(errno),
        None => error.to_string(),
    }
}

/// The C library's text for an errno, in lower case because engines match it: they compare with texts of the C library
/// or of Go, which are the same.
pub(crate) fn errno_words(errno: Errno) -> String {
    let text = std::io::Error::from(errno).to_string();
    let words = text.rsplit_once(" (os error").map_or(text.as_str(), |(words, _)| words);
    let mut letters = words.chars();
    match (letters.next(), letters.next()) {
        (Some(first), Some(second)) if second.is_lowercase() || second == ' ' => {
            first.to_lowercase().chain(words.chars().skip(1)).collect()
        }
        _ => words.to_owned(),
    }
}

/// The text on one line without control characters, because a hostile image could send them to the terminal of the
/// reader. Line breaks become `; `.
fn visible(text: &str) -> String {
    let text = text.trim_end_matches(['\n', '\r', ' ']);
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push_str("; "),
            '\t' => out.push(' '),
            '\r' => {}
            c if c.is_control() => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out
}

/// Cuts to [`LIMIT`] bytes. The middle is dropped, because the beginning names the request and the end the cause.
fn shorten(text: String) -> String {
    if text.len() <= LIMIT {
        return text;
    }
    let keep = LIMIT / 2 - 8;
    let head = text.floor_char_boundary(keep);
    let tail = text.ceil_char_boundary(text.len() - keep);
    format!("{} […] {}", &text[..head], &text[tail..])
}

#[cfg(test)]
mod tests;
