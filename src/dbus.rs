//! A small D-Bus client (D-Bus Specification, protocol version 1): values, messages, one blocking connection.
//!
//! Which services and methods are called is left to the callers. The module owns the wire format. All input is
//! bounds-checked before use, every wait has a deadline, and no file descriptors are passed.

mod address;
mod connection;
mod message;
#[cfg(test)]
mod tests;
mod text;
mod value;

pub(crate) use connection::{Bus, Refused};
pub(crate) use message::Call;
#[cfg(any(test, fuzzing))]
pub(crate) use message::{Message, length_of};
pub(crate) use text::parse as parse_text;
pub(crate) use value::Value;

/// A fuzz target: a message of the bus, and a value as text of an annotation.
#[cfg(any(test, fuzzing))]
pub(crate) fn fuzz(bytes: &[u8]) {
    if let Some(prefix) = bytes.first_chunk() {
        let _ = length_of(prefix);
    }
    if let Ok(message) = Message::parse(bytes) {
        let _ = message.values();
    }
    let _ = text::parse(&String::from_utf8_lossy(bytes));
}
