//! Tests the order of changes and the rollback of failed ones, in directories that stand in for cgroup2 and resctrl.

use super::make;
use crate::cgroup::{Cgroup, DriverKind, Layout, Record};
use crate::plan;
use crate::plan::resources::{Refused, ResourcePlan, Write};
use crate::resctrl::Resctrl;
use crate::spec::pointer::Pointer;
use anyhow::bail;
use std::fs;

#[test]
fn what_systemd_refuses_is_taken_back_everywhere() {
    let place = std::env::temp_dir().join(format!("davit-update-{}", std::process::id()));
    let _ = fs::remove_dir_all(&place);
    let (pids, schemata) = (place.join("cgroup/c/pids.max"), place.join("resctrl/g/schemata"));
    for (file, text) in [
        (place.join("cgroup/cgroup.controllers"), "pids\n"),
        (pids.clone(), "20"),
        (schemata.clone(), "L3:0=ff;1=ff\n"),
    ] {
        fs::create_dir_all(file.parent().expect("a directory")).expect("make it");
        fs::write(&file, text).expect("write it");
    }
    let record = Record { driver: DriverKind::Cgroupfs, path: place.join("cgroup/c"), made: true, unit: None };
    let layout = Layout::at(&place.join("cgroup"), false).expect("a layout");
    let cgroup = Cgroup::open(&layout, &record).expect("open it").expect("it is there");
    let resctrl = Resctrl::at(place.join("resctrl"));
    let group = plan::Resctrl {
        group: Some("g".to_owned()),
        shared: false,
        agreed: Vec::new(),
        schemata: Vec::new(),
        monitor: None,
    };
    let shares = resctrl.shares(&group).expect("the group");
    let origin = Pointer::of("/pids/limit");
    let write = Write { origin, file: "pids.max".into(), value: "30".to_owned(), when_refused: Refused::Fail };
    let plan = ResourcePlan { writes: vec![write], ..ResourcePlan::default() };
    let lines = ["L3:0=0f;1=ff".to_owned()];
    let read = || [&pids, &schemata].map(|file| fs::read_to_string(file).expect("read it").trim().to_owned());
    let result = make(&cgroup, &plan, Some((&shares, &lines)), || {
        assert_eq!(read(), ["30", "L3:0=0f;1=ff"], "systemd is called last");
        bail!("refused by systemd")
    });
    assert_eq!(result.expect_err("refused").to_string(), "refused by systemd");
    assert_eq!(read(), ["20", "L3:0=ff;1=ff"]);
    make(&cgroup, &plan, Some((&shares, &lines)), || Ok(())).expect("not refused");
    assert_eq!(read(), ["30", "L3:0=0f;1=ff"]);
    let _ = fs::remove_dir_all(&place);
}
