//! Tests the shipped bash completion, called as bash calls it when a user presses TAB.

use crate::harness::{TestDir, command};
use std::path::Path;

/// The completions that bash offers for the last word.
fn offered(words: &[&str]) -> Vec<String> {
    let script = r#"
        source "$0" || exit
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _davit "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/completions/davit.bash");
    let directory = Path::new(env!("CARGO_BIN_EXE_davit")).parent().expect("a directory").display();
    let path = format!("{directory}:{}", std::env::var("PATH").expect("$PATH"));
    let mut bash = command("bash");
    bash.args(["--norc", "-c", script, shipped]).args(words).env("PATH", path);
    let output = bash.output().expect("bash runs");
    let text = |bytes| String::from_utf8(bytes).expect("bash prints text");
    assert_eq!((output.status.code(), text(output.stderr).as_str()), (Some(0), ""));
    text(output.stdout).lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[test]
fn bash_completes_verbs_and_flags() {
    assert_eq!(offered(&["davit", "ex"]), ["exec"]);
    assert_eq!(offered(&["davit", "pa"]), ["pause"]);
    assert_eq!(offered(&["davit", "--cgroup"]), ["--cgroup-manager"]);
    assert_eq!(offered(&["davit", "--root", "/nowhere", "sta"]), ["start", "state", "stats"]);
    assert_eq!(offered(&["davit", "exec", "--ig"]), ["--ignore-paused"]);
}

#[test]
fn bash_completes_the_container_ids_of_the_given_root() {
    let dir = TestDir::new("completion");
    for id in ["db", "web-1", "web-2"] {
        dir.record(id, "");
    }
    let root = dir.root();
    assert_eq!(offered(&["davit", "--root", &root, "state", ""]), ["db", "web-1", "web-2"]);
    assert_eq!(offered(&["davit", "--root", "=", &root, "state", "w"]), ["web-1", "web-2"]);
    assert_eq!(offered(&["davit", "--root", &root, "exec", "--tty", "d"]), ["db"]);
    assert_eq!(offered(&["davit", "--root", &root, "stats", "db", "web-1", "web-2"]), ["web-2"]);
    assert!(offered(&["davit", "--root", &root, "create", "web"]).is_empty(), "a new container has a new name");
    assert!(offered(&["davit", "--root", "/no/such/root", "state", ""]).is_empty());
}
