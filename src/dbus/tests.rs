//! Tests the wire format on valid and random input, and the connection against a fake peer on a socket pair.

use super::message::{ERROR, LONGEST_PARSED, RETURN, SIGNAL};
use super::{Bus, Call, Message, Refused, Value, length_of, parse_text};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// One value of every type, including nested and empty ones.
fn specimens() -> Vec<Value> {
    let pair = |name: &str, value| Value::Struct(vec![Value::text(name), Value::variant(value)]);
    vec![
        Value::Byte(7),
        Value::Bool(true),
        Value::Int16(-2),
        Value::Uint16(3),
        Value::Int32(-5),
        Value::Uint32(6),
        Value::Int64(-8),
        Value::Uint64(u64::MAX),
        Value::Double(1.5),
        Value::text("t€xt"),
        Value::ObjectPath("/a/b".to_owned()),
        Value::Signature("a(sv)".to_owned()),
        Value::Array("t".to_owned(), Vec::new()),
        Value::Array("y".to_owned(), vec![Value::Byte(1), Value::Byte(2)]),
        Value::Array("(sv)".to_owned(), vec![pair("x", Value::Uint64(1)), pair("", Value::Bool(false))]),
        Value::Array(
            "{sv}".to_owned(),
            vec![Value::Entry(Box::new((Value::text("k"), Value::variant(Value::Byte(1)))))],
        ),
        Value::variant(Value::variant(Value::Array("s".to_owned(), vec![Value::text("deep")]))),
    ]
}

fn answer(kind: u8, reply_to: u32) -> Message {
    Message { kind, reply_to: Some(reply_to), ..Message::default() }
}

#[test]
fn a_message_is_read_as_it_was_written() {
    let message = Message { interface: "a.b".into(), member: "C".into(), ..answer(SIGNAL, 4) };
    let bytes = message.with(&specimens()).encode();
    let prefix = bytes.first_chunk().expect("a header");
    assert_eq!(length_of(prefix).expect("a length"), bytes.len());
    let read = Message::parse(&bytes).expect("a message");
    assert_eq!((read.kind, read.reply_to, &*read.interface, &*read.member), (SIGNAL, Some(4), "a.b", "C"));
    assert_eq!(read.values().expect("a body"), specimens());
}

#[test]
fn a_call_is_encoded_as_specified() {
    let body = [Value::text("x")];
    let call = Call { destination: "d.e", path: "/", interface: "i.f", member: "M", body: &body };
    let bytes = call.encode(1);
    // l, method call, no flags, version 1; 6 bytes of body; serial 1.
    assert_eq!(bytes[..12], [b'l', 1, 0, 1, 6, 0, 0, 0, 1, 0, 0, 0]);
    // The first field, at byte 16: path, a variant of "o".
    assert_eq!(bytes[16..26], [1, 1, b'o', 0, 1, 0, 0, 0, b'/', 0]);
    assert_eq!(bytes.len() % 8, 6, "the body starts at a multiple of 8");
    assert_eq!(bytes[bytes.len() - 6..], [1, 0, 0, 0, b'x', 0]);
}

#[test]
fn messages_of_a_big_endian_peer_are_parsed() {
    // A reply to call 0x0102 with the body (uint16 0x0304, string "hi"), as s390x sends it.
    let bytes: &[u8] = b"B\x02\x00\x01\x00\x00\x00\x0b\x00\x00\x00\x07\x00\x00\x00\x10\
        \x05\x01u\x00\x00\x00\x01\x02\x08\x01g\x00\x02qs\x00\
        \x03\x04\x00\x00\x00\x00\x00\x02hi\x00";
    assert_eq!(length_of(bytes.first_chunk().expect("a header")).expect("a length"), bytes.len());
    let message = Message::parse(bytes).expect("a message");
    assert_eq!((message.kind, message.reply_to), (RETURN, Some(0x0102)));
    assert_eq!(message.values().expect("a body"), [Value::Uint16(0x0304), Value::text("hi")]);
}

#[test]
fn malformed_messages_are_errors_without_a_panic() {
    let good = answer(RETURN, 1).with(&specimens()).encode();
    for length in 0..good.len() {
        let read = Message::parse(&good[..length]).and_then(|message| message.values());
        assert!(read.is_err(), "cut to {length} bytes");
    }
    // A small generator with the same sequence in every run.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    for _ in 0..20_000 {
        let mut bytes = good.clone();
        for _ in 0..=random(4) {
            let at = random(bytes.len());
            bytes[at] = random(256) as u8;
        }
        drop(Message::parse(&bytes).and_then(|message| message.values()));
        if let Some(prefix) = bytes.first_chunk() {
            drop(length_of(prefix));
        }
    }
}

#[test]
fn lengths_and_nesting_have_bounds() {
    let mut prefix = *answer(RETURN, 1).encode().first_chunk().expect("a header");
    prefix[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    length_of(&prefix).expect_err("4 GiB");
    prefix[0] = b'b';
    length_of(&prefix).expect_err("neither byte order");
    let deep = (0..100).fold(Value::Byte(1), |inner, _| Value::variant(inner));
    let values =
        |value| Message::parse(&answer(RETURN, 1).with(&[value]).encode()).and_then(|message| message.values());
    values(deep).expect_err("a hundred variants");
    values(Value::Bool(true)).expect("a body");
}

/// The replies of a bus to the authentication and `Hello`.
fn welcome() -> Vec<u8> {
    [b"DATA\r\nOK 0123\r\n".to_vec(), answer(RETURN, 1).with(&[Value::text(":1.1")]).encode()].concat()
}

/// Returns a bus whose peer has already sent `words`, and the peer's end.
fn bus(words: &[u8], patience: Duration) -> (anyhow::Result<Bus>, UnixStream) {
    let (own, mut peer) = UnixStream::pair().expect("a pair");
    peer.write_all(words).expect("room in the socket");
    (Bus::over(own, Instant::now() + patience), peer)
}

fn signal(member: &str) -> Message {
    Message { kind: SIGNAL, interface: "i.f".into(), member: member.into(), ..Message::default() }
}

const CALL: Call<'_> = Call { destination: "d.e", path: "/", interface: "i.f", member: "Do", body: &[] };
const LONG: Duration = Duration::from_secs(60);

#[test]
fn replies_and_signals_reach_their_waiters() {
    let signal = |job: &str| signal("Done").with(&[Value::text(job)]).encode();
    let (bus, mut peer) = bus(&welcome(), LONG);
    let mut bus = bus.expect("a bus");
    // A signal before the reply it belongs to, an unrelated signal, and a reply to a call that was never made.
    let answers = [answer(RETURN, 77).encode(), answer(RETURN, 2).with(&[Value::Byte(5)]).encode()];
    for message in [&signal("one"), &answers[0], &signal("two"), &answers[1]] {
        peer.write_all(message).expect("room");
    }
    bus.await_signal("i.f", "Done");
    assert_eq!(bus.call(&CALL).expect("an answer"), [Value::Byte(5)]);
    let wanted = |body: &[Value]| body.first().and_then(Value::as_text) == Some("two");
    bus.wait_for(wanted).expect("the signal");
    let refusal = Message { error: "e.Exists".into(), ..answer(ERROR, 3) };
    peer.write_all(&refusal.with(&[Value::text("is there")]).encode()).expect("room");
    let error = bus.call(&CALL).expect_err("refused");
    assert_eq!(error.downcast_ref::<Refused>().expect("a refusal").name, "e.Exists");
    assert_eq!(format!("{error:#}"), "is there (e.Exists)");
    let mut sent = [0; 29];
    peer.read_exact(&mut sent).expect("the authentication");
    assert_eq!(&sent, b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n");
}

/// Signals that nobody awaits take no memory, whatever their number and length, and their bodies are not parsed.
#[test]
fn other_signals_are_not_kept() {
    let (bus, mut peer) = bus(&welcome(), LONG);
    let mut bus = bus.expect("a bus");
    bus.await_signal("i.f", "Done");
    // Longer than what is parsed, and short enough for the socket's buffer.
    let long = Value::Array("y".to_owned(), vec![Value::Byte(1); LONGEST_PARSED]);
    let mut malformed = signal("Other").with(&[Value::Bool(true)]).encode();
    *malformed.last_mut().expect("a body") = 7;
    let unparsed = [malformed, signal("Done").with(&[long]).encode()].concat();
    for message in [unparsed, answer(RETURN, 2).encode(), signal("Done").with(&[Value::text("short")]).encode()] {
        peer.write_all(&message).expect("room");
    }
    bus.call(&CALL).expect("an answer");
    let first = bus.wait_for(|_| true).expect("the signal");
    assert_eq!(first, [Value::text("short")]);
}

#[test]
fn a_silent_closed_or_rejecting_bus_is_an_error() {
    let (silent, _peer) = bus(b"DATA\r\n", Duration::from_millis(20));
    assert_eq!(format!("{:#}", silent.expect_err("silent")), "read from the bus: no answer in time");
    let (unfriendly, _peer) = bus(b"REJECTED EXTERNAL\r\n", LONG);
    assert_eq!(format!("{:#}", unfriendly.expect_err("rejected")), "the bus refused authentication: REJECTED EXTERNAL");
    let (endless, _peer) = bus(&[b'x'; 3000], LONG);
    assert!(format!("{:#}", endless.expect_err("endless")).contains("line too long"));
    let (open, peer) = bus(&welcome(), LONG);
    drop(peer);
    let error = open.expect("a bus").call(&CALL).expect_err("closed");
    assert!(format!("{error:#}").starts_with("call Do: "), "{error:#}");
    let (own, peer) = UnixStream::pair().expect("a pair");
    drop(own);
    drop(peer);
    let error = Bus::open("unix:path=/nonexistent/bus", Instant::now() + LONG).expect_err("nobody");
    assert_eq!(format!("{error:#}"), "unix:path=/nonexistent/bus: No such file or directory (os error 2)");
}

#[test]
fn values_are_read_from_text() {
    let list = |element: &str, list: &[Value]| Value::Array(element.to_owned(), list.to_vec());
    let two = [Value::text("a"), Value::text("b'c")];
    for (text, value) in [
        ("true", Value::Bool(true)),
        (" 15 ", Value::Int32(15)),
        ("-0x10", Value::Int32(-16)),
        ("017", Value::Int32(15)),
        ("uint64 10000000", Value::Uint64(10_000_000)),
        ("byte 255", Value::Byte(255)),
        ("1.5", Value::Double(1.5)),
        ("double 2", Value::Double(2.0)),
        ("'it\\'s\\n\\u20ac'", Value::text("it's\n€")),
        ("\"x\"", Value::text("x")),
        ("objectpath '/a'", Value::ObjectPath("/a".to_owned())),
        ("['a', \"b'c\"]", list("s", &two)),
        ("@as []", list("s", &[])),
        ("@at [1, 2]", list("t", &[Value::Uint64(1), Value::Uint64(2)])),
        ("('x', uint32 1)", Value::Struct(vec![Value::text("x"), Value::Uint32(1)])),
        ("('x',)", Value::Struct(vec![Value::text("x")])),
        ("[('x', true)]", list("(sb)", &[Value::Struct(vec![Value::text("x"), Value::Bool(true)])])),
        ("<5>", Value::variant(Value::Int32(5))),
    ] {
        assert_eq!(parse_text(text), Ok(value), "{text}");
    }
    for text in [
        "",
        "'",
        "'a",
        "[]",
        "[1, 'a']",
        "byte 256",
        "int32 x",
        "uint64 -1",
        "5 5",
        "()",
        "(1",
        "<1",
        "@a 5",
        "@zz 1",
        "@s 5",
        "hello",
        "boolean 5",
        "'\\u12'",
        "'\\u0000'",
        "{'a': 1}",
        "b'abc'",
        "['a' 'b']",
        "€",
    ] {
        parse_text(text).expect_err(text);
    }
    parse_text(&"[".repeat(100_000)).expect_err("deep");
    assert_eq!(parse_text("uint64 x"), Err("expected a value that fits its type at byte 7 of \"uint64 x\"".to_owned()));
}
