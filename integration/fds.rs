//! File descriptors: the three standard ones, those passed on purpose, and no others.

use crate::harness::bundle::Container;
use crate::harness::call::Call;
use crate::harness::runtime::{RUNTIME, runtime_has, runtime_name};
use crate::harness::skip::skip;
use crate::harness::trial::{Test, rows, tests};
use crate::process::wrapped;
use serde_json::json;
use std::fs;

pub(crate) fn tests() -> Vec<Test> {
    let mut all = tests![
        standard_input_reaches_the_program,
        output_and_error_stay_apart,
        much_output_arrives_whole,
        detached_containers_inherit_the_output,
        closed_standard_descriptors,
        a_user_can_reopen_the_output,
        listen_fds_are_passed_and_renumbered_for_process_one,
        listen_fds_for_another_process_are_not_passed,
        holes_among_the_preserved_stay_closed,
        preserved_descriptors_follow_listen_fds,
    ];
    all.extend(rows!("open", OPEN, open));
    all
}

/// The descriptors above 2 that the program finds, as `number target`.
fn above(text: &str) -> Vec<String> {
    let own = |line: &&str| !["0 ", "1 ", "2 "].iter().any(|start| line.starts_with(start));
    text.lines().filter(|line| !line.is_empty()).filter(own).map(str::to_owned).collect()
}

/// (name, what the calling shell does first, verb and flags, what the program then has above 2)
const OPEN: &[(&str, &str, &str, &[&str])] = &[
    ("run", "", "run", &[]),
    ("run-leaked", "exec 7</etc 8</", "run", &[]),
    ("leaked-high", "exec 9</etc", "run", &[]),
    ("preserved", "exec 3</etc 4</", "run --preserve-fds 2", &["3 /etc", "4 /"]),
    ("preserved-and-leaked", "exec 3</etc 4</ 5</usr", "run --preserve-fds=2", &["3 /etc", "4 /"]),
];

fn open(row: &(&str, &str, &str, &[&str])) {
    let c = Container::probe(&["fds"]);
    c.write();
    let (state, bundle) = (c.state_dir(), c.dir.to_str().unwrap());
    let script = format!("{}\nexec \"$0\" --root {} {} --bundle {bundle} {}", row.1, state.display(), row.2, c.id);
    let said = Call::new(&c.dir, &["/bin/sh", "-c", &script, &RUNTIME]).run().ok();
    assert_eq!(above(&said.out), row.3, "{said:?}");
}

fn standard_input_reaches_the_program() {
    let c = Container::sh("cat; echo end");
    let text = "line\n".repeat(20_000);
    let said = c.prepare("run", &[]).input(&text).run().ok();
    assert_eq!(said.out, format!("{text}end\n"));
}

fn output_and_error_stay_apart() {
    let c = Container::sh("echo out; echo err >&2");
    let said = c.run().ok();
    assert_eq!((said.out.as_str(), said.err.as_str()), ("out\n", "err\n"));
}

fn much_output_arrives_whole() {
    let said = Container::sh("head -c 3000000 /dev/zero | tr '\\0' x; echo end").run().ok();
    assert_eq!(said.out.len(), 3_000_004);
    assert!(said.out.ends_with("xend\n"));
}

fn detached_containers_inherit_the_output() {
    let c = Container::sh("echo from-inside; echo >/out/done");
    assert_eq!(c.create().ok().out, "");
    c.start().ok();
    c.wait_out("done");
    let all = fs::read_dir(&c.dir).unwrap().filter_map(|entry| fs::read_to_string(entry.unwrap().path()).ok());
    assert_eq!(all.filter(|text| text == "from-inside\n").count(), 1);
}

fn closed_standard_descriptors() {
    // What comes first after closing must not land on a file of the runtime's own.
    let c = Container::sh("echo lost; echo ran >/out/mark; ls -l /proc/self/fd >/out/fds");
    wrapped(&c, "exec \"$@\" <&- >&- 2>&-", "run").run().ok();
    assert_eq!(fs::read_to_string(c.root("out/mark")).unwrap(), "ran\n");
}

fn a_user_can_reopen_the_output() {
    let c = Container::sh("echo again >/proc/self/fd/1; echo more >>/dev/stderr").edit(|c| {
        c["process"]["user"] = json!({"uid": 1000, "gid": 1000});
    });
    let said = c.run().ok();
    assert!(said.out.ends_with("again\n") && said.err.ends_with("more\n"), "{said:?}");
}

fn with_environment() -> Container {
    Container::sh("/probe probe fds; env | grep ^LISTEN | sort")
}

fn listen_fds_are_passed_and_renumbered_for_process_one() {
    let c = with_environment();
    let said = wrapped(&c, "exec 3</etc 4</usr 5</; export LISTEN_FDS=2 LISTEN_PID=$$; exec \"$@\"", "run").run().ok();
    assert_eq!(above(&said.out), ["3 /etc", "4 /usr", "LISTEN_FDS=2", "LISTEN_PID=1"], "{said:?}");
}

fn listen_fds_for_another_process_are_not_passed() {
    let c = with_environment();
    let said = wrapped(&c, "exec 3</etc; export LISTEN_FDS=1 LISTEN_PID=1; exec \"$@\"; ", "run").run();
    assert!(above(&said.out).is_empty(), "{said:?}");
}

/// What the runtime opens for itself comes to lie in the holes, and is nobody else's: its log, directories of the host.
fn holes_among_the_preserved_stay_closed() {
    if runtime_name() == "runc" {
        skip("runc refuses a closed descriptor among those to keep");
    }
    let call = |c: &Container, words: &str| {
        let (state, dir) = (c.state_dir(), c.dir.to_str().unwrap());
        // Another test of this process may have a terminal open at the moment, which is inherited.
        let script = format!(
            "exec 3<&- 4<&- 6<&- 7<&- 8<&- 5</usr; exec \"$0\" --root {} --log {dir}/log {words}",
            state.display()
        );
        Call::new(&c.dir, &["/bin/sh", "-c", &script, &RUNTIME]).run().ok()
    };
    let c = with_environment();
    c.write();
    let said = call(&c, &format!("run --preserve-fds 6 --bundle {} {}", c.dir.display(), c.id));
    assert_eq!(above(&said.out), ["5 /usr"], "{said:?}");
    if runtime_has("exec") {
        let c = Container::sleeper().up();
        let said = call(&c, &format!("exec --preserve-fds 6 {} /probe probe fds", c.id));
        assert_eq!(above(&said.out), ["5 /usr"], "{said:?}");
    }
}

fn preserved_descriptors_follow_listen_fds() {
    let c = with_environment();
    c.write();
    let (state, bundle) = (c.state_dir(), c.dir.to_str().unwrap());
    let script = format!(
        "exec 3</etc 4</usr 5</; export LISTEN_FDS=1 LISTEN_PID=$$
         exec \"$0\" --root {} run --preserve-fds 1 --bundle {bundle} {}",
        state.display(),
        c.id
    );
    let said = Call::new(&c.dir, &["/bin/sh", "-c", &script, &RUNTIME]).run().ok();
    assert_eq!(above(&said.out), ["3 /etc", "4 /usr", "LISTEN_FDS=1", "LISTEN_PID=1"], "{said:?}");
}
