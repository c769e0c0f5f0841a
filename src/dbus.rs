//! Speaking to a message bus (D-Bus Specification, protocol version 1): values, messages, one blocking connection.
//!
//! Owns what goes over the wire. Everything that is read is checked against its bounds before it is believed, and every
//! wait has an end. Deliberately does not know who is spoken to, nor what about; no descriptors are passed.

mod address;
mod connection;
mod message;
#[cfg(test)]
mod tests;
mod text;
mod value;

pub(crate) use connection::{Bus, Refused};
pub(crate) use message::Call;
#[cfg(test)]
pub(crate) use message::{Message, length_of};
pub(crate) use text::parse as parse_text;
pub(crate) use value::Value;
