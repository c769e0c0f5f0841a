//! Tests resctrl groups on a plain directory instead of the real file system.

use super::{Record, Resctrl, mount_point};
use crate::plan;
use std::fs;
use std::path::{Path, PathBuf};

/// A directory that imitates resctrl. The kernel creates files in a new group; here `group` does.
struct StandIn(PathBuf);

impl StandIn {
    fn new(name: &str) -> StandIn {
        let root = std::env::temp_dir().join(format!("davit-resctrl-{name}-{}", std::process::id()));
        _ = fs::remove_dir_all(&root);
        fs::create_dir_all(root.join("info")).expect("a directory");
        let this = StandIn(root);
        this.group("", "L3:0=ff;1=ff\nMB:0=100;1=100\n");
        this
    }

    /// Creates a group with its files, as the kernel does.
    fn group(&self, name: &str, schemata: &str) {
        let group = self.0.join(name);
        fs::create_dir_all(group.join("mon_groups")).expect("a directory");
        fs::write(group.join("schemata"), schemata).expect("a file");
        fs::write(group.join("tasks"), "").expect("a file");
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.0.join(file)).unwrap_or_default()
    }

    fn enter(&self, wanted: &plan::Resctrl) -> (Record, Result<(), String>) {
        let mut record = Record::default();
        let result = Resctrl::at(self.0.clone()).enter(wanted, 42, &mut record);
        (record, result.map_err(|error| format!("{error:#}")))
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.0);
    }
}

fn wanted(group: Option<&str>, shared: bool, agreed: &[&str]) -> plan::Resctrl {
    let agreed = agreed.iter().map(|line| (*line).to_owned()).collect();
    plan::Resctrl { group: group.map(str::to_owned), shared, agreed, schemata: Vec::new(), monitor: None }
}

#[test]
fn the_root_group_takes_the_process_and_is_never_removed() {
    let there = StandIn::new("root");
    let (record, result) = there.enter(&wanted(None, true, &["L3:0=ff"]));
    assert_eq!((result, there.read("tasks").as_str()), (Ok(()), "42"));
    assert!(record.is_empty());
}

#[test]
fn a_named_group_without_a_schema_must_exist() {
    let there = StandIn::new("named");
    let (_, result) = there.enter(&wanted(Some("gold"), true, &[]));
    assert!(result.expect_err("is missing").starts_with("/linux/intelRdt/closID: "));
    assert!(!there.0.join("gold").exists());
    there.group("gold", "L3:0=f\n");
    let (record, result) = there.enter(&wanted(Some("gold"), true, &[]));
    assert_eq!((result, there.read("gold/tasks").as_str()), (Ok(()), "42"));
    assert!(record.is_empty());
    assert_eq!(there.read("gold/schemata"), "L3:0=f\n", "without a schema no schemata file is written");
}

#[test]
fn an_existing_resctrl_group_must_match_the_configuration() {
    let there = StandIn::new("agree");
    there.group("gold", "L3:0=0f;1=ff\nMB:0=50\n");
    assert_eq!(there.enter(&wanted(Some("gold"), true, &["L3:0=f", "MB:0=50"])).1, Ok(()));
    let (_, result) = there.enter(&wanted(Some("gold"), true, &["L3:0=f", "MB:0=60"]));
    let error = result.expect_err("disagrees");
    assert!(error.ends_with("exists and disagrees with \"MB:0=60\": the group has 0=50"), "{error}");
}

#[test]
fn a_group_of_the_containers_own_is_remembered_even_when_the_next_step_fails() {
    let there = StandIn::new("own");
    // A new plain directory has no files, so writing the schema fails as if the kernel refused it.
    fs::write(there.0.join("info/last_cmd_status"), "mask f00 contains value outside range\n").expect("a file");
    let (record, result) = there.enter(&wanted(Some("c1"), false, &["L3:0=f00"]));
    let error = result.expect_err("has no schemata file");
    assert!(
        error.contains("write \"L3:0=f00\" to ") && error.ends_with("(mask f00 contains value outside range)"),
        "{error}"
    );
    assert!(there.0.join("c1").exists());
    record.remove().expect("removes");
    assert!(!there.0.join("c1").exists());
    record.remove().expect("is gone already");
}

#[test]
fn a_resctrl_group_named_in_the_configuration_is_not_removed() {
    let there = StandIn::new("stays");
    let (record, _) = there.enter(&wanted(Some("gold"), true, &["L3:0=f"]));
    assert!(there.0.join("gold").exists() && record.is_empty());
}

#[test]
fn schemata_are_written_last_and_the_monitoring_group_is_removed() {
    let there = StandIn::new("monitor");
    there.group("gold", "L3:0=f\n");
    let mut asked = wanted(Some("gold"), true, &["L3:0=f"]);
    asked.schemata = vec!["L2:0=3".to_owned()];
    asked.monitor = Some("c1".to_owned());
    let (record, result) = there.enter(&asked);
    // Fails as above: only the kernel creates the file `tasks`.
    assert!(result.expect_err("has no tasks file").starts_with("/linux/intelRdt/enableMonitoring: make "));
    assert!(there.read("gold/schemata").starts_with("L2:0=3\n"));
    assert!(there.0.join("gold/mon_groups/c1").exists());
    record.remove().expect("removes");
    assert!(!there.0.join("gold/mon_groups/c1").exists() && there.0.join("gold").exists());
}

/// A plain file holds only the last line written, plus the tail of a longer previous one.
#[test]
fn a_group_is_changed_line_by_line() {
    let there = StandIn::new("change");
    there.group("c1", "L3:0=ff;1=ff\n");
    let resctrl = Resctrl::at(there.0.clone());
    let change = |group, root, line: &str| resctrl.shares(&wanted(group, root, &[]))?.change(&[line.to_owned()]);
    change(Some("c1"), false, "L3:0=0f;1=0f").expect("is written");
    assert_eq!(there.read("c1/schemata"), "L3:0=0f;1=0f\n");
    change(None, true, "L3:0=0f;1=f0").expect("is written");
    assert!(there.read("schemata").starts_with("L3:0=0f;1=f0\n"), "closID / is the root");
    let error = change(Some("none"), true, "L3:0=f").expect_err("is not there");
    assert!(format!("{error:#}").ends_with("none/schemata: No such file or directory (os error 2)"), "{error:#}");
}

#[test]
fn a_resctrl_change_is_rolled_back() {
    let there = StandIn::new("back");
    there.group("c1", "L3:0=ff;1=ff\n");
    let resctrl = Resctrl::at(there.0.clone());
    let group = wanted(Some("c1"), false, &[]);
    let shares = resctrl.shares(&group).expect("is there");
    shares.change(&["L3:0=0f;1=ff".to_owned()]).expect("is written");
    assert_eq!(there.read("c1/schemata"), "L3:0=0f;1=ff\n");
    assert_eq!(shares.put_back(anyhow::anyhow!("refused")).to_string(), "refused");
    assert_eq!(there.read("c1/schemata"), "L3:0=ff;1=ff\n");
    fs::remove_dir_all(there.0.join("c1")).expect("remove");
    let error = shares.put_back(anyhow::anyhow!("refused")).to_string();
    assert!(error.starts_with("refused; and read ") && error.contains("c1/schemata: No such file"), "{error}");
}

#[test]
fn resctrl_is_found_by_its_type() {
    let mounts =
        "22 1 0:20 / /sys rw - sysfs sysfs rw\n33 22 0:30 / /sys/fs/resctrl rw,nosuid shared:9 - resctrl resctrl rw\n";
    assert_eq!(mount_point(mounts).as_deref(), Some(Path::new("/sys/fs/resctrl")));
    assert_eq!(mount_point("22 1 0:20 / /resctrl rw - sysfs resctrl rw\n"), None);
}
