//! Tests the command line: global flags, usage errors, version, help, spec, features, the log file. What the commands
//! do to containers is tested in `lifecycle.rs` and `verbs.rs`.

use crate::harness::bundle::{Container, push};
use crate::harness::call::{Call, Output};
use crate::harness::runtime::{RUNTIME, only_davit, runtime_name};
use crate::harness::trial::{Test, rows, tests};
use serde_json::{Value, json};
use std::fs;

pub(crate) fn tests() -> Vec<Test> {
    let mut all = tests![
        version_is_what_engines_parse,
        help_names_every_verb,
        help_of_a_verb_names_its_flags,
        root_must_not_be_the_root,
        log_is_created_even_when_nothing_is_logged,
        json_log_has_the_error_and_stderr_too,
        text_log_has_the_error,
        log_is_appended_to,
        usage_errors_reach_the_log,
        log_without_a_directory_fails,
        flags_in_both_spellings,
        debug_logs_every_step_and_no_secret,
        debug_ends_with_the_failing_step,
        an_error_is_reported_with_rust_backtrace_set,
        timings_are_a_table,
        timings_are_an_object,
        spec_writes_a_config_that_runs,
        spec_does_not_overwrite,
        spec_rootless_maps_the_user,
        features_list_what_is_supported,
        features_versions_are_accepted,
    ];
    all.extend(rows!("usage", USAGE, refuses));
    all
}

/// (name, arguments, text on stderr)
const USAGE: &[(&str, &[&str], &str)] = &[
    ("unknown-flag", &["--nosuchflag", "list"], "nosuchflag"),
    ("unknown-verb", &["frobnicate"], "frobnicate"),
    ("unknown-verb-flag", &["list", "--nosuchflag"], "nosuchflag"),
    ("create-without-id", &["create"], ""),
    ("create-two-ids", &["create", "a", "b"], ""),
    ("start-without-id", &["start"], ""),
    ("state-without-id", &["state"], ""),
    ("kill-without-id", &["kill"], ""),
    ("delete-without-id", &["delete"], ""),
    ("log-format", &["--log-format", "yaml", "list"], "yaml"),
    ("flag-needs-argument", &["create", "a", "--bundle"], ""),
];

fn refuses(row: &(&str, &[&str], &str)) {
    let c = Container::sleeper();
    c.write();
    let output = c.call(row.1).cwd(&c.dir).run().fails().says(row.2);
    assert!(!output.err.contains("panicked"), "{output:?}");
    assert!(!output.err.is_empty(), "no reason on stderr: {output:?}");
    c.nothing_left();
}

fn bare(words: &[&str]) -> Output {
    let c = Container::sleeper();
    let mut all = vec![RUNTIME.as_str()];
    all.extend(words);
    Call::new(&c.dir, &all).run()
}

fn version_is_what_engines_parse() {
    for flag in ["--version", "-v"] {
        let output = bare(&[flag]).ok().silent();
        let lines: Vec<_> = output.out.lines().collect();
        let first: Vec<_> = lines[0].split(' ').collect();
        assert_eq!(first.len(), 3, "{output:?}");
        assert_eq!((first[0], first[1]), (runtime_name(), "version"));
        assert_eq!(lines.iter().filter(|line| line.contains("version")).count(), 1, "{output:?}");
        assert!(lines.iter().any(|line| line.starts_with("commit: ")), "{output:?}");
        assert!(lines.iter().any(|line| line.starts_with("spec: ")), "{output:?}");
    }
}

fn help_names_every_verb() {
    for flag in ["--help", "-h"] {
        let output = bare(&[flag]).ok().silent();
        for verb in ["create", "start", "run", "state", "kill", "delete", "list", "spec", "features"] {
            assert!(output.out.contains(verb), "no {verb} in {output:?}");
        }
    }
}

fn help_of_a_verb_names_its_flags() {
    for (verb, flags) in [
        ("create", &["bundle", "console-socket", "pid-file", "no-pivot", "no-new-keyring", "preserve-fds"] as &[_]),
        ("run", &["bundle", "detach", "keep", "no-subreaper", "preserve-fds"]),
        ("kill", &["all"]),
        ("delete", &["force"]),
        ("list", &["format", "quiet"]),
    ] {
        let output = bare(&[verb, "--help"]).ok();
        for flag in flags {
            assert!(output.out.contains(flag) || (verb, *flag) == ("kill", "all"), "no {flag} in {output:?}");
        }
    }
}

fn root_must_not_be_the_root() {
    bare(&["--root", "/", "list"]).fails().says("should not be set to /");
}

fn log_is_created_even_when_nothing_is_logged() {
    let c = Container::sh("exit 0");
    let log = c.dir.join("log");
    c.write();
    c.call(&["--log", log.to_str().unwrap(), "--log-format", "json", "list"]).run().ok().silent();
    assert_eq!(fs::read_to_string(&log).unwrap(), "");
}

fn failing(words: &[&str]) -> (Container, String, Output) {
    let c = Container::sleeper();
    let log = c.dir.join("log");
    fs::write(&log, "").unwrap();
    let mut all = vec!["--log", log.to_str().unwrap()];
    all.extend(words);
    let output = c.call(&all).run().fails();
    let text = fs::read_to_string(&log).unwrap();
    (c, text, output)
}

/// Returns the message of a log that has exactly one line: an error with level, msg and time.
#[track_caller]
fn json_error(text: &str) -> String {
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 1, "podman reads the whole file as one object: {text}");
    let line = lines[0].as_object().unwrap();
    let time = line["time"].as_str().unwrap();
    assert!(time.len() >= 20 && time.as_bytes()[10] == b'T', "not RFC 3339: {time}");
    assert_eq!(line["level"], "error");
    line["msg"].as_str().unwrap().to_owned()
}

fn json_log_has_the_error_and_stderr_too() {
    let (_c, log, output) = failing(&["--log-format", "json", "state", "nobody"]);
    assert!(json_error(&log).contains("does not exist"), "{log}");
    output.says("does not exist");
}

fn text_log_has_the_error() {
    let (_c, log, output) = failing(&["state", "nobody"]);
    assert!(log.contains("does not exist"), "{log}");
    if runtime_name() != "crun" {
        assert!(log.starts_with("time=\"") && log.contains("level=error msg=\""), "{log}");
    }
    output.says("does not exist");
}

fn log_is_appended_to() {
    let c = Container::sleeper();
    let log = c.dir.join("log");
    fs::write(&log, "first\n").unwrap();
    c.call(&["--log", log.to_str().unwrap(), "--log-format=json", "state", "nobody"]).run().fails();
    let text = fs::read_to_string(&log).unwrap();
    assert!(json_error(text.strip_prefix("first\n").unwrap()).contains("does not exist"));
}

fn usage_errors_reach_the_log() {
    let (_c, log, _) = failing(&["--log-format", "json", "list", "--nosuchflag"]);
    assert!(json_error(&log).contains("nosuchflag"), "{log}");
}

fn log_without_a_directory_fails() {
    let c = Container::sleeper();
    c.call(&["--log", "/no/such/directory/log", "list"]).run().fails().says("/no/such/directory/log");
}

/// Returns the steps of the table section with this title.
fn column<'a>(table: &'a str, title: &str) -> Vec<&'a str> {
    let rows = table.lines().skip_while(|line| !line.ends_with(title)).skip(1);
    rows.take_while(|line| !line.starts_with("        us")).map(|line| line[12..].trim()).collect()
}

fn timed(c: &Container, words: &[&str]) -> Call {
    c.write();
    c.call(&[words, &["--bundle", c.dir.to_str().unwrap(), &c.id]].concat())
}

fn timings_are_a_table() {
    let c = Container::sh("true");
    let output = timed(&c, &["--timings", "run"]).run().ok();
    let own = column(&output.err, "us  davit");
    for step in ["read config.json", "make the cgroup", "make the process", "wait for the program's end", "in all"] {
        assert!(own.contains(&step), "no {step:?} in {output:?}");
    }
    let process = column(&output.err, "us  the container's process");
    assert!(process.iter().any(|step| step.ends_with("pivot_root")), "{output:?}");
    assert!(process.iter().any(|step| step.starts_with("/mounts/0")), "{output:?}");
}

fn timings_are_an_object() {
    let c = Container::sleeper();
    let log = c.dir.join("log");
    timed(&c, &["--timings", "--log-format", "json", "--log", log.to_str().unwrap(), "create"]).run().ok();
    let start = ["--timings", "--log-format", "json", "start", &c.id];
    let started: Value = serde_json::from_str(&c.call(&start).run().ok().err).unwrap();
    let created: Value = serde_json::from_str(fs::read_to_string(&log).unwrap().trim()).unwrap();
    assert_eq!((&created["msg"], &created["level"]), (&"timings".into(), &"info".into()));
    let timings = &created["timings"];
    let sum =
        |steps: &Value| steps.as_array().unwrap().iter().map(|step| step["nanoseconds"].as_u64().unwrap()).sum::<u64>();
    assert_eq!(sum(&timings["davit"]), timings["nanoseconds"], "{timings}");
    // The process runs while its parent waits for it, so its steps cannot take longer than the parent's.
    assert!(sum(&timings["process"]) > 0 && sum(&timings["process"]) <= sum(&timings["davit"]), "{timings}");
    assert!(timings["process"][0]["step"].is_string(), "{timings}");
    // `start` on an existing container reports only its own steps.
    assert_eq!(started["timings"]["process"], json!([]));
    assert_eq!(c.status(), "running");
}

/// davit is linked without unwind tables, so it cannot walk its stack and must not try.
fn an_error_is_reported_with_rust_backtrace_set() {
    let c = Container::sleeper();
    c.call(&["state", "nobody"]).env("RUST_BACKTRACE", "full").run().fails().says("nobody");
}

fn flags_in_both_spellings() {
    let c = Container::sleeper();
    c.write();
    let (log, bundle) = (format!("--log={}", c.dir.join("log").display()), format!("--bundle={}", c.dir.display()));
    c.call(&["--debug", &log, "--log-format=json", "--rootless=false", "create", &bundle, &c.id]).run().ok();
    for line in fs::read_to_string(c.dir.join("log")).unwrap().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_ne!(line["level"], "error");
    }
    assert_eq!(c.status(), "created");
}

/// The messages of a log in JSON lines, each with its level.
fn messages(file: &std::path::Path) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let lines = fs::read_to_string(file).unwrap();
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .map(|v: Value| (text(&v["level"]), text(&v["msg"])))
        .collect()
}

fn debug_logs_every_step_and_no_secret() {
    only_davit("other runtimes log other steps");
    let c = Container::sleeper().edit(|c| {
        push(&mut c["process"]["env"], json!("TOKEN=hush"));
        c["linux"]["resources"]["unified"] = json!({"cgroup.max.depth": "3"});
        c["hooks"] = json!({"createRuntime": [{"path": "/bin/true"}], "createContainer": [{"path": "/bin/true"}]});
    });
    c.write();
    let (file, text) = (c.dir.join("log"), c.dir.join("text"));
    let (log, bundle) = (format!("--log={}", file.display()), format!("--bundle={}", c.dir.display()));
    c.call(&["--debug", &log, "--log-format=json", "create", &bundle, &c.id]).run().ok().silent();
    let all = messages(&file);
    for wanted in [
        "found: ",
        "decided: new namespaces: ",
        "cgroup: /linux/resources/unified/cgroup.max.depth: wrote \"3\" to cgroup.max.depth",
        "the container's process: /mounts/0: mount proc on /proc (",
        "hook: createRuntime #0 /bin/true succeeded after ",
        "the container's process: /hooks/createContainer/0: run createContainer hook #0 (",
        "done: write the state",
        "end: exit status 0",
    ] {
        let found =
            all.iter().filter(|(level, text)| level == "debug" && text.contains(&format!(" ms {wanted}"))).count();
        assert!(found > 0, "{wanted} is not in {all:#?}");
    }
    assert_eq!(all.iter().filter(|(_, text)| text.contains(" ms davit ")).count(), 1, "{all:#?}");
    assert!(all.last().unwrap().1.contains("end: "), "{all:#?}");
    c.start().ok();
    let log = format!("--log={}", text.display());
    let exec = ["--debug", &log, "exec", "-e", "KEY=hush", "--env=OTHER=hush", &c.id, "true"];
    c.call(&exec).run().ok();
    let lines = fs::read_to_string(&text).unwrap();
    assert!(lines.lines().all(|line| line.starts_with("time=") && line.contains(" level=debug msg=\"+")), "{lines}");
    assert!(lines.contains("KEY=…") && lines.contains("the container's process: "), "{lines}");
    assert!(!lines.contains("hush") && !all.iter().any(|(_, text)| text.contains("hush")), "{lines} {all:#?}");
}

fn debug_ends_with_the_failing_step() {
    only_davit("other runtimes log other steps");
    let c = Container::sleeper().mount("/m", "no-such-type", "none", &[]);
    c.write();
    let file = c.dir.join("log");
    let (log, bundle) = (format!("--log={}", file.display()), format!("--bundle={}", c.dir.display()));
    c.call(&["--debug", &log, "--log-format=json", "create", &bundle, &c.id]).run().fails();
    let all = messages(&file);
    let (level, text) = all.last().unwrap();
    assert!(level == "error" && text.contains("mount no-such-type on /m"), "{all:#?}");
    assert!(all.iter().any(|(_, text)| text.contains("the container's process: /mounts/0: ")), "{all:#?}");
    assert!(!all.iter().any(|(_, text)| text.contains("the container's process: /root/path: pivot_root")), "{all:#?}");
}

fn spec_writes_a_config_that_runs() {
    let mut c = Container::sleeper();
    c.call(&["spec", "--bundle", c.dir.to_str().unwrap()]).run().ok().silent();
    let config: Value = serde_json::from_slice(&fs::read(c.dir.join("config.json")).unwrap()).unwrap();
    assert_eq!(config["root"]["readonly"], json!(true));
    assert_eq!(config["process"]["terminal"], json!(true));
    assert_eq!(config["process"]["args"], json!(["sh"]));
    let names = |pointer: &str| -> Vec<String> {
        let all = config.pointer(pointer).unwrap().as_array().unwrap();
        all.iter().map(|one| one["destination"].as_str().or(one["type"].as_str()).unwrap().to_owned()).collect()
    };
    assert_eq!(names("/mounts"), ["/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys", "/sys/fs/cgroup"]);
    let mut kinds = names("/linux/namespaces");
    kinds.sort_unstable();
    assert_eq!(kinds, ["cgroup", "ipc", "mount", "network", "pid", "uts"]);
    c.config["mounts"] = config["mounts"].clone();
    let path = c.config["linux"]["cgroupsPath"].clone();
    c.config = config;
    c.config["process"]["terminal"] = json!(false);
    c.config["process"]["args"] = json!(["/bin/sh", "-c", "echo $PATH"]);
    c.config["linux"]["cgroupsPath"] = path;
    assert!(c.prints().contains("/bin"));
}

fn spec_does_not_overwrite() {
    let c = Container::sleeper();
    fs::write(c.dir.join("config.json"), "mine").unwrap();
    c.call(&["spec"]).cwd(&c.dir).run().fails().says("config.json");
    assert_eq!(fs::read_to_string(c.dir.join("config.json")).unwrap(), "mine");
}

fn spec_rootless_maps_the_user() {
    let c = Container::sleeper();
    c.call(&["spec", "--rootless"]).cwd(&c.dir).run().ok();
    let config: Value = serde_json::from_slice(&fs::read(c.dir.join("config.json")).unwrap()).unwrap();
    let own = json!([{"containerID": 0, "hostID": nix::unistd::geteuid().as_raw(), "size": 1}]);
    assert_eq!((&config["linux"]["uidMappings"], &config["linux"]["gidMappings"]), (&own, &own));
    let kinds = config["linux"]["namespaces"].as_array().unwrap();
    assert!(kinds.iter().any(|one| one["type"] == "user") && !kinds.iter().any(|one| one["type"] == "network"));
    assert_eq!(config.pointer("/linux/resources"), None);
}

fn features() -> Value {
    let output = bare(&["features"]).ok().silent();
    serde_json::from_str(&output.out).unwrap()
}

fn has(features: &Value, pointer: &str, wanted: &[&str]) {
    let all = features.pointer(pointer).unwrap_or_else(|| panic!("no {pointer}")).as_array().unwrap();
    for one in wanted {
        assert!(all.contains(&json!(one)), "{pointer} lacks {one}");
    }
}

fn features_list_what_is_supported() {
    let features = features();
    has(
        &features,
        "/hooks",
        &["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"],
    );
    has(&features, "/mountOptions", &["rro", "ro", "rprivate", "rbind", "nosymfollow", "tmpcopyup", "idmap"]);
    for driver in ["systemd", "systemdUser"] {
        assert_eq!(features.pointer(&format!("/linux/cgroup/{driver}")), Some(&json!(true)), "{driver}");
    }
    has(&features, "/linux/namespaces", &["pid", "network", "mount", "ipc", "uts", "cgroup", "user"]);
    has(&features, "/linux/capabilities", &["CAP_CHOWN", "CAP_CHECKPOINT_RESTORE"]);
    has(
        &features,
        "/linux/seccomp/actions",
        &["SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_LOG"],
    );
    has(&features, "/linux/seccomp/operators", &["SCMP_CMP_MASKED_EQ", "SCMP_CMP_NE"]);
    has(&features, "/linux/seccomp/archs", &["SCMP_ARCH_X86_64", "SCMP_ARCH_X32", "SCMP_ARCH_X86"]);
    for (pointer, value) in [("/linux/cgroup/v2", true), ("/linux/seccomp/enabled", true)] {
        assert_eq!(features.pointer(pointer), Some(&json!(value)), "{pointer}");
    }
    has(&features, "/potentiallyUnsafeConfigAnnotations", &["org.systemd.property."]);
}

fn features_versions_are_accepted() {
    let features = features();
    for end in ["ociVersionMin", "ociVersionMax"] {
        let c = Container::sh("echo good").edit(|c| c["ociVersion"] = features[end].clone());
        assert_eq!(c.prints(), "good\n", "{end}");
    }
}
