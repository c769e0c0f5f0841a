//! `davit plan` for reviews and for continuous integration: differences between plans, and problems as JSON. The host
//! is described, so that the tests do not depend on this one.

use crate::harness::{Answer, TestDir};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests");

/// A configuration recorded from an engine.
fn recorded(name: &str) -> Value {
    let text = fs::read_to_string(format!("{HERE}/configs/{name}.json")).expect("a configuration");
    serde_json::from_str(&text).expect("JSON")
}

/// A bundle `name` with this configuration; its path.
fn bundle(dir: &TestDir, name: &str, config: &Value) -> String {
    let path = dir.path(name);
    fs::create_dir_all(Path::new(&path).join("rootfs")).expect("a bundle");
    fs::write(Path::new(&path).join("config.json"), config.to_string()).expect("a file");
    path
}

fn plan(dir: &TestDir, words: &[&str]) -> Answer {
    dir.davit(&[&["plan", "--host", &format!("{HERE}/plans/host.json")], words].concat())
}

/// Checks that plans differ, and returns the text.
#[track_caller]
fn differing(answer: Answer) -> String {
    assert_eq!((answer.code, answer.err.as_str()), (Some(1), ""), "{}", answer.out);
    answer.out
}

#[test]
fn equal_plans_have_no_differences_wherever_their_bundles_are() {
    let dir = TestDir::new("against-equal");
    let mut config = recorded("docker-default");
    config["root"]["path"] = "rootfs".into();
    let (one, two) = (bundle(&dir, "one", &config), bundle(&dir, "two", &config));
    assert_eq!(plan(&dir, &["--against", &one, &two]).ok(), "");
    let json = plan(&dir, &["--format", "json", "--against", &one, &two]).ok();
    let value: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(value, json!({"old": one, "new": two, "differences": []}));
}

#[test]
fn a_changed_setting_is_one_line_with_its_place_for_each_kind_of_setting() {
    let dir = TestDir::new("against-one");
    let mut old = recorded("docker-default");
    old["root"]["path"] = "rootfs".into();
    let rule = |action: &str| json!({"names": ["bpf", "acct"], "action": action});
    old["linux"]["seccomp"]["syscalls"].as_array_mut().expect("rules").push(rule("SCMP_ACT_ERRNO"));
    let one = bundle(&dir, "one", &old);
    let device = json!({"allow": true, "type": "c", "major": 10, "minor": 229, "access": "rw"});
    let hook = json!([{"path": "/bin/hook", "args": ["hook", "x"]}]);
    let capability = |config: &mut Value| {
        config["process"]["capabilities"]["bounding"].as_array_mut().expect("a set").push("CAP_BPF".into());
    };
    type Edit<'a> = &'a dyn Fn(&mut Value);
    let cases: [(&str, Edit<'_>, &str); 9] = [
        (
            "mount option",
            &|c| c["mounts"][3]["options"] = json!(["nosuid", "ro"]),
            "+ /mounts/3  mount sysfs on /sys [",
        ),
        ("device rule", &|c| c["linux"]["resources"]["devices"][15] = device.clone(), "allow c 10:229 rw"),
        ("capability", &capability, "+ /process/capabilities/bounding  bounding CAP_BPF"),
        ("seccomp", &|c| c["linux"]["seccomp"]["defaultErrnoRet"] = 38.into(), "default SCMP_ACT_ERRNO(38)"),
        ("hook", &|c| c["hooks"] = json!({"poststop": hook}), "poststop /bin/hook args [\"hook\", \"x\"]"),
        ("environment", &|c| c["process"]["env"][0] = "PATH=/bin".into(), "env PATH=/bin"),
        (
            "namespace",
            &|c| c["linux"]["namespaces"].as_array_mut().expect("a list").retain(|n| n["type"] != "ipc"),
            "new ipc",
        ),
        ("masked paths", &|c| c["linux"]["maskedPaths"] = json!([]), "mask /proc/asound, /proc/acpi, "),
        ("user", &|c| c["process"]["user"]["additionalGids"] = json!([7, 8]), "change to uid 0 gid 0 groups [7, 8]"),
    ];
    for (name, edit, wanted) in cases {
        let mut new = old.clone();
        edit(&mut new);
        let two = bundle(&dir, "two", &new);
        let answer = plan(&dir, &["--against", &one, &two]);
        assert_eq!(answer.code, Some(1), "{name}: {answer:?}");
        let text = answer.out;
        assert!(text.starts_with(&format!("--- {one}\n+++ {two}\n")), "{name}: {text}");
        assert!(text.contains(wanted), "{name}: {wanted:?} is missing:\n{text}");
        let lines = text.lines().count();
        assert!(lines <= 5, "{name}: {lines} lines:\n{text}");
    }
}

#[test]
fn what_privileged_changes_fits_on_a_page() {
    let dir = TestDir::new("against-privileged");
    let one = bundle(&dir, "one", &recorded("docker-default"));
    let two = bundle(&dir, "two", &recorded("docker-privileged"));
    let text = differing(plan(&dir, &["--ignore-ids", "--against", &one, &two]));
    for line in
        ["mask /proc/asound, /proc/acpi", "bounding CAP_DAC_READ_SEARCH, CAP_LINUX_IMMUTABLE", "allow a *:* rwm"]
    {
        assert!(text.contains(line), "{line:?} is missing:\n{text}");
    }
    assert!(!text.contains("hostname") && text.lines().count() < 35, "{text}");
    let with_ids = differing(plan(&dir, &["--against", &one, &two]));
    assert!(with_ids.contains("+ /hostname"), "{with_ids}");
    let json = plan(&dir, &["--format", "json", "--against", &one, &two]);
    let value: Value = serde_json::from_str(&differing(json)).expect("JSON");
    let mask =
        json!({"part": "init", "change": "removed", "origin": "/linux/maskedPaths/0", "act": "mask /proc/asound"});
    assert!(value["differences"].as_array().expect("a list").contains(&mask), "{value:#}");
}

#[test]
fn other_is_a_file_for_the_same_bundle_or_a_container_as_it_was_created() {
    let dir = TestDir::new("against-other");
    let mut config = recorded("docker-default");
    config["root"]["path"] = "rootfs".into();
    let one = bundle(&dir, "one", &config);
    let edited = {
        let mut config = config.clone();
        config["hostname"] = "plum".into();
        config
    };
    let file = dir.path("edited.json");
    fs::write(&file, edited.to_string()).expect("a file");
    let text = differing(plan(&dir, &["--against", &file, &one]));
    assert!(text.contains("- /hostname  set hostname to plum"), "{text}");

    let directory = dir.record("web", "");
    fs::write(directory.join("config.json"), edited.to_string()).expect("a file");
    let record = fs::read_to_string(directory.join("state.json")).expect("a record");
    fs::write(directory.join("state.json"), record.replace("\"/bundles/web\"", &json!(one).to_string()))
        .expect("a file");
    let text = differing(plan(&dir, &["--against", "web", &one]));
    assert!(text.starts_with("--- container web\n") && text.contains("- /hostname  set hostname to plum"), "{text}");
    assert_eq!(plan(&dir, &["--against", "./web", &one]).code, Some(2));
}

#[test]
fn plans_that_cannot_be_compared_exit_with_two() {
    let dir = TestDir::new("against-trouble");
    let mut config = recorded("docker-default");
    let one = bundle(&dir, "one", &config);
    config["process"]["cwd"] = "srv".into();
    let two = bundle(&dir, "two", &config);
    for (words, wanted) in [
        (["--against", &one, &two], format!("error: cannot plan {two}: ")),
        (["--against", &two, &one], format!("error: cannot plan {two}: ")),
        (["--against", "nobody", &one], "error: cannot plan nobody: ".to_owned()),
    ] {
        let answer = plan(&dir, &words);
        assert_eq!((answer.code, answer.out.as_str()), (Some(2), ""), "{words:?}");
        assert!(answer.err.starts_with(&wanted), "{words:?}: {}", answer.err);
    }
    let line = plan(&dir, &["--ignore-ids", &one]).error();
    assert!(line.contains("--against"), "{line}");
}

#[test]
fn problems_as_json_have_their_places_and_warnings_are_part_of_the_plan() {
    let dir = TestDir::new("lint");
    let mut config = recorded("docker-default");
    config["process"]["capabilities"]["bounding"][0] = "CAP_UNHEARD_OF".into();
    config["linux"]["maskedPaths"][0] = "proc/asound".into();
    let good = bundle(&dir, "good", &config);
    let answer = plan(&dir, &["--format", "json", &good]);
    let value: Value = serde_json::from_str(&answer.out).expect("JSON");
    let warnings: Vec<_> = value["warnings"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert_eq!(answer.code, Some(0));
    for wanted in ["/linux/maskedPaths/0: ", "ignoring unknown or unavailable capabilities: [CAP_UNHEARD_OF]"] {
        assert!(warnings.iter().any(|warning| warning.starts_with(wanted)), "{wanted:?}: {warnings:?}");
    }

    config["process"]["cwd"] = "srv".into();
    config["mounts"][0]["destination"] = 7.into();
    let bad = bundle(&dir, "bad", &config);
    let answer = plan(&dir, &["--format", "json", &bad]);
    assert_eq!(answer.code, Some(1), "{answer:?}");
    assert!(answer.err.starts_with("error: cannot plan"), "{}", answer.err);
    let value: Value = serde_json::from_str(&answer.out).expect("JSON");
    let places: Vec<_> = value["problems"].as_array().expect("a list").iter().map(|row| &row["origin"]).collect();
    assert_eq!(places, ["/mounts/0/destination", "/process/cwd"]);
    assert_eq!(
        (&value["problems"][0]["problem"], &value["more"]),
        (&"must be a string, not a number".into(), &0.into())
    );
    let answer = plan(&dir, &["--format", "json", &dir.path("missing")]);
    assert_eq!((answer.code, answer.out.as_str()), (Some(1), ""));
}
