//! Table tests: change one setting of a valid configuration, and check the reported problems.

use super::{check, check_process, semantic_version};
use crate::spec::pointer::Pointer;
use crate::spec::problem::Problems;
use oci_spec::runtime::Spec;
use serde_json::{Value, json};

/// A valid configuration, with all namespaces except user and time.
fn valid() -> Value {
    json!({
        "ociVersion": "1.3.0",
        "root": {"path": "rootfs"},
        "process": {"user": {"uid": 0, "gid": 0}, "cwd": "/", "args": ["sh"], "env": ["A=b", "C="]},
        "hostname": "box",
        "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
        "linux": {
            "namespaces": [
                {"type": "pid"}, {"type": "network", "path": ""}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"},
                {"type": "cgroup"}
            ]
        }
    })
}

fn set(document: &mut Value, place: &str, value: &Value) {
    let mut at = document;
    for token in place.split('/').skip(1) {
        at = match at {
            Value::Array(list) => {
                let index: usize = token.parse().expect("an index");
                list.resize(list.len().max(index + 1), Value::Null);
                &mut list[index]
            }
            other => &mut other[token.replace("~1", "/").as_str()],
        };
    }
    *at = value.clone();
}

/// The problems and warnings of the valid configuration after setting some members.
fn check_with(changes: &[(&str, Value)]) -> (Vec<String>, Vec<String>) {
    let mut document = valid();
    for (place, value) in changes {
        set(&mut document, place, value);
    }
    let spec: Spec = serde_json::from_value(document).expect("oci-spec reads it");
    let (mut problems, mut warnings) = (Problems::default(), Vec::new());
    check(&spec, &mut problems, &mut warnings);
    (problems.iter().map(|p| format!("{}: {}", p.at, p.what)).collect(), warnings)
}

fn accepts(changes: &[(&str, Value)]) {
    assert_eq!(check_with(changes), (Vec::new(), Vec::new()), "{changes:?}");
}

/// Asserts exactly one problem, whose text starts with `expected`.
fn rejects(changes: &[(&str, Value)], expected: &str) {
    let (problems, _) = check_with(changes);
    assert_eq!(problems.len(), 1, "{changes:?}: {problems:?}");
    assert!(problems[0].starts_with(expected), "{:?} does not start with {expected:?}", problems[0]);
}

#[test]
fn the_valid_configuration_has_no_problems() {
    accepts(&[]);
}

#[test]
fn versions() {
    for version in ["1.0.0", "1.3.0", "1.99.0", "1.0.2-dev", "1.3.0+dev", "1.0.0-rc5-dev.0a+b.01"] {
        accepts(&[("/ociVersion", json!(version))]);
    }
    for version in
        ["", "1", "1.0", "1.0.0.0", "v1.0.0", "1.00.0", "1.0.0-", "1.0.0+", "1.0.0-01", "1.0.0-a..b", "1.0.x"]
    {
        assert_eq!(semantic_version(version), None, "{version}");
        rejects(&[("/ociVersion", json!(version))], &format!("/ociVersion: {version:?} is not a version"));
    }
    rejects(&[("/ociVersion", json!("2.0.0"))], "/ociVersion: \"2.0.0\" is not supported");
    rejects(&[("/ociVersion", json!("0.9.0"))], "/ociVersion: \"0.9.0\" is not supported");
}

#[test]
fn root_and_names() {
    rejects(&[("/root", Value::Null)], "/root: is missing");
    rejects(&[("/root/path", json!(""))], "/root/path: is empty");
    rejects(&[("/root/path", json!("a\0b"))], "/root/path: contains a NUL byte");
    accepts(&[("/hostname", json!("h".repeat(64))), ("/domainname", json!("d"))]);
    rejects(&[("/hostname", json!("h".repeat(65)))], "/hostname: has 65 bytes");
    rejects(&[("/linux/namespaces", json!([]))], "/hostname: needs a uts namespace");
    accepts(&[("/linux/namespaces", json!([])), ("/hostname", json!(""))]);
    accepts(&[("/linux/namespaces", json!([{"type": "uts", "path": "/proc/1/ns/uts"}]))]);
    rejects(
        &[("/linux/namespaces", json!([])), ("/hostname", Value::Null), ("/domainname", json!("d"))],
        "/domainname: needs",
    );
    rejects(&[("/annotations", json!({"": "x"}))], "/annotations/: has an empty name");
}

#[test]
fn hooks() {
    for kind in ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"] {
        let hook = |hook: Value| [("/hooks", json!({kind: [hook]}))];
        accepts(&hook(json!({"path": "/bin/true", "timeout": 1, "env": ["NOTHING"], "args": []})));
        let at = format!("/hooks/{kind}/0");
        rejects(&hook(json!({"path": "true"})), &format!("{at}/path: \"true\" is relative"));
        rejects(&hook(json!({"path": ""})), &format!("{at}/path: is empty"));
        rejects(&hook(json!({"path": "/a\0"})), &format!("{at}/path: contains a NUL byte"));
        rejects(&hook(json!({"path": "/a", "timeout": 0})), &format!("{at}/timeout: 0 is out of range"));
        rejects(&hook(json!({"path": "/a", "timeout": -1})), &format!("{at}/timeout: -1 is out of range"));
        rejects(&hook(json!({"path": "/a", "args": ["\0"]})), &format!("{at}/args/0: contains a NUL"));
        rejects(&hook(json!({"path": "/a", "env": ["\0"]})), &format!("{at}/env/0: contains a NUL"));
    }
}

#[test]
fn process() {
    for (member, value, expected) in [
        ("cwd", json!("srv"), "cwd: \"srv\" is relative; it must be absolute"),
        ("cwd", json!(""), "cwd: is empty"),
        ("args", json!([]), "args: is missing"),
        ("args", Value::Null, "args: is missing"),
        ("args", json!(["a\0"]), "args/0: contains a NUL byte"),
        ("env", json!(["A=b", "nothing"]), "env/1: \"nothing\" is not of the form NAME=value"),
        ("env", json!(["=x"]), "env/0: \"=x\" has no name"),
        ("env", json!(["A=\0"]), "env/0: contains a NUL byte"),
        ("user", json!({"uid": u32::MAX, "gid": 0}), "user/uid: 4294967295 is out of range"),
        ("user", json!({"uid": 0, "gid": u32::MAX}), "user/gid: 4294967295 is out of range"),
        ("user", json!({"uid": 0, "gid": 0, "umask": 512}), "user/umask: 512 is out of range"),
        ("user", json!({"uid": 0, "gid": 0, "additionalGids": [1, u32::MAX]}), "user/additionalGids/1: 4294967295"),
        (
            "user",
            json!({"uid": 0, "gid": 0, "additionalGids": vec![1; 65537]}),
            "user/additionalGids: has 65537 groups",
        ),
        ("oomScoreAdj", json!(1001), "oomScoreAdj: 1001 is out of range"),
        ("oomScoreAdj", json!(-1001), "oomScoreAdj: -1001 is out of range"),
        ("apparmorProfile", json!("a\0"), "apparmorProfile: contains a NUL byte"),
        ("selinuxLabel", json!("a\0"), "selinuxLabel: contains a NUL byte"),
        ("ioPriority", json!({"class": "IOPRIO_CLASS_BE", "priority": 8}), "ioPriority/priority: 8 is out of range"),
        ("ioPriority", json!({"class": "IOPRIO_CLASS_BE", "priority": -1}), "ioPriority/priority: -1 is out of range"),
        (
            "execCPUAffinity",
            json!({"initial": "3-1"}),
            "execCPUAffinity/initial: \"3-1\" has a range that ends below its start",
        ),
        ("execCPUAffinity", json!({"final": "99999999999"}), "execCPUAffinity/final: \"99999999999\" is not a list"),
    ] {
        rejects(&[(&format!("/process/{member}"), value)], &format!("/process/{expected}"));
    }
    accepts(&[("/process/oomScoreAdj", json!(-1000)), ("/process/user/umask", json!(0o777))]);
    accepts(&[("/process/execCPUAffinity", json!({"initial": "0-3,7", "final": "1"}))]);
    accepts(&[("/process/ioPriority", json!({"class": "IOPRIO_CLASS_IDLE", "priority": 7}))]);
    accepts(&[("/process/consoleSize", json!({"height": 70000, "width": 1}))]);
    let size = ("/process/consoleSize", json!({"height": 70000, "width": 65535}));
    rejects(&[("/process/terminal", json!(true)), size], "/process/consoleSize/height: 70000 is out of range");
}

#[test]
fn a_problem_of_process_json_has_a_place_from_its_root() {
    let process = json!({"user": {"uid": 0, "gid": 0}, "cwd": "x", "args": ["sh"]});
    let process = serde_json::from_value(process).expect("oci-spec reads it");
    let mut problems = Problems::default();
    check_process(&process, &Pointer::of(""), &mut problems, &mut Vec::new());
    assert_eq!(problems.iter().map(|p| p.at.as_str()).collect::<Vec<_>>(), ["/cwd"]);
}

#[test]
fn rlimits() {
    let limit = |kind: &str, soft: u64, hard: u64| json!({"type": kind, "soft": soft, "hard": hard});
    accepts(&[("/process/rlimits", json!([limit("RLIMIT_CPU", 1, u64::MAX), limit("RLIMIT_AS", u64::MAX, u64::MAX)]))]);
    rejects(
        &[("/process/rlimits", json!([limit("RLIMIT_CPU", 2, 1)]))],
        "/process/rlimits/0/soft: 2 is above the hard limit 1",
    );
    rejects(
        &[(
            "/process/rlimits",
            json!([limit("RLIMIT_CPU", 1, 1), limit("RLIMIT_AS", 1, 1), limit("RLIMIT_CPU", 1, 1)]),
        )],
        "/process/rlimits/2/type: RLIMIT_CPU is already listed",
    );
}

#[test]
fn schedulers() {
    let with = |value: Value| [("/process/scheduler", value)];
    for value in [
        json!({"policy": "SCHED_OTHER", "nice": -20}),
        json!({"policy": "SCHED_BATCH", "nice": 19}),
        json!({"policy": "SCHED_IDLE"}),
        json!({"policy": "SCHED_FIFO", "priority": 1}),
        json!({"policy": "SCHED_RR", "priority": 99}),
        json!({"policy": "SCHED_DEADLINE", "runtime": 1024, "deadline": 1024}),
        json!({"policy": "SCHED_DEADLINE", "runtime": 1024, "deadline": 2048, "period": 2048}),
    ] {
        accepts(&with(value));
    }
    for (value, expected) in [
        (json!({"policy": "SCHED_ISO"}), "policy: SCHED_ISO is reserved"),
        (json!({"policy": "SCHED_OTHER", "nice": 20}), "nice: 20 is out of range"),
        (json!({"policy": "SCHED_OTHER", "nice": -21}), "nice: -21 is out of range"),
        (json!({"policy": "SCHED_OTHER", "priority": 1}), "priority: 1 is valid only with SCHED_FIFO and SCHED_RR"),
        (json!({"policy": "SCHED_FIFO"}), "priority: 0 is out of range; expected 1 to 99 for SCHED_FIFO"),
        (json!({"policy": "SCHED_RR", "priority": 100}), "priority: 100 is out of range"),
        (json!({"policy": "SCHED_OTHER", "runtime": 1}), "runtime: is valid only with SCHED_DEADLINE"),
        (json!({"policy": "SCHED_OTHER", "deadline": 1}), "deadline: is valid only with SCHED_DEADLINE"),
        (json!({"policy": "SCHED_OTHER", "period": 1}), "period: is valid only with SCHED_DEADLINE"),
        (json!({"policy": "SCHED_DEADLINE", "runtime": 1023, "deadline": 2000}), "runtime: 1023 ns is too short"),
        (json!({"policy": "SCHED_DEADLINE", "runtime": 3000, "deadline": 2000}), "deadline: 2000 ns is shorter"),
        (
            json!({"policy": "SCHED_DEADLINE", "runtime": 2000, "deadline": 3000, "period": 2500}),
            "period: 2500 ns is shorter",
        ),
    ] {
        rejects(&with(value), &format!("/process/scheduler/{expected}"));
    }
}

#[test]
fn capabilities_that_cannot_be_granted_warn() {
    let sets = json!({
        "bounding": ["CAP_KILL"], "permitted": ["CAP_KILL"],
        "effective": ["CAP_KILL", "CAP_CHOWN"], "inheritable": ["CAP_SYSLOG", "CAP_BPF"], "ambient": []
    });
    let (problems, warnings) = check_with(&[("/process/capabilities", sets)]);
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(
        warnings,
        [
            "ignoring effective capabilities that are not permitted: [CAP_CHOWN]",
            "ignoring inheritable capabilities that are not bounding: [CAP_BPF CAP_SYSLOG]"
        ]
    );
    accepts(&[(
        "/process/capabilities",
        json!({"bounding": ["CAP_KILL"], "inheritable": ["CAP_KILL"], "effective": []}),
    )]);
}

#[test]
fn namespaces() {
    rejects(&[("/linux/namespaces/6", json!({"type": "pid"}))], "/linux/namespaces/6/type: \"pid\" is already listed");
    rejects(&[("/linux/namespaces/0/path", json!("ns/pid"))], "/linux/namespaces/0/path: \"ns/pid\" is relative");
    rejects(&[("/linux/namespaces/0/path", json!("/ns\0"))], "/linux/namespaces/0/path: contains a NUL byte");
}

#[test]
fn id_mappings() {
    let user = ("/linux/namespaces/6", json!({"type": "user"}));
    let map = |a: u32, b: u32, size: u32| json!({"containerID": a, "hostID": b, "size": size});
    let one = json!([map(0, 1000, 1)]);
    let with = |uids: &Value, gids: &Value| {
        check_with(&[user.clone(), ("/linux/uidMappings", uids.clone()), ("/linux/gidMappings", gids.clone())]).0
    };
    assert_eq!(with(&one, &one), Vec::<String>::new());
    assert_eq!(with(&json!([map(0, 0, u32::MAX)]), &one), Vec::<String>::new());
    assert_eq!(with(&json!([map(0, 1000, 10), map(10, 1010, 5), map(15, 0, 1000)]), &one), Vec::<String>::new());
    for (uids, expected) in [
        (json!([]), "/linux/uidMappings: is missing; a new user namespace needs"),
        (json!([map(0, 0, 0)]), "/linux/uidMappings/0/size: is 0"),
        (json!([map(1, 0, u32::MAX)]), "/linux/uidMappings/0/containerID: 1 plus 4294967295 ids exceeds"),
        (json!([map(0, 1, u32::MAX)]), "/linux/uidMappings/0/hostID: 1 plus 4294967295 ids exceeds"),
        (json!([map(0, 1000, 10), map(9, 5000, 1)]), "/linux/uidMappings/1/containerID: overlaps with mapping 0"),
        (json!([map(0, 1000, 10), map(10, 1009, 1)]), "/linux/uidMappings/1/hostID: overlaps with mapping 0"),
        (json!((0..341).map(|i| map(i, i, 1)).collect::<Vec<_>>()), "/linux/uidMappings: has 341 mappings"),
    ] {
        let found = with(&uids, &one);
        assert!(found.len() == 1 && found[0].starts_with(expected), "{found:?}, not {expected}");
    }
    assert_eq!(with(&json!((0..340).map(|i| map(i, i, 1)).collect::<Vec<_>>()), &one), Vec::<String>::new());
    rejects(&[("/linux/gidMappings", one.clone())], "/linux/gidMappings: needs a user namespace");
    let joined = ("/linux/namespaces/6", json!({"type": "user", "path": "/proc/1/ns/user"}));
    accepts(&[joined.clone(), ("/linux/uidMappings", one.clone()), ("/linux/gidMappings", one)]);
    accepts(&[joined]);
}

#[test]
fn time_offsets() {
    let time = ("/linux/namespaces/6", json!({"type": "time"}));
    let with = |value: Value| [time.clone(), ("/linux/timeOffsets", value)];
    accepts(&with(json!({"monotonic": {"secs": -5, "nanosecs": 999_999_999}, "boottime": {}})));
    rejects(&with(json!({"realtime": {}})), "/linux/timeOffsets/realtime: unknown clock");
    rejects(
        &with(json!({"boottime": {"nanosecs": 1_000_000_000}})),
        "/linux/timeOffsets/boottime/nanosecs: 1000000000 is out of range",
    );
    let offsets = ("/linux/timeOffsets", json!({"boottime": {"secs": 1}}));
    rejects(std::slice::from_ref(&offsets), "/linux/timeOffsets: needs a new time namespace, and none is listed");
    let joined = ("/linux/namespaces/6", json!({"type": "time", "path": "/proc/1/ns/time"}));
    rejects(&[joined, offsets], "/linux/timeOffsets: needs a new time namespace, and the one listed is joined");
}

#[test]
fn devices() {
    let device = |kind: &str, path: &str| json!({"type": kind, "path": path, "major": 1, "minor": 2});
    let with = |list: Value| [("/linux/devices", list)];
    accepts(&with(
        json!([device("c", "/dev/a"), device("u", "/dev/b"), device("b", "/x/c"), {"type": "p", "path": "/f"}]),
    ));
    accepts(&with(
        json!([device("c", "/dev/a"), device("b", "/dev/a"), {"type": "p", "path": "/f", "fileMode": 0o200_000}]),
    ));
    accepts(&with(json!([{"type": "c", "path": "/dev/a", "major": 4095, "minor": 1_048_575, "fileMode": 0o020_666}])));
    for (list, expected) in [
        (json!([device("c", "dev/a")]), "0/path: \"dev/a\" is relative"),
        (json!([device("c", "/dev/\0")]), "0/path: contains a NUL byte"),
        (json!([device("c", "/")]), "0/path: is the root directory"),
        (json!([device("a", "/dev/a")]), "0/type: \"a\" is valid only in device rules"),
        (json!([{"type": "c", "path": "/dev/a", "major": -1, "minor": 0}]), "0/major: -1 is out of range"),
        (json!([{"type": "b", "path": "/dev/a", "major": 4096, "minor": 0}]), "0/major: 4096 is out of range"),
        (json!([{"type": "u", "path": "/dev/a", "major": 0, "minor": 1_048_576}]), "0/minor: 1048576 is out of range"),
    ] {
        rejects(&with(list), &format!("/linux/devices/{expected}"));
    }
}

#[test]
fn kernel_parameters_belong_to_a_namespace_of_the_container() {
    let user = ("/linux/namespaces/6", json!({"type": "user", "path": "/proc/1/ns/user"}));
    for name in [
        "net.ipv4.ip_forward",
        "net/ipv4/conf/eth0.1/rp_filter",
        "kernel.shmmax",
        "fs.mqueue.msg_max",
        "kernel/sem",
        "kernel.domainname",
    ] {
        accepts(&[("/linux/sysctl", json!({name: "1"}))]);
        let place = format!("/linux/sysctl/{}: needs a ", name.replace('/', "~1"));
        rejects(
            &[("/hostname", Value::Null), ("/linux/namespaces", json!([])), ("/linux/sysctl", json!({name: "1"}))],
            &place,
        );
    }
    accepts(&[user, ("/linux/sysctl", json!({"user.max_user_namespaces": "1"}))]);
    for (name, value, expected) in [
        ("user.max_user_namespaces", "1", "needs a user namespace"),
        ("kernel.hostname", "x", "is set by hostname"),
        ("kernel/hostname", "x", "is set by hostname"),
        ("kernel.core_pattern", "x", "belongs to no namespace"),
        ("kernel.shmmax.more", "x", "belongs to no namespace"),
        ("vm.swappiness", "1", "belongs to no namespace"),
        ("fs.mqueue", "1", "belongs to no namespace"),
        ("net", "1", "belongs to no namespace"),
        ("net..x", "1", "\"net..x\" is not the name"),
        ("net/../kernel/core_pattern", "1", "\"net/../kernel/core_pattern\" is not the name"),
        ("/net/x", "1", "\"/net/x\" is not the name"),
        ("", "1", "\"\" is not the name"),
        ("net.x", "\0", "contains a NUL byte"),
    ] {
        let place = format!("/linux/sysctl/{}: {expected}", name.replace('/', "~1"));
        rejects(&[("/linux/sysctl", json!({name: value}))], &place);
    }
    rejects(
        &[("/linux/sysctl", json!({"net.ipv4.x": "1", "net/ipv4/x": "2"}))],
        "/linux/sysctl/net~1ipv4~1x: is the same parameter as \"net.ipv4.x\"",
    );
    assert_eq!(
        crate::plan::sysctls::path("net.ipv4.conf.eth0/1.rp_filter").as_deref(),
        Some("net/ipv4/conf/eth0.1/rp_filter")
    );
    assert_eq!(
        crate::plan::sysctls::path("net/ipv4/conf/eth0.1/rp_filter").as_deref(),
        Some("net/ipv4/conf/eth0.1/rp_filter")
    );
}

#[test]
fn a_path_has_a_maximum_of_mounts() {
    let list = |count: usize| vec![json!({"destination": "/x", "type": "tmpfs", "source": "tmpfs"}); count];
    accepts(&[("/mounts", json!(list(4096)))]);
    rejects(&[("/mounts", json!(list(9000)))], "/mounts/4096/destination: \"/x\" has more than 4096 mounts");
}

#[test]
fn mounts() {
    let with = |mount: Value| [("/mounts/1", mount)];
    let map = json!([{"containerID": 0, "hostID": 1000, "size": 1}]);
    for mount in [
        json!({"destination": "relative", "type": "tmpfs"}),
        json!({"destination": "/a/../b", "type": "tmpfs"}),
        json!({"destination": "/proc", "options": ["rbind"], "source": "/proc"}),
        json!({"destination": "/proc/cpuinfo", "type": "bind", "source": "/x"}),
        json!({"destination": "proc/sys/kernel/ns_last_pid", "type": "bind", "source": "/x"}),
        json!({"destination": "/processes", "type": "tmpfs"}),
        json!({"destination": "/a", "uidMappings": map, "gidMappings": map}),
        json!({"destination": "/a", "uidMappings": [], "gidMappings": []}),
    ] {
        accepts(&with(mount));
    }
    for (mount, expected) in [
        (json!({"destination": ""}), "destination: is empty"),
        (json!({"destination": "/a\0"}), "destination: contains a NUL byte"),
        (json!({"destination": "/a", "source": "\0"}), "source: contains a NUL byte"),
        (json!({"destination": "/a", "type": "\0"}), "type: contains a NUL byte"),
        (json!({"destination": "/a", "options": ["ro", "\0"]}), "options/1: contains a NUL byte"),
        (json!({"destination": "/"}), "destination: \"/\" is the root file system"),
        (json!({"destination": "/a/.."}), "destination: \"/a/..\" is the root file system"),
        (json!({"destination": "."}), "destination: \".\" is the root file system"),
        (
            json!({"destination": "/proc", "type": "tmpfs"}),
            "destination: \"/proc\" cannot be mounted because it is not",
        ),
        (
            json!({"destination": "/x/../proc/sys"}),
            "destination: \"/x/../proc/sys\" cannot be mounted because it is inside",
        ),
        (json!({"destination": "/proc/cpuinfo/x"}), "destination: \"/proc/cpuinfo/x\" cannot be mounted"),
        (
            json!({"destination": "/a", "uidMappings": map}),
            "gidMappings: is missing; it is required because uidMappings",
        ),
        (
            json!({"destination": "/a", "gidMappings": map}),
            "uidMappings: is missing; it is required because gidMappings",
        ),
    ] {
        rejects(&with(mount), &format!("/mounts/1/{expected}"));
    }
    let empty = json!([{"containerID": 0, "hostID": 1000, "size": 0}]);
    rejects(
        &with(json!({"destination": "/a", "uidMappings": empty, "gidMappings": map})),
        "/mounts/1/uidMappings/0/size: is 0",
    );
}

#[test]
fn filters() {
    let with = |member: &str, value: Value| {
        let mut filter = json!({"defaultAction": "SCMP_ACT_ALLOW"});
        filter[member] = value;
        [("/linux/seccomp", filter)]
    };
    let rule = |value: Value| with("syscalls", json!([value]));
    accepts(&with("listenerMetadata", json!("")));
    accepts(&rule(json!({"names": ["write"], "action": "SCMP_ACT_ERRNO", "errnoRet": 4095})));
    accepts(&rule(json!({"names": ["a"], "action": "SCMP_ACT_TRACE", "errnoRet": 65535})));
    let args = json!([{"index": 5, "value": 1, "op": "SCMP_CMP_EQ"}]);
    accepts(&rule(json!({"names": ["a"], "action": "SCMP_ACT_LOG", "args": args})));
    for (changes, expected) in [
        (with("defaultErrnoRet", json!(1)), "defaultErrnoRet: SCMP_ACT_ALLOW returns no error number"),
        (with("listenerMetadata", json!("x")), "listenerMetadata: needs listenerPath"),
        (with("listenerPath", json!("/x\0")), "listenerPath: contains a NUL byte"),
        (rule(json!({"names": [], "action": "SCMP_ACT_KILL"})), "syscalls/0/names: at least one"),
        (rule(json!({"names": ["a", ""], "action": "SCMP_ACT_KILL"})), "syscalls/0/names/1: empty string"),
        (
            rule(json!({"names": ["a"], "action": "SCMP_ACT_KILL", "errnoRet": 1})),
            "syscalls/0/errnoRet: SCMP_ACT_KILL returns",
        ),
        (
            rule(json!({"names": ["a"], "action": "SCMP_ACT_ERRNO", "errnoRet": 4096})),
            "syscalls/0/errnoRet: 4096 is out",
        ),
        (
            rule(json!({"names": ["a"], "action": "SCMP_ACT_TRACE", "errnoRet": 65536})),
            "syscalls/0/errnoRet: 65536 is out",
        ),
        (rule(json!({"names": ["a"], "action": "SCMP_ACT_NOTIFY"})), "listenerPath: is missing"),
        (
            rule(
                json!({"names": ["a"], "action": "SCMP_ACT_LOG", "args": [{"index": 6, "value": 1, "op": "SCMP_CMP_EQ"}]}),
            ),
            "syscalls/0/args/0/index: 6 is not the index",
        ),
    ] {
        rejects(&changes, &format!("/linux/seccomp/{expected}"));
    }
    let notify = json!({
        "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1, "listenerPath": "/s", "listenerMetadata": "x",
        "syscalls": [{"names": ["mount"], "action": "SCMP_ACT_NOTIFY"}]
    });
    accepts(&[("/linux/seccomp", notify.clone())]);
    let any = json!(["mount", "write", "sendmsg", "recvfrom"]);
    accepts(&[("/linux/seccomp", notify), ("/linux/seccomp/syscalls/0/names", any)]);
}

#[test]
fn the_rest_of_linux() {
    for (member, value, expected) in [
        ("maskedPaths", json!(["/a", ""]), "maskedPaths/1: is empty"),
        ("readonlyPaths", json!([""]), "readonlyPaths/0: is empty"),
        (
            "rootfsPropagation",
            json!("public"),
            "rootfsPropagation: unknown value \"public\"; expected one of shared, slave",
        ),
        ("cgroupsPath", json!("/a/../../b"), "cgroupsPath: /a/../../b must not contain \"..\""),
        ("cgroupsPath", json!("/a\0"), "cgroupsPath: contains a NUL byte"),
        ("mountLabel", json!("a\0"), "mountLabel: contains a NUL byte"),
        (
            "personality",
            json!({"domain": "LINUX", "flags": ["ADDR_NO_RANDOMIZE"]}),
            "personality/flags/0: unknown value",
        ),
        ("netDevices", json!({"a/b": {}}), "netDevices/a~1b: \"a/b\" cannot be the name"),
        (
            "netDevices",
            json!({"eth0": {"name": "0123456789abcdef"}}),
            "netDevices/eth0/name: \"0123456789abcdef\" cannot",
        ),
        ("netDevices", json!({"eth0": {"name": "a%s"}}), "netDevices/eth0/name: \"a%s\" cannot"),
        ("netDevices", json!({"eth0": {"name": "%d%d"}}), "netDevices/eth0/name: \"%d%d\" cannot"),
        (
            "netDevices",
            json!({"eth0": {}, "eth1": {"name": "eth0"}}),
            "netDevices/eth1/name: \"eth0\" is already the name of another",
        ),
        ("intelRdt", json!({"closID": ".."}), "intelRdt/closID: \"..\" cannot be"),
        ("intelRdt", json!({"closID": "a/b"}), "intelRdt/closID: \"a/b\" cannot be"),
        ("intelRdt", json!({"closID": "info"}), "intelRdt/closID: \"info\" cannot be"),
        ("intelRdt", json!({"memBwSchema": "L3:0=f"}), "intelRdt/memBwSchema: \"L3:0=f\" does not start"),
        (
            "intelRdt",
            json!({"memBwSchema": "MB:0=1\nL3:0=f"}),
            "intelRdt/memBwSchema: \"MB:0=1\\nL3:0=f\" has more than one",
        ),
        (
            "intelRdt",
            json!({"schemata": ["L3:0=f", "MB:0=1\n"]}),
            "intelRdt/schemata/1: \"MB:0=1\\n\" has more than one",
        ),
    ] {
        rejects(&[(&format!("/linux/{member}"), value)], &format!("/linux/{expected}"));
    }
    for word in ["shared", "slave", "private", "unbindable", "rshared", "rslave", "rprivate", "runbindable", ""] {
        accepts(&[("/linux/rootfsPropagation", json!(word))]);
    }
    accepts(&[(
        "/linux/netDevices",
        json!({"eth0": {"name": "net%d"}, "eth1": {"name": "net%d"}, "eth2": {"name": ""}}),
    )]);
    accepts(&[("/linux/intelRdt", json!({"closID": "/", "l3CacheSchema": "L3:0=f\nL3:1=f", "memBwSchema": "MB:0=1"}))]);
    accepts(&[("/linux/personality", json!({"domain": "LINUX32", "flags": []}))]);
    rejects(
        &[("/hostname", Value::Null), ("/linux/namespaces", json!([])), ("/linux/netDevices", json!({"eth0": {}}))],
        "/linux/netDevices: needs a network namespace",
    );
}

#[test]
fn memory_policies() {
    let with = |mode: &str, nodes: &str, flags: &[&str]| {
        [("/linux/memoryPolicy", json!({"mode": mode, "nodes": nodes, "flags": flags}))]
    };
    let (fixed, relative, balancing) = ("MPOL_F_STATIC_NODES", "MPOL_F_RELATIVE_NODES", "MPOL_F_NUMA_BALANCING");
    for (mode, nodes, flags) in [
        ("MPOL_DEFAULT", "", &[][..]),
        ("MPOL_LOCAL", "", &[]),
        ("MPOL_PREFERRED", "", &[]),
        ("MPOL_PREFERRED", "0", &[fixed]),
        ("MPOL_BIND", "0-1,3", &[relative, balancing]),
        ("MPOL_PREFERRED_MANY", "0", &[balancing]),
        ("MPOL_WEIGHTED_INTERLEAVE", "0", &[]),
    ] {
        accepts(&with(mode, nodes, flags));
    }
    for (mode, nodes, flags, expected) in [
        ("MPOL_DEFAULT", "0", &[][..], "nodes: MPOL_DEFAULT takes no nodes"),
        ("MPOL_LOCAL", "0", &[], "nodes: MPOL_LOCAL takes no nodes"),
        ("MPOL_BIND", "", &[], "nodes: is missing; MPOL_BIND needs"),
        ("MPOL_INTERLEAVE", "", &[], "nodes: is missing"),
        ("MPOL_WEIGHTED_INTERLEAVE", "", &[], "nodes: is missing"),
        ("MPOL_PREFERRED_MANY", "", &[], "nodes: is missing"),
        ("MPOL_BIND", "0,,1", &[], "nodes: \"0,,1\" is not a list"),
        ("MPOL_BIND", "0", &[relative, fixed], "flags/0: MPOL_F_RELATIVE_NODES contradicts"),
        ("MPOL_INTERLEAVE", "0", &[balancing], "flags/0: MPOL_F_NUMA_BALANCING is valid only with"),
        ("MPOL_PREFERRED", "", &[fixed], "flags/0: MPOL_F_STATIC_NODES needs nodes"),
        ("MPOL_LOCAL", "", &[relative], "flags/0: MPOL_F_RELATIVE_NODES needs nodes"),
    ] {
        rejects(&with(mode, nodes, flags), &format!("/linux/memoryPolicy/{expected}"));
    }
}

#[test]
fn all_problems_are_reported_at_once() {
    let (problems, _) = check_with(&[
        ("/ociVersion", json!("2.0.0")),
        ("/process/cwd", json!("x")),
        ("/linux/cgroupsPath", json!("..")),
        ("/linux/seccomp", json!({"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 1})),
    ]);
    assert_eq!(problems.len(), 4, "{problems:?}");
}

#[test]
fn the_templates_have_no_problems() {
    use crate::spec::{load, template};
    for caller in [template::Caller::Root, template::Caller::Rootless { uid: 1000, gid: 100 }] {
        let text = template::config(caller).expect("JSON");
        let loaded = load::load(text.as_bytes()).expect("fits");
        let (mut problems, mut warnings) = (Problems::default(), loaded.warnings);
        check(&loaded.spec, &mut problems, &mut warnings);
        assert_eq!((problems, warnings), (Problems::default(), Vec::new()));
    }
}
