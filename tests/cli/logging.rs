//! Tests the log options: `--log`, `--log-format`, `--debug`.

use crate::harness::{TestDir, davit};
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// Parses one line of a JSON log; returns its level and message.
fn entry(line: &str) -> (String, String) {
    let value: serde_json::Value = serde_json::from_str(line).expect("a JSON object");
    let members: Vec<&String> = value.as_object().expect("an object").keys().collect();
    assert_eq!(members, ["level", "msg", "time"]);
    let time = value["time"].as_str().expect("text");
    assert!(time.len() == 20 && time.ends_with('Z') && time.as_bytes()[10] == b'T', "not RFC 3339: {time}");
    (value["level"].as_str().expect("text").to_owned(), value["msg"].as_str().expect("text").to_owned())
}

#[test]
fn the_file_is_made_even_if_nothing_is_logged() {
    let dir = TestDir::new("log-made");
    dir.record("web", "");
    let log = dir.path("log.json");
    dir.davit(&["--log", &log, "--log-format", "json", "list"]).ok();
    assert_eq!(fs::read(&log).expect("is there"), b"");
    assert_eq!(fs::metadata(&log).expect("is there").permissions().mode() & 0o777 & !0o022, 0o644);
}

#[test]
fn an_error_is_in_the_log_and_on_stderr_and_the_log_grows() {
    let dir = TestDir::new("log-error");
    fs::create_dir_all(dir.root()).expect("a directory");
    let log = format!("--log={}", dir.path("log.json"));
    let words = ["--log-format=json", &log, "state"];
    for id in ["web", "db"] {
        let error = dir.davit(&[&words[..], &[id]].concat()).error();
        assert_eq!(error, format!("cannot get the state of {id}: container does not exist"));
    }
    let text = fs::read_to_string(dir.path("log.json")).expect("is there");
    let entries: Vec<_> = text.lines().map(entry).collect();
    let expected =
        ["web", "db"].map(|id| ("error".to_owned(), format!("cannot get the state of {id}: container does not exist")));
    assert_eq!(entries, expected);
}

#[test]
fn a_wrong_command_line_is_logged_too() {
    let dir = TestDir::new("log-usage");
    let log = dir.path("log.json");
    let global = ["--log", &log, "--log-format", "json"];
    for (words, expected) in [
        (&["create", "--nope", "x"][..], "unknown flag: --nope"),
        (&["--nope", "create", "x"], "unknown flag: --nope"),
        (&["create"], "davit: \"create\" requires exactly 1 argument(s)"),
        (&["create", "a/b"], "invalid container ID format"),
    ] {
        let _ = fs::remove_file(&log);
        assert_eq!(davit(&[&global[..], words].concat()).code, Some(1));
        let text = fs::read_to_string(&log).expect("is there");
        let (level, message) = entry(&text);
        assert!(level == "error" && message.starts_with(expected), "{words:?}: {text}");
    }
}

#[test]
fn the_text_format_is_that_of_logrus() {
    let dir = TestDir::new("log-text");
    fs::create_dir_all(dir.root()).expect("a directory");
    dir.davit(&["--log", &dir.path("log"), "state", "web"]).error();
    let text = fs::read_to_string(dir.path("log")).expect("is there");
    let rest = text.strip_prefix("time=\"").expect("a time");
    assert_eq!(&rest[20..], "\" level=error msg=\"cannot get the state of web: container does not exist\"\n");
}

#[test]
fn without_a_log_file_stderr_has_only_the_json_line() {
    let answer = davit(&["--log-format", "json", "state", "a/b"]);
    assert_eq!(answer.code, Some(1));
    assert_eq!(entry(&answer.err).0, "error");
}

#[test]
fn a_log_that_cannot_be_opened_is_an_error() {
    let dir = TestDir::new("log-none");
    let error = davit(&["--log", &dir.path("no/such/log"), "list"]).error();
    assert_eq!(error, format!("cannot open the log {}: no such file or directory", dir.path("no/such/log")));
}

#[test]
fn warnings_do_not_fail_a_command() {
    let dir = TestDir::new("log-warning");
    let broken = dir.record("broken", "");
    fs::write(broken.join("state.json"), "{").expect("a file");
    // Without a log file, the warning goes to stderr, and the list is still printed.
    let answer = dir.davit(&["list", "-q"]);
    assert_eq!((answer.code, answer.out.as_str()), (Some(0), ""));
    assert!(answer.err.starts_with("warning: broken is left out: cannot read "), "{}", answer.err);
    // With a log file, the warning goes only to that file.
    let log = dir.path("log.json");
    dir.davit(&["--log", &log, "--log-format", "json", "list", "-q"]).ok();
    let text = fs::read_to_string(&log).expect("is there");
    assert_eq!(entry(&text).0, "warning");
}

#[test]
fn debug_prints_debug_lines_and_then_the_error() {
    let dir = TestDir::new("log-debug");
    fs::create_dir_all(dir.root()).expect("a directory");
    let log = dir.path("log.json");
    dir.davit(&["--debug", "--log", &log, "--log-format", "json", "state", "web"]).error();
    let text = fs::read_to_string(&log).expect("is there");
    let levels: Vec<String> = text.lines().map(|line| entry(line).0).collect();
    let (last, rest) = levels.split_last().expect("lines");
    assert_eq!(last, "error");
    assert!(!rest.is_empty() && rest.iter().all(|level| level == "debug"), "{text}");
}
