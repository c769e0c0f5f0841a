//! Tests that a container has only the three standard file descriptors and those passed on purpose. CVE tests are in
//! `attacks/descriptors.rs`.

use crate::harness::bundle::Container;
use crate::harness::call::Call;
use crate::harness::runtime::{RUNTIME, runtime_has, runtime_name};
use crate::harness::skip::skip;
use crate::harness::trial::{Test, rows, tests};
use crate::process::wrapped;
use nix::{fcntl::OFlag, unistd::pipe2};
use serde_json::json;
use std::{fs, io::Read};

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

/// Returns the file descriptors above 2 of the program, as `number target`.
fn above(text: &str) -> Vec<String> {
    let own = |line: &&str| !["0 ", "1 ", "2 "].iter().any(|start| line.starts_with(start));
    text.lines().filter(|line| !line.is_empty()).filter(own).map(str::to_owned).collect()
}

/// (name, preparation in the calling shell, command and flags, file descriptors above 2 of the program)
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
    let output = Call::new(&c.dir, &["/bin/sh", "-c", &script, &RUNTIME]).run().ok();
    assert_eq!(above(&output.out), row.3, "{output:?}");
}

fn standard_input_reaches_the_program() {
    let c = Container::sh("cat; echo end");
    let text = "line\n".repeat(20_000);
    let output = c.prepare("run", &[]).input(&text).run().ok();
    assert_eq!(output.out, format!("{text}end\n"));
}

fn output_and_error_stay_apart() {
    let c = Container::sh("echo out; echo err >&2");
    let output = c.run().ok();
    assert_eq!((output.out.as_str(), output.err.as_str()), ("out\n", "err\n"));
}

fn much_output_arrives_whole() {
    let output = Container::sh("head -c 3000000 /dev/zero | tr '\\0' x; echo end").run().ok();
    assert_eq!(output.out.len(), 3_000_004);
    assert!(output.out.ends_with("xend\n"));
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
    // The first file that the runtime opens gets number 0, 1 or 2; the program's output must not go to it.
    let c = Container::sh("echo lost; echo ran >/out/mark; ls -l /proc/self/fd >/out/fds");
    wrapped(&c, "exec \"$@\" <&- >&- 2>&-", "run").run().ok();
    assert_eq!(fs::read_to_string(c.root("out/mark")).unwrap(), "ran\n");
}

fn a_user_can_reopen_the_output() {
    let c = Container::sh("echo again >/proc/self/fd/1; echo more >>/dev/stdout").edit(|c| {
        c["process"]["user"] = json!({"uid": 1000, "gid": 1000});
    });
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC).unwrap();
    let run = c.prepare("run", &[]).stdout(writer);
    let mut output = String::new();
    fs::File::from(reader).read_to_string(&mut output).unwrap();
    run.finish().ok();
    assert_eq!(output, "again\nmore\n");
}

fn with_environment() -> Container {
    Container::sh("/probe probe fds; env | grep ^LISTEN | sort")
}

fn listen_fds_are_passed_and_renumbered_for_process_one() {
    let c = with_environment();
    let output =
        wrapped(&c, "exec 3</etc 4</usr 5</; export LISTEN_FDS=2 LISTEN_PID=$$; exec \"$@\"", "run").run().ok();
    assert_eq!(above(&output.out), ["3 /etc", "4 /usr", "LISTEN_FDS=2", "LISTEN_PID=1"], "{output:?}");
}

fn listen_fds_for_another_process_are_not_passed() {
    let c = with_environment();
    let output = wrapped(&c, "exec 3</etc; export LISTEN_FDS=1 LISTEN_PID=1; exec \"$@\"; ", "run").run();
    assert!(above(&output.out).is_empty(), "{output:?}");
}

/// The runtime's own files (its log, directories of the host) get the unused numbers, and must not be inherited.
fn holes_among_the_preserved_stay_closed() {
    if runtime_name() == "runc" {
        skip("runc refuses a closed file descriptor among the preserved ones");
    }
    let call = |c: &Container, words: &str| {
        let (state, dir) = (c.state_dir(), c.dir.to_str().unwrap());
        // Closes 6 to 8 too, because a terminal of a parallel test in this process may be inherited.
        let script = format!(
            "exec 3<&- 4<&- 6<&- 7<&- 8<&- 5</usr; exec \"$0\" --root {} --log {dir}/log {words}",
            state.display()
        );
        Call::new(&c.dir, &["/bin/sh", "-c", &script, &RUNTIME]).run().ok()
    };
    let c = with_environment();
    c.write();
    let output = call(&c, &format!("run --preserve-fds 6 --bundle {} {}", c.dir.display(), c.id));
    assert_eq!(above(&output.out), ["5 /usr"], "{output:?}");
    if runtime_has("exec") {
        let c = Container::sleeper().up();
        let output = call(&c, &format!("exec --preserve-fds 6 {} /probe probe fds", c.id));
        assert_eq!(above(&output.out), ["5 /usr"], "{output:?}");
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
    let output = Call::new(&c.dir, &["/bin/sh", "-c", &script, &RUNTIME]).run().ok();
    assert_eq!(above(&output.out), ["3 /etc", "4 /usr", "LISTEN_FDS=1", "LISTEN_PID=1"], "{output:?}");
}
