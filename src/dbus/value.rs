//! Encodes and decodes D-Bus values: little-endian, each aligned to its size from the start of the message or body
//! (D-Bus Specification, "Marshaling"). Message headers are left to `message`.

/// A value with its type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Byte(u8),
    Bool(bool),
    Int16(i16),
    Uint16(u16),
    Int32(i32),
    Uint32(u32),
    Int64(i64),
    Uint64(u64),
    Double(f64),
    String(String),
    ObjectPath(String),
    Signature(String),
    /// The signature of the elements, and the elements.
    Array(String, Vec<Value>),
    Struct(Vec<Value>),
    /// One entry of a dictionary. A dictionary is an array of entries.
    Entry(Box<(Value, Value)>),
    Variant(Box<Value>),
}

/// Maximum nesting depth of the specification: 32 arrays and 32 structures.
const DEPTH: usize = 64;

impl Value {
    pub(crate) fn text(text: impl Into<String>) -> Value {
        Value::String(text.into())
    }

    pub(crate) fn variant(value: Value) -> Value {
        Value::Variant(Box::new(value))
    }

    /// The text of a string, an object path or a signature, also inside a variant.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Value::String(text) | Value::ObjectPath(text) | Value::Signature(text) => Some(text),
            Value::Variant(inner) => inner.as_text(),
            _ => None,
        }
    }

    /// The type, in the letters of a signature.
    pub(crate) fn signature(&self) -> String {
        match self {
            Value::Byte(_) => "y".to_owned(),
            Value::Bool(_) => "b".to_owned(),
            Value::Int16(_) => "n".to_owned(),
            Value::Uint16(_) => "q".to_owned(),
            Value::Int32(_) => "i".to_owned(),
            Value::Uint32(_) => "u".to_owned(),
            Value::Int64(_) => "x".to_owned(),
            Value::Uint64(_) => "t".to_owned(),
            Value::Double(_) => "d".to_owned(),
            Value::String(_) => "s".to_owned(),
            Value::ObjectPath(_) => "o".to_owned(),
            Value::Signature(_) => "g".to_owned(),
            Value::Array(element, _) => format!("a{element}"),
            Value::Struct(members) => format!("({})", signature_of(members)),
            Value::Entry(pair) => format!("{{{}{}}}", pair.0.signature(), pair.1.signature()),
            Value::Variant(_) => "v".to_owned(),
        }
    }

    /// Appends the value to a message or body that starts with `out`.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        pad(out, alignment(self.signature().as_bytes().first().copied().unwrap_or(b'y')));
        match self {
            Value::Byte(n) => out.push(*n),
            Value::Bool(yes) => out.extend(u32::from(*yes).to_le_bytes()),
            Value::Int16(n) => out.extend(n.to_le_bytes()),
            Value::Uint16(n) => out.extend(n.to_le_bytes()),
            Value::Int32(n) => out.extend(n.to_le_bytes()),
            Value::Uint32(n) => out.extend(n.to_le_bytes()),
            Value::Int64(n) => out.extend(n.to_le_bytes()),
            Value::Uint64(n) => out.extend(n.to_le_bytes()),
            Value::Double(n) => out.extend(n.to_bits().to_le_bytes()),
            Value::String(text) | Value::ObjectPath(text) => {
                out.extend((text.len() as u32).to_le_bytes());
                out.extend(text.bytes().chain([0]));
            }
            Value::Signature(text) => encode_signature(text, out),
            Value::Array(element, list) => {
                let at = out.len();
                out.extend([0; 4]);
                // This padding is not counted in the length, and present even if the array is empty.
                pad(out, alignment(element.bytes().next().unwrap_or(b'y')));
                let start = out.len();
                list.iter().for_each(|value| value.encode(out));
                let length = (out.len() - start) as u32;
                out[at..at + 4].copy_from_slice(&length.to_le_bytes());
            }
            Value::Struct(members) => members.iter().for_each(|value| value.encode(out)),
            Value::Entry(pair) => {
                pair.0.encode(out);
                pair.1.encode(out);
            }
            Value::Variant(inner) => {
                encode_signature(&inner.signature(), out);
                inner.encode(out);
            }
        }
    }
}

/// The types of several values in a row.
pub(super) fn signature_of(values: &[Value]) -> String {
    values.iter().map(Value::signature).collect()
}

fn encode_signature(text: &str, out: &mut Vec<u8>) {
    out.push(text.len() as u8);
    out.extend(text.bytes().chain([0]));
}

/// Appends zeros up to a multiple of `alignment`.
pub(super) fn pad(out: &mut Vec<u8>, alignment: usize) {
    out.resize(out.len().next_multiple_of(alignment), 0);
}

fn alignment(letter: u8) -> usize {
    match letter {
        b'n' | b'q' => 2,
        b'b' | b'i' | b'u' | b's' | b'o' | b'a' => 4,
        b'x' | b't' | b'd' | b'(' | b'{' => 8,
        _ => 1,
    }
}

/// The first byte of a message whose numbers have the lowest byte first, or last. A peer sends its own order.
pub(super) const LITTLE_ENDIAN: u8 = b'l';
pub(super) const BIG_ENDIAN: u8 = b'B';

/// A reader with its position. Every method returns `None` if the encoding is invalid.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    big_endian: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8], big_endian: bool) -> Self {
        Reader { bytes, at: 0, big_endian }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// What has not been read yet.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(count)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    /// Skips to a multiple of `alignment`. The skipped bytes must be zero.
    pub(super) fn align(&mut self, alignment: usize) -> Option<()> {
        let count = self.at.next_multiple_of(alignment) - self.at;
        self.take(count)?.iter().all(|byte| *byte == 0).then_some(())
    }

    /// The bytes of a number, the lowest first.
    fn number<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.align(N)?;
        let mut bytes: [u8; N] = self.take(N)?.try_into().ok()?;
        if self.big_endian {
            bytes.reverse();
        }
        Some(bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.number().map(u32::from_le_bytes)
    }

    fn text(&mut self, length: usize) -> Option<String> {
        let text = std::str::from_utf8(self.take(length)?).ok()?;
        (self.take(1)? == [0] && !text.contains('\0')).then(|| text.to_owned())
    }

    fn signature(&mut self) -> Option<String> {
        let length = self.take(1)?[0];
        self.text(usize::from(length))
    }

    /// All values of a signature, one after the other.
    pub(super) fn values(&mut self, signature: &str) -> Option<Vec<Value>> {
        self.values_at(signature, 0)
    }

    fn values_at(&mut self, signature: &str, depth: usize) -> Option<Vec<Value>> {
        let (mut rest, mut values) = (signature, Vec::new());
        while !rest.is_empty() {
            let (first, others) = split_first(rest)?;
            values.push(self.value(first, depth)?);
            rest = others;
        }
        Some(values)
    }

    fn value(&mut self, signature: &str, depth: usize) -> Option<Value> {
        if depth > DEPTH {
            return None;
        }
        let letter = *signature.as_bytes().first()?;
        self.align(alignment(letter))?;
        Some(match letter {
            b'y' => Value::Byte(self.take(1)?[0]),
            b'b' => match self.u32()? {
                0 => Value::Bool(false),
                1 => Value::Bool(true),
                _ => return None,
            },
            b'n' => Value::Int16(self.number().map(i16::from_le_bytes)?),
            b'q' => Value::Uint16(self.number().map(u16::from_le_bytes)?),
            b'i' => Value::Int32(self.number().map(i32::from_le_bytes)?),
            b'u' => Value::Uint32(self.u32()?),
            b'x' => Value::Int64(self.number().map(i64::from_le_bytes)?),
            b't' => Value::Uint64(self.number().map(u64::from_le_bytes)?),
            b'd' => Value::Double(self.number().map(f64::from_le_bytes)?),
            b's' | b'o' => {
                let length = self.u32()?;
                let text = self.text(usize::try_from(length).ok()?)?;
                if letter == b's' { Value::String(text) } else { Value::ObjectPath(text) }
            }
            b'g' => Value::Signature(self.signature()?),
            b'a' => self.array(signature.get(1..)?, depth)?,
            b'(' => Value::Struct(self.values_at(signature.get(1..signature.len() - 1)?, depth + 1)?),
            b'{' => {
                let pair = self.values_at(signature.get(1..signature.len() - 1)?, depth + 1)?;
                let [key, value]: [Value; 2] = pair.try_into().ok()?;
                Value::Entry(Box::new((key, value)))
            }
            b'v' => {
                let inner = self.signature()?;
                let (first, others) = split_first(&inner)?;
                others.is_empty().then_some(())?;
                Value::variant(self.value(first, depth + 1)?)
            }
            _ => return None,
        })
    }

    fn array(&mut self, element: &str, depth: usize) -> Option<Value> {
        let length = usize::try_from(self.u32()?).ok()?;
        self.align(alignment(*element.as_bytes().first()?))?;
        let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len())?;
        let mut list = Vec::new();
        while self.at < end {
            let before = self.at;
            list.push(self.value(element, depth + 1)?);
            // Every value takes at least one byte, because empty structures are invalid. Prevents an endless loop.
            (self.at > before).then_some(())?;
        }
        (self.at == end).then(|| Value::Array(element.to_owned(), list))
    }
}

/// Splits a signature after its first complete type.
pub(super) fn split_first(signature: &str) -> Option<(&str, &str)> {
    let bytes = signature.as_bytes();
    let mut at = 0;
    while bytes.get(at) == Some(&b'a') {
        at += 1;
    }
    let end = match bytes.get(at)? {
        b'(' | b'{' => {
            let mut open = 0_usize;
            let closed = bytes[at..].iter().position(|letter| {
                match letter {
                    b'(' | b'{' => open += 1,
                    b')' | b'}' => open -= 1,
                    _ => (),
                }
                open == 0
            });
            // At least one member.
            closed.filter(|length| *length > 1).map(|length| at + length + 1)?
        }
        b'y' | b'b' | b'n' | b'q' | b'i' | b'u' | b'x' | b't' | b'd' | b's' | b'o' | b'g' | b'v' => at + 1,
        _ => return None,
    };
    Some(signature.split_at(end))
}
