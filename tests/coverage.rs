//! Checks the names in `docs/spec-coverage.md` and `docs/security.md`: every item of the specification has a row, every
//! file and test named in a row exists, and every tested attack has a row.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The items: the letter and the count.
const ITEMS: [(char, usize); 2] = [('R', 213), ('M', 143)];

struct Row<'a> {
    item: &'a str,
    files: Vec<&'a str>,
    tests: Vec<&'a str>,
    tried: &'a str,
}

/// The rows of the table; any line that is not one of the four kinds of table lines is an error.
fn rows(text: &str) -> Vec<Row<'_>> {
    let lines = text.lines().filter(|line| line.starts_with('|'));
    let cells = lines.map(|line| line.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>());
    let rows = cells.skip_while(|cells| !cells[0].starts_with("---")).skip(1);
    rows.map(|cells| {
        let [item, what, files, tests, tried] = cells[..] else { panic!("not five cells: {cells:?}") };
        assert!(!what.is_empty(), "{item} says nothing");
        Row { item, files: quoted(files), tests: quoted(tests), tried }
    })
    .collect()
}

/// The texts between backquotes.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// The problems of a row, checked against the project directory.
fn wrong(row: &Row<'_>, sources: &mut BTreeMap<String, String>) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut problems = Vec::new();
    if row.files.is_empty() || row.tests.is_empty() || row.tried.is_empty() {
        problems.push(format!("{}: no file, no test, or not tried", row.item));
    }
    for file in &row.files {
        if !root.join(file).is_file() {
            problems.push(format!("{}: there is no {file}", row.item));
        }
    }
    for test in &row.tests {
        let Some((file, name)) = test.split_once('#') else {
            problems.push(format!("{}: {test} is not of the form file#function", row.item));
            continue;
        };
        let source =
            sources.entry(file.to_owned()).or_insert_with(|| fs::read_to_string(root.join(file)).unwrap_or_default());
        if !has_function(source, name) {
            problems.push(format!("{}: there is no function {name} in {file}", row.item));
        }
    }
    problems
}

fn has_function(source: &str, name: &str) -> bool {
    let start = format!("fn {name}");
    source.match_indices(&start).any(|(at, _)| source[at + start.len()..].starts_with(['(', '<']))
}

#[test]
fn every_row_names_files_and_tests_that_exist() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/spec-coverage.md")).unwrap();
    let mut sources = BTreeMap::new();
    let problems: Vec<_> = rows(&text).iter().flat_map(|row| wrong(row, &mut sources)).collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn every_attack_names_files_and_tests_that_exist() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/security.md")).unwrap();
    let rows = rows(&text);
    let mut sources = BTreeMap::new();
    let problems: Vec<_> = rows.iter().flat_map(|row| wrong(row, &mut sources)).collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    // The other way round: each CVE that a test is named after has a row.
    let attacks = Path::new(env!("CARGO_MANIFEST_DIR")).join("integration/attacks");
    let mut seen = 0;
    for entry in fs::read_dir(attacks).unwrap() {
        let source = fs::read_to_string(entry.unwrap().path()).unwrap();
        for rest in source.split("cve_").skip(1) {
            let Some(number) = rest.get(..4).zip(rest.get(5..)) else { continue };
            let digits: String = number.1.chars().take_while(char::is_ascii_digit).collect();
            let id = format!("CVE-{}-{digits}", number.0);
            seen += 1;
            assert!(rows.iter().any(|row| row.item.contains(&id)), "{id} has no row");
        }
    }
    assert!(seen > 20, "only {seen} names were seen");
}

#[test]
fn every_item_has_one_row() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/spec-coverage.md")).unwrap();
    let found: Vec<String> = rows(&text).iter().map(|row| row.item.to_owned()).collect();
    let numbered = |(letter, count)| (1..=count).map(move |number| format!("{letter}{number:03}"));
    let expected: Vec<String> = ITEMS.into_iter().flat_map(numbered).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_name_that_does_not_exist_is_noticed() {
    let table =
        |files: &str, tests: &str| format!("| a |\n|---|---|---|---|---|\n| R001 | x | {files} | {tests} | y |\n");
    let own = "`tests/coverage.rs#a_name_that_does_not_exist_is_noticed`";
    for (files, tests, count) in [
        ("`src/main.rs`", own, 0),
        ("`src/no.rs`", own, 1),
        ("`src/main.rs`", "`tests/coverage.rs#a_name_that_does_not`", 1),
        ("`src/main.rs`", "`tests/no.rs#a_name`", 1),
        ("`src/main.rs`", "`a_name`", 1),
        ("", own, 1),
        ("`src/main.rs`", "", 1),
    ] {
        let text = table(files, tests);
        let problems: Vec<_> = rows(&text).iter().flat_map(|row| wrong(row, &mut BTreeMap::new())).collect();
        assert_eq!(problems.len(), count, "{files} {tests}: {problems:?}");
    }
}
