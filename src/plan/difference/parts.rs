//! A plan as lines to compare: everything `davit plan` shows, and the settings behind acts that it shows in one word
//! (options of mounts, device numbers, capabilities, device rules, the rules of the seccomp profile, hooks).

use super::{Line, Side};
use crate::plan::act::Act;
use crate::plan::namespaces::KINDS;
use crate::plan::resources::devices::{DeviceKind, DeviceRule};
use crate::plan::{PassedFd, Step, hooks_of, outline};
use crate::spec::shape::enums::CAPABILITIES;
use oci_spec::runtime::{Hook, LinuxSeccomp, Spec};
use std::collections::BTreeMap;

/// Texts in order, with their places. Maps of this type exist elsewhere, so sorting with one adds no code.
type Sorted = BTreeMap<String, String>;

/// Whether a seccomp filter is installed.
pub(super) fn has_filter(side: &Side) -> bool {
    profile(&side.spec).is_some()
}

/// Every part by name, in the order of the plan. The rules of the seccomp profile are compared only if both plans have
/// one; otherwise the step that installs the filter is the difference.
pub(super) fn of(side: &Side, with_rules: bool) -> Vec<(&'static str, Vec<Line>)> {
    let plan = &side.plan;
    let steps = |steps: &[Step]| -> Vec<Line> {
        // The order of adjacent device nodes has no effect.
        let nodes = |a: &Step, b: &Step| [a, b].iter().all(|step| matches!(step.act, Act::MakeDevice(_)));
        let runs = steps.chunk_by(nodes).flat_map(|run| {
            let mut sorted = Sorted::new();
            for step in run {
                sorted.insert(act(step, &side.spec), step.origin.to_string());
            }
            sorted
        });
        runs.map(|(text, origin)| Line { origin, text }).collect()
    };
    let rules = with_rules.then(|| profile(&side.spec)).flatten();
    vec![
        ("namespaces", namespaces(side)),
        ("cgroup", cgroup(side)),
        ("host", outline::of_host(plan).map(|(origin, text)| Line { origin, text }).collect()),
        ("limits", steps(&plan.parent_rlimits)),
        ("intermediate", steps(&plan.intermediate)),
        ("init", steps(&plan.init)),
        ("capabilities", capabilities(&plan.init)),
        ("seccomp", rules.map_or_else(Vec::new, seccomp)),
        ("hooks", hooks(&side.spec)),
        ("program", program(side)),
    ]
}

fn line(origin: &str, text: impl Into<String>) -> Line {
    Line { origin: origin.to_owned(), text: text.into() }
}

fn profile(spec: &Spec) -> Option<&LinuxSeccomp> {
    spec.linux().as_ref()?.seccomp().as_ref()
}

fn namespaces(side: &Side) -> Vec<Line> {
    let namespaces = &side.plan.namespaces;
    let new = KINDS.iter().filter(|(bit, _)| namespaces.new & bit != 0);
    let mut lines: Vec<_> = new.map(|(_, name)| line("/linux/namespaces", format!("new {name}"))).collect();
    for passed_fd in &side.plan.passed_fds {
        if let PassedFd::Namespace { origin, path, .. } = passed_fd {
            lines.push(line(origin.as_str(), format!("join {}", path.display())));
        }
    }
    if let Some(maps) = &namespaces.maps {
        for (origin, name, text) in
            [("/linux/uidMappings", "uid_map", &maps.uids), ("/linux/gidMappings", "gid_map", &maps.gids)]
        {
            lines.extend(text.lines().map(|row| line(origin, format!("{name} {row}"))));
        }
    }
    for offset in namespaces.time_offsets.iter().flat_map(|offsets| offsets.lines()) {
        lines.push(line("/linux/timeOffsets", format!("timens_offsets {offset}")));
    }
    lines
}

fn cgroup(side: &Side) -> Vec<Line> {
    let resources = &side.plan.resources;
    let path = side.spec.linux().as_ref().and_then(|linux| linux.cgroups_path().as_deref());
    let path = path.map(|path| line("/linux/cgroupsPath", format!("cgroup {}", path.display())));
    let writes = resources
        .writes
        .iter()
        .chain(&resources.writes_inside)
        .map(|write| line(write.origin.as_str(), format!("write {:?} to {}", write.value.trim_end(), write.file)));
    // The last match wins, so an earlier equal rule has no effect.
    let rules = resources.devices.iter().enumerate();
    let rules = rules.filter(|(index, rule)| !resources.devices[index + 1..].contains(rule));
    let rules = rules.map(|(_, rule)| line("/linux/resources/devices", device_rule(rule)));
    path.into_iter().chain(writes).chain(rules).collect()
}

/// A device rule as in the devices controller of cgroup v1: `allow c 1:3 rwm`.
fn device_rule(rule: &DeviceRule) -> String {
    let what = if rule.allow { "allow" } else { "deny" };
    let kind = match rule.kind {
        DeviceKind::All => 'a',
        DeviceKind::Block => 'b',
        DeviceKind::Char => 'c',
    };
    let number = |number: Option<u32>| number.map_or("*".to_owned(), |number| number.to_string());
    let letters = [(rule.read, 'r'), (rule.write, 'w'), (rule.mknod, 'm')];
    let access: String = letters.iter().filter(|(has, _)| *has).map(|(_, letter)| letter).collect();
    format!("{what} {kind} {}:{} {access}", number(rule.major), number(rule.minor))
}

/// The text of an act, with what its text leaves out.
fn act(step: &Step, spec: &Spec) -> String {
    let act = &step.act;
    match act {
        Act::Mount(_) | Act::MountCgroup(_) | Act::Bind(_) | Act::Remount { .. } => {
            let index = step.origin.as_str().strip_prefix("/mounts/").and_then(|index| index.parse::<usize>().ok());
            let mount = index.and_then(|index| spec.mounts().as_ref()?.get(index));
            let options = mount.and_then(|mount| mount.options().as_deref()).unwrap_or_default();
            if options.is_empty() { act.to_string() } else { format!("{act} [{}]", options.join(",")) }
        }
        Act::MakeDevice(device) => {
            let (major, minor) = (libc::major(device.number), libc::minor(device.number));
            let path = act.to_string();
            let path = path.strip_prefix("make device ").unwrap_or(&path);
            let owner = format!("{}:{}", device.uid, device.gid);
            format!("make device of mode {:04o} and owner {owner}: {path}({major}:{minor})", device.mode)
        }
        Act::SetUser { groups: Some(groups), .. } if !groups.is_empty() => format!("{act} groups {groups:?}"),
        Act::SetCpuAffinity(words) => format!("{act} {words:x?}"),
        Act::SetMemoryPolicy { nodes, .. } => format!("{act} nodes {nodes:x?}"),
        Act::OpenTerminal { size: Some((rows, columns)), .. } => format!("{act} of {rows}x{columns}"),
        Act::PreserveDescriptors(descriptors) => format!("{act} {descriptors:?}"),
        Act::SetScheduler(attr) => format!(
            "{act} nice {} priority {} flags {:#x} runtime {} deadline {} period {}",
            attr.sched_nice,
            attr.sched_priority,
            attr.sched_flags,
            attr.sched_runtime,
            attr.sched_deadline,
            attr.sched_period
        ),
        // The part `seccomp` has its rules. The number of instructions means nothing to a reader.
        Act::InstallFilter(_) => "install the seccomp filter".to_owned(),
        _ => act.to_string(),
    }
}

/// One line for each capability in each set, as the program gets them.
fn capabilities(init: &[Step]) -> Vec<Line> {
    let bounding = init.iter().find_map(|step| match step.act {
        Act::LimitBounding(mask) => Some(mask),
        _ => None,
    });
    let last = init.iter().rev().find_map(|step| match step.act {
        Act::SetCapabilities { sets, ambient } => Some((sets, ambient)),
        _ => None,
    });
    let (sets, ambient) = last.unwrap_or_default();
    let masks = [
        ("bounding", bounding.unwrap_or(u64::MAX)),
        ("effective", sets.effective),
        ("permitted", sets.permitted),
        ("inheritable", sets.inheritable),
        ("ambient", ambient),
    ];
    let of_set = |(set, mask): (&'static str, u64)| {
        let has = CAPABILITIES.iter().enumerate().filter(move |(bit, _)| mask >> bit & 1 == 1);
        has.map(move |(_, name)| line(&format!("/process/capabilities/{set}"), format!("{set} {name}")))
    };
    masks.into_iter().flat_map(of_set).collect()
}

/// One line for each name in each rule, sorted, because the order of rules does not change what a profile means.
fn seccomp(profile: &LinuxSeccomp) -> Vec<Line> {
    let errno = |errno: Option<u32>| errno.map_or(String::new(), |errno| format!("({errno})"));
    let default = format!("default {}{}", profile.default_action(), errno(profile.default_errno_ret()));
    let mut lines = vec![line("/linux/seccomp/defaultAction", default)];
    for name in profile.architectures().iter().flatten() {
        lines.push(line("/linux/seccomp/architectures", format!("architecture {name}")));
    }
    for flag in profile.flags().iter().flatten() {
        lines.push(line("/linux/seccomp/flags", format!("flag {flag}")));
    }
    if let Some(path) = profile.listener_path() {
        lines.push(line("/linux/seccomp/listenerPath", format!("listener {}", path.display())));
    }
    let mut rules = Sorted::new();
    for (index, rule) in profile.syscalls().iter().flatten().enumerate() {
        let mut conditions = String::new();
        for argument in rule.args().iter().flatten() {
            let second = argument.value_two().map_or(String::new(), |value| format!(",{value:#x}"));
            let (index, op, value) = (argument.index(), argument.op(), argument.value());
            conditions += &format!(" args[{index}]:{op}:{value:#x}{second}");
        }
        let action = format!("{}{}", rule.action(), errno(rule.errno_ret()));
        for name in rule.names() {
            // Calls with the same action and conditions are adjacent, so that they are shown as one.
            let key = format!("{action}\n{conditions}\n{name}");
            rules.insert(key, format!("/linux/seccomp/syscalls/{index}"));
        }
    }
    for (key, origin) in rules {
        let mut words = key.split('\n');
        let [action, conditions, name] = std::array::from_fn(|_| words.next().unwrap_or_default());
        lines.push(Line { origin, text: format!("{action} {name}{conditions}") });
    }
    lines
}

fn hooks(spec: &Spec) -> Vec<Line> {
    let Some(hooks) = spec.hooks() else { return Vec::new() };
    let text = |kind: &str, hook: &Hook| {
        let timeout = hook.timeout().map_or(String::new(), |seconds| format!(" timeout {seconds}"));
        let (args, env) = (hook.args().as_deref().unwrap_or_default(), hook.env().as_deref().unwrap_or_default());
        format!("{kind} {} args {args:?} env {env:?}{timeout}", hook.path().display())
    };
    let mut lines = Vec::new();
    for (kind, list) in [
        ("prestart", hooks.prestart()),
        ("createRuntime", hooks.create_runtime()),
        ("createContainer", hooks.create_container()),
        ("startContainer", hooks.start_container()),
        ("poststart", hooks.poststart()),
        ("poststop", hooks.poststop()),
    ] {
        let list = hooks_of(list.as_ref()).iter().enumerate();
        lines.extend(list.map(|(index, hook)| line(&format!("/hooks/{kind}/{index}"), text(kind, hook))));
    }
    lines
}

fn program(side: &Side) -> Vec<Line> {
    let (arguments, environment) = outline::of_program(&side.plan);
    let mut lines = vec![line("/process/args", format!("args {arguments:?}"))];
    lines.extend(environment.into_iter().map(|entry| line("/process/env", format!("env {entry}"))));
    lines
}
