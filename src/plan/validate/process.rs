//! Validates `process` of a configuration, or a whole `process.json`.

use super::{absolute, no_nul, text};
use crate::plan::number_list;
use crate::spec::pointer::Pointer;
use crate::spec::problem::Problems;
use oci_spec::runtime::{
    Capabilities, LinuxCapabilities, LinuxIOPriority, LinuxSchedulerPolicy, PosixRlimitType, Process, Scheduler,
};

/// The kernel's NGROUPS_MAX.
const MAX_GROUPS: usize = 65536;

pub(super) fn check(process: &Process, at: &Pointer, problems: &mut Problems, warnings: &mut Vec<String>) {
    absolute(&text(process.cwd()), &at.key("cwd"), problems);
    if process.args().as_ref().is_none_or(Vec::is_empty) {
        problems.add(at.key("args"), "is missing; expected at least one argument, the program");
    }
    for (index, argument) in process.args().iter().flatten().enumerate() {
        no_nul(argument, &at.key("args").index(index), problems);
    }
    for (index, entry) in process.env().iter().flatten().enumerate() {
        variable(entry, &at.key("env").index(index), problems);
    }
    user(process, at, problems);
    rlimits(process, at, problems);
    if let Some(score) = process.oom_score_adj().filter(|score| !(-1000..=1000).contains(score)) {
        problems.add(at.key("oomScoreAdj"), format!("{score} is out of range; expected -1000 to 1000"));
    }
    if let Some(asked) = process.scheduler() {
        scheduler(asked, &at.key("scheduler"), problems);
    }
    if let Some(asked) = process.io_priority() {
        io_priority(*asked, &at.key("ioPriority"), problems);
    }
    if let Some(affinity) = process.exec_cpu_affinity() {
        for (member, list) in [("initial", affinity.initial()), ("final", affinity.cpu_affinity_final())] {
            if let Some(Err(why)) = list.as_deref().filter(|list| !list.is_empty()).map(number_list::ranges) {
                problems.add(at.key("execCPUAffinity").key(member), why);
            }
        }
    }
    for (member, label) in [("apparmorProfile", process.apparmor_profile()), ("selinuxLabel", process.selinux_label())]
    {
        no_nul(label.as_deref().unwrap_or_default(), &at.key(member), problems);
    }
    // The size is ignored if there is no terminal (config.md, "consoleSize").
    if let (Some(true), Some(size)) = (process.terminal(), process.console_size()) {
        for (member, value) in [("height", size.height()), ("width", size.width())] {
            if value > u64::from(u16::MAX) {
                let what = format!("{value} is out of range; a terminal has at most {} rows and columns", u16::MAX);
                problems.add(at.key("consoleSize").key(member), what);
            }
        }
    }
    if let Some(sets) = process.capabilities() {
        capabilities(sets, warnings);
    }
}

fn variable(entry: &str, at: &Pointer, problems: &mut Problems) {
    no_nul(entry, at, problems);
    match entry.split_once('=') {
        None => problems.add(at.clone(), format!("{entry:?} is not of the form NAME=value")),
        Some(("", _)) => problems.add(at.clone(), format!("{entry:?} has no name before the equals sign")),
        Some(_) => {}
    }
}

fn user(process: &Process, at: &Pointer, problems: &mut Problems) {
    let (user, at) = (process.user(), at.key("user"));
    for (member, id) in [("uid", user.uid()), ("gid", user.gid())] {
        // To setresuid(2) this number means "no change": the process would silently stay root.
        if id == u32::MAX {
            problems.add(at.key(member), format!("{id} is out of range; expected 0 to {}", u32::MAX - 1));
        }
    }
    if let Some(umask) = user.umask().filter(|umask| *umask > 0o777) {
        problems.add(at.key("umask"), format!("{umask} is out of range; expected 0 to 511 (0777 in octal)"));
    }
    let groups = user.additional_gids().as_deref().unwrap_or_default();
    if groups.len() > MAX_GROUPS {
        problems.add(
            at.key("additionalGids"),
            format!("has {} groups; the kernel allows at most {MAX_GROUPS}", groups.len()),
        );
    }
    for (index, group) in groups.iter().enumerate().filter(|(_, group)| **group == u32::MAX) {
        let what = format!("{group} is out of range; expected 0 to {}", u32::MAX - 1);
        problems.add(at.key("additionalGids").index(index), what);
    }
}

fn rlimits(process: &Process, at: &Pointer, problems: &mut Problems) {
    let mut seen: Vec<PosixRlimitType> = Vec::new();
    for (index, limit) in process.rlimits().iter().flatten().enumerate() {
        let place = at.key("rlimits").index(index);
        if seen.contains(&limit.typ()) {
            problems
                .add(place.key("type"), format!("{} is already listed; each type may appear only once", limit.typ()));
        }
        seen.push(limit.typ());
        if limit.soft() > limit.hard() {
            let what = format!("{} is above the hard limit {}", limit.soft(), limit.hard());
            problems.add(place.key("soft"), what);
        }
    }
}

/// Checks which parameters are valid with which policy (sched(7)).
fn scheduler(asked: &Scheduler, at: &Pointer, problems: &mut Problems) {
    use LinuxSchedulerPolicy::{SchedDeadline, SchedFifo, SchedIso, SchedRr};
    let policy = *asked.policy();
    if policy == SchedIso {
        problems.add(at.key("policy"), "SCHED_ISO is reserved, but no Linux kernel implements it");
    }
    if let Some(nice) = asked.nice().filter(|nice| !(-20..=19).contains(nice)) {
        problems.add(at.key("nice"), format!("{nice} is out of range; expected -20 to 19"));
    }
    let priority = asked.priority().unwrap_or(0);
    if matches!(policy, SchedFifo | SchedRr) {
        if !(1..=99).contains(&priority) {
            problems.add(at.key("priority"), format!("{priority} is out of range; expected 1 to 99 for {policy}"));
        }
    } else if priority != 0 {
        problems.add(
            at.key("priority"),
            format!("{priority} is valid only with SCHED_FIFO and SCHED_RR, not with {policy}"),
        );
    }
    let times = [("runtime", asked.runtime()), ("deadline", asked.deadline()), ("period", asked.period())];
    if policy == SchedDeadline {
        let [runtime, deadline, period] = times.map(|(_, time)| time.unwrap_or(0));
        // The kernel's clock resolution for budgets (DL_SCALE) is 1024 ns. Without a period the deadline is the period.
        if runtime < 1024 {
            problems.add(at.key("runtime"), format!("{runtime} ns is too short; the kernel minimum is 1024 ns"));
        }
        if runtime > deadline {
            problems.add(at.key("deadline"), format!("{deadline} ns is shorter than the runtime of {runtime} ns"));
        }
        if period != 0 && deadline > period {
            problems.add(at.key("period"), format!("{period} ns is shorter than the deadline of {deadline} ns"));
        }
        return;
    }
    for (member, _) in times.iter().filter(|(_, time)| time.unwrap_or(0) != 0) {
        problems.add(at.key(member), format!("is valid only with SCHED_DEADLINE, not with {policy}"));
    }
}

fn io_priority(asked: LinuxIOPriority, at: &Pointer, problems: &mut Problems) {
    if !(0..=7).contains(&asked.priority()) {
        problems.add(at.key("priority"), format!("{} is out of range; expected 0 to 7", asked.priority()));
    }
}

/// Warns about capabilities that capset(2) refuses: inheritable ones outside the bounding set, and effective ones
/// outside the permitted set. A capability that cannot be granted is a warning, not an error (config.md,
/// "capabilities").
fn capabilities(sets: &LinuxCapabilities, warnings: &mut Vec<String>) {
    let beyond = |set: &Option<Capabilities>, limit: &Option<Capabilities>| {
        let inside = |capability| limit.as_ref().is_some_and(|limit| limit.contains(capability));
        let mut names: Vec<_> =
            set.iter().flatten().filter(|capability| !inside(capability)).map(|c| format!("CAP_{c}")).collect();
        names.sort();
        names.join(" ")
    };
    for (name, set, limit_name, limit) in [
        ("effective", sets.effective(), "permitted", sets.permitted()),
        ("inheritable", sets.inheritable(), "bounding", sets.bounding()),
    ] {
        let names = beyond(set, limit);
        if !names.is_empty() {
            warnings.push(format!("ignoring {name} capabilities that are not {limit_name}: [{names}]"));
        }
    }
}
