//! Compares each configuration's plan, or its list of problems, with a golden file. Needs no root and does not depend
//! on the host: the plans are for the host that `tests/plans/host.json` describes.
//!
//! `tests/plans/NAME/config.json` and `tests/configs/NAME.json` (recorded from engines) compile to
//! `tests/plans/NAME/plan.txt`, or `problems.txt`. `DAVIT_BLESS=1 cargo test --test plans` writes what is printed now;
//! read the difference before it is committed.

#[path = "cli/harness.rs"]
#[expect(dead_code, reason = "shared with the tests of the command line")]
mod harness;

use harness::{Answer, TestDir, davit};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests");

/// Every configuration, by name.
fn configurations() -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(Path::new(HERE).join("configs")).expect("recorded configurations") {
        let path = entry.expect("an entry").path();
        found.insert(path.file_stem().expect("a name").to_string_lossy().into_owned(), path);
    }
    for entry in fs::read_dir(Path::new(HERE).join("plans")).expect("plans") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let config = path.join("config.json");
        if config.exists() {
            assert!(found.insert(name.clone(), config).is_none(), "two configurations are called {name}");
        } else {
            assert!(!path.is_dir() || found.contains_key(&name), "{name} has no configuration");
        }
    }
    found
}

/// The program's answer for a bundle with this configuration.
fn planned(dir: &TestDir, name: &str, config: &Path, words: &[&str]) -> (Answer, String) {
    let bundle = dir.path(name);
    fs::create_dir_all(&bundle).expect("a bundle");
    fs::copy(config, Path::new(&bundle).join("config.json")).expect("a copy");
    let host = format!("{HERE}/plans/host.json");
    let answer = davit(&[&["plan", "--host", &host], words, &[&bundle]].concat());
    let real = fs::canonicalize(&bundle).expect("a bundle").display().to_string();
    (answer, real)
}

/// The name and the expected content of the golden file.
fn golden((answer, bundle): (Answer, String)) -> (&'static str, String) {
    let (file, text) = match answer.code {
        Some(0) => ("plan.txt", answer.out + &answer.err),
        Some(1) if answer.out.is_empty() => ("problems.txt", answer.err),
        _ => panic!("neither a plan nor problems: {answer:?}"),
    };
    (file, text.replace(&bundle, "BUNDLE"))
}

#[test]
fn every_configuration_compiles_to_the_plan_or_the_problems_beside_it() {
    let dir = TestDir::new("plans");
    let bless = std::env::var_os("DAVIT_BLESS").is_some_and(|value| value == "1");
    let mut differing = Vec::new();
    for (name, config) in configurations() {
        let (file, text) = golden(planned(&dir, &name, &config, &[]));
        let directory = Path::new(HERE).join("plans").join(&name);
        let other = directory.join(if file == "plan.txt" { "problems.txt" } else { "plan.txt" });
        let path = directory.join(file);
        if bless {
            fs::create_dir_all(&directory).expect("a directory");
            fs::write(&path, &text).expect("a golden");
            let _ = fs::remove_file(&other);
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        if expected != text || other.exists() {
            differing.push(format!("{}:\n{}", path.display(), difference(&expected, &text)));
        }
    }
    assert!(differing.is_empty(), "{}\n(DAVIT_BLESS=1 writes what is printed now)", differing.join("\n"));
}

/// The first line that differs.
fn difference(expected: &str, text: &str) -> String {
    let mut lines = expected.lines().map(Some).chain(std::iter::repeat(None));
    let new = text.lines().map(Some).chain([None]);
    for (number, line) in new.enumerate() {
        let was = lines.next().flatten();
        if was != line {
            return format!("  line {}\n  - {}\n  + {}", number + 1, was.unwrap_or("(end)"), line.unwrap_or("(end)"));
        }
    }
    "  there is more than one golden, or the ends of lines differ".to_owned()
}

/// The same plan for programs: its steps are the lines of the text.
#[test]
fn the_plan_as_json_has_the_steps_of_the_text() {
    let dir = TestDir::new("plans-json");
    for (name, config) in configurations() {
        let (answer, _) = planned(&dir, &name, &config, &[]);
        if answer.code != Some(0) {
            continue;
        }
        let json = planned(&dir, &name, &config, &["--format", "json"]).0;
        let plan: serde_json::Value = serde_json::from_str(&json.out).expect("JSON");
        let steps = plan["init"].as_array().expect("steps");
        assert!(!steps.is_empty());
        for step in steps {
            let act = step["act"].as_str().expect("an act");
            assert!(answer.out.contains(act), "{name}: {act}");
        }
    }
}

#[test]
fn a_host_that_lacks_something_changes_the_plan() {
    let dir = TestDir::new("plans-host");
    let config = Path::new(HERE).join("plans/everything/config.json");
    let bundle = dir.path("bundle");
    fs::create_dir_all(&bundle).expect("a bundle");
    fs::copy(config, Path::new(&bundle).join("config.json")).expect("a copy");
    let host = dir.path("host.json");
    fs::write(&host, r#"{"controllers": ["pids"], "v1Controllers": ["memory"], "apparmor": false}"#).expect("a file");
    let answer = davit(&["plan", "--host", &host, &bundle]);
    assert_eq!(answer.code, Some(1));
    for place in ["/linux/resources/memory", "/linux/resources/cpu", "/process/apparmorProfile"] {
        assert!(answer.err.contains(place), "{place} in {}", answer.err);
    }
    for (description, detaches) in [("{}", true), (r#"{"canDetachExe": false}"#, false)] {
        fs::write(&host, description).expect("a file");
        let plan = davit(&["plan", "--host", &host, &bundle]).ok();
        assert_eq!(plan.contains("detach from the runtime's own executable"), detaches, "{plan}");
    }
    fs::write(&host, r#"{"colour": "blue"}"#).expect("a file");
    let line = davit(&["plan", "--host", &host, &bundle]).error();
    assert!(line.contains("host description") && line.contains("unknown field `colour`"), "{line}");
}

/// The systemd driver's part of a plan, and of the problems, which are reported with all others.
#[test]
fn a_scope_of_systemd_is_waited_for_and_what_names_it_is_checked() {
    let dir = TestDir::new("plans-scope");
    let config = Path::new(HERE).join("plans/minimal/config.json");
    let mut document: serde_json::Value = serde_json::from_slice(&fs::read(config).expect("a file")).expect("JSON");
    let bundle = dir.path("bundle");
    fs::create_dir_all(&bundle).expect("a bundle");
    let mut plan = |path: &str, annotation: &str| {
        document["linux"]["cgroupsPath"] = path.into();
        document["linux"]["resources"]["cpu"] = serde_json::json!({"quota": 12_345});
        document["annotations"] = serde_json::json!({"org.systemd.property.TimeoutStopSec": annotation});
        fs::write(Path::new(&bundle).join("config.json"), document.to_string()).expect("a configuration");
        let host = format!("{HERE}/plans/host.json");
        davit(&["--systemd-cgroup", "plan", "--host", &host, &bundle])
    };
    let text = plan("system.slice:suite:box", "5").ok();
    let lines: Vec<_> = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let at =
        |wanted: &str| lines.iter().position(|line| line == wanted).unwrap_or_else(|| panic!("{wanted} in {text}"));
    assert_eq!(at("/linux/cgroupsPath wait for the scope"), at("mark descriptors close-on-exec") + 1);
    // Rounded up to systemd's precision.
    at("/linux/resources/cpu/quota write \"13000 100000\" to cpu.max");
    for (path, annotation, says) in [
        ("/suite/box", "5", "is not of the form slice:prefix:name, which --systemd-cgroup needs"),
        ("system:suite:box", "5", "\"system\" is not a slice; the name must end in .slice"),
        ("a--b.slice:suite:box", "5", "\"a--b.slice\" is not a valid slice name"),
        ("a.slice:suite:b.slice", "5", "b.slice is a slice, which holds units and no processes"),
        ("a.slice:suite:b c", "5", "\"suite-b c.scope\" is not a valid unit name"),
        ("a.slice:suite:b", "'soon'", "/annotations/org.systemd.property.TimeoutStopSec"),
    ] {
        let said = plan(path, annotation);
        assert_eq!(said.code, Some(1), "{path}");
        assert!(said.err.contains(says), "{}", said.err);
    }
}
