//! Tests the format of errors.

use super::{Coded, LIMIT, ProblemReport, errno_words, exit_code, for_people, one_line};
use anyhow::{Context, anyhow};
use nix::errno::Errno;

fn config(rows: &[(&str, &str)]) -> anyhow::Error {
    let rows = rows.iter().map(|(place, what)| (place.to_string(), what.to_string()));
    anyhow::Error::new(ProblemReport::new("config.json", rows)).context("cannot create web")
}

#[test]
fn an_error_chain_is_one_line_ending_in_the_errno_text() {
    let kernel = std::io::Error::from_raw_os_error(22);
    let error = anyhow::Error::new(kernel).context("mount tmpfs on /dev/shm (size=1T2)").context("/mounts/3");
    let error = error.context("cannot create web");
    let expected = "cannot create web: /mounts/3: mount tmpfs on /dev/shm (size=1T2): invalid argument";
    assert_eq!(one_line(&error), expected);
    assert_eq!(for_people(&error), expected);
}

#[test]
fn one_problem_is_one_line() {
    let error = config(&[("/process/cwd", "\"srv\" is relative; it must be absolute")]);
    let expected = "cannot create web: /process/cwd: \"srv\" is relative; it must be absolute";
    assert_eq!(one_line(&error), expected);
    assert_eq!(for_people(&error), expected);
}

#[test]
fn several_problems_are_a_table_for_people_and_a_line_for_the_log() {
    let error = config(&[("/process/cwd", "is relative"), ("/linux/namespaces/4/path", "no such file")]);
    assert_eq!(
        for_people(&error),
        "cannot create web: config.json has 2 problems\n  \
           /process/cwd              is relative\n  \
           /linux/namespaces/4/path  no such file"
    );
    assert_eq!(
        one_line(&error),
        "cannot create web: config.json has 2 problems: /process/cwd: is relative; /linux/namespaces/4/path: no such file"
    );
}

#[test]
fn an_exit_code_survives_added_context_without_changing_the_text() {
    let error: anyhow::Error = Coded::new(255, anyhow!("no such file").context("exec: \"x\"")).into();
    let error = Err::<(), _>(error).context("exec failed").expect_err("is an error");
    assert_eq!(exit_code(&error), 255);
    assert_eq!(one_line(&error), "exec failed: exec: \"x\": no such file");
    assert_eq!(exit_code(&anyhow!("plain")), 1);
}

#[test]
fn a_table_inside_a_coded_error_is_still_a_table() {
    let inner =
        ProblemReport::new("config.json", [("/a".to_owned(), "b".to_owned()), ("/c".to_owned(), "d".to_owned())]);
    let error = anyhow::Error::from(Coded::new(255, inner));
    assert_eq!(for_people(&error), "config.json has 2 problems\n  /a  b\n  /c  d");
}

#[test]
fn hostile_text_cannot_break_the_line_or_reach_the_terminal() {
    let error = anyhow!("hook said \u{1b}[2J\u{7}two\nlines\n").context("cannot create\tweb");
    assert_eq!(one_line(&error), "cannot create web: hook said \\u{1b}[2J\\u{7}two; lines");
}

#[test]
fn a_long_error_keeps_its_beginning_and_its_cause() {
    let error = anyhow!("the cause").context("é".repeat(LIMIT)).context("cannot create web");
    let text = one_line(&error);
    assert!(text.len() <= LIMIT, "{}", text.len());
    assert!(text.starts_with("cannot create web: é"));
    assert!(text.ends_with("é: the cause"));
}

#[test]
fn a_long_table_counts_the_omitted_problems() {
    let rows: Vec<_> = (0..1000).map(|n| (format!("/mounts/{n}"), "is wrong".to_owned())).collect();
    let text = for_people(&anyhow::Error::new(ProblemReport::new("config.json", rows).and_more(7)));
    assert!(text.len() <= LIMIT, "{}", text.len());
    assert!(text.starts_with("config.json has 1007 problems\n"));
    let shown = text.matches("\n  /mounts/").count();
    assert!(text.ends_with(&format!("\n  and {} more", 1007 - shown)), "{}", &text[text.len() - 40..]);
}

#[test]
fn errno_texts_are_lower_case() {
    assert_eq!(errno_words(Errno::ENOENT), "no such file or directory");
    assert_eq!(errno_words(Errno::EIO), "input/output error");
}

/// These differ from the texts of the `nix` crate.
#[test]
fn errno_texts_are_those_of_the_c_library() {
    for (errno, text) in [
        (Errno::EAGAIN, "resource temporarily unavailable"),
        (Errno::ENOTTY, "inappropriate ioctl for device"),
        (Errno::ELOOP, "too many levels of symbolic links"),
        (Errno::EOPNOTSUPP, "operation not supported"),
        (Errno::EXDEV, "invalid cross-device link"),
        (Errno::EDQUOT, "disk quota exceeded"),
        (Errno::ETXTBSY, "text file busy"),
        (Errno::EBADF, "bad file descriptor"),
    ] {
        assert_eq!(errno_words(errno), text);
    }
}

#[test]
fn an_errno_has_the_same_text_in_every_error_type() {
    let expected = "wait: function not implemented";
    assert_eq!(one_line(&anyhow::Error::new(Errno::ENOSYS).context("wait")), expected);
    assert_eq!(one_line(&anyhow::Error::new(std::io::Error::from(Errno::ENOSYS)).context("wait")), expected);
}
