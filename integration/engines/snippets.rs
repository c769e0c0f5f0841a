//! Extracts the configuration files from `docs/engines.md`, so that the tests run exactly what users copy.

const DOCUMENT: &str = include_str!("../../docs/engines.md");
/// The runtime's path in the document. It is replaced by the runtime under test.
const INSTALLED: &str = "/usr/local/bin/davit";

/// The scalar value of the first line with this key in a YAML block.
pub(crate) fn yaml_value(name: &str, key: &str) -> String {
    let block = snippet(name, INSTALLED);
    let value = block.lines().find_map(|line| line.trim().strip_prefix(key)?.strip_prefix(": ").map(str::to_owned));
    value.unwrap_or_else(|| panic!("the block {name} of docs/engines.md has no {key}"))
}

/// The fenced block whose opening line ends with `name`. Replaces the installed path with `runtime`.
pub(crate) fn snippet(name: &str, runtime: &str) -> String {
    let mut lines =
        DOCUMENT.lines().skip_while(|line| !(line.starts_with("```") && line.ends_with(&format!(" {name}"))));
    assert!(lines.next().is_some(), "docs/engines.md has no block called {name}");
    let block: Vec<_> = lines.take_while(|line| *line != "```").collect();
    let block = block.join("\n");
    assert!(block.contains(INSTALLED), "the block {name} of docs/engines.md does not name {INSTALLED}");
    block.replace(INSTALLED, runtime) + "\n"
}
