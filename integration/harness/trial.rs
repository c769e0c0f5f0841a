//! Names, runs and skips tests, and compares results with the lists of expected differences.
//! Everything about containers is left to `bundle`.

use crate::harness::skip::Skip;
use crate::harness::user::AS_USER;
use crate::harness::{bundle, differences, kernel, unprivileged};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use std::{cell::RefCell, panic, process::ExitCode};

/// One test: `module::name`, or `module::table/row` for a row of a table. The module is the one listed in `main.rs`,
/// even if the test is in one of its submodules.
pub(crate) struct Test {
    name: String,
    body: Box<dyn Fn() + Send + Sync>,
}

impl Test {
    pub(crate) fn new(module: &str, name: &str, body: impl Fn() + Send + Sync + 'static) -> Self {
        let module = module.split("::").nth(1).unwrap_or(module);
        Self { name: format!("{module}::{name}"), body: Box::new(body) }
    }
}

/// The tests of a module, by function name. The compiler reports a function that is missing here as dead code.
macro_rules! tests {
    ($($name:ident),* $(,)?) => {
        vec![$($crate::harness::trial::Test::new(module_path!(), stringify!($name), $name)),*]
    };
}
pub(crate) use tests;

/// One test per row of a table; the row's first field is its name.
macro_rules! rows {
    ($table:literal, $rows:expr, $body:expr) => {
        $rows.iter().map(|row| {
            $crate::harness::trial::Test::new(module_path!(), &format!("{}/{}", $table, row.0), move || $body(row))
        })
    };
}
pub(crate) use rows;

thread_local! { static LAST_PANIC: RefCell<String> = const { RefCell::new(String::new()) }; }

/// Installs a panic hook that records a panic as the test's failure. The runner prints it with the assertion's
/// location.
pub(crate) fn catch_panics() {
    panic::set_hook(Box::new(|info| {
        let text = info.payload_as_str().unwrap_or("panic without a message");
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        // Only the first failure is reported; cleanup after it may fail too.
        LAST_PANIC.with_borrow_mut(|recorded| {
            if recorded.is_empty() {
                *recorded = format!("{place}: {text}");
            }
        });
    }));
}

/// Splits the command line into the runner's options and filters. A test runs if its name contains one of the filters.
/// The runner itself accepts only one filter.
pub(crate) fn arguments(words: impl Iterator<Item = String>) -> (Arguments, Vec<String>) {
    let (mut options, mut filters) = (vec!["integration".to_owned()], Vec::new());
    let mut words = words.peekable();
    while let Some(word) = words.next() {
        if !word.starts_with('-') {
            filters.push(word);
            continue;
        }
        let valued = ["--skip", "--test-threads", "--format", "--color", "--logfile"].contains(&word.as_str());
        options.push(word);
        options.extend(words.next_if(|_| valued));
    }
    (Arguments::from_iter(options), filters)
}

/// Whether the filters select this test.
pub(crate) fn selected(name: &str, filters: &[String]) -> bool {
    filters.is_empty() || filters.iter().any(|filter| name.contains(filter.as_str()))
}

/// Runs all tests that the command line `words` selects, `threads` at a time, and returns the runner's exit code.
pub(crate) fn run(words: impl Iterator<Item = String>, threads: usize, tests: Vec<Test>) -> ExitCode {
    catch_panics();
    let (mut arguments, filters) = arguments(words);
    arguments.test_threads.get_or_insert(threads);
    if !arguments.list
        && let Err(why) = bundle::prepare()
    {
        eprintln!("integration: {why}");
        return ExitCode::FAILURE;
    }
    let trials = tests.into_iter().filter(|test| selected(&test.name, &filters)).map(|test| {
        let Test { name, body } = test;
        Trial::ignorable_test(name.clone(), move || one(&name, &*body))
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    if !arguments.list {
        bundle::clear();
        kernel::reap_all();
    }
    conclusion.exit_code()
}

/// Whether every test listed as failing exists. Prints the names that do not.
pub(crate) fn differences_are_known(tests: &[Test]) -> bool {
    let names: Vec<_> = tests.iter().map(|test| test.name.as_str()).collect();
    let stale = [differences::unknown(&names), unprivileged::unknown(&names)].concat();
    for name in &stale {
        eprintln!("integration: differences.rs or unprivileged.rs lists {name}, which is not a test");
    }
    stale.is_empty()
}

/// Runs one test and returns its result: passed, failed with the first message, or skipped with the reason.
pub(crate) fn one(name: &str, body: &dyn Fn()) -> Result<Completion, Failed> {
    let as_user = || AS_USER.then(|| unprivileged::reason(name)).flatten();
    let expected = differences::reason(crate::harness::runtime::runtime_name(), name).or_else(as_user);
    LAST_PANIC.take();
    let outcome = panic::catch_unwind(panic::AssertUnwindSafe(body));
    match (outcome, expected) {
        (Ok(()), None) => Ok(Completion::Completed),
        (Ok(()), Some(reason)) => Err(format!("passes, but is listed as failing: {reason}").into()),
        (Err(payload), expected) => match (payload.downcast::<Skip>(), expected) {
            (Ok(skip), _) => {
                eprintln!("SKIP {name}: {}", skip.0);
                Ok(Completion::ignored_with(skip.0))
            }
            (Err(_), Some(reason)) => Ok(Completion::ignored_with(format!("expected difference: {reason}"))),
            (Err(_), None) => Err(LAST_PANIC.take().into()),
        },
    }
}
