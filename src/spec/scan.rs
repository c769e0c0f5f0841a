//! Compares a JSON text with its shape in one pass, and reports every mismatch with its place.
//!
//! serde stops at the first mistake and reports it in its own words. oci-spec reads a missing required number as 0. So
//! this pass runs before oci-spec reads a document. It allocates nothing for a document that fits. Deliberately knows
//! no particular document: shapes come from `spec::shape`.

use crate::spec::pointer::Pointer;
use crate::spec::problem::Problems;
use crate::spec::shape::{Member, Need, Shape, enums};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::fmt;

/// The result of the pass.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// The problems.
    pub(super) problems: Problems,
    /// Requested capabilities that are dropped because they are unknown, as the specification allows.
    pub(super) unknown_capabilities: BTreeSet<String>,
    /// Absent members with a default, and the default as JSON text.
    pub(super) defaults: Vec<(Pointer, &'static str)>,
    /// Whether a `vm` section was seen.
    pub(super) virtual_machine: bool,
    /// Changes to make before oci-spec reads the document, by pointer text.
    pub(super) fixes: HashMap<String, Fix>,
}

/// One change to a document.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Fix {
    /// Remove the member or element.
    Remove,
    /// Replace it with this value.
    Set(Value),
}

/// Compares `text` with `shape`.
///
/// # Errors
/// If the text is not JSON. Findings before the syntax error are dropped.
pub(super) fn scan(text: &str, shape: &'static Shape) -> Result<Findings, serde_json::Error> {
    let mut found = Findings::default();
    let mut json = serde_json::Deserializer::from_str(text);
    let root = Place { up: None, step: Step::Root, removable: false };
    Scanner { shape, at: &root, nullable: false, found: &mut found }.deserialize(&mut json)?;
    json.end()?;
    Ok(found)
}

/// The current place: a chain on the stack, converted to a [`Pointer`] only if there is something to report.
struct Place<'a> {
    up: Option<&'a Place<'a>>,
    step: Step<'a>,
    /// Whether the document still fits its shape without this value.
    removable: bool,
}

enum Step<'a> {
    Root,
    Key(&'a str),
    Index(usize),
}

impl Place<'_> {
    fn pointer(&self) -> Pointer {
        let above = self.up.map_or(Pointer::of(""), Place::pointer);
        match self.step {
            Step::Root => above,
            Step::Key(name) => above.key(name),
            Step::Index(index) => above.index(index),
        }
    }

    /// The nearest place at or above this one that can be removed.
    fn removable(&self) -> Option<Pointer> {
        if self.removable { Some(self.pointer()) } else { self.up.and_then(Place::removable) }
    }
}

/// What the object around a value needs to know about the value.
enum Seen {
    Word(&'static str),
    Null,
    /// An object to remove (see [`Need::OrDropParent`]).
    Empty,
    Other,
}

struct Scanner<'a> {
    shape: &'static Shape,
    at: &'a Place<'a>,
    nullable: bool,
    found: &'a mut Findings,
}

impl Scanner<'_> {
    fn problem_at(&mut self, at: Pointer, what: String) {
        self.found.problems.add(at, what);
        if !self.found.problems.is_full()
            && let Some(place) = self.at.removable()
        {
            self.found.fixes.insert(place.as_str().to_owned(), Fix::Remove);
        }
    }

    fn problem(&mut self, what: String) -> Seen {
        self.problem_at(self.at.pointer(), what);
        Seen::Other
    }

    fn misfit(&mut self, instead: &str) -> Seen {
        self.problem(format!("must be {}, not {instead}", expected(self.shape)))
    }

    fn fix(&mut self, fix: Fix) {
        self.found.fixes.insert(self.at.pointer().as_str().to_owned(), fix);
    }

    fn integer(&mut self, value: impl Into<i128>) -> Seen {
        let value = value.into();
        match *self.shape {
            Shape::Integer(low, high) if value < i128::from(low) || value > i128::from(high) => {
                self.problem(format!("{value} is out of range; expected an integer from {low} to {high}"))
            }
            Shape::Integer(..) => Seen::Other,
            Shape::Clamped if value < 0 => {
                self.problem(format!("{value} is out of range; expected an integer from 0 to {}", u64::MAX))
            }
            Shape::Clamped => {
                if value > i128::from(i64::MAX) {
                    self.fix(Fix::Set(Value::from(i64::MAX)));
                }
                Seen::Other
            }
            _ => self.misfit("a number"),
        }
    }

    fn text(&mut self, text: &str) -> Seen {
        match *self.shape {
            Shape::Text => Seen::Other,
            Shape::Word(words) => self.word(text, words),
            Shape::WordOrEmpty(words) if !text.is_empty() => self.word(text, words),
            Shape::Respelt(pairs) => match pairs.iter().find(|(ours, _)| *ours == text) {
                Some((ours, theirs)) if ours == theirs => Seen::Other,
                Some((_, theirs)) => {
                    self.fix(Fix::Set(Value::from(*theirs)));
                    Seen::Other
                }
                None => self.problem(unknown(text, pairs.iter().map(|(ours, _)| *ours))),
            },
            Shape::Capability => {
                if !enums::CAPABILITIES.contains(&text) {
                    self.found.unknown_capabilities.insert(text.to_owned());
                    self.fix(Fix::Remove);
                }
                Seen::Other
            }
            // oci-spec refuses the empty string in both, but it means "absent".
            Shape::Cpus | Shape::WordOrEmpty(_) if text.is_empty() => {
                self.fix(Fix::Remove);
                Seen::Other
            }
            Shape::Cpus if !is_list_of_ranges(text) => {
                self.problem(format!("{text:?} is not a list of processors such as \"0-3,7\""))
            }
            Shape::Cpus => Seen::Other,
            _ => self.misfit("a string"),
        }
    }

    fn word(&mut self, text: &str, words: &'static [&'static str]) -> Seen {
        match words.iter().find(|word| **word == text) {
            Some(word) => Seen::Word(word),
            None => self.problem(unknown(text, words.iter().copied())),
        }
    }

    fn child<'de, A: MapAccess<'de>>(
        &mut self,
        map: &mut A,
        name: &str,
        (shape, removable, nullable): (&'static Shape, bool, bool),
    ) -> Result<Seen, A::Error> {
        let at = Place { up: Some(self.at), step: Step::Key(name), removable };
        let mut scanner = Scanner { shape, at: &at, nullable, found: self.found };
        if matches!(shape, Shape::Foreign) {
            map.next_value::<IgnoredAny>()?;
            scanner.found.virtual_machine |= name == "vm";
            scanner.fix(Fix::Remove);
            return Ok(Seen::Other);
        }
        map.next_value_seed(scanner)
    }

    fn object<'de, A: MapAccess<'de>>(&mut self, mut map: A, members: &'static [Member]) -> Result<Seen, A::Error> {
        // One bit per member. A test limits the tables to 32 members.
        let mut seen = 0_u32;
        let mut kind = None;
        let mut unknown_names = BTreeSet::new();
        while let Some(Name(name)) = map.next_key()? {
            let Some(index) = members.iter().position(|member| member.name == name) else {
                map.next_value::<IgnoredAny>()?;
                if let Some(twice) = unknown_names.replace(name) {
                    self.problem_at(self.at.pointer().key(&twice), TWICE.to_owned());
                }
                continue;
            };
            let (member, bit) = (&members[index], 1 << index);
            if seen & bit != 0 {
                self.problem_at(self.at.pointer().key(&name), TWICE.to_owned());
            }
            // The required members at the top level are removable, because oci-spec accepts a document without them.
            let is_required = matches!(member.need, Need::Required | Need::OrDefault(_));
            let removable = !is_required || self.at.up.is_none();
            let how = (member.shape, removable, true);
            match self.child(&mut map, &name, how)? {
                Seen::Null if matches!(member.need, Need::Optional | Need::OrDefault(_)) => {}
                // oci-spec has no `Option` at these places, so `null` and empty objects must be removed.
                Seen::Null | Seen::Empty => {
                    let place = self.at.pointer().key(&name);
                    self.found.fixes.insert(place.as_str().to_owned(), Fix::Remove);
                }
                Seen::Word(word) => {
                    seen |= bit;
                    if name == "type" {
                        kind = Some(word);
                    }
                }
                Seen::Other => seen |= bit,
            }
        }
        let mut empty = false;
        for (_, member) in members.iter().enumerate().filter(|(index, _)| seen & (1 << index) == 0) {
            match member.need {
                Need::Optional => {}
                Need::UnlessFifo if kind == Some("p") => {}
                Need::OrDropParent => empty = true,
                Need::OrDefault(value) => {
                    self.found.defaults.push((self.at.pointer().key(member.name), value));
                }
                Need::Required | Need::UnlessFifo => {
                    self.problem_at(self.at.pointer().key(member.name), "is missing".to_owned());
                }
            }
        }
        Ok(if empty { Seen::Empty } else { Seen::Other })
    }

    fn map<'de, A: MapAccess<'de>>(&mut self, mut map: A, value: &'static Shape) -> Result<Seen, A::Error> {
        let all_optional = matches!(value, Shape::Object(members) if members.iter().all(|m| m.need == Need::Optional));
        let mut names = BTreeSet::new();
        while let Some(Name(name)) = map.next_key()? {
            if let Seen::Null = self.child(&mut map, &name, (value, true, all_optional))? {
                // Go writes an empty entry of a map of structures as `"eth0": null`.
                let place = self.at.pointer().key(&name);
                self.found.fixes.insert(place.as_str().to_owned(), Fix::Set(Value::Object(serde_json::Map::new())));
            }
            if let Some(twice) = names.replace(name) {
                self.problem_at(self.at.pointer().key(&twice), TWICE.to_owned());
            }
        }
        Ok(Seen::Other)
    }
}

const TWICE: &str = "appears twice in its object";

impl<'de> DeserializeSeed<'de> for Scanner<'_> {
    type Value = Seen;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Seen, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Scanner<'_> {
    type Value = Seen;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&expected(self.shape))
    }

    fn visit_bool<E: Error>(mut self, _: bool) -> Result<Seen, E> {
        Ok(if matches!(self.shape, Shape::Flag) { Seen::Other } else { self.misfit("true or false") })
    }

    fn visit_i64<E: Error>(mut self, value: i64) -> Result<Seen, E> {
        Ok(self.integer(value))
    }

    fn visit_u64<E: Error>(mut self, value: u64) -> Result<Seen, E> {
        Ok(self.integer(value))
    }

    fn visit_f64<E: Error>(mut self, value: f64) -> Result<Seen, E> {
        Ok(self.misfit(&format!("{value}")))
    }

    fn visit_str<E: Error>(mut self, text: &str) -> Result<Seen, E> {
        Ok(self.text(text))
    }

    fn visit_unit<E: Error>(mut self) -> Result<Seen, E> {
        Ok(if self.nullable { Seen::Null } else { self.misfit("null") })
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<Seen, A::Error> {
        let Shape::List(shape) = *self.shape else {
            while list.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(self.misfit("an array"));
        };
        for index in 0.. {
            let at = Place { up: Some(self.at), step: Step::Index(index), removable: true };
            let scanner = Scanner { shape, at: &at, nullable: false, found: self.found };
            if list.next_element_seed(scanner)?.is_none() {
                break;
            }
        }
        Ok(Seen::Other)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Seen, A::Error> {
        match *self.shape {
            Shape::Object(members) => self.object(map, members),
            Shape::Map(value) => self.map(map, value),
            _ => {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(self.misfit("an object"))
            }
        }
    }
}

/// A member name, borrowed from the text unless it contains escapes.
struct Name<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Borrow;
        impl<'de> Visitor<'de> for Borrow {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a member name")
            }

            fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(name)))
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }
        json.deserialize_str(Borrow)
    }
}

fn expected(shape: &Shape) -> Cow<'static, str> {
    Cow::Borrowed(match shape {
        Shape::Object(_) | Shape::Map(_) => "an object",
        Shape::List(_) => "an array",
        Shape::Flag => "true or false",
        Shape::Integer(..) | Shape::Clamped => "an integer",
        Shape::Text | Shape::Capability | Shape::Cpus | Shape::Respelt(_) => "a string",
        Shape::Word(words) | Shape::WordOrEmpty(words) => {
            return Cow::Owned(format!("one of {}", words.join(", ")));
        }
        Shape::Foreign => "anything",
    })
}

fn unknown(text: &str, words: impl Iterator<Item = &'static str>) -> String {
    format!("unknown value {text:?}; expected one of {}", words.collect::<Vec<_>>().join(", "))
}

/// Whether `text` is a comma-separated list of numbers and ranges (config.md, "execCPUAffinity").
fn is_list_of_ranges(text: &str) -> bool {
    let number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    text.split(',').all(|part| match part.split_once('-') {
        Some((low, high)) => number(low) && number(high),
        None => number(part),
    })
}
