//! Loads `config.json`, a `process.json` and a resources document into oci-spec's types.
//!
//! Bridges the difference between runtime-spec 1.3 and oci-spec 0.10: accepts what the specification allows but
//! oci-spec refuses, and reports every mistake with its place. Deliberately checks only the JSON type and the
//! enumeration of a value.

use super::pointer::Pointer;
use super::problem::Problems;
use super::shape::{Shape, config, linux};
use crate::spec::compat;
use crate::spec::scan::{Findings, Fix, scan};
use oci_spec::runtime::{LinuxResources, Process, Spec};
use serde::de::DeserializeOwned;
use std::collections::HashMap;

/// A `config.json` that fits its shape.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// The document.
    pub(crate) spec: Spec,
    /// One sentence for the log per requested setting that is ignored or gets a default.
    pub(crate) warnings: Vec<String>,
    /// The text for [`reload`], if it differs from the text that was loaded.
    pub(crate) snapshot: Option<String>,
}

/// A document that does not fit its shape.
#[derive(Debug)]
pub(crate) struct Rejected {
    /// Everything that does not fit. Never empty.
    pub(crate) problems: Problems,
    /// The document without the parts that do not fit. Used only to find more problems; never build a plan to run from
    /// it.
    pub(crate) remainder: Option<Box<Spec>>,
    fixes: HashMap<String, Fix>,
}

impl Rejected {
    /// Returns all problems, including `more` problems found in [`Self::remainder`]. Skips those at or above the place
    /// of an earlier problem, because the removal of that part may have caused them.
    pub(crate) fn with(self, more: &Problems) -> Problems {
        let mut problems = self.problems;
        for problem in more.iter() {
            let at = compat::relocate(&problem.at, &self.fixes);
            let prefix = format!("{}/", at.as_str());
            if !problems.iter().any(|first| first.at == at || first.at.as_str().starts_with(&prefix)) {
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
/// Everything that does not fit the shape of a runtime-spec 1.3 configuration, with places. Errors of the JSON text
/// itself have the place "" (RFC 8259; the glossary of runtime-spec requires UTF-8 and forbids duplicate names).
pub(crate) fn load(bytes: &[u8]) -> Result<Loaded, Rejected> {
    let (text, found) = scan_bytes(bytes, &config::SPEC)?;
    if found.problems.is_empty() {
        let warnings = warnings(&found);
        let snapshot = fixed(text, &found)?;
        let spec = parse(snapshot.as_deref().unwrap_or(text))?;
        return Ok(Loaded { spec, warnings, snapshot });
    }
    // Without a valid list of namespaces, settings that need a namespace cannot be checked.
    let namespaces_known = !found.problems.iter().any(|problem| problem.at.as_str().starts_with("/linux/namespaces"));
    let rest = fixed(text, &found).ok().flatten().filter(|_| namespaces_known);
    let remainder = rest.and_then(|rest| parse(&rest).ok());
    Err(Rejected { problems: found.problems, remainder, fixes: found.fixes })
}

/// Reads a configuration that [`load`] has accepted before, without checking it again.
///
/// # Errors
/// If it is not a text that `load` accepted.
pub(crate) fn reload(bytes: &[u8]) -> Result<Spec, Problems> {
    // From text, as in `load`: reading from bytes would add a second copy of the deserialiser to the program.
    let text = std::str::from_utf8(bytes).map_err(|error| document_problem(format!("is not UTF-8: {error}")))?;
    serde_json::from_str(text).map_err(|error| syntax_problem(&error))
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
    let (text, found) = scan_bytes(bytes, shape)?;
    if found.problems.is_empty() {
        let fixed = fixed(text, &found)?;
        let document = parse(fixed.as_deref().unwrap_or(text))?;
        return Ok((document, warnings(&found)));
    }
    Err(found.problems)
}

/// Checks the encoding, and compares the text with its shape.
fn scan_bytes<'a>(bytes: &'a [u8], shape: &'static Shape) -> Result<(&'a str, Findings), Problems> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let (line, column) = position(&bytes[..error.valid_up_to()]);
        document_problem(format!("is not UTF-8: invalid byte in line {line}, column {column}"))
    })?;
    if text.trim_ascii().is_empty() {
        return Err(document_problem("is empty; expected a JSON object".to_owned()));
    }
    let found = scan(text, shape).map_err(|error| syntax_problem(&error))?;
    Ok((text, found))
}

/// Returns the text with all changes, or `None` if there are none.
fn fixed(text: &str, found: &Findings) -> Result<Option<String>, Problems> {
    if found.fixes.is_empty() && found.defaults.is_empty() {
        return Ok(None);
    }
    compat::apply(text, &found.fixes, &found.defaults).map(Some).map_err(|error| syntax_problem(&error))
}

/// Parses a text with oci-spec. It fails only if the tables of `spec::shape` have a gap.
fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Problems> {
    serde_json::from_str(text).map_err(|error| document_problem(format!("cannot be read: {error}")))
}

fn warnings(found: &Findings) -> Vec<String> {
    let absent = |(at, value): &(Pointer, &str)| format!("{at}: is missing; using the default {value}");
    let mut warnings: Vec<_> = found.defaults.iter().map(absent).collect();
    if !found.unknown_capabilities.is_empty() {
        let names: Vec<&str> = found.unknown_capabilities.iter().map(String::as_str).collect();
        warnings.push(format!("ignoring unknown or unavailable capabilities: [{}]", names.join(" ")));
    }
    if found.virtual_machine {
        warnings.push("ignoring vm: this runtime does not support virtual machines".to_owned());
    }
    warnings
}

fn document_problem(what: String) -> Problems {
    let mut problems = Problems::default();
    problems.add(Pointer::of(""), what);
    problems
}

fn syntax_problem(error: &serde_json::Error) -> Problems {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let what = text.strip_suffix(&place).unwrap_or(&text);
    document_problem(format!("is not valid JSON: line {}, column {}: {what}", error.line(), error.column()))
}

/// Returns line and column, both counted from 1, of the byte after `before`.
fn position(before: &[u8]) -> (usize, usize) {
    let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
    let column = 1 + before.iter().rev().take_while(|byte| **byte != b'\n').count();
    (line, column)
}

#[cfg(test)]
mod tests;
