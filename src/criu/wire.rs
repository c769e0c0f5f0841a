//! Writes and reads protocol buffers, as far as CRIU's messages need them: numbers, bytes, nested messages.
//!
//! Leaves to its callers which fields exist. A field of an unknown type ends the reading with an error.

use anyhow::{Context, Result, bail};

/// A message being written.
#[derive(Clone, Debug, Default)]
pub(super) struct Message(Vec<u8>);

impl Message {
    /// Adds a number or a flag.
    pub(super) fn number(&mut self, field: u32, value: u64) {
        self.varint(u64::from(field) << 3);
        self.varint(value);
    }

    /// Adds a string or bytes.
    pub(super) fn bytes(&mut self, field: u32, value: &[u8]) {
        self.varint(u64::from(field) << 3 | 2);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value);
    }

    /// Adds a nested message.
    pub(super) fn nested(&mut self, field: u32, message: &Message) {
        self.bytes(field, &message.0);
    }

    /// The encoded message.
    pub(super) fn encoded(&self) -> &[u8] {
        &self.0
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// A number or a flag.
    Number(u64),
    /// A string, bytes or a nested message.
    Bytes(&'a [u8]),
}

impl<'a> Value<'a> {
    /// The number; 0 for bytes.
    pub(super) fn number(self) -> u64 {
        match self {
            Value::Number(number) => number,
            Value::Bytes(_) => 0,
        }
    }

    /// The bytes; empty for a number.
    pub(super) fn bytes(self) -> &'a [u8] {
        match self {
            Value::Number(_) => &[],
            Value::Bytes(bytes) => bytes,
        }
    }
}

/// All fields of an encoded message, in their order.
pub(super) fn fields(mut rest: &[u8]) -> Result<Vec<(u32, Value<'_>)>> {
    let mut fields = Vec::new();
    while !rest.is_empty() {
        let tag = varint(&mut rest)?;
        let field = u32::try_from(tag >> 3).context("a field number is too large")?;
        let value = match tag & 7 {
            0 => Value::Number(varint(&mut rest)?),
            1 => Value::Bytes(take(&mut rest, 8)?),
            2 => {
                let length = varint(&mut rest)?;
                Value::Bytes(take(&mut rest, usize::try_from(length)?)?)
            }
            5 => Value::Bytes(take(&mut rest, 4)?),
            other => bail!("field {field} has the unknown type {other}"),
        };
        fields.push((field, value));
    }
    Ok(fields)
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(length).context("the message is cut off")?;
    *rest = left;
    Ok(taken)
}

fn varint(rest: &mut &[u8]) -> Result<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = take(rest, 1)?[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    bail!("a number has more than 64 bits")
}

#[cfg(test)]
mod tests {
    use super::{Message, Value, fields};

    #[test]
    fn what_is_written_is_read_back() {
        let mut inner = Message::default();
        inner.number(1, u64::MAX);
        let mut message = Message::default();
        message.number(1, 300);
        message.bytes(13, b"/root");
        message.nested(200, &inner);
        // The first bytes are those of the protocol's own documentation for 300.
        assert_eq!(&message.encoded()[..3], [0x08, 0xac, 0x02]);
        let read = fields(message.encoded()).expect("reads");
        let expected = [(1, Value::Number(300)), (13, Value::Bytes(b"/root")), (200, Value::Bytes(inner.encoded()))];
        assert_eq!(read, expected);
        assert_eq!(fields(inner.encoded()).expect("reads"), [(1, Value::Number(u64::MAX))]);
    }

    #[test]
    fn every_prefix_of_a_message_is_read_or_refused() {
        let mut message = Message::default();
        message.number(3, 1 << 40);
        message.bytes(9, b"text");
        for length in 0..message.encoded().len() {
            // A prefix at a field's end is a message with fewer fields.
            let read = fields(&message.encoded()[..length]);
            assert!(read.is_err() || read.is_ok_and(|fields| fields.len() < 2), "{length}");
        }
        assert!(fields(&[0x0b]).is_err(), "groups do not exist in CRIU's messages");
        assert!(fields(&[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]).is_err());
    }
}
