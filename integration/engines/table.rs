//! Runs all checks for all engines, and prints the table at the end.

use super::{
    Check, buildah, compose, containerd, cri,
    engine::{ENGINES, Engine, Kind},
    exec, health, images, leaks, lifecycle, limits, networks, place, pods, security, streams,
    time_limit::begin_cell,
    volumes,
};
use crate::harness::trial;
use libtest_mimic::{Completion, Trial};
use std::{
    collections::BTreeMap,
    process::ExitCode,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The result of a check: `ok`, `FAIL` or `skip`, and the reason.
struct Verdict {
    word: &'static str,
    why: String,
}

/// Position of the feature in the table, feature, check, engine with runtime.
type Cell = (usize, &'static str, &'static str, String);

static VERDICTS: Mutex<BTreeMap<Cell, Verdict>> = Mutex::new(BTreeMap::new());

fn verdicts() -> MutexGuard<'static, BTreeMap<Cell, Verdict>> {
    VERDICTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The checks of an engine.
fn checks(kind: Kind) -> Vec<Check> {
    let both: [&[Check]; 10] = [
        lifecycle::CHECKS,
        exec::CHECKS,
        streams::CHECKS,
        limits::CHECKS,
        images::CHECKS,
        volumes::CHECKS,
        networks::CHECKS,
        security::CHECKS,
        health::CHECKS,
        leaks::CHECKS,
    ];
    let own: &[&[Check]] = match kind {
        Kind::Docker => &[images::DOCKER, compose::CHECKS, security::DOCKER, health::DOCKER],
        Kind::Podman => &[security::PODMAN, pods::CHECKS, health::PODMAN],
        Kind::Containerd => &[containerd::CHECKS, cri::CHECKS],
        Kind::Buildah => &[buildah::CHECKS],
    };
    let shared: &[&[Check]] = if matches!(kind, Kind::Docker | Kind::Podman) { &both } else { &[] };
    [shared, own, &[leaks::LAST]].concat().concat()
}

/// Runs the selected checks, one after the other, and prints the table.
pub(crate) fn run(words: Vec<String>) -> ExitCode {
    trial::catch_panics();
    let (mut arguments, filters) = trial::arguments(words.into_iter());
    // All daemons share the machine, and checks observe the whole machine, so they must not run at the same time.
    arguments.test_threads = Some(1);
    let mut trials = Vec::new();
    let mut features = Vec::new();
    // The runtime under test comes first, in case the time is short. runc's results only explain failures.
    let (ours, runc): (Vec<_>, Vec<_>) = ENGINES.iter().partition(|engine| engine.ours);
    for engine in [ours, runc].concat() {
        for check in checks(engine.kind) {
            if !features.contains(&check.0) {
                features.push(check.0);
            }
            let row = features.iter().position(|one| *one == check.0).unwrap_or_default();
            trials.push(trial_of(engine, check, row));
        }
    }
    let place = if arguments.list { Ok(None) } else { place::prepare() };
    let cgroups = match place {
        Ok(cgroups) => cgroups,
        Err(why) => {
            eprintln!("integration: {why}");
            return ExitCode::FAILURE;
        }
    };
    trials.retain(|trial| trial::selected(trial.name(), &filters));
    let conclusion = libtest_mimic::run(&arguments, trials);
    if !arguments.list {
        print();
    }
    // The daemons are in the cgroup that is removed next.
    ENGINES.iter().for_each(Engine::end_daemon);
    drop(cgroups);
    conclusion.exit_code()
}

fn trial_of(engine: &'static Engine, (feature, check, body): Check, row: usize) -> Trial {
    let name = format!("{}::{feature}/{check}", engine.name());
    Trial::ignorable_test(name.clone(), move || {
        let result = trial::one(&name, &|| {
            let key = (row, feature, check, engine.peer());
            begin_cell(!engine.ours && verdicts().get(&key).is_some_and(|ours| ours.word == "ok"));
            engine.need();
            body(engine);
        });
        let verdict = match &result {
            Ok(Completion::Ignored { reason }) => Verdict { word: "skip", why: reason.clone().unwrap_or_default() },
            Ok(Completion::Completed) => Verdict { word: "ok", why: String::new() },
            Err(failed) => Verdict { word: "FAIL", why: failed.message().unwrap_or_default().to_owned() },
        };
        if verdict.word == "FAIL" {
            // The test runner prints failures only at the end, possibly hours later.
            eprintln!("FAIL {name}: {}", verdict.why);
        }
        let key = (row, feature, check, engine.name());
        verdicts().insert(key, verdict);
        result
    })
}

/// Prints one line for each check, one column for each engine with a runtime, and then the reasons of skipped checks.
fn print() {
    let verdicts = verdicts();
    let columns: Vec<_> = ENGINES.iter().map(Engine::name).collect();
    println!("\n| feature | check | {} |\n|---|---|{}", columns.join(" | "), "---|".repeat(columns.len()));
    let mut rows: Vec<_> = verdicts.keys().map(|(row, feature, check, _)| (*row, *feature, *check)).collect();
    rows.dedup();
    for (row, feature, check) in rows {
        let cell = |column: &String| verdicts.get(&(row, feature, check, column.clone())).map_or("", |one| one.word);
        let cells: Vec<_> = columns.iter().map(cell).collect();
        println!("| {feature} | {check} | {} |", cells.join(" | "));
    }
    for ((_, feature, check, column), verdict) in verdicts.iter().filter(|(_, verdict)| !verdict.why.is_empty()) {
        let why = verdict.why.lines().next().unwrap_or_default();
        // hack/test selects the cell with the words before the tab.
        println!("{} {column}::{feature}/{check}\t{why}", verdict.word);
    }
}
