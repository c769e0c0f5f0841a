//! Tests of compiled resources on hosts with and without controllers: the writes, and the refusals.

use super::devices::{DeviceKind, DeviceRule};
use super::{CgroupFacts, Refused, ResourcePlan, Write, block_io, compile, controller_of, cpu};
use crate::spec::pointer::Pointer;
use crate::spec::problem::Problems;

struct Outcome {
    plan: ResourcePlan,
    /// `pointer: text`, the pointer without `/linux/resources`.
    problems: Vec<String>,
    warnings: Vec<String>,
}

fn compile_on(host: &CgroupFacts, json: &str) -> Outcome {
    let resources = serde_json::from_str(json).expect(json);
    let (mut problems, mut warnings) = (Problems::default(), Vec::new());
    let plan = compile(&resources, &Pointer::of("/linux/resources"), host, &mut problems, &mut warnings);
    let short = |text: &str| text.replacen("/linux/resources", "", 1);
    let problems = problems.iter().map(|p| short(&format!("{}: {}", p.at, p.what))).collect();
    let warnings = warnings.iter().map(|text| short(text)).collect();
    Outcome { plan, problems, warnings }
}

fn host() -> CgroupFacts {
    let names = ["cpuset", "cpu", "io", "memory", "hugetlb", "pids", "rdma", "misc"];
    CgroupFacts { controllers: names.map(str::to_owned).to_vec(), v1: Vec::new() }
}

/// The writes as `file=value`, with `?` for "unless missing", `*` for "again after next", `|file=value` for "instead".
fn shown(writes: &[Write]) -> Vec<String> {
    let one = |write: &Write| {
        let text = format!("{}={}", write.file, write.value);
        match &write.when_refused {
            Refused::Fail => text,
            Refused::UnlessMissing => format!("{text}?"),
            Refused::AgainAfterNext => format!("{text}*"),
            Refused::Instead { file, value } => format!("{text}|{file}={value}"),
        }
    };
    writes.iter().map(one).collect()
}

/// The writes of a configuration without problems.
fn writes(json: &str) -> Vec<String> {
    let outcome = compile_on(&host(), json);
    assert!(outcome.problems.is_empty(), "{json}: {:?}", outcome.problems);
    assert!(outcome.warnings.is_empty(), "{json}: {:?}", outcome.warnings);
    shown(&outcome.plan.writes)
}

/// The only problem of a configuration.
fn problem(json: &str) -> String {
    let outcome = compile_on(&host(), json);
    assert_eq!(outcome.problems.len(), 1, "{json}: {:?}", outcome.problems);
    outcome.problems[0].clone()
}

#[test]
fn shares_become_a_weight_on_a_quadratic_curve() {
    for (shares, weight) in [
        (0, None),
        (1, Some(1)),
        (2, Some(1)),
        (3, Some(2)),
        (10, Some(4)),
        (50, Some(10)),
        (100, Some(17)),
        (102, Some(17)),
        (256, Some(35)),
        (512, Some(59)),
        (1000, Some(99)),
        (1024, Some(100)),
        (1025, Some(101)),
        (2000, Some(170)),
        (2048, Some(174)),
        (4096, Some(303)),
        (10_240, Some(639)),
        (65_536, Some(3023)),
        (131_072, Some(5478)),
        (262_143, Some(10_000)),
        (262_144, Some(10_000)),
        (262_145, Some(10_000)),
        (300_000, Some(10_000)),
        (u64::MAX, Some(10_000)),
    ] {
        assert_eq!(cpu::weight(shares), weight, "{shares}");
    }
    // The curve is monotonic and stays in the kernel's range.
    let all: Vec<u32> = (1..=262_145).filter_map(cpu::weight).collect();
    assert!(all.windows(2).all(|pair| pair[0] <= pair[1]));
    assert!(all.iter().all(|weight| (1..=10_000).contains(weight)));
}

#[test]
fn block_io_weights_are_scaled_to_the_range_of_io_weight() {
    for (weight, expected) in [(10, 1), (11, 11), (100, 910), (500, 4950), (501, 4960), (999, 9989), (1000, 10_000)] {
        assert_eq!(block_io::io_weight(weight), expected, "{weight}");
    }
}

#[test]
fn memory_plus_swap_is_converted_to_swap_alone() {
    for (json, expected) in [
        ("{}", &[][..]),
        (r#"{"limit": 0, "swap": 0, "reservation": 0}"#, &[]),
        (r#"{"limit": 100}"#, &["memory.max=100"]),
        (r#"{"limit": -1}"#, &["memory.swap.max=max?", "memory.max=max?"]),
        (r#"{"limit": -1, "swap": -1}"#, &["memory.swap.max=max?", "memory.max=max?"]),
        (r#"{"limit": 100, "swap": -1}"#, &["memory.swap.max=max?", "memory.max=100"]),
        (r#"{"swap": -1}"#, &["memory.swap.max=max?"]),
        (r#"{"limit": 100, "swap": 0}"#, &["memory.max=100"]),
        (r#"{"limit": -1, "swap": 70}"#, &["memory.swap.max=70", "memory.max=max?"]),
        (r#"{"limit": 100, "swap": 100}"#, &["memory.swap.max=0?", "memory.max=100"]),
        (r#"{"limit": 100, "swap": 130}"#, &["memory.swap.max=30", "memory.max=100"]),
        (r#"{"limit": 100, "reservation": 50}"#, &["memory.max=100", "memory.low=50"]),
        (r#"{"reservation": -1}"#, &["memory.low=max"]),
    ] {
        assert_eq!(writes(&format!("{{\"memory\": {json}}}")), expected, "{json}");
    }
    for (json, expected) in [
        (r#"{"swap": 5}"#, "/memory/swap: counts memory and swap together, so memory.limit must be set too"),
        (
            r#"{"limit": 100, "swap": 99}"#,
            "/memory/swap: 99 counts memory and swap together, so it must not be below memory.limit, 100",
        ),
        (r#"{"limit": -2}"#, "/memory/limit: -2 is not a size in bytes; -1 means unlimited"),
        (r#"{"limit": 1, "swap": -2}"#, "/memory/swap: -2 is not a size in bytes; -1 means unlimited"),
    ] {
        assert_eq!(problem(&format!("{{\"memory\": {json}}}")), expected);
    }
}

#[test]
fn check_before_update_records_the_finite_limits() {
    let guard = |json: &str| compile_on(&host(), json).plan.memory_guard.map(|guard| (guard.limit, guard.total));
    let with = |rest: &str| guard(&format!("{{\"memory\": {{\"checkBeforeUpdate\": true {rest}}}}}"));
    assert_eq!(with(r#", "limit": 100, "swap": 130"#), Some((Some(100), Some(130))));
    assert_eq!(with(r#", "limit": 100, "swap": -1"#), Some((Some(100), None)));
    assert_eq!(with(r#", "limit": -1"#), None);
    assert_eq!(with(""), None);
    assert_eq!(guard(r#"{"memory": {"checkBeforeUpdate": false, "limit": 100}}"#), None);
}

#[test]
fn cpu_settings_are_written_in_the_order_that_the_kernel_accepts() {
    for (json, expected) in [
        ("{}", &[][..]),
        (r#"{"shares": 0, "quota": 0, "period": 0, "cpus": "", "mems": ""}"#, &[]),
        (r#"{"shares": 1024}"#, &["cpu.weight=100"]),
        (r#"{"quota": 50000}"#, &["cpu.max=50000 100000"]),
        (r#"{"quota": 50000, "period": 20000}"#, &["cpu.max=50000 20000"]),
        (r#"{"quota": -1}"#, &["cpu.max=max 100000?"]),
        (r#"{"quota": -1, "period": 20000}"#, &["cpu.max=max 20000?"]),
        (r#"{"period": 20000}"#, &["cpu.max=max 20000?"]),
        (r#"{"burst": 1000}"#, &["cpu.max.burst=1000"]),
        (r#"{"burst": 0}"#, &["cpu.max.burst=0?"]),
        (r#"{"burst": 0, "quota": 2000}"#, &["cpu.max.burst=0?", "cpu.max=2000 100000"]),
        (r#"{"burst": 1000, "quota": 2000}"#, &["cpu.max.burst=1000*", "cpu.max=2000 100000"]),
        (r#"{"idle": 0, "shares": 512}"#, &["cpu.idle=0?", "cpu.weight=59"]),
        (r#"{"idle": 1}"#, &["cpu.idle=1"]),
        (r#"{"realtimeRuntime": 0, "realtimePeriod": 0}"#, &[]),
        (r#"{"cpus": "0-3,7", "mems": "0"}"#, &["cpuset.cpus=0-3,7", "cpuset.mems=0"]),
    ] {
        assert_eq!(writes(&format!("{{\"cpu\": {json}}}")), expected, "{json}");
    }
    let idle = compile_on(&host(), r#"{"cpu": {"idle": 1, "shares": 512}}"#);
    assert_eq!(shown(&idle.plan.writes), ["cpu.idle=1"]);
    assert_eq!(idle.warnings, ["/cpu/shares: has no effect while cpu.idle is 1"]);
}

#[test]
fn cpu_settings_out_of_range_are_problems() {
    for (json, expected) in [
        (r#"{"idle": 2}"#, "/cpu/idle: 2 is neither 0 (normal) nor 1 (idle)"),
        (r#"{"period": 999}"#, "/cpu/period: 999 is not between 1000 and 1000000 microseconds"),
        (r#"{"period": 1000001}"#, "/cpu/period: 1000001 is not between 1000 and 1000000 microseconds"),
        (r#"{"quota": 999}"#, "/cpu/quota: 999 is below the kernel minimum, 1000 microseconds; -1 means unlimited"),
        (r#"{"quota": 2000, "burst": 2001}"#, "/cpu/burst: 2001 is above cpu.quota, 2000"),
        (r#"{"cpus": "3-1"}"#, "/cpu/cpus: \"3-1\" is a range that ends below its start"),
        (r#"{"mems": "x"}"#, "/cpu/mems: \"x\" is not a number or range; expected a list such as \"0-3,7\""),
    ] {
        assert_eq!(problem(&format!("{{\"cpu\": {json}}}")), expected);
    }
}

#[test]
fn block_io_compiles_to_io_files() {
    for (json, expected) in [
        (r#"{"weight": 0, "weightDevice": [], "throttleReadBpsDevice": []}"#, &[][..]),
        (r#"{"weight": 500}"#, &["io.bfq.weight=500|io.weight=4950"]),
        (r#"{"weightDevice": [{"major": 8, "minor": 16, "weight": 10}]}"#, &["io.bfq.weight=8:16 10|io.weight=8:16 1"]),
        (
            r#"{"throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 1}],
                "throttleWriteBpsDevice": [{"major": 8, "minor": 0, "rate": 2}],
                "throttleReadIOPSDevice": [{"major": 8, "minor": 0, "rate": 3}],
                "throttleWriteIOPSDevice": [{"major": 8, "minor": 0, "rate": 18446744073709551615},
                                            {"major": 8, "minor": 1, "rate": 0}]}"#,
            &[
                "io.max=8:0 rbps=1",
                "io.max=8:0 wbps=2",
                "io.max=8:0 riops=3",
                "io.max=8:0 wiops=18446744073709551615",
                "io.max=8:1 wiops=max?",
            ],
        ),
    ] {
        assert_eq!(writes(&format!("{{\"blockIO\": {json}}}")), expected, "{json}");
    }
    for (json, expected) in [
        (r#"{"weight": 9}"#, "/blockIO/weight: 9 is not between 10 and 1000"),
        (r#"{"weight": 1001}"#, "/blockIO/weight: 1001 is not between 10 and 1000"),
        (r#"{"weightDevice": [{"major": 8, "minor": 0}]}"#, "/blockIO/weightDevice/0: has no weight"),
        (
            r#"{"weightDevice": [{"major": -1, "minor": 0, "weight": 10}]}"#,
            "/blockIO/weightDevice/0/major: -1 is not a device number",
        ),
        (
            r#"{"throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 1}, {"major": 8, "minor": 0, "rate": 2}]}"#,
            "/blockIO/throttleReadBpsDevice/1: device 8:0 is listed twice",
        ),
    ] {
        assert_eq!(problem(&format!("{{\"blockIO\": {json}}}")), expected);
    }
    let leaf_only = problem(r#"{"blockIO": {"weightDevice": [{"major": 8, "minor": 0, "leafWeight": 10}]}}"#);
    assert!(leaf_only.starts_with("/blockIO/weightDevice/0/leafWeight: cannot be set on cgroup v2"), "{leaf_only}");
}

#[test]
fn page_sizes_become_file_names_and_nothing_else() {
    assert_eq!(
        writes(r#"{"hugepageLimits": [{"pageSize": "2MB", "limit": 4194304}, {"pageSize": "1GB", "limit": 0}]}"#),
        ["hugetlb.2MB.max=4194304", "hugetlb.2MB.rsvd.max=4194304?", "hugetlb.1GB.max=0", "hugetlb.1GB.rsvd.max=0?"]
    );
    for size in ["", "MB", "2", "2mb", "2TB", "02MB", "0KB", "../../x/2MB", "2/MB", " 2MB", "2MB ", "-2MB", "2MB.x"] {
        let json = format!(r#"{{"hugepageLimits": [{{"pageSize": "{size}", "limit": 1}}]}}"#);
        let expected = format!("/hugepageLimits/0/pageSize: \"{size}\" is not a page size such as");
        assert!(problem(&json).starts_with(&expected), "{size}");
    }
    let twice = r#"{"hugepageLimits": [{"pageSize": "2MB", "limit": 1}, {"pageSize": "2MB", "limit": 2}]}"#;
    assert_eq!(problem(twice), "/hugepageLimits/1/pageSize: \"2MB\" is listed twice");
    let negative = r#"{"hugepageLimits": [{"pageSize": "2MB", "limit": -1}]}"#;
    assert_eq!(problem(negative), "/hugepageLimits/0/limit: -1 is not a size in bytes");
}

#[test]
fn rdma_writes_one_line_per_device_sorted_by_name() {
    let json = r#"{"rdma": {"mlx5_1": {"hcaHandles": 3, "hcaObjects": 10000}, "a0": {"hcaObjects": 0}}}"#;
    assert_eq!(writes(json), ["rdma.max=a0 hca_object=0", "rdma.max=mlx5_1 hca_handle=3 hca_object=10000"]);
    assert_eq!(problem(r#"{"rdma": {"a0": {}}}"#), "/rdma/a0: has neither hcaHandles nor hcaObjects");
    assert_eq!(problem(r#"{"rdma": {"a b": {"hcaHandles": 1}}}"#), "/rdma/a b: \"a b\" is not a device name");
}

#[test]
fn a_pids_limit_of_0_is_1_and_a_unified_0_waits_until_the_process_is_inside() {
    assert_eq!(writes(r#"{"pids": {"limit": 7}}"#), ["pids.max=7"]);
    assert_eq!(writes(r#"{"pids": {"limit": -1}}"#), ["pids.max=max?"]);
    assert_eq!(writes(r#"{"pids": {"limit": 0}}"#), ["pids.max=1"]);
    let plan = compile_on(&host(), r#"{"unified": {"pids.max": "0"}}"#).plan;
    assert_eq!((plan.writes.len(), plan.needs.len()), (0, 1));
    assert_eq!(shown(&plan.writes_inside), ["pids.max=0"]);
}

#[test]
fn unified_is_written_last_one_write_per_line_sorted_by_name() {
    let json = r#"{"unified": {"memory.high": "5000\n", "io.max": "8:0 rbps=1\n\n8:16 wbps=2", "cpu.pressure": "x"},
                   "memory": {"limit": 100}, "pids": {"limit": 3}}"#;
    assert_eq!(
        writes(json),
        [
            "memory.max=100",
            "pids.max=3",
            "cpu.pressure=x",
            "io.max=8:0 rbps=1",
            "io.max=8:16 wbps=2",
            "memory.high=5000"
        ]
    );
    for (file, expected) in [
        ("../x.y", "/unified/..~1x.y: has a slash; it must name a file in the container's own cgroup"),
        ("memory", "/unified/memory: \"memory\" is not a cgroup file such as \"memory.high\""),
        (".max", "/unified/.max: \".max\" is not a cgroup file such as \"memory.high\""),
        ("memory.", "/unified/memory.: \"memory.\" is not a cgroup file such as \"memory.high\""),
        ("..", "/unified/..: \"..\" is not a cgroup file such as \"memory.high\""),
        ("nosuch.max", "/unified/nosuch.max: this host has no nosuch controller on cgroup v2"),
    ] {
        assert_eq!(problem(&format!("{{\"unified\": {{\"{file}\": \"1\"}}}}")), expected);
    }
    let frozen = problem(r#"{"unified": {"cgroup.freeze": "1"}}"#);
    assert_eq!(frozen, "/unified/cgroup.freeze: a frozen container cannot start; pause it after start");
    let empty = compile_on(&host(), r#"{"unified": {"memory.swap.max": " \n"}}"#);
    assert_eq!((empty.plan.writes, empty.warnings.len()), (Vec::new(), 1));
}

#[test]
fn a_setting_that_v2_cannot_express_is_refused_with_an_alternative() {
    let json = r#"{"memory": {"kernel": 1, "kernelTCP": 1, "swappiness": 60, "disableOOMKiller": true,
                              "useHierarchy": false},
                   "cpu": {"realtimeRuntime": 5, "realtimePeriod": 10},
                   "blockIO": {"leafWeight": 10},
                   "network": {"classID": 1, "priorities": [{"name": "eth0", "priority": 1}]}}"#;
    let outcome = compile_on(&host(), json);
    let places: Vec<&str> = outcome.problems.iter().filter_map(|text| text.split(": ").next()).collect();
    assert_eq!(
        places,
        [
            "/memory/kernel",
            "/memory/kernelTCP",
            "/memory/swappiness",
            "/memory/disableOOMKiller",
            "/memory/useHierarchy",
            "/cpu/realtimeRuntime",
            "/cpu/realtimePeriod",
            "/blockIO/leafWeight",
            "/network/classID",
            "/network/priorities"
        ]
    );
    assert!(outcome.problems.iter().all(|text| text.contains(": cannot be set on cgroup v2: ")));
    let harmless = r#"{"memory": {"kernel": -1, "kernelTCP": 0, "disableOOMKiller": false, "useHierarchy": true},
                       "cpu": {"realtimeRuntime": 0}, "blockIO": {}, "network": {"classID": 0, "priorities": []},
                       "hugepageLimits": [], "rdma": {}, "unified": {}}"#;
    assert_eq!(writes(harmless), Vec::<String>::new());
}

#[test]
fn a_missing_controller_is_reported_for_every_setting_that_needs_it() {
    let hybrid = CgroupFacts {
        controllers: vec!["hugetlb".to_owned()],
        v1: ["memory", "blkio", "pids"].map(str::to_owned).to_vec(),
    };
    let json = r#"{"memory": {"limit": 100, "reservation": 50}, "blockIO": {"weight": 10}, "cpu": {"shares": 5},
                   "unified": {"memory.high": "1"}, "hugepageLimits": [{"pageSize": "2MB", "limit": 1}]}"#;
    assert_eq!(
        compile_on(&hybrid, json).problems,
        [
            "/memory/limit: this host has no memory controller on cgroup v2 (it is on a v1 hierarchy)",
            "/memory/reservation: this host has no memory controller on cgroup v2 (it is on a v1 hierarchy)",
            "/cpu/shares: this host has no cpu controller on cgroup v2",
            "/blockIO/weight: this host has no io controller on cgroup v2 (it is on a v1 hierarchy)",
            "/unified/memory.high: this host has no memory controller on cgroup v2 (it is on a v1 hierarchy)",
        ]
    );
    // Unlimited needs no controller.
    let unlimited = r#"{"memory": {"limit": -1, "swap": -1}, "pids": {"limit": -1}, "cpu": {"quota": -1, "idle": 0}}"#;
    let outcome = compile_on(&hybrid, unlimited);
    assert_eq!(outcome.problems, Vec::<String>::new());
    assert!(outcome.plan.needs.is_empty());
    assert!(outcome.plan.writes.iter().all(|write| write.when_refused == Refused::UnlessMissing));
}

#[test]
fn a_file_belongs_to_the_controller_it_is_named_after() {
    for (file, controller) in [
        ("memory.max", Some("memory")),
        ("io.bfq.weight", Some("io")),
        ("hugetlb.2MB.rsvd.max", Some("hugetlb")),
        ("cgroup.max.depth", None),
        ("memory.pressure", None),
    ] {
        assert_eq!(controller_of(file), controller, "{file}");
    }
}

/// Rules as `+c 1:3 rwm`.
fn rules(list: &[DeviceRule]) -> Vec<String> {
    let number = |n: Option<u32>| n.map_or("*".to_owned(), |n| n.to_string());
    let one = |rule: &DeviceRule| {
        let sign = if rule.allow { '+' } else { '-' };
        let kind = match rule.kind {
            DeviceKind::All => 'a',
            DeviceKind::Block => 'b',
            DeviceKind::Char => 'c',
        };
        let letters = [(rule.read, 'r'), (rule.write, 'w'), (rule.mknod, 'm')];
        let access: String = letters.iter().filter(|(on, _)| *on).map(|(_, letter)| letter).collect();
        format!("{sign}{kind} {}:{} {access}", number(rule.major), number(rule.minor))
    };
    list.iter().map(one).collect()
}

#[test]
fn device_rules_keep_their_order_and_end_with_the_default_devices() {
    let defaults = [
        "+c *:* m",
        "+b *:* m",
        "+c 1:3 rwm",
        "+c 1:5 rwm",
        "+c 1:7 rwm",
        "+c 1:8 rwm",
        "+c 1:9 rwm",
        "+c 5:0 rwm",
        "+c 5:2 rwm",
        "+c 136:* rwm",
        "+c 10:200 rwm",
    ];
    for (json, own) in [
        ("[]", &[][..]),
        (r#"[{"allow": false, "access": "rwm"}]"#, &["-a *:* rwm"]),
        (
            r#"[{"allow": false, "access": "rwm"},
                {"allow": true, "type": "c", "major": 1, "minor": 3, "access": "rw"},
                {"allow": true, "type": "b", "major": 8, "minor": -1, "access": "r"},
                {"allow": false, "type": "b", "major": 8, "minor": 1, "access": "m"}]"#,
            &["-a *:* rwm", "+c 1:3 rw", "+b 8:* r", "-b 8:1 m"],
        ),
        // Type "a" replaces earlier rules.
        (
            r#"[{"allow": true, "type": "c", "major": 1, "minor": 3, "access": "r"}, {"allow": true, "type": "a"}]"#,
            &["+a *:* rwm"],
        ),
    ] {
        let outcome = compile_on(&host(), &format!("{{\"devices\": {json}}}"));
        assert_eq!((outcome.problems, outcome.warnings), (Vec::new(), Vec::new()), "{json}");
        assert_eq!(rules(&outcome.plan.devices), [own, &defaults].concat(), "{json}");
    }
    assert_eq!(rules(&compile_on(&host(), "{}").plan.devices), defaults);
}

#[test]
fn a_configuration_without_resources_limits_nothing_but_devices() {
    for (json, writes, devices) in [
        (r#"{"ociVersion": "1.0.0"}"#, 0, 11),
        (r#"{"ociVersion": "1.0.0", "linux": {}}"#, 0, 11),
        (
            r#"{"ociVersion": "1.0.0", "linux": {"resources": {"pids": {"limit": 5}, "devices": [{"allow": true}]}}}"#,
            1,
            12,
        ),
    ] {
        let spec = serde_json::from_str(json).expect(json);
        let (mut problems, mut warnings) = (Problems::default(), Vec::new());
        let plan = super::of(&spec, &host(), &mut problems, &mut warnings);
        assert_eq!((plan.writes.len(), plan.devices.len()), (writes, devices), "{json}");
        assert!(problems.is_empty() && warnings.is_empty());
    }
}

#[test]
fn invalid_and_misleading_device_rules_are_reported() {
    for (json, expected) in [
        (r#"{"type": "c", "access": ""}"#, "/devices/0/access: is empty; expected some of r (read), w (write)"),
        (r#"{"type": "c"}"#, "/devices/0/access: is empty"),
        (r#"{"type": "c", "access": "x"}"#, "/devices/0/access: \"x\" is not a combination of r, w and m"),
        (
            r#"{"type": "p", "access": "r"}"#,
            "/devices/0/type: is not valid in a device rule; expected a (all), b (block) or c",
        ),
        (r#"{"type": "c", "access": "r", "major": 4294967296}"#, "/devices/0/major: 4294967296 is not a device number"),
        (r#"{"type": "c", "access": "r", "minor": -2}"#, "/devices/0/minor: -2 is not a device number"),
    ] {
        let problem = problem(&format!("{{\"devices\": [{json}]}}"));
        assert!(problem.starts_with(expected), "{problem}");
    }
    let wide = compile_on(&host(), r#"{"devices": [{"allow": true, "major": 10, "minor": 200, "access": "rwm"}]}"#);
    assert_eq!(
        wide.warnings,
        ["/devices/0: type \"a\" allows all access to all devices; numbers and access are ignored"]
    );
}

#[test]
fn every_write_names_a_file_of_the_cgroups_own_directory() {
    let json = r#"{"memory": {"limit": 100, "swap": 200, "reservation": 5},
                   "cpu": {"shares": 5, "quota": 5000, "period": 10000, "burst": 5, "idle": 0, "cpus": "0", "mems": "0"},
                   "blockIO": {"weight": 10, "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 1}]},
                   "hugepageLimits": [{"pageSize": "2MB", "limit": 1}], "rdma": {"a": {"hcaHandles": 1}},
                   "pids": {"limit": 5}, "unified": {"misc.max": "x 1"}}"#;
    let outcome = compile_on(&host(), json);
    assert_eq!(outcome.problems, Vec::<String>::new());
    assert_eq!(outcome.plan.writes.len(), 16);
    for write in outcome.plan.writes {
        assert!(!write.file.contains('/') && write.file.contains('.'), "{write:?}");
        assert!(!write.value.is_empty() && !write.value.contains('\n'), "{write:?}");
        assert!(write.origin.as_str().starts_with("/linux/resources/"), "{write:?}");
    }
}
