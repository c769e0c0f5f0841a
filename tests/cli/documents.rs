//! Tests the commands that need no container: `spec`, `plan` and `features`.

use crate::harness::{TestDir, command, davit};
use serde_json::Value;
use std::fs;

#[test]
fn features_prints_only_json_without_arguments() {
    let text = davit(&["features"]).ok();
    assert!(text.contains("\n    \"ociVersionMin\": \"1.0.0\","), "indented by four spaces: {text}");
    let value: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((&value["ociVersionMax"], &value["linux"]["cgroup"]["v2"]), (&"1.3.0".into(), &true.into()));
    assert_eq!(value["hooks"].as_array().map(Vec::len), Some(6));
    for option in ["rro", "bind", "nosuid", "idmap"] {
        let options = value["mountOptions"].as_array().expect("an array");
        assert!(options.iter().any(|known| known == option), "{option}");
    }
}

#[test]
fn spec_writes_config_json_and_never_overwrites_it() {
    let dir = TestDir::new("spec");
    let bundle = dir.path(".");
    assert_eq!(davit(&["spec", "--bundle", &bundle]).ok(), "");
    let text = fs::read_to_string(dir.path("config.json")).expect("is there");
    let value: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((&value["ociVersion"], &value["root"]["path"]), (&"1.3.0".into(), &"rootfs".into()));
    let error = davit(&["spec", "-b", &bundle]).error();
    assert_eq!(error, format!("file {bundle}/config.json exists: remove it first"));
    assert_eq!(fs::read_to_string(dir.path("config.json")).expect("is there"), text);
    let error = davit(&["spec", "-b", &dir.path("none")]).error();
    assert!(error.ends_with("/none/config.json: no such file or directory"), "{error}");
}

#[test]
fn spec_rootless_writes_to_the_current_directory_and_maps_the_callers_uid() {
    let dir = TestDir::new("spec-here");
    let output = command(env!("CARGO_BIN_EXE_davit")).args(["spec", "--rootless"]).current_dir(&dir.0).output();
    assert!(output.expect("runs").status.success());
    let text = fs::read_to_string(dir.path("config.json")).expect("is there");
    let value: Value = serde_json::from_str(&text).expect("JSON");
    let status = fs::read_to_string("/proc/self/status").expect("readable");
    let uid = status.lines().find_map(|line| line.strip_prefix("Uid:")).expect("a line");
    let uid: u64 = uid.split_whitespace().nth(1).expect("the effective one").parse().expect("a number");
    assert_eq!(value["linux"]["uidMappings"][0]["hostID"], uid);
}

/// A bundle with the configuration that `spec` writes, after `change`.
fn bundle(test: &str, change: impl FnOnce(&mut Value)) -> TestDir {
    let dir = TestDir::new(test);
    fs::create_dir(dir.path("rootfs")).expect("a directory");
    davit(&["spec", "--bundle", &dir.path("")]).ok();
    let text = fs::read_to_string(dir.path("config.json")).expect("is there");
    let mut value: Value = serde_json::from_str(&text).expect("JSON");
    change(&mut value);
    fs::write(dir.path("config.json"), value.to_string()).expect("a file");
    dir
}

#[test]
fn plan_shows_every_step_with_its_place_and_changes_nothing() {
    let dir = bundle("plan", |config| config["hostname"] = "plum".into());
    let words = ["--cgroup-manager=disabled", "plan", &dir.path("")];
    let text = davit(&words).ok();
    let at = |line: &str| text.find(line).unwrap_or_else(|| panic!("{line:?} is missing:\n{text}"));
    assert!(at("set hostname to plum") < at("execute the program"));
    assert!(
        text.lines().any(|line| line.trim_start().starts_with("/mounts/0 ") && line.ends_with("mount proc on /proc"))
    );
    assert!(fs::read_dir(dir.path("rootfs")).expect("is there").next().is_none());
    let json = davit(&[&words[..], &["--format", "json"]].concat()).ok();
    let value: Value = serde_json::from_str(&json).expect("JSON");
    let steps = value["init"].as_array().expect("an array");
    assert_eq!(steps.last().map(|step| &step["act"]), Some(&"execute the program".into()));
    assert_eq!(value["program"]["args"][0], "sh");
}

#[test]
fn all_problems_are_in_a_table_on_stderr_and_in_one_log_line() {
    let dir = bundle("problems", |config| {
        config["process"]["cwd"] = "srv".into();
        config["mounts"][0]["destination"] = 7.into();
    });
    let log = dir.path("log.json");
    let words = ["--cgroup-manager=disabled", "--log", &log, "--log-format=json", "plan", &dir.path("")];
    let answer = davit(&words);
    assert_eq!((answer.code, answer.out.as_str()), (Some(1), ""));
    let lines: Vec<&str> = answer.err.lines().collect();
    assert_eq!(lines[0], format!("error: cannot plan {}: config.json has 2 problems", dir.path("")));
    let row = |place, what| format!("  {place:21}  {what}");
    for row in [row("/process/cwd", "\"srv\" is relative"), row("/mounts/0/destination", "must be a string")] {
        assert!(lines[1..].iter().any(|line| line.starts_with(&row)), "{row:?}: {}", answer.err);
    }
    let entry: Value = serde_json::from_str(&fs::read_to_string(&log).expect("is there")).expect("one line of JSON");
    let message = entry["msg"].as_str().expect("text");
    assert!(message.contains("has 2 problems: /") && message.contains("; /"), "{message}");
}
