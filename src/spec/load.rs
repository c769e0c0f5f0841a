//! Loading `config.json`, a `process.json` and a resources document into oci-spec's types.
//!
//! Owns the difference between what runtime-spec 1.3 accepts and what oci-spec 0.10 accepts: every mistake is found
//! with its place, and what the specification allows but oci-spec refuses is let through. Deliberately judges no value
//! beyond its JSON type and its enumeration.

use super::pointer::Pointer;
use super::problem::Problems;
use super::shape::{Shape, config, linux};
use crate::spec::compat;
use crate::spec::scan::{Findings, Fix, look};
use oci_spec::runtime::{LinuxResources, Process, Spec};
use serde::de::DeserializeOwned;
use std::collections::HashMap;

/// A `config.json` that fits its shape.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// The document.
    pub(crate) spec: Spec,
    /// What was left out although it was asked for; each a sentence for the log.
    pub(crate) warnings: Vec<String>,
    /// The text that [`reload`] reads, where it is not the text that was loaded.
    pub(crate) snapshot: Option<String>,
}

/// A document that does not fit its shape.
#[derive(Debug)]
pub(crate) struct Rejected {
    /// All that does not fit; never empty.
    pub(crate) problems: Problems,
    /// The document without the parts that do not fit, for finding out what else is wrong. Nothing may be built from it.
    pub(crate) remainder: Option<Box<Spec>>,
    fixes: HashMap<String, Fix>,
}

impl Rejected {
    /// All problems, those found in [`Self::remainder`] included. Left out are `more` problems that may only follow
    /// from what was taken out: those at a place around one of the first problems.
    pub(crate) fn with(self, more: &Problems) -> Problems {
        let mut problems = self.problems;
        for problem in more.iter() {
            let at = compat::relocate(&problem.at, &self.fixes);
            let around = format!("{}/", at.as_str());
            if !problems.iter().any(|first| first.at == at || first.at.as_str().starts_with(&around)) {
                problems.add(at, problem.what.clone());
            }
        }
        problems
    }
}

impl From<Problems> for Rejected {
    fn from(problems: Problems) -> Self {
        Rejected { problems, remainder: None, fixes: HashMap::new() }
    }
}

impl From<Rejected> for Problems {
    fn from(rejected: Rejected) -> Self {
        rejected.problems
    }
}

/// Reads a `config.json`.
///
/// # Errors
/// All that does not fit the shape of a runtime-spec 1.3 configuration, with places; at place "" what is wrong with
/// the JSON text itself (RFC 8259; the glossary of runtime-spec asks for UTF-8 and forbids a name twice in an object).
pub(crate) fn load(bytes: &[u8]) -> Result<Loaded, Rejected> {
    let (text, found) = survey(bytes, &config::SPEC)?;
    if found.problems.is_empty() {
        let warnings = warnings(&found);
        let snapshot = fixed(text, &found)?;
        let spec = strict(snapshot.as_deref().unwrap_or(text))?;
        return Ok(Loaded { spec, warnings, snapshot });
    }
    // Whether a setting needs a namespace cannot be said when the list of namespaces is not known.
    let certain = !found.problems.iter().any(|problem| problem.at.as_str().starts_with("/linux/namespaces"));
    let rest = fixed(text, &found).ok().flatten().filter(|_| certain);
    let remainder = rest.and_then(|rest| strict(&rest).ok());
    Err(Rejected { problems: found.problems, remainder, fixes: found.fixes })
}

/// Reads a configuration that [`load`] has accepted before, without looking it over again.
///
/// # Errors
/// When it is not what `load` accepted.
pub(crate) fn reload(bytes: &[u8]) -> Result<Spec, Problems> {
    // From text, as in `load`: reading from bytes would put all of the deserialiser into the program once more.
    let text = std::str::from_utf8(bytes).map_err(|error| whole(format!("is not UTF-8: {error}")))?;
    serde_json::from_str(text).map_err(|error| syntax(&error))
}

/// Reads the document that describes one process (`exec --process`).
///
/// # Errors
/// As [`load`].
pub(crate) fn load_process(bytes: &[u8]) -> Result<(Process, Vec<String>), Problems> {
    load_whole(bytes, &config::PROCESS)
}

/// Reads the document that describes resources (`update --resources`).
///
/// # Errors
/// As [`load`].
pub(crate) fn load_resources(bytes: &[u8]) -> Result<LinuxResources, Problems> {
    load_whole(bytes, &linux::RESOURCES).map(|(resources, _)| resources)
}

fn load_whole<T: DeserializeOwned>(bytes: &[u8], shape: &'static Shape) -> Result<(T, Vec<String>), Problems> {
    let (text, found) = survey(bytes, shape)?;
    if found.problems.is_empty() {
        let fixed = fixed(text, &found)?;
        let document = strict(fixed.as_deref().unwrap_or(text))?;
        return Ok((document, warnings(&found)));
    }
    Err(found.problems)
}

/// The text, and what is to be said about it.
fn survey<'a>(bytes: &'a [u8], shape: &'static Shape) -> Result<(&'a str, Findings), Problems> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let (line, column) = position(&bytes[..error.valid_up_to()]);
        whole(format!("is not UTF-8: invalid byte in line {line}, column {column}"))
    })?;
    if text.trim_ascii().is_empty() {
        return Err(whole("is empty; expected a JSON object".to_owned()));
    }
    let found = look(text, shape).map_err(|error| syntax(&error))?;
    Ok((text, found))
}

/// The text with all changes made, or `None` when there are none to make.
fn fixed(text: &str, found: &Findings) -> Result<Option<String>, Problems> {
    if found.fixes.is_empty() && found.defaults.is_empty() {
        return Ok(None);
    }
    compat::apply(text, &found.fixes, &found.defaults).map(Some).map_err(|error| syntax(&error))
}

/// What oci-spec makes of a text. Its own complaints come only of a gap in the tables of `spec::shape`.
fn strict<T: DeserializeOwned>(text: &str) -> Result<T, Problems> {
    serde_json::from_str(text).map_err(|error| whole(format!("cannot be read: {error}")))
}

fn warnings(found: &Findings) -> Vec<String> {
    let absent = |(at, value): &(Pointer, &str)| format!("{at}: is missing; it counts as {value}");
    let mut warnings: Vec<_> = found.defaults.iter().map(absent).collect();
    if !found.unknown_capabilities.is_empty() {
        let names: Vec<&str> = found.unknown_capabilities.iter().map(String::as_str).collect();
        warnings.push(format!("ignoring unknown or unavailable capabilities: [{}]", names.join(" ")));
    }
    if found.virtual_machine {
        warnings.push("ignoring vm: this runtime starts no virtual machines".to_owned());
    }
    warnings
}

fn whole(what: String) -> Problems {
    let mut problems = Problems::default();
    problems.add(Pointer::of(""), what);
    problems
}

fn syntax(error: &serde_json::Error) -> Problems {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let what = text.strip_suffix(&place).unwrap_or(&text);
    whole(format!("is not valid JSON: line {}, column {}: {what}", error.line(), error.column()))
}

/// Line and column, both from 1, of the byte after `before`.
fn position(before: &[u8]) -> (usize, usize) {
    let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
    let column = 1 + before.iter().rev().take_while(|byte| **byte != b'\n').count();
    (line, column)
}

#[cfg(test)]
mod tests;
