//! A minimal gRPC client, for the kubelet's calls: unary calls on a Unix socket, and messages encoded and decoded field
//! by field. It does not know services. gRPC sends errors in compressed headers, which this client does not decode: a
//! failed call is `None`, and the daemon's log has the error.

use std::{
    io::{Read, Result, Write},
    os::unix::net::UnixStream,
};

/// An unfinished Protocol Buffers message.
#[derive(Clone, Default)]
pub(super) struct Message(Vec<u8>);

impl Message {
    /// Appends a field: text, or another message.
    pub(super) fn with(mut self, field: u8, value: impl AsRef<[u8]>) -> Self {
        self.0.push(field << 3 | 2);
        self.varint(value.as_ref().len() as u64);
        self.0.extend_from_slice(value.as_ref());
        self
    }

    pub(super) fn number(mut self, field: u8, value: u64) -> Self {
        self.0.push(field << 3);
        self.varint(value);
        self
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

impl AsRef<[u8]> for Message {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// The value of a field in an answer, as bytes. A number is little-endian.
pub(super) fn field(answer: &[u8], wanted: u64) -> Option<Vec<u8>> {
    let mut bytes = answer.iter().copied();
    while let Some(key) = varint(&mut bytes) {
        let value = match key & 7 {
            0 => varint(&mut bytes)?.to_le_bytes().to_vec(),
            2 => {
                let length = varint(&mut bytes)?;
                bytes.by_ref().take(usize::try_from(length).ok()?).collect()
            }
            other => panic!("a field of wire type {other}"),
        };
        if key >> 3 == wanted {
            return Some(value);
        }
    }
    None
}

fn varint(bytes: &mut impl Iterator<Item = u8>) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = bytes.next()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    Some(value)
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const GO_AWAY: u8 = 7;
/// On data and headers, this flag ends the stream. On settings, it is an acknowledgement.
const LAST: u8 = 1;
const ALL_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags, 0, 0, 0, stream], payload].concat()
}

/// Calls a method by its path, such as `/runtime.v1.RuntimeService/Version`. Returns `None` if the call failed.
pub(super) fn call(stream: &mut UnixStream, method: &str, message: &Message) -> Result<Option<Vec<u8>>> {
    let mut headers = Vec::new();
    for (name, value) in [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", method),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ] {
        // A literal header with a literal name, without indexing. Both are shorter than 127 bytes.
        headers.push(0);
        for text in [name, value] {
            headers.push(u8::try_from(text.len()).unwrap());
            headers.extend_from_slice(text.as_bytes());
        }
    }
    let length = u32::try_from(message.0.len()).unwrap().to_be_bytes();
    let body = [&[0][..], &length, &message.0].concat();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")?;
    stream.write_all(&frame(SETTINGS, 0, 0, &[]))?;
    stream.write_all(&frame(HEADERS, ALL_HEADERS, 1, &headers))?;
    stream.write_all(&frame(DATA, LAST, 1, &body))?;
    let mut answer = Vec::new();
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head)?;
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        stream.read_exact(&mut payload)?;
        let (kind, last) = (head[3], head[4] & LAST != 0);
        match kind {
            SETTINGS if !last => stream.write_all(&frame(SETTINGS, LAST, 0, &[]))?,
            DATA => answer.extend_from_slice(&payload),
            _ => (),
        }
        if kind == RESET || kind == GO_AWAY || (last && (kind == HEADERS || kind == DATA)) {
            // The message has a prefix of five bytes: a compression flag and the length.
            return Ok((answer.len() >= 5).then(|| answer.split_off(5)));
        }
    }
}
