//! Tests the annotation `io.davit.landlock`: what a program and a process of `exec` may do in a domain.

use crate::harness::bundle::Container;
use crate::harness::runtime::only_davit;
use crate::harness::skip::skip;
use crate::harness::trial::{Test, rows, tests};
use serde_json::{Value, json};

pub(crate) fn tests() -> Vec<Test> {
    let mut all = tests![
        a_program_gets_only_what_a_rule_allows,
        a_process_of_exec_is_restricted_too,
        a_ruleset_needs_no_privilege_of_the_program,
        tcp_ports_that_no_rule_names_are_denied,
        a_missing_path_is_an_error_only_if_strict,
    ];
    all.extend(rows!("refused", REFUSED, refused));
    all
}

/// The ABI version of this kernel, as `davit plan` knows it: strict documents need 6.
fn need_landlock() {
    only_davit("other runtimes do not know the annotation");
    let c = with(Container::sh("exit 0"), &json!({"scope": ["signal"]}));
    c.write();
    let plan = c.call(&["plan", c.dir.to_str().unwrap()]).run();
    if plan.err.contains("Landlock") {
        skip(format!("this kernel cannot restrict enough: {}", plan.err));
    }
}

fn with(c: Container, document: &Value) -> Container {
    let text = document.to_string();
    c.edit(|c| c["annotations"]["io.davit.landlock"] = json!(text))
}

/// Read and execute everywhere, write only to /out and to devices.
fn readonly_but_out() -> Value {
    json!({"files": [
        {"paths": ["/"], "access": ["read", "execute"]},
        {"paths": ["/out"], "access": ["read", "write"]},
        {"paths": ["/dev/null"], "access": ["write"]},
    ]})
}

const WRITES: &str = "(echo >/out/x) 2>/dev/null && echo out; (echo >/dev/null) 2>/dev/null && echo null
                      (echo >/tmp/x) 2>/dev/null && echo tmp; mkdir /var/x 2>/dev/null && echo var; :";

fn a_program_gets_only_what_a_rule_allows() {
    need_landlock();
    assert_eq!(Container::sh(WRITES).prints(), "out\nnull\ntmp\nvar\n");
    assert_eq!(with(Container::sh(WRITES), &readonly_but_out()).prints(), "out\nnull\n");
    // Only reading below /proc: the program itself may not be executed.
    let c = with(Container::sh("echo no"), &json!({"files": [{"paths": ["/proc"], "access": ["read"]}]}));
    c.run().fails().says("permission denied");
}

fn a_process_of_exec_is_restricted_too() {
    need_landlock();
    let c = with(Container::sleeper(), &readonly_but_out()).up();
    let output = c.call(&["exec", &c.id, "sh", "-c", WRITES]).run().ok();
    assert_eq!(output.out, "out\nnull\n");
    // Not even with all rights.
    let output = c.call(&["exec", "--cap", "CAP_DAC_OVERRIDE", "--cap", "CAP_SYS_ADMIN", &c.id, "sh", "-c", WRITES]);
    assert_eq!(output.run().ok().out, "out\nnull\n");
}

/// Without no_new_privs the runtime needs CAP_SYS_ADMIN for the domain. The program does not get it.
fn a_ruleset_needs_no_privilege_of_the_program() {
    need_landlock();
    for (no_new_privileges, filter) in [(false, false), (false, true), (true, false), (true, true)] {
        let c = Container::sh(&format!("{WRITES}; grep -E 'CapEff|CapPrm|NoNewPrivs|Seccomp:' /proc/self/status"));
        let c = with(c, &readonly_but_out()).edit(|c| {
            c["process"]["noNewPrivileges"] = json!(no_new_privileges);
            c["process"]["user"] = json!({"uid": 7, "gid": 7});
            for set in ["effective", "permitted", "bounding", "inheritable", "ambient"] {
                c["process"]["capabilities"][set] = json!([]);
            }
            if filter {
                c["linux"]["seccomp"] = json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
                    {"names": ["landlock_restrict_self", "swapon"], "action": "SCMP_ACT_ERRNO"}]});
            }
        });
        std::os::unix::fs::chown(c.root("out"), Some(7), Some(7)).unwrap();
        let none = "0000000000000000";
        let (nnp, mode) = (u8::from(no_new_privileges), if filter { 2 } else { 0 });
        let wanted = format!("out\nnull\nCapPrm:\t{none}\nCapEff:\t{none}\nNoNewPrivs:\t{nnp}\nSeccomp:\t{mode}\n");
        assert_eq!(c.prints(), wanted, "no_new_privs {no_new_privileges}, filter {filter}");
    }
}

fn tcp_ports_that_no_rule_names_are_denied() {
    need_landlock();
    // Nothing listens at these ports: an allowed connection is refused, a denied one is not permitted.
    let script = "for port in 80 81; do busybox nc -w 1 127.0.0.1 $port </dev/null 2>&1; done; :";
    let text = with(Container::sh(script), &json!({"tcp": {"connect": [80]}})).prints();
    let lines: Vec<_> = text.lines().collect();
    assert!(lines.len() == 2 && lines[0].contains("refused") && lines[1].contains("denied"), "{text}");
}

fn a_missing_path_is_an_error_only_if_strict() {
    need_landlock();
    let document = |mode: &str| {
        let mut document = readonly_but_out();
        document["mode"] = json!(mode);
        document["files"][0]["paths"] = json!(["/", "/missing"]);
        document
    };
    with(Container::sh("echo up"), &document("strict")).run().fails().says(
        "/annotations/io.davit.landlock: allow execute read_file read_dir below /missing: no such file or directory",
    );
    assert_eq!(with(Container::sh("echo up"), &document("best-effort")).prints(), "up\n");
}

/// (name, annotation, what the error says)
type Refused = (&'static str, &'static str, &'static str);

const REFUSED: &[Refused] = &[
    ("no json", "strict", "/annotations/io.davit.landlock: is not a Landlock document"),
    ("unknown access", r#"{"files": [{"paths": ["/"], "access": ["rw"]}]}"#, "access: \"rw\" is unknown"),
    ("nothing", "{}", "restricts nothing"),
];

fn refused(row: &Refused) {
    only_davit("other runtimes do not know the annotation");
    let c = Container::sh("echo up").edit(|c| c["annotations"]["io.davit.landlock"] = json!(row.1));
    c.refused(row.2);
}
