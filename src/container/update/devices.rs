//! Changes the device rules of an existing container: which rules are in force, and the program for the new ones.
//!
//! The state directory keeps the changes, because the kernel keeps only a program, and a later change is relative to the
//! rules in force. A container whose rules never changed has no such file: its rules are those of its configuration.
//! Leaves loading and attaching a program to `cgroup`.

use crate::cgroup::Cgroup;
use crate::container::state::dir;
use crate::container::{Container, device_program};
use crate::plan::resources::DeviceRule;
use crate::plan::resources::devices;
use crate::report::Log;
use crate::spec::problem::Problems;
use anyhow::{Context, Result, bail};
use oci_spec::runtime::{LinuxDeviceCgroup, LinuxDeviceType};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// How to change the device rules.
#[derive(Debug, Default)]
pub(crate) struct DeviceChange {
    /// Replace the rules by those of the resources document. Otherwise that document's rules are ignored, because
    /// engines send all resources of a container to change one of them.
    pub(crate) replace: bool,
    /// Rules to add: `c 10:229 rwm`, or the path of a device on the host.
    pub(crate) allow: Vec<String>,
    /// Rules to add after these, so that a denial wins.
    pub(crate) deny: Vec<String>,
}

impl DeviceChange {
    fn is_empty(&self) -> bool {
        !self.replace && self.allow.is_empty() && self.deny.is_empty()
    }
}

/// The rules in force, as the state directory keeps them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Rules {
    /// The list that is followed by the default rules.
    devices: Vec<LinuxDeviceCgroup>,
    /// Later changes, which follow the default rules.
    changes: Vec<LinuxDeviceCgroup>,
}

/// A change that is decided and loaded, and not in force yet.
pub(super) struct Prepared {
    new: OwnedFd,
    old: OwnedFd,
    rules: Rules,
    directory: PathBuf,
    /// Holds the lock that orders changes of these rules.
    _lock: File,
}

/// The file with the rules in force, and the file while it is written.
const FILE: &str = "devices.json";
const DRAFT: &str = ".devices.json";

/// Decides the new rules and loads their program. `None` if no device rule is to change.
pub(super) fn prepare(
    container: &Container,
    change: &DeviceChange,
    listed: Option<Vec<LinuxDeviceCgroup>>,
    cgroup: &Cgroup,
    log: &Log,
) -> Result<Option<Prepared>> {
    if change.is_empty() {
        return Ok(None);
    }
    let parse = |allow: bool, flag: &'static str, texts: &[String]| -> Result<Vec<LinuxDeviceCgroup>> {
        texts.iter().map(|text| rule(allow, text).with_context(|| format!("{flag} {text:?}"))).collect()
    };
    let mut added = parse(true, "--device-allow", &change.allow)?;
    added.extend(parse(false, "--device-deny", &change.deny)?);
    let lock = lock(&container.directory)?;
    let before = in_force(&container.directory)?;
    let mut rules = match (change.replace, listed) {
        (false, _) => before.clone(),
        (true, Some(devices)) => Rules { devices, changes: Vec::new() },
        (true, None) => bail!("--devices: the resources have no devices"),
    };
    added.into_iter().for_each(|rule| rules.add(rule));
    let load = |rules: &Rules, log: Option<&Log>| -> Result<OwnedFd> {
        let program = device_program::of(&rules.compile(log)?).context("devices")?;
        cgroup.load_devices(&program.instructions)
    };
    let (new, old) = (load(&rules, Some(log))?, load(&before, None)?);
    Ok(Some(Prepared { new, old, rules, directory: container.directory.clone(), _lock: lock }))
}

impl Prepared {
    /// Puts the rules in force. The draft is written first, so that only a rename is left once they are.
    pub(super) fn apply(&self, cgroup: &Cgroup) -> Result<()> {
        let (draft, file) = (self.directory.join(DRAFT), self.directory.join(FILE));
        let text = serde_json::to_vec(&self.rules)?;
        dir::write_private(&draft, &text)?;
        let replaced = cgroup.replace_devices(&self.new).and_then(|()| {
            let renamed = fs::rename(&draft, &file);
            renamed.with_context(|| format!("rename {} to {FILE}", draft.display())).inspect_err(|_| {
                // Best effort: the first error is reported.
                let _ = cgroup.replace_devices(&self.old);
            })
        });
        replaced.inspect_err(|_| drop(fs::remove_file(&draft)))
    }
}

impl Rules {
    /// Adds a rule, and removes earlier ones that it overrides.
    fn add(&mut self, rule: LinuxDeviceCgroup) {
        if rule.typ().is_none_or(|kind| kind == LinuxDeviceType::A) {
            self.changes.clear();
        }
        let what = |rule: &LinuxDeviceCgroup| (rule.typ(), rule.major(), rule.minor(), rule.access().clone());
        self.changes.retain(|other| what(other) != what(&rule));
        self.changes.push(rule);
    }

    fn compile(&self, log: Option<&Log>) -> Result<Vec<DeviceRule>> {
        let (mut problems, mut warnings) = (Problems::default(), Vec::new());
        let list = devices::changed(&self.devices, &self.changes, &mut problems, &mut warnings);
        let list = problems.or(list).map_err(|problems| problems.of("resources"))?;
        if let Some(log) = log {
            warnings.iter().for_each(|warning| log.warning(warning));
        }
        Ok(list)
    }
}

/// Orders changes of the rules of one container. The configuration is a file that is never replaced.
fn lock(directory: &Path) -> Result<File> {
    let path = dir::config_path(directory);
    let locked = File::open(&path).and_then(|file| file.lock().map(|()| file));
    locked.with_context(|| format!("lock {}", path.display()))
}

/// The rules in force.
fn in_force(directory: &Path) -> Result<Rules> {
    let path = directory.join(FILE);
    match fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).with_context(|| format!("read {}", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let spec = dir::read_config(directory)?;
            let resources = spec.linux().as_ref().and_then(|linux| linux.resources().as_ref());
            let devices = resources.and_then(|resources| resources.devices().clone()).unwrap_or_default();
            Ok(Rules { devices, changes: Vec::new() })
        }
        Err(error) => Err(error).with_context(|| format!("read {}", path.display())),
    }
}

/// Parses `c 10:229 rwm`, `b 8:* r`, `a`, or the path of a device on the host, `/dev/fuse` or `/dev/fuse:rw`.
fn rule(allow: bool, text: &str) -> Result<LinuxDeviceCgroup> {
    const EXPECTED: &str = "expected a rule such as \"c 10:229 rwm\", or a device such as /dev/fuse or /dev/fuse:rw";
    let (kind, numbers, access) = if text.starts_with('/') {
        let (path, access) = match text.rsplit_once(':') {
            Some((path, access)) if is_access(access) => (path, access),
            _ => (text, "rwm"),
        };
        let found = fs::metadata(path).context("stat")?;
        let kind = match found.file_type() {
            kind if kind.is_char_device() => "c",
            kind if kind.is_block_device() => "b",
            _ => bail!("is not a device"),
        };
        let number = found.rdev();
        (kind, Some((i64::from(libc::major(number)), i64::from(libc::minor(number)))), access)
    } else {
        let mut words = text.split_ascii_whitespace();
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("a"), None, None, None) => ("a", None, "rwm"),
            (Some(kind @ ("b" | "c")), Some(numbers), access, None) => {
                let access = access.unwrap_or("rwm");
                let numbers = numbers.split_once(':').and_then(|(major, minor)| Some((number(major)?, number(minor)?)));
                if numbers.is_none() || !is_access(access) {
                    bail!(EXPECTED);
                }
                (kind, numbers, access)
            }
            _ => bail!(EXPECTED),
        }
    };
    let mut rule = serde_json::json!({"allow": allow, "type": kind, "access": access});
    if let Some((major, minor)) = numbers {
        rule["major"] = major.into();
        rule["minor"] = minor.into();
    }
    Ok(serde_json::from_value(rule)?)
}

fn is_access(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|letter| b"rwm".contains(&letter))
}

/// A device number; `*` is all of them.
fn number(text: &str) -> Option<i64> {
    if text == "*" { Some(-1) } else { text.parse::<u32>().ok().map(i64::from) }
}

#[cfg(test)]
mod tests {
    use super::{Rules, rule};

    fn shown(allow: bool, text: &str) -> String {
        match rule(allow, text) {
            Ok(rule) => serde_json::to_string(&rule).expect("JSON"),
            Err(error) => format!("{error:#}"),
        }
    }

    #[test]
    fn rules_have_the_form_of_cgroup_v1_or_name_a_device() {
        for (text, wanted) in [
            ("c 10:229 rw", r#"{"allow":true,"type":"c","major":10,"minor":229,"access":"rw"}"#),
            ("b 8:*", r#"{"allow":true,"type":"b","major":8,"minor":-1,"access":"rwm"}"#),
            ("a", r#"{"allow":true,"type":"a","access":"rwm"}"#),
            ("/dev/null", r#"{"allow":true,"type":"c","major":1,"minor":3,"access":"rwm"}"#),
            ("/dev/null:r", r#"{"allow":true,"type":"c","major":1,"minor":3,"access":"r"}"#),
            ("/dev", "is not a device"),
            ("/dev/nothing:r", "stat: No such file or directory (os error 2)"),
        ] {
            assert_eq!(shown(true, text), wanted, "{text}");
        }
        for text in ["", "c", "c 1", "c 1:x", "x 1:2", "c 1:2 q", "c 1:2 r w", "a 1:2", "c -1:2", "fuse"] {
            assert!(shown(false, text).starts_with("expected a rule such as"), "{text}");
        }
    }

    #[test]
    fn a_change_removes_the_changes_that_it_overrides() {
        let mut rules = Rules::default();
        for (allow, text) in [(true, "c 1:2 r"), (true, "c 1:2 w"), (false, "c 1:2 r"), (true, "b 1:2 r")] {
            rules.add(rule(allow, text).expect("a rule"));
        }
        let allows = |rules: &Rules| rules.changes.iter().map(|rule| rule.allow()).collect::<Vec<_>>();
        assert_eq!(allows(&rules), [true, false, true]);
        rules.add(rule(false, "a").expect("a rule"));
        assert_eq!(allows(&rules), [false]);
    }
}
