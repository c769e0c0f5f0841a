//! Tests help, version, and invalid command lines.

use crate::harness::{TestDir, command, davit};
use std::path::Path;

const VERBS: [&str; 13] =
    ["create", "start", "run", "state", "list", "ps", "pause", "resume", "kill", "delete", "spec", "plan", "features"];

#[test]
fn help_is_on_stdout_and_names_every_command() {
    for words in [&["--help"][..], &["-h"], &[], &["help"]] {
        let text = davit(words).ok();
        for verb in VERBS {
            assert!(text.contains(&format!("\n  {verb} ")), "{words:?}: {verb} is missing:\n{text}");
        }
    }
}

#[test]
fn every_command_has_help_with_an_example() {
    for verb in VERBS {
        let text = davit(&[verb, "--help"]).ok();
        for part in ["\nExit status: 0", "\nExample:\n  davit ", &format!("\nUsage: davit {verb}")] {
            assert!(text.contains(part) || text.contains(&part.replace(": 0", ": the")), "{verb}: {part:?}\n{text}");
        }
        assert!(text.lines().all(|line| line.chars().count() <= 120), "{verb}: a line is too long");
        assert_eq!(davit(&["help", verb]).ok(), text);
    }
}

#[test]
fn version_prints_three_lines_and_the_word_version_once() {
    for words in [["--version"], ["-v"]] {
        let text = davit(&words).ok();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], format!("davit version {}", env!("CARGO_PKG_VERSION")));
        assert!(lines[1].starts_with("commit: "), "{text}");
        assert_eq!(lines[2..], ["spec: 1.3.0"]);
        assert_eq!(text.matches("version").count(), 1);
    }
}

#[test]
fn version_names_the_commit_of_a_checkout() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = command("git").args(["rev-parse", "HEAD"]).current_dir(top).output();
    let Some(head) = output.ok().filter(|output| top.join(".git").exists() && output.status.success()) else {
        assert!(davit(&["--version"]).ok().contains("\ncommit: "));
        return;
    };
    let head = String::from_utf8(head.stdout).expect("text");
    let text = davit(&["--version"]).ok();
    let commit = text.lines().nth(1).and_then(|line| line.strip_prefix("commit: ")).unwrap_or_default();
    assert_eq!(commit.trim_end_matches("-dirty"), head.trim());
}

#[test]
fn version_called_as_runc_prints_runc() {
    let dir = TestDir::new("runc");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_davit"), dir.path("runc")).expect("a link");
    let output = command(dir.path("runc")).arg("--version").output().expect("runs");
    let first = String::from_utf8(output.stdout).expect("text").lines().next().map(str::to_owned);
    assert_eq!(first, Some(format!("runc version {}", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn a_wrong_number_of_arguments_prints_the_usage_on_stdout() {
    for (words, verb, wanted) in [
        (&["create"][..], "create", "exactly 1 argument(s)"),
        (&["create", "a", "b"], "create", "exactly 1 argument(s)"),
        (&["create", "--bundle", "/b"], "create", "exactly 1 argument(s)"),
        (&["run"], "run", "exactly 1 argument(s)"),
        (&["state", "a", "b"], "state", "exactly 1 argument(s)"),
        (&["list", "a"], "list", "exactly 0 argument(s)"),
        (&["kill"], "kill", "1 to 2 argument(s)"),
        (&["kill", "a", "b", "c"], "kill", "1 to 2 argument(s)"),
        (&["ps"], "ps", "a minimum of 1 argument(s)"),
    ] {
        let answer = davit(words);
        assert!(answer.out.starts_with("Incorrect Usage.\n"), "{words:?}: {}", answer.out);
        assert!(answer.out.contains(&format!("Usage: davit {verb}")), "{words:?}: {}", answer.out);
        assert_eq!(answer.error(), format!("davit: \"{verb}\" requires {wanted}"));
    }
}

#[test]
fn an_invalid_argument_is_named() {
    for (words, expected) in [
        (&["--invalidflag", "create", "x"][..], "unknown flag: --invalidflag; see davit --help"),
        (&["--invalidflag=1", "create", "x"], "unknown flag: --invalidflag; see davit --help"),
        (&["create", "--bundel", "b", "x"], "unknown flag: --bundel (did you mean --bundle?); see davit create --help"),
        (&["list", "--root", "x"], "unknown flag: --root; it goes before the command: davit --root … list"),
        (&["create", "--bundle"], "flag needs an argument: --bundle; see davit create --help"),
        (&["--root"], "flag needs an argument: --root; see davit --help"),
        (&["crate", "x"], "unknown command: \"crate\" (did you mean create?); see davit --help"),
        (&["list", "-f", "xml"], "invalid value \"xml\" for --format: expected table or json; see davit list --help"),
        (&["--log-format", "xml", "list"], "invalid log-format: xml"),
        (&["--root", "/", "list"], "option --root should not be set to /"),
        (&["--rootless", "maybe", "create", "x"], "invalid rootless: maybe (true, false or auto)"),
        (&["kill", "x", "FOO"], "unknown signal \"FOO\""),
    ] {
        assert_eq!(davit(words).error(), expected, "{words:?}");
    }
    for bad in ["a/b", "..", "a b", ""] {
        let error = davit(&["state", bad]).error();
        assert!(error.starts_with("invalid container ID format"), "{error}");
    }
}

#[test]
fn flags_are_accepted_in_both_spellings_and_in_those_of_go() {
    let dir = TestDir::new("spellings");
    dir.record("web", "");
    let (root, spelled) = (dir.root(), format!("--root={}", dir.root()));
    for words in [
        &["--root", &root, "list", "-q"][..],
        &[&spelled, "list", "--quiet"],
        &[&spelled[1..], "list", "-quiet"],
        &["-root", &root, "list", "--quiet=true"],
        &["--debug=false", "--systemd-cgroup", "--rootless=true", &spelled, "list", "-q"],
        &["--criu", "/usr/sbin/criu", "--rootless", "false", &spelled, "list", "-q", "-f", "table", "-f", "json"],
        &["--cgroup-manager=disabled", "--cgroup-manager", "cgroupfs", &spelled, "list", "-q"],
    ] {
        assert_eq!(davit(words).ok(), "web\n", "{words:?}");
    }
    assert!(davit(&["-root", &root, "list", "--quiet=false"]).ok().starts_with("ID "));
}

#[test]
fn flags_after_the_container_id_are_passed_to_ps() {
    let dir = TestDir::new("ps");
    std::fs::create_dir_all(dir.root()).expect("a directory");
    for words in
        [&["ps", "web", "--format", "xml"][..], &["ps", "web", "-no-such-flag"], &["ps", "-format=json", "web"]]
    {
        let error = dir.davit(words).error();
        assert_eq!(error, "cannot list the processes of web: container does not exist", "{words:?}");
    }
    assert!(dir.davit(&["ps", "--nope", "web"]).error().starts_with("unknown flag: --nope"));
}

#[test]
fn a_closed_reader_is_not_an_error() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let output = command(env!("CARGO_BIN_EXE_davit")).arg("--help").stdout(writer).output().expect("runs");
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}

#[test]
fn a_failed_write_to_stdout_is_an_error() {
    let full = std::fs::File::options().write(true).open("/dev/full").expect("/dev/full");
    let output = command(env!("CARGO_BIN_EXE_davit")).arg("--help").stdout(full).output().expect("runs");
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).expect("text");
    assert_eq!(error, "error: write to standard output: no space left on device\n");
}
