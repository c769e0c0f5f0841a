//! Tells the program which commit it is built from (`davit --version`). Changes nothing else: linker options of the
//! distributed program are those of `dist/build`.
#![expect(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    reason = "cargo reads standard output; nothing of this runs in davit"
)]

use std::path::Path;
use std::process::Command;
use std::{env, fs};

/// What the program is made of. Other files may differ from the commit.
const PARTS: [&str; 4] = ["src", "Cargo.toml", "Cargo.lock", "build.rs"];

fn main() {
    println!("cargo::rerun-if-env-changed=DAVIT_COMMIT");
    PARTS.iter().for_each(|part| println!("cargo::rerun-if-changed={part}"));
    let given = env::var("DAVIT_COMMIT").ok().filter(|commit| !commit.is_empty());
    if let Some(commit) = given.or_else(recorded).or_else(checked_out) {
        println!("cargo::rustc-env=DAVIT_COMMIT={commit}");
    }
}

/// The commit that `cargo package` or `git archive` has written beside the source.
fn recorded() -> Option<String> {
    let number = |text: &str| {
        let digits = |part: &&str| part.len() == 40 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
        text.split(|c: char| !c.is_ascii_alphanumeric()).find(digits).map(str::to_owned)
    };
    [".cargo_vcs_info.json", "dist/commit"].iter().find_map(|file| number(&fs::read_to_string(file).ok()?))
}

/// The commit of the checkout; `-dirty` if a part of the program differs from it.
fn checked_out() -> Option<String> {
    // A source tree without git may lie inside another project's checkout.
    Path::new(".git").exists().then_some(())?;
    let commit = git(&["rev-parse", "HEAD"])?;
    // Both change with every commit; the first one also when another branch is checked out.
    for file in ["HEAD", "logs/HEAD"] {
        println!("cargo::rerun-if-changed={}", git(&["rev-parse", "--git-path", file])?);
    }
    let changes = git(&[&["status", "--porcelain", "--"], &PARTS[..]].concat())?;
    Some(if changes.is_empty() { commit } else { commit + "-dirty" })
}

/// The output of a git command, if it succeeds.
fn git(words: &[&str]) -> Option<String> {
    let output = Command::new("git").args(words).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
