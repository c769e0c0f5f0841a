//! Tests of loading unusual, old and invalid documents.

use super::{load, load_process, load_resources};
use serde_json::{Value, json};

/// A configuration that uses every member of the tables.
const FULL: &str = include_str!("full.json");

fn full() -> Value {
    serde_json::from_str(FULL).expect("the sample is JSON")
}

fn problems(document: &Value) -> Vec<String> {
    match load(document.to_string().as_bytes()) {
        Ok(_) => Vec::new(),
        Err(rejected) => rejected.problems.iter().map(|p| format!("{}: {}", p.at, p.what)).collect(),
    }
}

fn with(place: &str, value: Value) -> Value {
    let mut document = full();
    *document.pointer_mut(place).unwrap_or_else(|| panic!("{place} is in the sample")) = value;
    document
}

fn without(place: &str) -> Value {
    let mut document = full();
    let (parent, name) = place.rsplit_once('/').expect("a place below the root");
    match document.pointer_mut(parent).expect("the parent is in the sample") {
        Value::Object(members) => assert!(members.remove(name).is_some(), "{place} is in the sample"),
        Value::Array(elements) => drop(elements.remove(name.parse().expect("an index"))),
        _ => panic!("{parent} holds nothing"),
    }
    document
}

#[test]
fn the_full_sample_loads_without_warnings() {
    let loaded = load(FULL.as_bytes()).expect("fits");
    assert_eq!(loaded.warnings, Vec::<String>::new());
    assert_eq!(loaded.snapshot, None);
    assert_eq!(super::reload(FULL.as_bytes()).expect("accepted before"), loaded.spec);
}

/// oci-spec drops members that it does not know, so each member of the sample must be known.
#[test]
fn every_member_of_the_sample_is_known_to_oci_spec() {
    let spec = load(FULL.as_bytes()).expect("fits").spec;
    let written = serde_json::to_value(&spec).expect("JSON");
    let mut all = Vec::new();
    places(&full(), "", &mut all);
    for place in all {
        assert!(written.pointer(&place).is_some(), "{place} got lost");
    }
}

#[test]
fn truncated_or_damaged_text_is_refused_without_a_panic() {
    for cut in 0..FULL.trim_end().len() {
        assert!(load(&FULL.as_bytes()[..cut]).is_err(), "cut at {cut}");
    }
    for (index, junk) in (0..FULL.len()).zip(b"\0\xff\"{}[],:0-9.eE\\\x7f".iter().cycle()) {
        let mut damaged = FULL.as_bytes().to_vec();
        damaged[index] = *junk;
        if let Err(rejected) = load(&damaged) {
            assert!(!rejected.problems.is_empty());
        }
    }
}

/// Collects every place in the document except the root.
fn places(value: &Value, at: &str, all: &mut Vec<String>) {
    let mut child = |name: String, child: &Value| {
        let place = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
        all.push(place.clone());
        places(child, &place, all);
    };
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| child(name.clone(), value)),
        Value::Array(elements) => elements.iter().enumerate().for_each(|(i, value)| child(i.to_string(), value)),
        _ => {}
    }
}

/// The tables and oci-spec's types describe the same document. For any value at any place, either both accept it or the
/// tables report the place. oci-spec must never be the one that refuses.
#[test]
fn oci_spec_refuses_no_value_that_the_tables_accept() {
    let mut all = Vec::new();
    places(&full(), "", &mut all);
    assert!(all.len() > 250, "the sample has many places, not {}", all.len());
    let strange = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1.5),
        json!(""),
        json!("x"),
        json!([]),
        json!([null]),
        json!({"x": null}),
        json!({"SCMP_ACT_ALLOW": null}),
    ];
    let edges = [-1_i128, i64::MIN.into(), 1 << 16, 1 << 31, 1 << 32, 1 << 63, u64::MAX.into()];
    let edges: Vec<Value> = edges.iter().map(|n| serde_json::from_str(&n.to_string()).expect("a number")).collect();
    let document = full();
    for place in &all {
        let number = document.pointer(place).is_some_and(Value::is_number);
        for value in strange.iter().chain(edges.iter().filter(|_| number)) {
            for problem in problems(&with(place, value.clone())) {
                let (at, what) = problem.split_once(": ").expect("place and words");
                assert!(!what.contains("cannot be read") && !at.is_empty(), "{place} = {value}: {problem}");
            }
        }
    }
}

#[test]
fn a_problem_names_the_place_of_the_mistake() {
    let mut all = Vec::new();
    places(&full(), "", &mut all);
    let mut wrong = 0;
    for place in &all {
        let found = problems(&with(place, json!([[[]]])));
        for problem in &found {
            assert!(problem.starts_with(place.as_str()), "{place}: {problem}");
        }
        wrong += usize::from(!found.is_empty());
    }
    assert_eq!(wrong, all.len(), "[[[]]] fits nowhere");
}

#[test]
fn a_missing_required_member_is_reported() {
    for place in [
        "/ociVersion",
        "/root",
        "/root/path",
        "/mounts/0/destination",
        "/mounts/0/uidMappings/0/containerID",
        "/process/user/uid",
        "/process/cwd",
        "/process/consoleSize/height",
        "/process/consoleSize/width",
        "/process/rlimits/0/type",
        "/process/rlimits/0/soft",
        "/process/rlimits/0/hard",
        "/process/ioPriority/class",
        "/process/scheduler/policy",
        "/hooks/prestart/0/path",
        "/linux/uidMappings/0/containerID",
        "/linux/gidMappings/0/hostID",
        "/linux/gidMappings/0/size",
        "/linux/resources/devices/1/allow",
        "/linux/resources/blockIO/weightDevice/0/major",
        "/linux/resources/blockIO/throttleReadBpsDevice/0/rate",
        "/linux/resources/hugepageLimits/0/pageSize",
        "/linux/resources/hugepageLimits/0/limit",
        "/linux/resources/network/priorities/0/name",
        "/linux/resources/network/priorities/0/priority",
        "/linux/namespaces/0/type",
        "/linux/devices/0/type",
        "/linux/devices/0/path",
        "/linux/devices/0/major",
        "/linux/devices/0/minor",
        "/linux/seccomp/defaultAction",
        "/linux/seccomp/syscalls/0/names",
        "/linux/seccomp/syscalls/0/action",
        "/linux/seccomp/syscalls/0/args/0/index",
        "/linux/seccomp/syscalls/0/args/0/value",
        "/linux/seccomp/syscalls/0/args/0/op",
        "/linux/memoryPolicy/mode",
        "/linux/personality/domain",
    ] {
        let expected = vec![format!("{place}: is missing")];
        assert_eq!(problems(&without(place)), expected);
        assert_eq!(problems(&with(place, Value::Null)), expected, "null is as good as absent");
    }
}

#[test]
fn often_omitted_members_get_a_default_with_a_warning() {
    for (place, value) in
        [("/process/user", "{\"uid\":0,\"gid\":0}"), ("/process/user/gid", "0"), ("/process/ioPriority/priority", "0")]
    {
        for document in [without(place), with(place, Value::Null)] {
            let loaded = load(document.to_string().as_bytes()).expect("fits");
            assert_eq!(loaded.warnings, [format!("{place}: is missing; using the default {value}")]);
            let snapshot: Value = serde_json::from_str(&loaded.snapshot.expect("changed")).expect("JSON");
            let value: Value = serde_json::from_str(value).expect("JSON");
            assert_eq!(snapshot.pointer(place), Some(&value));
        }
    }
}

#[test]
fn all_other_members_may_be_absent_or_null() {
    let mut all = Vec::new();
    places(&full(), "", &mut all);
    let mut optional = 0;
    for place in all.iter().filter(|place| problems(&without(place)).is_empty()) {
        let element = place.rsplit('/').next().is_some_and(|name| name.parse::<usize>().is_ok());
        let value = problems(&with(place, Value::Null));
        let text_of_map = ["/annotations/", "/linux/sysctl/", "/linux/resources/unified/"];
        if element || text_of_map.iter().any(|map| place.starts_with(map)) {
            assert_eq!(value.len(), 1, "{place}: an entry is not a member");
        } else {
            assert_eq!(value, Vec::<String>::new(), "{place}");
            optional += 1;
        }
    }
    assert!(optional > 100, "most members are optional, not only {optional}");
}

#[test]
fn all_shape_problems_are_reported_at_once() {
    let mut document = full();
    document["process"]["cwd"] = json!(7);
    document["linux"]["seccomp"]["defaultAction"] = json!("SCMP_ACT_FOO");
    document["linux"]["devices"][1]["type"] = json!("a");
    document["process"]["user"]["uid"] = json!(4_294_967_296_u64);
    document["process"]["noNewPrivileges"] = json!("yes");
    document["linux"]["sysctl"]["net/x~y"] = json!(1);
    document["process"]["execCPUAffinity"]["initial"] = json!("0,,1");
    document["root"] = json!(["rootfs"]);
    let mut found = problems(&document);
    found.sort();
    assert_eq!(
        found,
        [
            "/linux/devices/1/type: unknown value \"a\"; expected one of c, u, b, p",
            "/linux/seccomp/defaultAction: unknown value \"SCMP_ACT_FOO\"; expected one of SCMP_ACT_KILL, \
             SCMP_ACT_KILL_PROCESS, SCMP_ACT_KILL_THREAD, SCMP_ACT_TRAP, SCMP_ACT_ERRNO, SCMP_ACT_TRACE, \
             SCMP_ACT_ALLOW, SCMP_ACT_LOG, SCMP_ACT_NOTIFY",
            "/linux/sysctl/net~1x~0y: must be a string, not a number",
            "/process/cwd: must be a string, not a number",
            "/process/execCPUAffinity/initial: \"0,,1\" is not a list of processors such as \"0-3,7\"",
            "/process/noNewPrivileges: must be true or false, not a string",
            "/process/user/uid: 4294967296 is out of range; expected an integer from 0 to 4294967295",
            "/root: must be an object, not an array",
        ]
    );
}

#[test]
fn only_the_first_100_problems_are_listed() {
    let document = with("/process/args", json!(vec![1; 1000]));
    let rejected = load(document.to_string().as_bytes()).expect_err("refused");
    assert_eq!(rejected.problems.iter().count(), 100);
    let text = rejected.problems.to_string();
    assert!(text.starts_with("config.json has 1000 problems\n") && text.ends_with("\n  and 900 more"), "{text}");
}

#[test]
fn broken_text_is_reported_with_line_and_column() {
    for (text, expected) in [
        (&b"{\n  \"ociVersion\": \"1.0.0\",\n}"[..], "is not valid JSON: line 3, column 1: trailing comma"),
        (b"{", "is not valid JSON: line 1, column 1: EOF while parsing an object"),
        (b"{} x", "is not valid JSON: line 1, column 4: trailing characters"),
        (b" \n", "is empty; expected a JSON object"),
        (b"{\n\"a\": \"\xff\"}", "is not UTF-8: invalid byte in line 2, column 7"),
        (b"[]", "must be an object, not an array"),
        (b"null", "must be an object, not null"),
    ] {
        let rejected = load(text).expect_err("refused");
        let found: Vec<_> = rejected.problems.iter().map(|p| (p.at.as_str(), p.what.as_str())).collect();
        assert_eq!(found, [("", expected)]);
    }
}

#[test]
fn a_duplicate_member_name_is_an_error() {
    let text = FULL
        .replacen("\"hostname\": \"host\"", "\"hostname\": \"host\", \"hostname\": \"other\"", 1)
        .replacen("\"com.example.key\": \"value\"", "\"k\": \"1\", \"\\u006b\": \"2\"", 1)
        .replacen("\"readonly\": true", "\"odd\": 1, \"odd\": 2", 1);
    let rejected = load(text.as_bytes()).expect_err("refused");
    let mut found: Vec<_> = rejected.problems.iter().map(|p| format!("{}: {}", p.at, p.what)).collect();
    found.sort();
    assert_eq!(
        found,
        [
            "/annotations/k: appears twice in its object",
            "/hostname: appears twice in its object",
            "/root/odd: appears twice in its object"
        ]
    );
}

#[test]
fn unknown_properties_and_other_platforms_are_ignored() {
    let mut document = full();
    document["freebsd"] = json!({"devices": 3});
    document["windows"] = json!("nonsense");
    document["solaris"] = json!([1]);
    document["zos"] = json!(3);
    document["uidMappings"] = json!("nonsense");
    document["process"]["commandLine"] = json!(5);
    document["process"]["user"]["username"] = json!({});
    document["linux"]["intelRdt"]["enableCMT"] = json!("x");
    document["linux"]["intelRdt"]["enableCmt"] = json!("x");
    document["linux"]["future"] = json!({"deep": [[[[null]]]]});
    let loaded = load(document.to_string().as_bytes()).expect("fits");
    assert_eq!(loaded.warnings, Vec::<String>::new());
    document["vm"] = json!({"kernel": {}});
    let loaded = load(document.to_string().as_bytes()).expect("fits");
    assert_eq!(loaded.warnings, ["ignoring vm: this runtime does not support virtual machines"]);
}

#[test]
fn unknown_capabilities_are_dropped_with_one_warning() {
    let names = json!(["CAP_KILL", "CAP_Z", "SYSLOG", "cap_chown", "CAP_SYS_ADMIN"]);
    let document = with("/process/capabilities/bounding", names);
    let loaded = load(document.to_string().as_bytes()).expect("fits");
    assert_eq!(loaded.warnings, ["ignoring unknown or unavailable capabilities: [CAP_Z SYSLOG cap_chown]"]);
    let process = loaded.spec.process().as_ref().expect("there is one");
    let capabilities = process.capabilities().as_ref().expect("there are some");
    assert_eq!(capabilities.bounding().as_ref().map(|set| set.len()), Some(2));
}

#[test]
fn what_the_specification_allows_but_oci_spec_refuses_is_accepted() {
    let mut document = full();
    document["linux"]["resources"]["pids"] = json!({});
    document["linux"]["resources"]["hugepageLimits"][0]["limit"] = json!(u64::MAX);
    document["linux"]["resources"]["devices"][1]["type"] = json!("");
    document["linux"]["netDevices"] = json!({"eth0": null});
    document["linux"]["devices"][1] = json!({"type": "p", "path": "/dev/pipe", "major": null});
    document["process"]["execCPUAffinity"] = json!({"initial": "0", "final": ""});
    document["process"]["scheduler"]["flags"] = crate::spec::shape::enums::SCHEDULER_FLAGS.map(|(name, _)| name).into();
    let loaded = load(document.to_string().as_bytes()).expect("fits");
    let linux = loaded.spec.linux().as_ref().expect("there is one");
    let resources = linux.resources().as_ref().expect("there are some");
    assert_eq!(*resources.pids(), None, "no limit asked for is no limit of 0");
    let huge = resources.hugepage_limits().as_ref().expect("there are some");
    assert_eq!(huge[0].limit(), i64::MAX);
    assert_eq!(resources.devices().as_ref().expect("there are some")[1].typ(), None);
    let net = linux.net_devices().as_ref().expect("there are some");
    assert_eq!(*net["eth0"].name(), None);
    let process = loaded.spec.process().as_ref().expect("there is one");
    assert_eq!(*process.exec_cpu_affinity().as_ref().expect("there is one").cpu_affinity_final(), None);
    let flags = process.scheduler().as_ref().expect("there is one").flags().as_ref().expect("there are some");
    assert_eq!(flags.len(), 7);
    let snapshot = loaded.snapshot.expect("the text was changed");
    assert_eq!(super::reload(snapshot.as_bytes()).expect("accepted before"), loaded.spec);
}

#[test]
fn every_enumeration_value_is_known_to_oci_spec() {
    use super::super::shape::enums;
    for (place, words) in [
        ("/process/rlimits/0/type", &enums::RLIMITS[..]),
        ("/process/scheduler/policy", &enums::SCHEDULER_POLICIES),
        ("/process/ioPriority/class", &enums::IO_CLASSES),
        ("/linux/namespaces/0/type", &enums::NAMESPACES),
        ("/linux/devices/0/type", &enums::DEVICES),
        ("/linux/resources/devices/1/type", &enums::DEVICE_RULES),
        ("/linux/memoryPolicy/mode", &enums::MEMORY_MODES),
        ("/linux/memoryPolicy/flags/0", &enums::MEMORY_FLAGS),
        ("/linux/personality/domain", &enums::PERSONALITIES),
        ("/linux/seccomp/defaultAction", &enums::SECCOMP_ACTIONS),
        ("/linux/seccomp/architectures/0", &enums::SECCOMP_ARCHITECTURES),
        ("/linux/seccomp/flags/0", &enums::SECCOMP_FLAGS),
        ("/linux/seccomp/syscalls/0/args/0/op", &enums::SECCOMP_OPERATORS),
        ("/process/capabilities/bounding/0", &enums::CAPABILITIES),
    ] {
        for word in words {
            assert_eq!(problems(&with(place, json!(word))), Vec::<String>::new(), "{place} = {word}");
        }
    }
}

#[test]
fn the_remainder_of_a_rejected_document_is_checked_for_more_problems() {
    use crate::spec::pointer::Pointer;
    use crate::spec::problem::Problems;
    let mut document = full();
    document["process"]["rlimits"] = json!([
        {"type": "RLIMIT_FOO", "soft": 1, "hard": 1},
        {"type": "RLIMIT_CPU", "soft": 2, "hard": 1},
    ]);
    document["linux"]["uidMappings"][0]["size"] = json!("many");
    document["ociVersion"] = json!(1);
    document["root"].as_object_mut().expect("an object").remove("path");
    let rejected = load(document.to_string().as_bytes()).expect_err("refused");
    let rest = rejected.remainder.as_ref().expect("there is one");
    assert_eq!(rest.process().as_ref().and_then(|p| p.rlimits().as_ref()).map(Vec::len), Some(1));
    let mut more = Problems::default();
    more.add(Pointer::of("/process/rlimits/0"), "soft above hard");
    more.add(Pointer::of("/linux/uidMappings"), "none");
    more.add(Pointer::of("/root"), "none");
    more.add(Pointer::of("/ociVersion"), "odd");
    let mut found: Vec<_> = rejected.with(&more).iter().map(|p| p.at.as_str().to_owned()).collect();
    found.sort();
    assert_eq!(
        found,
        ["/linux/uidMappings/0/size", "/ociVersion", "/process/rlimits/0/type", "/process/rlimits/1", "/root/path"],
        "an index is that of the written document, and what follows from the first problems is left out"
    );
}

#[test]
fn invalid_namespaces_leave_no_remainder_to_check() {
    let document = with("/linux/namespaces/0/type", json!("net"));
    assert!(load(document.to_string().as_bytes()).expect_err("refused").remainder.is_none());
}

#[test]
fn a_process_and_resources_load_alone() {
    let (process, warnings) = load_process(full()["process"].to_string().as_bytes()).expect("fits");
    assert_eq!((process.cwd().to_str(), warnings.len()), (Some("/"), 0));
    let wrong = load_process(b"{\"cwd\": \"/\", \"user\": {\"gid\": 0}}").expect_err("refused");
    let found: Vec<_> = wrong.iter().map(|p| format!("{}: {}", p.at, p.what)).collect();
    assert_eq!(found, ["/user/uid: is missing"]);
    let (process, warnings) = load_process(b"{\"cwd\": \"/\", \"user\": {\"uid\": 7}}").expect("fits");
    assert_eq!((process.user().uid(), process.user().gid()), (7, 0));
    assert_eq!(warnings, ["/user/gid: is missing; using the default 0"]);
    let resources = load_resources(full()["linux"]["resources"].to_string().as_bytes()).expect("fits");
    assert!(resources.unified().is_some());
    let resources = load_resources(b"{\"pids\": {\"limit\": null}, \"memory\": {}, \"devices\": null}").expect("fits");
    assert!(resources.pids().is_none() && resources.memory().is_some());
}

#[test]
fn no_object_has_more_than_32_members() {
    use super::super::shape::{Shape, config, linux};
    fn most(shape: &Shape) -> usize {
        match shape {
            Shape::Object(members) => members.iter().map(|m| most(m.shape)).max().unwrap_or(0).max(members.len()),
            Shape::List(inner) | Shape::Map(inner) => most(inner),
            _ => 0,
        }
    }
    let most = most(&config::SPEC).max(most(&linux::RESOURCES));
    assert!((10..=32).contains(&most), "{most}");
}
