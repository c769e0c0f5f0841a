//! The output of `davit plan`: text for people, which the golden tests compare, and JSON for programs.
//!
//! A one-way view: the runtime never parses it, and makes no decisions here.

use super::namespaces::KINDS;
use super::{NetDevice, PassedFd, Plan, Resctrl, Step};
use serde::Serialize;
use std::ffi::CString;
use std::fmt;

/// The parts of a plan that `davit plan` shows.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Outline {
    namespaces: Namespaces,
    /// Writes to files of the container's cgroup.
    cgroup: Vec<Line>,
    /// What the parent moves into the container: network interfaces, and the resctrl group.
    host: Vec<Line>,
    /// Resource limits that the parent sets.
    limits: Vec<Line>,
    /// The namespaces that an intermediate process joins, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    intermediate: Vec<Line>,
    /// The steps of the container's process, in order.
    init: Vec<Line>,
    program: Program,
    warnings: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Namespaces {
    new: Vec<&'static str>,
    joined: Vec<Joined>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid_map: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gid_map: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_offsets: Option<String>,
}

#[derive(Serialize)]
struct Joined {
    origin: String,
    path: String,
}

/// A place in config.json, and the act that it requests.
#[derive(Serialize)]
struct Line {
    origin: String,
    act: String,
}

#[derive(Serialize)]
struct Program {
    args: Vec<String>,
    env: Vec<String>,
}

impl Plan {
    /// The view of this plan.
    pub(crate) fn outline(&self) -> Outline {
        let namespaces = &self.namespaces;
        let resources = &self.resources;
        let writes = resources.writes.iter().chain(&resources.writes_inside);
        let cgroup = writes.map(|write| {
            let value = write.value.trim_end();
            Line { origin: write.origin.to_string(), act: format!("write {value:?} to {}", write.file) }
        });
        let rules = resources.devices.len();
        let devices = (rules > 0).then(|| Line {
            origin: "/linux/resources/devices".to_owned(),
            act: format!("install a device program of {rules} rules"),
        });
        Outline {
            namespaces: Namespaces {
                new: KINDS.iter().filter(|(bit, _)| namespaces.new & bit != 0).map(|(_, name)| *name).collect(),
                joined: self.passed_fds.iter().filter_map(joined).collect(),
                uid_map: namespaces.maps.as_ref().map(|maps| maps.uids.trim_end().to_owned()),
                gid_map: namespaces.maps.as_ref().map(|maps| maps.gids.trim_end().to_owned()),
                time_offsets: namespaces.time_offsets.as_deref().map(|offsets| offsets.trim_end().to_owned()),
            },
            cgroup: cgroup.chain(devices).collect(),
            host: of_host(self).map(|(origin, act)| Line { origin, act }).collect(),
            limits: lines(&self.parent_rlimits),
            intermediate: lines(&self.intermediate),
            init: lines(&self.init),
            program: Program { args: texts(&self.program.arguments), env: texts(&self.program.environment) },
            warnings: self.warnings.clone(),
        }
    }
}

/// What the parent does on the host for the container, as places and acts.
pub(super) fn of_host(plan: &Plan) -> impl Iterator<Item = (String, String)> {
    let root = plan.namespaces.mounts_in_callers.then(root_mount);
    root.into_iter().chain(plan.resctrl.iter().map(group)).chain(plan.net_devices.iter().map(device))
}

impl Outline {
    /// The decisions for a log, one line each: without the steps, which are logged as they are done, and without the
    /// program's environment, which may be secret.
    pub(crate) fn decisions(&self) -> impl Iterator<Item = String> {
        let names = &self.namespaces;
        let new = format!("new namespaces: {}", names.new.join(" "));
        let joined = names.joined.iter().map(|joined| format!("{}: join {}", joined.origin, joined.path));
        let parts = [("cgroup", &self.cgroup), ("host", &self.host), ("limits", &self.limits)];
        let lines = parts
            .into_iter()
            .flat_map(|(part, lines)| lines.iter().map(move |line| format!("{part}: {}: {}", line.origin, line.act)));
        std::iter::once(new).chain(joined).chain(lines)
    }
}

fn root_mount() -> (String, String) {
    let act = "bind the root onto itself in the caller's mount namespace, until delete";
    ("/root/path".to_owned(), act.to_owned())
}

/// The arguments and the environment of the program as text.
pub(super) fn of_program(plan: &Plan) -> (Vec<String>, Vec<String>) {
    (texts(&plan.program.arguments), texts(&plan.program.environment))
}

fn group(resctrl: &Resctrl) -> (String, String) {
    let group = resctrl.group.as_deref().unwrap_or("/");
    let monitor = resctrl.monitor.as_ref().map_or(String::new(), |name| format!(" with monitoring group {name}"));
    let schemata: Vec<_> = resctrl.agreed.iter().chain(&resctrl.schemata).map(String::as_str).collect();
    let act = format!("enter resctrl group {group}{monitor} ({})", schemata.join(" "));
    ("/linux/intelRdt".to_owned(), act)
}

fn device(device: &NetDevice) -> (String, String) {
    (device.origin.to_string(), format!("move interface {} to {}", device.name, device.inside))
}

fn joined(passed_fd: &PassedFd) -> Option<Joined> {
    match passed_fd {
        PassedFd::Namespace { origin, path, .. } => {
            Some(Joined { origin: origin.to_string(), path: path.display().to_string() })
        }
        PassedFd::Tree { .. } | PassedFd::Process | PassedFd::UserNamespace => None,
    }
}

fn lines(steps: &[Step]) -> Vec<Line> {
    steps.iter().map(|step| Line { origin: step.origin.to_string(), act: step.act.to_string() }).collect()
}

fn texts(strings: &[CString]) -> Vec<String> {
    strings.iter().map(|string| string.to_string_lossy().into_owned()).collect()
}

/// Prints a heading for each part, then one line for each act. The place in config.json has its own column.
impl fmt::Display for Outline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = &self.namespaces;
        writeln!(f, "namespaces")?;
        writeln!(f, "  new: {}", if names.new.is_empty() { "none".to_owned() } else { names.new.join(" ") })?;
        for joined in &names.joined {
            writeln!(f, "  joined: {} ({})", joined.path, joined.origin)?;
        }
        let maps = [("uid_map", &names.uid_map), ("gid_map", &names.gid_map), ("timens_offsets", &names.time_offsets)];
        for (name, text) in maps {
            if let Some(text) = text {
                writeln!(f, "  {name}: {}", text.replace('\n', ", "))?;
            }
        }
        let parts = [
            ("cgroup", &self.cgroup),
            ("host", &self.host),
            ("limits", &self.limits),
            ("intermediate process", &self.intermediate),
            ("init", &self.init),
        ];
        let width = parts.iter().flat_map(|(_, lines)| lines.iter()).map(|line| line.origin.len()).max().unwrap_or(0);
        for (name, lines) in parts.into_iter().filter(|(_, lines)| !lines.is_empty()) {
            writeln!(f, "{name}")?;
            for line in lines {
                writeln!(f, "  {:width$}  {}", line.origin, line.act)?;
            }
        }
        writeln!(f, "program")?;
        writeln!(f, "  args: {:?}", self.program.args)?;
        writeln!(f, "  env: {:?}", self.program.env)?;
        if !self.warnings.is_empty() {
            writeln!(f, "warnings")?;
            for warning in &self.warnings {
                writeln!(f, "  {warning}")?;
            }
        }
        Ok(())
    }
}
