//! Describes the runtime under test: its path, its name and its subcommands. Running it is left to `call`.

use crate::harness::skip::skip;
use std::{process::Command, sync::LazyLock};

/// The runtime under test: `$RUNTIME`, else the davit that cargo has built beside this suite.
pub(crate) static RUNTIME: LazyLock<String> =
    LazyLock::new(|| std::env::var("RUNTIME").unwrap_or_else(|_| env!("CARGO_BIN_EXE_davit").to_owned()));

/// The first word of `--version`: davit, crun, runc.
pub(crate) fn runtime_name() -> &'static str {
    static NAME: LazyLock<String> = LazyLock::new(|| {
        let output = Command::new(RUNTIME.as_str()).arg("--version").output();
        let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        text.split_whitespace().next().unwrap_or_default().to_owned()
    });
    NAME.as_str()
}

/// Whether `--help` lists this subcommand.
pub(crate) fn runtime_has(verb: &str) -> bool {
    static HELP: LazyLock<String> = LazyLock::new(|| {
        let output = Command::new(RUNTIME.as_str()).arg("--help").output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
    });
    HELP.lines().any(|line| line.split([' ', ',', '\t']).find(|word| !word.is_empty()) == Some(verb))
}

/// Skips unless the runtime under test is davit.
pub(crate) fn only_davit(why: &str) {
    if runtime_name() != "davit" {
        skip(format!("tests behaviour specific to davit: {why}"));
    }
}
