//! Errors of the command line, each in one line with the flag or the count; and the texts of `--help`.

use super::{Globals, NAME, Takes, Verb, bare, output};
use clap::Args;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Handles what clap did not parse as a command: prints help, and returns everything else as an error.
pub(super) fn answer(error: &clap::Error, verb: Option<&Verb>) -> anyhow::Result<u8> {
    match error.kind() {
        ErrorKind::DisplayHelp => output::print(&error.render().to_string()).map(|()| 0),
        _ => refuse(error, verb),
    }
}

/// The error for a wrong command line. A wrong number of arguments prints the command's help as well, as runc does.
pub(super) fn refuse<T>(error: &clap::Error, verb: Option<&Verb>) -> anyhow::Result<T> {
    let name = verb.map_or(NAME.to_owned(), |verb| format!("{NAME} {}", verb.name));
    let text = |kind| text(error, kind);
    let (is_flag, flag) = (flag(error).is_some(), flag(error).unwrap_or_default());
    let hint = format!("see {name} --help");
    match (error.kind(), verb) {
        (ErrorKind::MissingRequiredArgument | ErrorKind::UnknownArgument | ErrorKind::TooManyValues, Some(verb))
            if !is_flag =>
        {
            let help = (verb.define)(bare(verb.name).about(verb.about).long_about(verb.help).bin_name(&name));
            output::print(&format!("Incorrect Usage.\n\n{}", help.clone().render_help()))?;
            let takes = verb.takes;
            Err(anyhow::anyhow!("{NAME}: \"{}\" requires {takes}", verb.name))
        }
        (ErrorKind::UnknownArgument, Some(verb)) if is_global(flag) => {
            Err(anyhow::anyhow!("unknown flag: {flag}; it goes before the command: {NAME} {flag} … {}", verb.name))
        }
        (ErrorKind::UnknownArgument, _) => match text(ContextKind::SuggestedArg) {
            Some(known) => Err(anyhow::anyhow!("unknown flag: {flag} (did you mean {known}?); {hint}")),
            None => Err(anyhow::anyhow!("unknown flag: {flag}; {hint}")),
        },
        (ErrorKind::InvalidSubcommand, _) => {
            let word = text(ContextKind::InvalidSubcommand).unwrap_or_default();
            match text(ContextKind::SuggestedSubcommand) {
                Some(known) => Err(anyhow::anyhow!("unknown command: {word:?} (did you mean {known}?); {hint}")),
                None => Err(anyhow::anyhow!("unknown command: {word:?}; {hint}")),
            }
        }
        (ErrorKind::InvalidValue, _) if text(ContextKind::InvalidValue).is_none_or(str::is_empty) => {
            Err(anyhow::anyhow!("flag needs an argument: {flag}; {hint}"))
        }
        (ErrorKind::InvalidValue | ErrorKind::ValueValidation, _) => {
            let value = text(ContextKind::InvalidValue).unwrap_or_default();
            let reason = match (std::error::Error::source(error), error.get(ContextKind::ValidValue)) {
                (Some(reason), _) => format!(": {reason}"),
                (None, Some(ContextValue::Strings(valid))) => format!(": expected {}", valid.join(" or ")),
                _ => String::new(),
            };
            Err(anyhow::anyhow!("invalid value {value:?} for {flag}{reason}; {hint}"))
        }
        (ErrorKind::TooManyValues, _) => Err(anyhow::anyhow!("{flag} takes no value; {hint}")),
        _ => {
            let text = error.render().to_string();
            let line = text.lines().next().unwrap_or_default();
            Err(anyhow::anyhow!("{}; {hint}", line.trim_start_matches("error: ")))
        }
    }
}

/// The flag that an error is about.
pub(super) fn flag(error: &clap::Error) -> Option<&str> {
    // clap shows a flag with the name of its value: "--bundle <DIR>".
    text(error, ContextKind::InvalidArg)?.split_whitespace().next().filter(|word| word.starts_with('-'))
}

/// A text that clap attached to an error.
fn text(error: &clap::Error, kind: ContextKind) -> Option<&str> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text),
        // Of several suggestions the last is the closest.
        Some(ContextValue::Strings(texts)) => texts.last().map(String::as_str),
        _ => None,
    }
}

/// Whether the flag exists, but before the command.
fn is_global(flag: &str) -> bool {
    let name = flag.trim_start_matches('-');
    Globals::augment_args(bare(NAME)).get_arguments().any(|arg| arg.get_long() == Some(name))
}

impl std::fmt::Display for Takes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Takes::Exactly(count) => write!(f, "exactly {count} argument(s)"),
            Takes::AtLeast(least) => write!(f, "a minimum of {least} argument(s)"),
            Takes::Between(least, most) => write!(f, "{least} to {most} argument(s)"),
        }
    }
}
