//! Tests the D-Bus calls to systemd against a peer whose replies are written in advance. Serial numbers of calls start
//! at 1, which is `Hello`.

use super::{Manager, version_in};
use crate::dbus::{Bus, Message, Value, length_of};
use crate::plan::systemd_scope::Property;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

const RETURN: u8 = 2;
const ERROR: u8 = 3;
const SIGNAL: u8 = 4;

fn returned(reply_to: u32, body: &[Value]) -> Message {
    Message { kind: RETURN, reply_to: Some(reply_to), ..Message::default() }.with(body)
}

fn refused(reply_to: u32, name: &str) -> Message {
    let error = format!("org.freedesktop.systemd1.{name}");
    Message { kind: ERROR, error, ..returned(reply_to, &[Value::text("no, said systemd")]) }
}

fn job(number: u32) -> Value {
    Value::ObjectPath(format!("/org/freedesktop/systemd1/job/{number}"))
}

fn removed(number: u32, result: &str) -> Message {
    let body = vec![Value::Uint32(number), job(number), Value::text("x.scope"), Value::text(result)];
    let (interface, member) = (super::INTERFACE.to_owned(), "JobRemoved".to_owned());
    Message { kind: SIGNAL, interface, member, ..Message::default() }.with(&body)
}

/// Returns a manager whose peer sends `lines`, and the peer's end, to read the calls from.
fn manager(lines: &[Message], patience: Duration) -> (Manager, UnixStream) {
    let (own, mut peer) = UnixStream::pair().expect("a pair");
    let mut words = b"DATA\r\nOK 0123\r\n".to_vec();
    words.extend(returned(1, &[Value::text(":1.1")]).encode());
    lines.iter().for_each(|line| words.extend(line.encode()));
    peer.write_all(&words).expect("room in the socket");
    (Manager(Bus::over(own, Instant::now() + patience).expect("a bus")), peer)
}

/// The calls that the peer received after `Hello`.
fn calls(manager: Manager, mut peer: UnixStream) -> Vec<Message> {
    drop(manager);
    let mut received = Vec::new();
    // Unread replies turn the end of the connection into a reset, which comes after all calls.
    let _ = peer.read_to_end(&mut received);
    let mut rest = &received[b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n".len()..];
    let mut calls = Vec::new();
    while let Some(prefix) = rest.first_chunk() {
        let (message, others) = rest.split_at(length_of(prefix).expect("a length"));
        calls.push(Message::parse(message).expect("a message"));
        rest = others;
    }
    calls.split_off(1)
}

fn values(call: &Message) -> Vec<Value> {
    call.values().expect("a body")
}

const LONG: Duration = Duration::from_secs(60);

fn start(lines: &[Message]) -> (Result<(), String>, Vec<Message>) {
    let (mut manager, peer) = manager(lines, LONG);
    let limit = Property { name: "TasksMax".into(), value: Value::Uint64(7), since: 0, at_start: false };
    let started = manager.start("x.scope", "a.slice", "what it is", 42, vec![limit]);
    let started = started.and_then(|job| manager.done(&job));
    (started.map_err(|error| format!("{error:#}")), calls(manager, peer))
}

#[test]
fn a_scope_is_started_with_its_properties_and_its_job_waited_for() {
    let lines = [returned(2, &[]), returned(3, &[job(5)]), removed(4, "failed"), removed(5, "done")];
    let (started, calls) = start(&lines);
    started.expect("another job's end is nothing to us");
    let members: Vec<_> = calls.iter().map(|call| call.member.as_str()).collect();
    assert_eq!(members, ["AddMatch", "StartTransientUnit"]);
    assert!(values(&calls[0])[0].as_text().expect("a rule").ends_with("member='JobRemoved',arg2='x.scope'"));
    let body = values(&calls[1]);
    let [Value::String(unit), Value::String(mode), Value::Array(_, properties), Value::Array(..)] = &body[..] else {
        panic!("{body:?}");
    };
    assert_eq!((unit.as_str(), mode.as_str()), ("x.scope", "replace"));
    let pids = Value::Array("u".to_owned(), vec![Value::Uint32(42)]);
    for (name, value) in [
        ("Description", Value::text("what it is")),
        ("Slice", Value::text("a.slice")),
        ("Delegate", Value::Bool(true)),
        ("PIDs", pids),
        ("DefaultDependencies", Value::Bool(false)),
        ("CollectMode", Value::text("inactive-or-failed")),
        ("CPUAccounting", Value::Bool(true)),
        ("IOAccounting", Value::Bool(true)),
        ("MemoryAccounting", Value::Bool(true)),
        ("TasksAccounting", Value::Bool(true)),
        ("TasksMax", Value::Uint64(7)),
    ] {
        let wanted = Value::Struct(vec![Value::text(name), Value::variant(value)]);
        assert!(properties.contains(&wanted), "{name}: {properties:?}");
    }
}

#[test]
fn a_unit_that_exists_is_reset_and_tried_once_more() {
    let again = |last: &[Message]| {
        let first = [returned(2, &[]), refused(3, "UnitExists"), refused(4, "NoSuchUnit")];
        start(&[&first, last].concat())
    };
    let (started, calls) = again(&[returned(5, &[job(1)]), removed(1, "done")]);
    started.expect("the second time");
    let members: Vec<_> = calls.iter().map(|call| call.member.as_str()).collect();
    assert_eq!(members, ["AddMatch", "StartTransientUnit", "ResetFailedUnit", "StartTransientUnit"]);
    let (started, _) = again(&[refused(5, "UnitExists")]);
    assert_eq!(started.expect_err("it lives"), "start x.scope: no, said systemd (org.freedesktop.systemd1.UnitExists)");
}

#[test]
fn a_refused_or_failed_systemd_job_is_an_error() {
    let (started, _) = start(&[returned(2, &[]), refused(3, "PropertyReadOnly")]);
    assert_eq!(
        started.expect_err("refused"),
        "start x.scope: no, said systemd (org.freedesktop.systemd1.PropertyReadOnly)"
    );
    let (started, _) = start(&[returned(2, &[]), returned(3, &[job(1)]), removed(1, "failed")]);
    assert_eq!(started.expect_err("failed"), "the systemd job ended with \"failed\"");
    let (started, _) = start(&[returned(2, &[]), returned(3, &[])]);
    assert_eq!(started.expect_err("no job"), "start x.scope: systemd returned no job");
}

#[test]
fn waiting_for_a_systemd_job_times_out() {
    let (mut manager, _peer) =
        manager(&[returned(2, &[]), returned(3, &[job(1)]), removed(2, "done")], Duration::from_millis(50));
    let job = manager.start("x.scope", "a.slice", "", 42, Vec::new()).expect("a job");
    let error = manager.done(&job).expect_err("no end");
    assert_eq!(format!("{error:#}"), "wait for the systemd job: read from the bus: no answer in time");
}

#[test]
fn stopping_a_scope_resets_it_and_ignores_a_missing_one() {
    let stop = |lines: &[Message]| {
        let (mut manager, peer) = manager(lines, LONG);
        let stopped = manager.stop("x.scope").map_err(|error| format!("{error:#}"));
        (stopped, calls(manager, peer).iter().map(|call| call.member.clone()).collect::<Vec<_>>())
    };
    let gone = [returned(2, &[]), refused(3, "NoSuchUnit")];
    assert_eq!(stop(&gone), (Ok(()), vec!["AddMatch".to_owned(), "StopUnit".to_owned()]));
    let first = [returned(2, &[]), returned(3, &[job(1)]), removed(1, "done")];
    let (stopped, members) = stop(&[&first[..], &[refused(4, "NoSuchUnit")]].concat());
    assert_eq!((stopped, members.last().map(String::as_str)), (Ok(()), Some("ResetFailedUnit")));
    assert_eq!(stop(&[&first[..], &[returned(4, &[])]].concat()).0, Ok(()));
    stop(&[&first[..], &[refused(4, "AccessDenied")]].concat()).0.expect_err("not reset");
    stop(&[returned(2, &[]), refused(3, "AccessDenied")]).0.expect_err("not stopped");
}

#[test]
fn systemd_in_another_pid_namespace_is_refused() {
    let own = std::process::id();
    let asked = |line: Message| {
        let (mut manager, peer) = manager(&[line], LONG);
        let means = manager.means_our_pids().map_err(|error| format!("{error:#}"));
        (means, calls(manager, peer))
    };
    let (means, calls) = asked(returned(2, &[Value::Uint32(own)]));
    assert_eq!(means, Ok(()));
    assert_eq!(
        (calls[0].member.as_str(), values(&calls[0])),
        ("GetConnectionUnixProcessID", vec![Value::text(":1.1")])
    );
    let (means, _) = asked(returned(2, &[Value::Uint32(own + 1)]));
    let expected = format!(
        "--systemd-cgroup: the bus of systemd is in another pid namespace (it knows this process as {}, which is {own} here)",
        own + 1
    );
    assert_eq!(means, Err(expected));
    let (means, _) = asked(refused(2, "UnixProcessIdUnknown"));
    assert!(means.expect_err("it has none").contains("another pid namespace (it cannot see this process: no, said"));
    asked(returned(2, &[])).0.expect_err("no pid");
}

#[test]
fn properties_that_this_systemd_does_not_know_are_left_out() {
    let property =
        |name: &'static str, since| Property { name: name.into(), value: Value::Bool(true), since, at_start: false };
    let all = vec![property("Old", 0), property("New", 252), property("Newer", 253)];
    for (version, known) in
        [("252.38-1~deb12u1", &["Old", "New"][..]), ("v257", &["Old", "New", "Newer"]), ("245", &["Old"])]
    {
        let (mut manager, _peer) = manager(&[returned(2, &[Value::variant(Value::text(version))])], LONG);
        let found = manager.known(all.clone()).expect("an answer");
        assert_eq!(found.iter().map(|one| one.name.as_ref()).collect::<Vec<_>>(), known, "{version}");
    }
    // The version is not asked for where it does not matter.
    let (mut silent, _peer) = manager(&[], Duration::from_millis(50));
    silent.known(vec![property("Old", 0)]).expect("no question");
    silent.known(all).expect_err("a question without answer");
    assert_eq!([version_in("systemd 245 (245.4)"), version_in("devel")], [245, 0]);
}
