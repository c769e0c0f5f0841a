//! Parses values in GVariant's text format (GLib, "GVariant Text Format"): `true`, `uint64 5`, `'text'`, `['a', 'b']`,
//! `@as []`, `[('x', 1)]`, `<'in a variant'>`. Dictionaries and `nothing` are not supported, because no systemd
//! property set this way needs them.

use super::value::{Value, split_first};

/// Maximum nesting depth of arrays, structures and variants.
const DEPTH: usize = 16;

/// Parses one value. The error contains what was expected, and at which byte.
pub(crate) fn parse(text: &str) -> Result<Value, String> {
    let mut parser = Parser { text, at: 0 };
    let value = parser.value(None, 0)?;
    parser.skip_blanks();
    match parser.rest().is_empty() {
        true => Ok(value),
        false => Err(parser.expected("nothing more")),
    }
}

/// The type keywords and their signature letters.
const TYPES: [(&str, &str); 13] = [
    ("boolean", "b"),
    ("byte", "y"),
    ("int16", "n"),
    ("uint16", "q"),
    ("int32", "i"),
    ("uint32", "u"),
    ("handle", "i"),
    ("int64", "x"),
    ("uint64", "t"),
    ("double", "d"),
    ("string", "s"),
    ("objectpath", "o"),
    ("signature", "g"),
];

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip_blanks(&mut self) {
        self.at = self.text.len() - self.rest().trim_ascii_start().len();
    }

    fn expected(&self, what: &str) -> String {
        format!("expected {what} at byte {} of {:?}", self.at, self.text)
    }

    fn eat(&mut self, letter: char) -> bool {
        self.skip_blanks();
        let found = self.rest().starts_with(letter);
        self.at += if found { letter.len_utf8() } else { 0 };
        found
    }

    /// The letters, digits and signs of a word or number.
    fn word(&mut self) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"+-._".contains(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// Parses a value, of the type `wanted` if that is known.
    fn value(&mut self, wanted: Option<&str>, depth: usize) -> Result<Value, String> {
        if depth > DEPTH {
            return Err(self.expected("less nesting"));
        }
        self.skip_blanks();
        let start = self.at;
        let value = match self.rest().chars().next() {
            Some('@') => {
                self.at += 1;
                let rest = self.rest();
                let end = rest.find(|c: char| c.is_ascii_whitespace()).unwrap_or(rest.len());
                let signature = &rest[..end];
                if !split_first(signature).is_some_and(|(_, others)| others.is_empty()) {
                    return Err(self.expected("a type"));
                }
                self.at += end;
                self.value(Some(signature), depth + 1)?
            }
            Some('[') => self.array(wanted, depth)?,
            Some('(') => Value::Struct(self.list('(', ')', None, depth)?),
            Some('<') => {
                self.at += 1;
                let inner = self.value(None, depth + 1)?;
                if !self.eat('>') {
                    return Err(self.expected("'>'"));
                }
                Value::variant(inner)
            }
            Some('\'' | '"') => {
                let text = self.string()?;
                match wanted {
                    Some("o") => Value::ObjectPath(text),
                    Some("g") => Value::Signature(text),
                    _ => Value::String(text),
                }
            }
            _ => {
                let word = self.word();
                if let Some((_, letter)) = TYPES.iter().find(|(name, _)| *name == word) {
                    self.value(Some(letter), depth + 1)?
                } else {
                    let value = scalar(word, wanted);
                    self.at = if value.is_none() { start } else { self.at };
                    value.ok_or_else(|| self.expected("a value that fits its type"))?
                }
            }
        };
        match wanted {
            Some(wanted) if value.signature() != wanted => {
                self.at = start;
                Err(self.expected(&format!("a value of type {wanted}")))
            }
            _ => Ok(value),
        }
    }

    fn array(&mut self, wanted: Option<&str>, depth: usize) -> Result<Value, String> {
        let element = wanted.and_then(|wanted| wanted.strip_prefix('a'));
        let list = self.list('[', ']', element, depth)?;
        let found = list.first().map(Value::signature);
        match element.map(str::to_owned).or(found) {
            Some(element) if list.iter().all(|value| value.signature() == element) => Ok(Value::Array(element, list)),
            Some(_) => Err(self.expected("an array of one type")),
            None => Err(self.expected("a type before an empty array, such as @as")),
        }
    }

    fn list(&mut self, open: char, close: char, wanted: Option<&str>, depth: usize) -> Result<Vec<Value>, String> {
        let mut list = Vec::new();
        self.eat(open);
        while !self.eat(close) {
            if !list.is_empty() && !self.eat(',') {
                return Err(self.expected(&format!("',' or '{close}'")));
            }
            // A structure with one member has a trailing comma.
            if open == '(' && list.len() == 1 && self.eat(close) {
                break;
            }
            list.push(self.value(wanted, depth + 1)?);
        }
        match list.is_empty() && open == '(' {
            true => Err(self.expected("a member")),
            false => Ok(list),
        }
    }

    fn string(&mut self) -> Result<String, String> {
        let mut letters = self.rest().char_indices();
        let quote = letters.next().map(|(_, letter)| letter);
        let mut text = String::new();
        while let Some((at, letter)) = letters.next() {
            if Some(letter) == quote {
                self.at += at + 1;
                return match text.contains('\0') {
                    true => Err(self.expected("no NUL before this")),
                    false => Ok(text),
                };
            }
            if letter != '\\' {
                text.push(letter);
                continue;
            }
            let number = |digits: String| u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
            let escaped = match letters.next().map(|(_, letter)| letter) {
                Some('n') => Some('\n'),
                Some('t') => Some('\t'),
                Some('r') => Some('\r'),
                Some('u') => number(letters.by_ref().take(4).map(|(_, letter)| letter).collect()),
                Some('U') => number(letters.by_ref().take(8).map(|(_, letter)| letter).collect()),
                other => other,
            };
            text.push(escaped.ok_or_else(|| self.expected("a string with valid escapes"))?);
        }
        Err(self.expected("a string that ends"))
    }
}

/// Parses a number or a boolean.
fn scalar(word: &str, wanted: Option<&str>) -> Option<Value> {
    let (sign, digits) = word.strip_prefix('-').map_or((1, word), |digits| (-1, digits));
    let digits = digits.strip_prefix('+').unwrap_or(digits);
    let (digits, radix) = match digits.strip_prefix("0x") {
        Some(digits) => (digits, 16),
        None if digits.len() > 1 && digits.starts_with('0') && !digits.contains('.') => (digits, 8),
        None => (digits, 10),
    };
    let whole = i128::from_str_radix(digits, radix).ok().map(|number| sign * number);
    let guessed = match (word, whole) {
        ("true" | "false", _) => "b",
        (_, Some(_)) => "i",
        _ => "d",
    };
    Some(match wanted.unwrap_or(guessed) {
        "b" => Value::Bool(word.parse().ok()?),
        "y" => Value::Byte(whole?.try_into().ok()?),
        "n" => Value::Int16(whole?.try_into().ok()?),
        "q" => Value::Uint16(whole?.try_into().ok()?),
        "i" => Value::Int32(whole?.try_into().ok()?),
        "u" => Value::Uint32(whole?.try_into().ok()?),
        "x" => Value::Int64(whole?.try_into().ok()?),
        "t" => Value::Uint64(whole?.try_into().ok()?),
        "d" => Value::Double(word.parse().ok()?),
        _ => return None,
    })
}
