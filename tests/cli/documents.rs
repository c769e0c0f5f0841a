//! The documents that need no container: `spec` and `features`.

use crate::stage::{Stage, command, davit};
use serde_json::Value;
use std::fs;

#[test]
fn features_is_json_and_nothing_else_and_needs_no_other_word() {
    let text = davit(&["features"]).fine();
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
fn spec_writes_a_config_and_leaves_one_that_is_there() {
    let stage = Stage::new("spec");
    let bundle = stage.path(".");
    assert_eq!(davit(&["spec", "--bundle", &bundle]).fine(), "");
    let text = fs::read_to_string(stage.path("config.json")).expect("is there");
    let value: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((&value["ociVersion"], &value["root"]["path"]), (&"1.3.0".into(), &"rootfs".into()));
    let told = davit(&["spec", "-b", &bundle]).refused();
    assert_eq!(told, format!("file {bundle}/config.json exists: remove it first"));
    assert_eq!(fs::read_to_string(stage.path("config.json")).expect("is there"), text);
    let told = davit(&["spec", "-b", &stage.path("none")]).refused();
    assert!(told.ends_with("/none/config.json: no such file or directory"), "{told}");
}

#[test]
fn spec_writes_into_the_current_directory_and_knows_who_calls() {
    let stage = Stage::new("spec-here");
    let output = command(env!("CARGO_BIN_EXE_davit")).args(["spec", "--rootless"]).current_dir(&stage.0).output();
    assert!(output.expect("runs").status.success());
    let text = fs::read_to_string(stage.path("config.json")).expect("is there");
    let value: Value = serde_json::from_str(&text).expect("JSON");
    let status = fs::read_to_string("/proc/self/status").expect("readable");
    let uid = status.lines().find_map(|line| line.strip_prefix("Uid:")).expect("a line");
    let uid: u64 = uid.split_whitespace().nth(1).expect("the effective one").parse().expect("a number");
    assert_eq!(value["linux"]["uidMappings"][0]["hostID"], uid);
}

/// A bundle with the configuration that `spec` writes, after `change`.
fn bundle(test: &str, change: impl FnOnce(&mut Value)) -> Stage {
    let stage = Stage::new(test);
    fs::create_dir(stage.path("rootfs")).expect("a directory");
    davit(&["spec", "--bundle", &stage.path("")]).fine();
    let text = fs::read_to_string(stage.path("config.json")).expect("is there");
    let mut value: Value = serde_json::from_str(&text).expect("JSON");
    change(&mut value);
    fs::write(stage.path("config.json"), value.to_string()).expect("a file");
    stage
}

#[test]
fn plan_shows_every_step_with_its_place_and_makes_nothing() {
    let stage = bundle("plan", |config| config["hostname"] = "plum".into());
    let words = ["--cgroup-manager=disabled", "plan", &stage.path("")];
    let text = davit(&words).fine();
    let at = |line: &str| text.find(line).unwrap_or_else(|| panic!("{line:?} is missing:\n{text}"));
    assert!(at("set hostname to plum") < at("execute the program"));
    assert!(
        text.lines().any(|line| line.trim_start().starts_with("/mounts/0 ") && line.ends_with("mount proc on /proc"))
    );
    assert!(fs::read_dir(stage.path("rootfs")).expect("is there").next().is_none());
    let json = davit(&[&words[..], &["--format", "json"]].concat()).fine();
    let value: Value = serde_json::from_str(&json).expect("JSON");
    let steps = value["init"].as_array().expect("an array");
    assert_eq!(steps.last().map(|step| &step["act"]), Some(&"execute the program".into()));
    assert_eq!(value["program"]["args"][0], "sh");
}

#[test]
fn all_problems_are_told_at_once_as_a_table_and_as_a_line_in_the_log() {
    let stage = bundle("problems", |config| {
        config["process"]["cwd"] = "srv".into();
        config["mounts"][0]["destination"] = 7.into();
    });
    let log = stage.path("log.json");
    let words = ["--cgroup-manager=disabled", "--log", &log, "--log-format=json", "plan", &stage.path("")];
    let answer = davit(&words);
    assert_eq!((answer.code, answer.out.as_str()), (Some(1), ""));
    let lines: Vec<&str> = answer.err.lines().collect();
    assert_eq!(lines[0], format!("error: cannot plan {}: config.json has 2 problems", stage.path("")));
    let row = |place, what| format!("  {place:21}  {what}");
    for row in [row("/process/cwd", "\"srv\" is relative"), row("/mounts/0/destination", "must be a string")] {
        assert!(lines[1..].iter().any(|line| line.starts_with(&row)), "{row:?}: {}", answer.err);
    }
    let entry: Value = serde_json::from_str(&fs::read_to_string(&log).expect("is there")).expect("one line of JSON");
    let message = entry["msg"].as_str().expect("text");
    assert!(message.contains("has 2 problems: /") && message.contains("; /"), "{message}");
}
