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
    assert!(told.ends_with("/none/config.json: No such file or directory"), "{told}");
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
