//! Compiles `process`: the program, and the steps that set the attributes of its process. Used for the init process and
//! for the processes of `exec`.

use super::act::Act;
use super::identity::{self, Capability};
use super::{Host, Notes, Program, Step, c_string, number_list};
use crate::spec::pointer::Pointer;
use oci_spec::runtime::{
    IOPriorityClass, Linux, LinuxPersonality, LinuxPersonalityDomain, LinuxSchedulerFlag, LinuxSchedulerPolicy,
    MemoryPolicyFlagType, MemoryPolicyModeType, PosixRlimit, PosixRlimitType, Process, Scheduler,
};
use std::ffi::CString;

/// The directories to search for a program without a slash if the environment has no PATH.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The program's terminal. With `console`, as for an init process, it is also /dev/console.
pub(super) fn terminal(process: &Process, console: bool, controlling: bool) -> Act {
    let size = process.console_size().as_ref().map(|size| (size.height() as u16, size.width() as u16));
    Act::OpenTerminal { size: size.filter(|size| *size != (0, 0)), console, controlling }
}

/// Arguments, environment and search path.
pub(super) fn program(process: &Process, extra: &[String], at: &Pointer, notes: &mut Notes) -> Program {
    let strings = |list: &[String], at: &Pointer, notes: &mut Notes| -> Vec<CString> {
        list.iter().enumerate().map(|(i, text)| c_string(text.as_str(), &at.index(i), &mut notes.problems)).collect()
    };
    let arguments = strings(process.args().as_deref().unwrap_or_default(), &at.key("args"), notes);
    let mut environment: Vec<&str> = Vec::new();
    for entry in process.env().iter().flatten().map(String::as_str).chain(extra.iter().map(String::as_str)) {
        environment.push(entry);
    }
    let environment = last_wins(&environment);
    let search = environment.iter().find_map(|entry| entry.strip_prefix("PATH=")).unwrap_or(DEFAULT_PATH);
    let place = at.key("env");
    let search = search.split(':').map(|directory| c_string(directory, &place, &mut notes.problems)).collect();
    let environment = environment.into_iter().map(|entry| c_string(entry, &place, &mut notes.problems)).collect();
    Program { arguments, environment, search }
}

/// The CPU affinity of the process, as a bit mask. It is all CPUs, so that the container does not inherit the caller's
/// affinity. A joining process with `execCPUAffinity` gets `execCPUAffinity.final`, or keeps its affinity if that is
/// not set.
pub(super) fn cpus(process: &Process, joins: bool) -> Option<Vec<u64>> {
    let affinity = process.exec_cpu_affinity().as_ref().filter(|_| joins);
    let named = |list: Option<&str>| list.map(number_list::bits).filter(|words| !words.is_empty());
    match affinity {
        None => Some(vec![u64::MAX; 16]),
        Some(affinity) => named(affinity.cpu_affinity_final().as_deref()),
    }
}

/// Removes earlier entries of the same name. Keeps the order of the others.
fn last_wins<'a>(entries: &[&'a str]) -> Vec<&'a str> {
    let name = |entry: &'a str| entry.split_once('=').map_or(entry, |(name, _)| name);
    let mut seen = std::collections::HashSet::with_capacity(entries.len());
    let mut kept: Vec<_> = entries.iter().rev().filter(|entry| seen.insert(name(entry))).copied().collect();
    kept.reverse();
    kept
}

/// A step of the process at `at`.
fn step(at: &Pointer, member: &str, act: Act) -> Step {
    Step { origin: identity::place(at, member), act }
}

/// Attributes that need the container's namespaces and the runtime's rights: scheduling, priorities, personality.
pub(super) fn attributes(process: &Process, personality: Option<&LinuxPersonality>, at: &Pointer) -> Vec<Step> {
    let mut steps = Vec::new();
    if let Some(scheduler) = process.scheduler() {
        steps.push(step(at, "scheduler", Act::SetScheduler(Box::new(sched_attr(scheduler)))));
    }
    if let Some(priority) = process.io_priority() {
        let class: u32 = match priority.class() {
            IOPriorityClass::IoprioClassRt => 1,
            IOPriorityClass::IoprioClassBe => 2,
            IOPriorityClass::IoprioClassIdle => 3,
        };
        let level = priority.priority() as u32 & 0x1fff;
        steps.push(step(at, "ioPriority", Act::SetIoPriority(class << 13 | level)));
    }
    if let Some(personality) = personality {
        let domain = match personality.domain() {
            LinuxPersonalityDomain::PerLinux => 0,
            LinuxPersonalityDomain::PerLinux32 => 8,
        };
        steps.push(Step { origin: Pointer::of("/linux/personality"), act: Act::SetPersonality(domain) });
    }
    steps
}

/// The security labels (AppArmor, SELinux) for the next execve.
pub(super) fn labels(process: &Process, host: &Host, at: &Pointer, notes: &mut Notes) -> Vec<Step> {
    let mut steps = Vec::new();
    if let Some(profile) = process.apparmor_profile().as_deref().filter(|profile| !profile.is_empty()) {
        let place = at.key("apparmorProfile");
        if host.apparmor {
            let label = c_string(format!("exec {profile}"), &place, &mut notes.problems);
            steps.push(Step { origin: place, act: Act::SetLabel { file: c"apparmor/exec".to_owned(), label } });
        } else {
            notes.problems.add(place, format!("{profile:?} needs AppArmor, which is not enabled on this host"));
        }
    }
    if let Some(label) = process.selinux_label().as_deref().filter(|label| !label.is_empty()) {
        let place = at.key("selinuxLabel");
        if host.selinux {
            let label = c_string(label, &place, &mut notes.problems);
            steps.push(Step { origin: place, act: Act::SetLabel { file: c"exec".to_owned(), label } });
        } else {
            notes.problems.add(place, format!("{label:?} needs SELinux, which is not enabled on this host"));
        }
    }
    steps
}

/// The NUMA policy: MPOL_* and MPOL_F_* of set_mempolicy(2). `validate` reports malformed lists.
pub(super) fn memory_policy(linux: Option<&Linux>) -> Option<Step> {
    let policy = linux?.memory_policy().as_ref()?;
    let mode = match policy.mode() {
        MemoryPolicyModeType::MpolDefault => 0,
        MemoryPolicyModeType::MpolPreferred => 1,
        MemoryPolicyModeType::MpolBind => 2,
        MemoryPolicyModeType::MpolInterleave => 3,
        MemoryPolicyModeType::MpolLocal => 4,
        MemoryPolicyModeType::MpolPreferredMany => 5,
        MemoryPolicyModeType::MpolWeightedInterleave => 6,
    };
    let mode = policy.flags().iter().flatten().fold(mode, |mode, flag| {
        mode | match flag {
            MemoryPolicyFlagType::MpolFNumaBalancing => 1 << 13,
            MemoryPolicyFlagType::MpolFRelativeNodes => 1 << 14,
            MemoryPolicyFlagType::MpolFStaticNodes => 1 << 15,
        }
    });
    let nodes = number_list::bits(policy.nodes().as_deref().unwrap_or_default());
    Some(Step { origin: Pointer::of("/linux/memoryPolicy"), act: Act::SetMemoryPolicy { mode, nodes } })
}

/// The resource limits.
pub(super) fn rlimits(process: &Process, at: &Pointer) -> Vec<Step> {
    let limits = process.rlimits().as_deref().unwrap_or_default();
    let at = at.key("rlimits");
    let act = |limit: &PosixRlimit| {
        let (resource, name) = rlimit(limit.typ());
        Act::SetRlimit { resource, name, soft: limit.soft(), hard: limit.hard() }
    };
    limits.iter().enumerate().map(|(i, limit)| Step { origin: at.index(i), act: act(limit) }).collect()
}

/// RLIMIT_* numbers of every architecture except Alpha, MIPS and SPARC.
fn rlimit(typ: PosixRlimitType) -> (u32, &'static str) {
    match typ {
        PosixRlimitType::RlimitCpu => (0, "RLIMIT_CPU"),
        PosixRlimitType::RlimitFsize => (1, "RLIMIT_FSIZE"),
        PosixRlimitType::RlimitData => (2, "RLIMIT_DATA"),
        PosixRlimitType::RlimitStack => (3, "RLIMIT_STACK"),
        PosixRlimitType::RlimitCore => (4, "RLIMIT_CORE"),
        PosixRlimitType::RlimitRss => (5, "RLIMIT_RSS"),
        PosixRlimitType::RlimitNproc => (6, "RLIMIT_NPROC"),
        PosixRlimitType::RlimitNofile => (7, "RLIMIT_NOFILE"),
        PosixRlimitType::RlimitMemlock => (8, "RLIMIT_MEMLOCK"),
        PosixRlimitType::RlimitAs => (9, "RLIMIT_AS"),
        PosixRlimitType::RlimitLocks => (10, "RLIMIT_LOCKS"),
        PosixRlimitType::RlimitSigpending => (11, "RLIMIT_SIGPENDING"),
        PosixRlimitType::RlimitMsgqueue => (12, "RLIMIT_MSGQUEUE"),
        PosixRlimitType::RlimitNice => (13, "RLIMIT_NICE"),
        PosixRlimitType::RlimitRtprio => (14, "RLIMIT_RTPRIO"),
        PosixRlimitType::RlimitRttime => (15, "RLIMIT_RTTIME"),
    }
}

/// The capability sets of the process. Without `process.capabilities` they are empty: a container does not inherit the
/// caller's capabilities.
pub(super) fn capabilities(process: &Process, host: &Host, own_user_namespace: bool, notes: &mut Notes) -> Capability {
    let listed = process.capabilities().as_ref();
    listed.map_or(Capability::default(), |listed| identity::capabilities(listed, host, own_user_namespace, notes))
}

/// The parameters of sched_setattr(2). Missing members are 0 (config.md, "scheduler").
fn sched_attr(scheduler: &Scheduler) -> libc::sched_attr {
    let policy = match scheduler.policy() {
        LinuxSchedulerPolicy::SchedOther => 0,
        LinuxSchedulerPolicy::SchedFifo => 1,
        LinuxSchedulerPolicy::SchedRr => 2,
        LinuxSchedulerPolicy::SchedBatch => 3,
        LinuxSchedulerPolicy::SchedIso => 4,
        LinuxSchedulerPolicy::SchedIdle => 5,
        LinuxSchedulerPolicy::SchedDeadline => 6,
    };
    let flags = scheduler.flags().iter().flatten().fold(0, |flags, flag| {
        flags
            | match flag {
                LinuxSchedulerFlag::SchedResetOnFork => 0x01,
                LinuxSchedulerFlag::SchedFlagReclaim => 0x02,
                LinuxSchedulerFlag::SchedFlagDLOverrun => 0x04,
                LinuxSchedulerFlag::SchedFlagKeepPolicy => 0x08,
                LinuxSchedulerFlag::SchedFlagKeepParams => 0x10,
                LinuxSchedulerFlag::SchedFlagUtilClampMin => 0x20,
                LinuxSchedulerFlag::SchedFlagUtilClampMax => 0x40,
            }
    });
    libc::sched_attr {
        size: size_of::<libc::sched_attr>() as u32,
        sched_policy: policy,
        sched_flags: flags,
        sched_nice: scheduler.nice().unwrap_or(0),
        sched_priority: scheduler.priority().unwrap_or(0) as u32,
        sched_runtime: scheduler.runtime().unwrap_or(0),
        sched_deadline: scheduler.deadline().unwrap_or(0),
        sched_period: scheduler.period().unwrap_or(0),
    }
}
