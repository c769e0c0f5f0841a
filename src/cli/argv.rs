//! Prepares the argument vector for clap: rewrites what Go's flag package accepts and clap does not, and finds the
//! options of the log even when the rest of the line is wrong.
//!
//! Engines were written against a program whose flag parser takes `-no-subreaper` for `--no-subreaper` and
//! `--detach=false` for no flag at all. Only such words are rewritten, and only if they name an existing flag.

use clap::{Arg, ArgAction, Command};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// Rewrites the flags in `words` up to the first positional, or to the end if positionals and flags mix.
///
/// Returns the index of the first positional; `words.len()` if there is none.
pub(super) fn rewrite(words: &mut Vec<OsString>, from: usize, definition: &Command, mix: bool) -> usize {
    let mut first_positional = None;
    let mut at = from;
    while at < words.len() {
        let word = words[at].as_bytes();
        if word == b"--" {
            first_positional.get_or_insert(at);
            break;
        }
        if word.len() < 2 || word[0] != b'-' {
            first_positional.get_or_insert(at);
            if !mix {
                break;
            }
            at += 1;
            continue;
        }
        match flag(word, definition) {
            Some(Flag { arg, value: Some(value) }) if !takes_value(arg) => match truth(value) {
                // A switch set to false is the same as no switch.
                Some(false) => {
                    words.remove(at);
                    continue;
                }
                Some(true) => words[at] = long(arg, None),
                None => {}
            },
            Some(Flag { arg, value }) => {
                // Skips the value if it is a word of its own.
                let separate = takes_value(arg) && value.is_none();
                if word[1] != b'-' && word.len() > 2 {
                    let value = value.map(<[u8]>::to_vec);
                    words[at] = long(arg, value.as_deref());
                }
                at += usize::from(separate);
            }
            None => {}
        }
        at += 1;
    }
    first_positional.unwrap_or(words.len())
}

/// Whether any word from `from` on may need [`rewrite`].
pub(super) fn is_unusual(words: &[OsString], from: usize) -> bool {
    words.iter().skip(from).any(|word| {
        let word = word.as_bytes();
        let single_dash = word.len() > 2 && word[0] == b'-' && word[1] != b'-';
        single_dash || (word.starts_with(b"--") && value_of(word).and_then(truth).is_some())
    })
}

/// The last value of the flag `name` in `words`, which have been rewritten.
pub(super) fn peek<'a>(words: &'a [OsString], name: &str) -> Option<&'a OsStr> {
    let mut found = None;
    for (at, word) in words.iter().enumerate() {
        let Some(rest) = word.as_bytes().strip_prefix(b"--").and_then(|rest| rest.strip_prefix(name.as_bytes())) else {
            continue;
        };
        match rest.split_first() {
            None => found = words.get(at + 1).map(OsString::as_os_str).or(found),
            Some((b'=', value)) => found = Some(OsStr::from_bytes(value)),
            Some(_) => {}
        }
    }
    found
}

/// An existing flag, and its value if it is in the same word.
struct Flag<'a, 'w> {
    arg: &'a Arg,
    value: Option<&'w [u8]>,
}

/// The flag of a word: `--name`, `--name=value`, `-name`, `-name=value`, `-n`.
fn flag<'a, 'w>(word: &'w [u8], definition: &'a Command) -> Option<Flag<'a, 'w>> {
    let value = value_of(word);
    let end = word.len() - value.map_or(0, |value| value.len() + 1);
    let name = word[..end].strip_prefix(b"--").or_else(|| word[..end].strip_prefix(b"-"))?;
    let arg = definition.get_arguments().find(|arg| {
        let is_long = arg.get_long_and_visible_aliases().is_some_and(|all| all.iter().any(|l| l.as_bytes() == name));
        let is_short = word[1] != b'-' && arg.get_short().is_some_and(|short| [short as u8] == *name);
        is_long || is_short
    })?;
    Some(Flag { arg, value })
}

/// What follows the first `=`.
fn value_of(word: &[u8]) -> Option<&[u8]> {
    word.iter().position(|&byte| byte == b'=').map(|at| &word[at + 1..])
}

fn takes_value(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Set | ArgAction::Append)
}

/// The words that Go's `strconv.ParseBool` knows.
fn truth(value: &[u8]) -> Option<bool> {
    match value {
        b"1" | b"t" | b"T" | b"true" | b"TRUE" | b"True" => Some(true),
        b"0" | b"f" | b"F" | b"false" | b"FALSE" | b"False" => Some(false),
        _ => None,
    }
}

/// `--name` or `--name=value`.
fn long(arg: &Arg, value: Option<&[u8]>) -> OsString {
    let mut word = b"--".to_vec();
    word.extend_from_slice(arg.get_long().unwrap_or_default().as_bytes());
    if let Some(value) = value {
        word.push(b'=');
        word.extend_from_slice(value);
    }
    OsString::from_vec(word)
}

/// The words for the log, without the values of `--env`, which may be secret.
pub(super) fn without_values(words: &[OsString]) -> Vec<String> {
    let name = |text: &str| text.split_once('=').map_or(text.to_owned(), |(name, _)| format!("{name}=…"));
    let mut is_value = false;
    let shown = words.iter().map(|word| {
        let text = word.to_string_lossy();
        let was_value = std::mem::replace(&mut is_value, text == "--env" || text == "-e");
        match (text.strip_prefix("--env="), text.strip_prefix("-e")) {
            _ if was_value => name(&text),
            (Some(value), _) => format!("--env={}", name(value)),
            (_, Some(value)) if !value.is_empty() => format!("-e{}", name(value)),
            _ => text.into_owned(),
        }
    });
    shown.collect()
}

#[cfg(test)]
mod tests {
    use super::{is_unusual, peek, rewrite};
    use clap::{Arg, ArgAction, Command};
    use std::ffi::OsString;

    fn definition() -> Command {
        Command::new("x")
            .arg(Arg::new("bundle").long("bundle").short('b'))
            .arg(Arg::new("no-subreaper").long("no-subreaper").action(ArgAction::SetTrue))
            .arg(Arg::new("detach").long("detach").short('d').action(ArgAction::SetTrue))
            .arg(Arg::new("id"))
    }

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(Into::into).collect()
    }

    #[test]
    fn flags_are_rewritten_to_what_clap_takes() {
        for (line, rewritten, first) in [
            ("-no-subreaper id", "--no-subreaper id", 1),
            ("--no-subreaper id", "--no-subreaper id", 1),
            ("-bundle /b id", "--bundle /b id", 2),
            ("-bundle=/b id", "--bundle=/b id", 1),
            ("-b /b id", "-b /b id", 2),
            ("-b/b id", "-b/b id", 1),
            ("-b=/b id", "--bundle=/b id", 1),
            ("--bundle=true id", "--bundle=true id", 1),
            ("--bundle -detach id", "--bundle -detach id", 2),
            ("--detach=true id", "--detach id", 1),
            ("-detach=1 id", "--detach id", 1),
            ("-d=true id", "--detach id", 1),
            ("--detach=false -d=0 id", "id", 0),
            ("--detach=maybe id", "--detach=maybe id", 1),
            ("-unknown id", "-unknown id", 1),
            ("id -no-subreaper", "id --no-subreaper", 0),
            ("id -- -no-subreaper", "id -- -no-subreaper", 0),
            ("-- -no-subreaper", "-- -no-subreaper", 0),
            ("--detach", "--detach", 1),
            ("-", "-", 0),
            ("-bundle", "--bundle", 1),
        ] {
            let mut got = words(line);
            assert_eq!(rewrite(&mut got, 0, &definition(), true), first, "{line}");
            assert_eq!(got, words(rewritten), "{line}");
        }
    }

    #[test]
    fn words_after_the_first_positional_are_not_rewritten() {
        let mut got = words("x -detach id -no-subreaper --detach=false");
        assert_eq!(rewrite(&mut got, 1, &definition(), false), 2);
        assert_eq!(got, words("x --detach id -no-subreaper --detach=false"));
    }

    #[test]
    fn ordinary_lines_need_no_rewriting() {
        assert!(!is_unusual(&words("create --bundle /b --pid-file=/p -b x id"), 0));
        for line in ["create -bundle /b id", "run --detach=false id", "run -d=1 id"] {
            assert!(is_unusual(&words(line), 1), "{line}");
        }
    }

    #[test]
    fn the_last_value_counts() {
        let line = words("--log a --logs x --log=b --log-format json");
        assert_eq!(peek(&line, "log"), Some("b".as_ref()));
        assert_eq!(peek(&line, "log-format"), Some("json".as_ref()));
        assert_eq!(peek(&line, "debug"), None);
        assert_eq!(peek(&words("--log"), "log"), None);
    }
}
