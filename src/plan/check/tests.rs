//! Tests the rules on recorded configurations, on mutated ones, and on plans that break a rule on purpose.

mod mutate;

use super::breaches;
use super::rules::{AFTER, BEFORE, COUNT};
use crate::plan::act::{Act, Gate, InRoot};
use crate::plan::namespaces::{self, USER};
use crate::plan::resources::CgroupFacts;
use crate::plan::{Exec, Host, PassedFd, Plan, Request, Step, compile, compile_exec};
use crate::spec::load;
use crate::spec::pointer::Pointer;
use crate::sys::credentials::Sets;
use mutate::{Random, mutate};
use oci_spec::runtime::Spec;
use std::collections::BTreeSet;

/// A host with all features, and a fully privileged caller.
fn host() -> Host {
    let names = ["cpuset", "cpu", "io", "memory", "hugetlb", "pids", "rdma"];
    Host {
        privileged: true,
        can_clone_mounts: true,
        procfs_takes_pid_namespace: true,
        last_capability: 40,
        permitted: u64::MAX,
        can_detach_exe: true,
        apparmor: true,
        selinux: true,
        outside_user_namespace: ["/run/ns/network", "/run/ns/time"].map(Into::into).into(),
        landlock: crate::plan::landlock::NEWEST_ABI,
        cgroup: CgroupFacts { controllers: names.map(str::to_owned).to_vec(), v1: Vec::new() },
        ..Host::default()
    }
}

/// An additional process. Its container has its own namespaces of these kinds.
fn joining(kinds: u64) -> Exec {
    Exec {
        namespaces: kinds,
        root: (kinds & namespaces::MOUNT == 0).then(|| "/proc/1/root".into()),
        preserve_fds: vec![5],
        ..Exec::default()
    }
}

fn request() -> Request {
    Request { id: "box".to_owned(), bundle: "/bundle".into(), preserve_fds: vec![3], ..Request::default() }
}

/// Recorded and handwritten configurations, sorted by file name.
fn configurations() -> Vec<(String, Vec<u8>)> {
    let tests = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let below = |directory| std::fs::read_dir(tests.join(directory)).expect("a directory");
    let recorded = below("configs").map(|entry| entry.expect("an entry").path());
    let written = below("plans").map(|entry| entry.expect("an entry").path().join("config.json"));
    let mut files: Vec<_> = recorded.chain(written.filter(|path| path.exists())).collect();
    files.sort();
    let read = |path: &std::path::PathBuf| (path.display().to_string(), std::fs::read(path).expect("a file"));
    files.iter().map(read).collect()
}

fn valid_specs() -> Vec<(String, Spec)> {
    let load = |(name, bytes): (String, Vec<u8>)| Some((name, load::load(&bytes).ok()?.spec));
    configurations().into_iter().filter_map(load).collect()
}

/// The plans of every valid configuration for create and run, with and without pivot_root, and for exec.
fn plans() -> Vec<(String, Plan)> {
    let mut plans = Vec::new();
    for (name, spec) in valid_specs() {
        for (run, no_pivot) in [(false, false), (true, true)] {
            if let Ok(plan) = compile(&spec, &host(), &Request { run, no_pivot, scope: run, ..request() }) {
                plans.push((format!("{name}, run {run}, no pivot {no_pivot}"), plan));
            }
        }
        let process = spec.process().as_ref().expect("a process");
        for kinds in [0, namespaces::MOUNT, USER | namespaces::MOUNT | namespaces::PID] {
            let exec = joining(kinds);
            if let Ok(plan) = compile_exec(&spec, process, &host(), &exec) {
                plans.push((format!("{name}, exec into {kinds:x}"), plan));
            }
        }
    }
    assert!(plans.len() > 40, "only {} plans were made", plans.len());
    plans
}

#[test]
fn recorded_configurations_keep_every_rule() {
    for (name, plan) in plans() {
        assert_eq!(breaches(&plan), Vec::<String>::new(), "{name}");
    }
}

/// Flips options, duplicates, reorders and removes entries, and sets values of other types. Every plan that compiles
/// keeps the rules.
#[test]
fn mutated_configurations_keep_every_rule() {
    let sources: Vec<serde_json::Value> =
        configurations().iter().map(|(_, bytes)| serde_json::from_slice(bytes).expect("JSON")).collect();
    let (mut compiled, mut refused) = (0, 0);
    for seed in 0..2000 {
        let mut random = Random::new(seed);
        let mut document = random.pick(&sources).clone();
        mutate(&mut document, &mut random);
        let facts = mutate::host(host(), &mut random);
        let overrides = Request {
            run: random.chance(2),
            no_pivot: random.chance(4),
            no_new_keyring: random.chance(4),
            preserve_fds: if random.chance(2) { vec![3, 4] } else { Vec::new() },
            ..request()
        };
        let text = document.to_string();
        let Ok(loaded) = load::load(text.as_bytes()) else {
            refused += 1;
            continue;
        };
        let mut plans = vec![compile(&loaded.spec, &facts, &overrides)];
        if let Some(process) = loaded.spec.process() {
            let kinds = [0, namespaces::MOUNT, USER | namespaces::MOUNT, USER | namespaces::PID];
            let exec = joining(*random.pick(&kinds));
            plans.push(compile_exec(&loaded.spec, process, &facts, &exec));
        }
        for plan in plans {
            match plan {
                Ok(plan) => {
                    compiled += 1;
                    assert_eq!(breaches(&plan), Vec::<String>::new(), "seed {seed}: {text}");
                }
                Err(problems) => {
                    refused += 1;
                    assert!(!problems.is_empty(), "seed {seed}: refused without a reason");
                }
            }
        }
    }
    // A generator that makes only invalid or only unchanged documents would test nothing.
    assert!(compiled > 700 && refused > 300, "{compiled} compiled, {refused} refused");
}

fn breaks(plan: &Plan, why: &str) -> bool {
    breaches(plan).iter().any(|breach| breach.contains(why))
}

fn rearranged(plan: &Plan, change: impl FnOnce(&mut Vec<Step>)) -> Plan {
    let mut init = plan.init.clone();
    change(&mut init);
    copy(plan, init)
}

fn copy(plan: &Plan, init: Vec<Step>) -> Plan {
    Plan {
        namespaces: plan.namespaces.clone(),
        passed_fds: plan.passed_fds.clone(),
        intermediate: plan.intermediate.clone(),
        init,
        program: plan.program.clone(),
        detach_exe_before_clone: plan.detach_exe_before_clone,
        parent_rlimits: plan.parent_rlimits.clone(),
        resources: plan.resources.clone(),
        resctrl: plan.resctrl.clone(),
        net_devices: plan.net_devices.clone(),
        warnings: Vec::new(),
    }
}

/// Breaks each rule in every plan that has both acts, by moving the earlier act after the later one.
#[test]
fn every_broken_order_rule_is_reported() {
    let plans = plans();
    for rule in BEFORE {
        let mut tried = 0;
        for (name, plan) in &plans {
            let earlier = plan.init.iter().position(|step| (rule.earlier)(&step.act));
            let later = plan.init.iter().rposition(|step| (rule.later)(&step.act));
            let (Some(earlier), Some(later)) = (earlier, later) else { continue };
            tried += 1;
            let moved_late = rearranged(plan, |steps| {
                let step = steps.remove(earlier);
                steps.insert(later, step);
            });
            assert!(breaks(&moved_late, rule.why), "{name}: {}", rule.why);
        }
        assert!(tried > 0, "no plan tries this rule: {}", rule.why);
    }
}

#[test]
fn every_broken_count_rule_is_reported() {
    let plans = plans();
    for rule in COUNT {
        let mut tried = 0;
        for (name, plan) in &plans {
            let Some(place) = plan.init.iter().position(|step| (rule.acts)(&step.act)) else { continue };
            let (minimum, maximum) = if plan.passed_fds.contains(&PassedFd::Process) { rule.exec } else { rule.create };
            if minimum > 0 {
                tried += 1;
                let less = rearranged(plan, |steps| drop(steps.remove(place)));
                assert!(breaks(&less, rule.why), "{name}, one fewer: {}", rule.why);
            }
            if maximum < usize::MAX {
                tried += 1;
                let more = rearranged(plan, |steps| steps.insert(place, steps[place].clone()));
                assert!(breaks(&more, rule.why), "{name}, one more: {}", rule.why);
            }
            if !plan.passed_fds.contains(&PassedFd::Process) && rule.exec.1 == 0 {
                tried += 1;
                let mut plan = copy(plan, plan.init.clone());
                plan.passed_fds.push(PassedFd::Process);
                assert!(breaks(&plan, rule.why), "{name}, for exec: {}", rule.why);
            }
        }
        assert!(tried > 0, "no plan tries this rule: {}", rule.why);
    }
}

#[test]
fn every_broken_after_rule_is_reported() {
    let plans = plans();
    let intruder = Step { origin: Pointer::of("/linux"), act: Act::MaskPath(InRoot(c"/x".to_owned())) };
    for rule in AFTER {
        let mut tried = 0;
        for (name, plan) in &plans {
            let Some(place) = plan.init.iter().position(|step| (rule.once)(&step.act)) else { continue };
            tried += 1;
            let worse = rearranged(plan, |steps| steps.insert(place + 1, intruder.clone()));
            assert!(breaks(&worse, rule.why), "{name}: {}", rule.why);
        }
        assert!(tried > 0, "no plan tries this rule: {}", rule.why);
    }
}

/// Changes the plan of `tests/plans/NAME`, and returns the rules that it then breaks.
fn changed(name: &str, change: impl FnOnce(&mut Plan)) -> Vec<String> {
    let (_, spec) = valid_specs().into_iter().find(|(file, _)| file.contains(&format!("/{name}/"))).expect("a plan");
    let mut plan = compile(&spec, &host(), &request()).expect("valid");
    change(&mut plan);
    breaches(&plan)
}

fn set_act(plan: &mut Plan, is: fn(&Act) -> bool, act: Act) {
    plan.init.iter_mut().find(|step| is(&step.act)).expect("such a step").act = act;
}

fn set_kind(step: &mut Step, to: u64) {
    if let Act::JoinNamespace { kind, .. } = &mut step.act {
        *kind = to;
    }
}

/// Breaks each rule that is not in a table once.
#[test]
fn every_other_broken_rule_is_reported() {
    let remove = |plan: &mut Plan, is: fn(&Act) -> bool| plan.init.retain(|step| !is(&step.act));
    let rights = |permitted, inheritable, ambient| Act::SetCapabilities {
        sets: Sets { effective: permitted, permitted, inheritable },
        ambient,
    };
    let any_rights: fn(&Act) -> bool = |act| matches!(act, Act::SetCapabilities { .. });
    let cases: Vec<(&str, Vec<String>)> = vec![
        ("execve is the last step", changed("minimal", |p| drop(p.init.pop()))),
        ("detached from once", changed("everything", |p| p.detach_exe_before_clone = true)),
        ("16 bits", changed("minimal", |p| p.init = vec![p.init[0].clone(); 70_000])),
        ("new or joined, not both", changed("minimal", |p| p.namespaces.joined |= namespaces::MOUNT)),
        ("new user namespace has maps", changed("user-namespace", |p| p.namespaces.maps = None)),
        ("waits for the id maps", changed("user-namespace", |p| remove(p, |a| *a == Act::Await(Gate::IdMaps)))),
        ("changes to root", changed("user-namespace", |p| remove(p, |a| *a == Act::BecomeRoot))),
        ("changes to root", changed("joined", |p| remove(p, |a| *a == Act::BecomeRoot))),
        ("inside the cgroup", changed("everything", |p| remove(p, |a| *a == Act::NewCgroupNamespace))),
        ("lo is brought up", changed("everything", |p| remove(p, |a| *a == Act::LoopbackUp))),
        ("waits for the host side", changed("everything", |p| remove(p, |a| *a == Act::Await(Gate::Host)))),
        ("propagation of a new", changed("minimal", |p| remove(p, |a| matches!(a, Act::SetPropagation(_))))),
        ("in the caller's mount", changed("everything", |p| p.namespaces.new &= !namespaces::MOUNT)),
        ("only if the container has none", changed("everything", |p| p.namespaces.mounts_in_callers = true)),
        ("is opened, and not bound again", changed("everything", |p| p.namespaces.mounts_in_callers = true)),
        ("only if the parent sets them", changed("user-namespace", |p| p.parent_rlimits.clear())),
        ("the parent sets resource limits", changed("everything", |p| p.namespaces.joined |= USER)),
        ("slot 1 is used once", changed("user-namespace", |p| remove(p, |a| matches!(a, Act::Bind(_))))),
        ("the slot holds", changed("joined", |p| p.passed_fds.reverse())),
        ("only joins namespaces", changed("joined", |p| p.intermediate[0].act = Act::BecomeRoot)),
        ("only an intermediate process has", changed("joined", |p| p.namespaces.via_intermediate = false)),
        ("what the child has no rights to", changed("joined", |p| drop(p.intermediate.pop()))),
        ("if and only if it does not belong to it", changed("joined", |p| p.intermediate.reverse())),
        (
            "another mount namespace",
            changed("joined", |p| {
                p.intermediate.iter_mut().for_each(|step| set_kind(step, namespaces::MOUNT));
            }),
        ),
        ("hooks run once each", changed("everything", |p| p.init.retain(|s| s.act != Act::CreateContainerHook(0)))),
        ("is the member that requests it", changed("minimal", |p| p.init[2].origin = Pointer::of("linux"))),
        (
            "is the member that requests it",
            changed("minimal", |p| p.init.iter_mut().for_each(|s| s.origin = Pointer::of(""))),
        ),
        ("with no_new_privs or", changed("everything", |p| set_act(p, any_rights, rights(1, 0, 0)))),
        (
            "only shrink",
            changed("everything", |p| {
                let last = p.init.iter().rposition(|step| any_rights(&step.act)).expect("two");
                p.init[last].act = rights(u64::MAX, 0, 0);
            }),
        ),
        ("permitted and inheritable", changed("everything", |p| set_act(p, any_rights, rights(u64::MAX, 1, 2)))),
        (
            "is the entered directory",
            changed("minimal", |p| {
                set_act(p, |a| matches!(a, Act::ChangeDirectory(_)), Act::ChangeDirectory(c"/other".to_owned()));
            }),
        ),
    ];
    for (rule, found) in cases {
        assert!(found.iter().any(|breach| breach.contains(rule)), "{rule}: {found:#?}");
    }
}

/// Breaks the rule in both ways: enters the pid namespace too early, and installs the filter too late.
#[test]
fn a_visible_process_with_excess_rights_is_reported() {
    let (mut early, mut late) = (0, 0);
    let position = |steps: &[Step], is: fn(&Act) -> bool| steps.iter().position(|step| is(&step.act));
    let installs: fn(&Act) -> bool = |act| matches!(act, Act::InstallFilter(filter) if !filter.notifies);
    for (name, plan) in plans() {
        let (joins, enters) = (
            position(&plan.init, |act| matches!(act, Act::JoinProcess { .. })),
            position(&plan.init, |act| matches!(act, Act::EnterPidNamespace { .. })),
        );
        if let (Some(joins), Some(enters)) = (joins, enters) {
            let moved = rearranged(&plan, |steps| {
                let step = steps.remove(enters);
                steps.insert(joins + 1, step);
            });
            assert!(breaks(&moved, "has the ids and groups of its program"), "{name}");
            assert!(breaks(&moved, "are done before others can see"), "{name}");
            early += 1;
        }
        let waits = position(&plan.init, |act| matches!(act, Act::AwaitStart(_)));
        let seen = enters.or(waits.filter(|_| plan.namespaces.new & namespaces::PID != 0));
        if let (Some(seen), Some(installs)) = (seen, position(&plan.init, installs))
            && installs < seen
        {
            let moved = rearranged(&plan, |steps| {
                let step = steps.remove(installs);
                steps.insert(steps.len() - 1, step);
            });
            assert!(breaks(&moved, "a filter that permits the remaining steps"), "{name}");
            late += 1;
        }
    }
    assert!(early > 5 && late > 5, "{early} plans enter a pid namespace, {late} install a filter early");
}

#[test]
fn a_configuration_with_more_than_65535_steps_is_refused() {
    let (_, bytes) = configurations().into_iter().find(|(name, _)| name.contains("/minimal/")).expect("a plan");
    let mut document: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
    let mount = |number| serde_json::json!({"destination": format!("/m{number}"), "type": "tmpfs"});
    document["mounts"] = (0..65_536).map(mount).collect();
    let spec = load::load(document.to_string().as_bytes()).expect("valid").spec;
    let problems = compile(&spec, &host(), &request()).expect_err("too long");
    assert!(problems.to_string().contains("the maximum is 65535"), "{problems}");
}

/// An origin must help to find the cause, so its first name is a member of config.json.
#[test]
fn origins_begin_with_members_of_the_document() {
    let members: BTreeSet<_> =
        ["process", "root", "mounts", "hooks", "linux", "hostname", "domainname", "annotations"].into();
    for (name, plan) in &plans() {
        for step in &plan.init {
            let Some(first) = step.origin.as_str().split('/').nth(1) else { continue };
            // exec reads process.json, which has no member `process`. It takes the rest from config.json.
            let fits =
                if plan.passed_fds.contains(&PassedFd::Process) { first != "process" } else { members.contains(first) };
            assert!(fits, "{name}: {} ({})", step.origin, step.act);
        }
    }
}
