//! Encodes and parses messages: a header of fixed and named fields, and a body of values (D-Bus Specification, "Message
//! Format"). Sending and receiving is left to `connection`.

use super::value::{BIG_ENDIAN, LITTLE_ENDIAN, Reader, Value, pad, signature_of};
use anyhow::{Context, Result, bail};

/// The kinds of messages.
pub(crate) const CALL: u8 = 1;
pub(crate) const RETURN: u8 = 2;
pub(crate) const ERROR: u8 = 3;
pub(crate) const SIGNAL: u8 = 4;

/// The codes of header fields.
const PATH: u8 = 1;
const INTERFACE: u8 = 2;
const MEMBER: u8 = 3;
const ERROR_NAME: u8 = 4;
const REPLY_SERIAL: u8 = 5;
const DESTINATION: u8 = 6;
const SIGNATURE: u8 = 8;

/// The first bytes of a header, which contain the length of the whole message.
pub(crate) const PREFIX: usize = 16;
/// Maximum length of a message in bytes (D-Bus Specification, "Message Format").
const LONGEST: usize = 128 << 20;
/// Maximum length in bytes of a message that is stored and parsed. The replies needed here are far shorter. Parsed
/// values take up to some forty times as much memory.
pub(crate) const LONGEST_PARSED: usize = 64 << 10;

/// A method call with its arguments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call<'a> {
    pub(crate) destination: &'a str,
    pub(crate) path: &'a str,
    pub(crate) interface: &'a str,
    pub(crate) member: &'a str,
    pub(crate) body: &'a [Value],
}

impl Call<'_> {
    /// Encodes the message with `serial`, which the reply will contain.
    pub(super) fn encode(&self, serial: u32) -> Vec<u8> {
        let fields = vec![
            (PATH, Value::ObjectPath(self.path.to_owned())),
            (INTERFACE, Value::text(self.interface)),
            (MEMBER, Value::text(self.member)),
            (DESTINATION, Value::text(self.destination)),
        ];
        let mut body = Vec::new();
        self.body.iter().for_each(|value| value.encode(&mut body));
        encode(CALL, serial, fields, &signature_of(self.body), &body)
    }
}

fn encode(kind: u8, serial: u32, mut fields: Vec<(u8, Value)>, signature: &str, body: &[u8]) -> Vec<u8> {
    if !signature.is_empty() {
        fields.push((SIGNATURE, Value::Signature(signature.to_owned())));
    }
    let field = |(name, value)| Value::Struct(vec![Value::Byte(name), Value::variant(value)]);
    let fields = Value::Array("(yv)".to_owned(), fields.into_iter().map(field).collect());
    // Little-endian, no flags, protocol version 1.
    let mut out = vec![LITTLE_ENDIAN, kind, 0, 1];
    out.extend((body.len() as u32).to_le_bytes());
    out.extend(serial.to_le_bytes());
    fields.encode(&mut out);
    pad(&mut out, 8);
    out.extend(body);
    out
}

/// A received message. Its body is not parsed: most of what a bus can send is of no interest.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Message {
    pub(crate) kind: u8,
    /// The byte order of the sender, in `body` too.
    pub(crate) big_endian: bool,
    pub(crate) reply_to: Option<u32>,
    pub(crate) interface: String,
    pub(crate) member: String,
    pub(crate) error: String,
    /// The types of the values in `body`.
    pub(crate) signature: String,
    /// The encoded values, see [`Message::values`].
    pub(crate) body: Vec<u8>,
}

/// The length of the whole message, from its first 16 bytes.
pub(crate) fn length_of(prefix: &[u8; PREFIX]) -> Result<usize> {
    let number = match (prefix[0], prefix[3]) {
        (LITTLE_ENDIAN, 1) => u32::from_le_bytes,
        (BIG_ENDIAN, 1) => u32::from_be_bytes,
        _ => bail!("not a message of D-Bus version 1"),
    };
    let mut lengths = [4, 12].map(|at| number([prefix[at], prefix[at + 1], prefix[at + 2], prefix[at + 3]]) as usize);
    lengths[1] = (PREFIX + lengths[1]).next_multiple_of(8);
    let length = lengths[0] + lengths[1];
    match length <= LONGEST {
        true => Ok(length),
        false => bail!("message too long: {length} bytes"),
    }
}

impl Message {
    /// Reads the header of a whole message.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Message> {
        Message::read(bytes).context("malformed message")
    }

    fn read(bytes: &[u8]) -> Option<Message> {
        let big_endian = bytes.first() == Some(&BIG_ENDIAN);
        let mut reader = Reader::new(bytes, big_endian);
        let fixed = reader.values("yyyyuua(yv)")?;
        reader.align(8)?;
        let [_, Value::Byte(kind), _, _, _, _, Value::Array(_, fields)] = &fixed[..] else { return None };
        let mut message = Message { kind: *kind, big_endian, body: reader.rest().to_vec(), ..Message::default() };
        for field in fields {
            let Value::Struct(pair) = field else { return None };
            let [Value::Byte(name), Value::Variant(value)] = &pair[..] else { return None };
            match (*name, &**value) {
                (REPLY_SERIAL, Value::Uint32(serial)) => message.reply_to = Some(*serial),
                (INTERFACE, Value::String(text)) => message.interface.clone_from(text),
                (MEMBER, Value::String(text)) => message.member.clone_from(text),
                (ERROR_NAME, Value::String(text)) => message.error.clone_from(text),
                (SIGNATURE, Value::Signature(text)) => message.signature.clone_from(text),
                (REPLY_SERIAL | INTERFACE | MEMBER | ERROR_NAME | SIGNATURE, _) => return None,
                // Fields that are unused here or unknown.
                _ => (),
            }
        }
        Some(message)
    }

    /// Reads the values of the body.
    pub(crate) fn values(&self) -> Result<Vec<Value>> {
        // The body starts at a multiple of 8, so its alignment is the same when it is read alone.
        let mut reader = Reader::new(&self.body, self.big_endian);
        let values = reader.values(&self.signature).filter(|_| reader.is_at_end());
        values.context("malformed message body")
    }

    /// The message with these values as its body, for tests.
    #[cfg(test)]
    pub(crate) fn with(self, values: &[Value]) -> Message {
        let mut body = Vec::new();
        values.iter().for_each(|value| value.encode(&mut body));
        Message { signature: signature_of(values), body, ..self }
    }

    /// Encodes a message of the peer, for tests.
    #[cfg(test)]
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut fields = Vec::new();
        for (name, text) in [(INTERFACE, &self.interface), (MEMBER, &self.member), (ERROR_NAME, &self.error)] {
            if !text.is_empty() {
                fields.push((name, Value::text(text)));
            }
        }
        fields.extend(self.reply_to.map(|serial| (REPLY_SERIAL, Value::Uint32(serial))));
        encode(self.kind, 9, fields, &self.signature, &self.body)
    }
}
