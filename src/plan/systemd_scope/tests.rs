//! Tests each row of the property map.

use crate::dbus::Value;
use crate::plan::resources::{CgroupFacts, ResourcePlan, compile};
use crate::plan::systemd_scope::{Property, directory, of_annotations, of_limits, round_quota};
use crate::spec::pointer::Pointer;
use crate::spec::problem::Problems;
use oci_spec::runtime::LinuxResources;
use serde_json::{Value as Json, json};
use std::path::Path;

fn plan(resources: Json) -> ResourcePlan {
    let resources: LinuxResources = serde_json::from_value(resources).expect("resources");
    let controllers = ["cpu", "cpuset", "io", "memory", "pids", "hugetlb"].map(str::to_owned).to_vec();
    let facts = CgroupFacts { controllers, v1: Vec::new() };
    let (mut problems, mut warnings) = (Problems::default(), Vec::new());
    let mut plan = compile(&resources, &Pointer::of(""), &facts, &mut problems, &mut warnings);
    assert!(problems.is_empty(), "{problems}");
    round_quota(&mut plan);
    plan
}

fn bytes(list: &[u8]) -> Value {
    Value::Array("y".to_owned(), list.iter().map(|byte| Value::Byte(*byte)).collect())
}

#[test]
fn each_limit_has_its_property() {
    let number = Value::Uint64;
    for (resources, expected) in [
        (json!({}), vec![]),
        (json!({"memory": {"limit": 4096}}), vec![("MemoryMax", number(4096), 0)]),
        (
            json!({"memory": {"limit": 4096, "swap": 8192, "reservation": 100}}),
            vec![("MemorySwapMax", number(4096), 0), ("MemoryMax", number(4096), 0), ("MemoryLow", number(100), 0)],
        ),
        (
            json!({"memory": {"limit": -1}}),
            vec![("MemorySwapMax", number(u64::MAX), 0), ("MemoryMax", number(u64::MAX), 0)],
        ),
        (json!({"unified": {"memory.high": "2M"}}), vec![("MemoryHigh", number(2 << 20), 0)]),
        (json!({"unified": {"memory.min": "max"}}), vec![("MemoryMin", number(u64::MAX), 0)]),
        (json!({"unified": {"memory.zswap.max": "5"}}), vec![("MemoryZSwapMax", number(5), 253)]),
        (json!({"unified": {"memory.oom.group": "1"}}), vec![("OOMPolicy", Value::text("kill"), 253)]),
        (json!({"unified": {"memory.oom.group": "0"}}), vec![("OOMPolicy", Value::text("continue"), 253)]),
        (json!({"pids": {"limit": 10}}), vec![("TasksMax", number(10), 0)]),
        (json!({"pids": {"limit": 0}}), vec![("TasksMax", number(1), 0)]),
        (json!({"pids": {"limit": -1}}), vec![("TasksMax", number(u64::MAX), 0)]),
        (json!({"cpu": {"shares": 1024}}), vec![("CPUWeight", number(100), 0)]),
        (json!({"cpu": {"idle": 1}}), vec![("CPUWeight", number(0), 252)]),
        (json!({"cpu": {"idle": 0}}), vec![("CPUWeight", number(u64::MAX), 0)]),
        (json!({"cpu": {"idle": 0, "shares": 2}}), vec![("CPUWeight", number(1), 0)]),
        (
            json!({"cpu": {"quota": 50000, "period": 100_000}}),
            vec![("CPUQuotaPerSecUSec", number(500_000), 0), ("CPUQuotaPeriodUSec", number(100_000), 242)],
        ),
        (
            json!({"cpu": {"quota": -1, "period": 20000}}),
            vec![("CPUQuotaPerSecUSec", number(u64::MAX), 0), ("CPUQuotaPeriodUSec", number(20000), 242)],
        ),
        (json!({"cpu": {"cpus": "0-1,9"}}), vec![("AllowedCPUs", bytes(&[3, 2]), 244)]),
        (json!({"cpu": {"mems": "0"}}), vec![("AllowedMemoryNodes", bytes(&[1]), 244)]),
        (json!({"blockIO": {"weight": 500}}), vec![("IOWeight", number(4500), 0)]),
        (json!({"blockIO": {"weight": 50}}), vec![("IOWeight", number(50), 0)]),
        (json!({"unified": {"io.weight": "default 300"}}), vec![("IOWeight", number(300), 0)]),
        // The last value counts, as with the files.
        (json!({"pids": {"limit": 10}, "unified": {"pids.max": "20"}}), vec![("TasksMax", number(20), 0)]),
        // Limits that have no property.
        (json!({"hugepageLimits": [{"pageSize": "2MB", "limit": 5}]}), vec![]),
        (json!({"unified": {"io.weight": "8:0 300", "cpuset.cpus": "all", "cpuset.mems": "0-9999999"}}), vec![]),
        (json!({"unified": {"cpu.max": "x", "memory.max": "1q", "cpu.weight": "nice"}}), vec![]),
    ] {
        let found: Vec<_> =
            of_limits(&plan(resources.clone())).into_iter().map(|p| (p.name, p.value, p.since)).collect();
        let expected: Vec<_> = expected.into_iter().map(|(name, value, since)| (name.into(), value, since)).collect();
        assert_eq!(found, expected, "{resources}");
    }
}

#[test]
fn a_quota_is_rounded_up_to_a_whole_percent() {
    for (quota, period, file, per_second) in [
        (25_000, 100_000, "25000 100000", 250_000),
        (25_001, 100_000, "26000 100000", 260_000),
        (1_000, 1_000_000, "10000 1000000", 10_000),
        (300_000, 100_000, "300000 100000", 3_000_000),
        (12_345, 50_000, "12500 50000", 250_000),
    ] {
        let plan = plan(json!({"cpu": {"quota": quota, "period": period}}));
        assert_eq!(plan.writes[0].value, file);
        let found = of_limits(&plan);
        assert_eq!((found[0].name.as_ref(), &found[0].value), ("CPUQuotaPerSecUSec", &Value::Uint64(per_second)));
    }
    let mut unlimited = plan(json!({"cpu": {"period": 1000}}));
    round_quota(&mut unlimited);
    assert_eq!(unlimited.writes[0].value, "max 1000");
}

#[test]
fn a_slice_is_inside_the_slices_of_its_name_prefixes() {
    for (slice, path) in [
        ("system.slice", "system.slice"),
        ("a-b-c.slice", "a.slice/a-b.slice/a-b-c.slice"),
        ("-.slice", ""),
        (
            "kubepods-besteffort-pod1_2.slice",
            "kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1_2.slice",
        ),
    ] {
        assert_eq!(directory(slice).as_deref(), Ok(Path::new(path)), "{slice}");
    }
    for slice in ["", "system", ".slice", "a--b.slice", "-a.slice", "a-.slice", "a/b.slice", "a b.slice", "--.slice"] {
        directory(slice).expect_err(slice);
    }
    directory(&format!("{}.slice", "a".repeat(250))).expect_err("256 letters");
}

#[test]
fn annotations_set_properties() {
    let read = |key: &str, text: &str| -> Result<Vec<Property>, String> {
        let mut problems = Problems::default();
        let annotations =
            [(format!("org.systemd.property.{key}"), text.to_owned()), ("other".to_owned(), String::new())];
        let found = of_annotations(Some(&annotations.into()), &mut problems);
        problems.or(found).map_err(|problems| problems.to_string())
    };
    for (key, text, name, value) in [
        ("TimeoutStopUSec", "uint64 10000000", "TimeoutStopUSec", Value::Uint64(10_000_000)),
        ("TimeoutStopSec", "5", "TimeoutStopUSec", Value::Uint64(5_000_000)),
        ("TimeoutStopSec", "uint32 5", "TimeoutStopUSec", Value::Uint64(5_000_000)),
        ("RuntimeMaxSec", "1.5", "RuntimeMaxUSec", Value::Uint64(1_500_000)),
        ("CollectMode", "'inactive-or-failed'", "CollectMode", Value::text("inactive-or-failed")),
        ("After", "['crio.service']", "After", Value::Array("s".to_owned(), vec![Value::text("crio.service")])),
        ("DefaultDependencies", "true", "DefaultDependencies", Value::Bool(true)),
        ("KillSignal", "15", "KillSignal", Value::Int32(15)),
    ] {
        let expected = Property { name: name.into(), value, since: 0, at_start: true };
        assert_eq!(read(key, text), Ok(vec![expected]), "{key}={text}");
    }
    for (key, text, says) in [
        ("X", "1", "/annotations/org.systemd.property.X  \"X\" is not the name of a property"),
        ("A B", "1", "is not the name of a property"),
        ("TimeoutStopSec", "'soon'", "'soon' is not a number of seconds"),
        ("TimeoutStopSec", "-1", "is not a number of seconds"),
        ("TimeoutStopSec", "uint64 18446744073709551615", "is not a number of seconds"),
        ("CollectMode", "inactive", "expected a value that fits its type at byte 0 of \"inactive\""),
    ] {
        let error = read(key, text).expect_err(text);
        assert!(error.contains(says), "{error}");
    }
}
