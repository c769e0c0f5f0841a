//! Tests `linux.seccomp`: the results of system calls under a filter. Notifications are left to `seccomp_agent`.
//!
//! The probe calls `getpgid`: the kernel reads one of its arguments, and the filter may read all six.

use crate::harness::bundle::Container;
use crate::harness::kernel;
use crate::harness::trial::{Test, rows, tests};
use serde_json::{Value, json};

pub(crate) fn tests() -> Vec<Test> {
    let mut all = tests![
        filter_is_installed_once,
        no_filter_unless_asked,
        default_errno,
        default_errno_of_choice,
        calls_newer_than_the_profile_do_not_exist,
        unknown_names_are_skipped,
        without_no_new_privileges,
        several_names_and_rules,
        x32_calls_match_their_own_rules,
        x32_calls_are_refused_unless_listed,
        flags_are_accepted,
        empty_flags_are_accepted,
        the_filter_holds_for_children,
    ];
    all.extend(rows!("action", ACTIONS, action));
    all.extend(rows!("operator", OPERATORS, operator));
    all
}

const GETPGID: i64 = libc::SYS_getpgid;
/// The errno that these tests' rules return. No call here returns it without a rule.
const MARK: u32 = 54;
const MARKED: &str = "EXFULL";

/// A container whose probe calls `getpgid` once with each of these arguments.
fn getpgid(arguments: &[&str]) -> Container {
    let calls: Vec<_> = arguments.iter().map(|words| format!("{GETPGID},{words}")).collect();
    let mut words = vec!["syscall"];
    words.extend(calls.iter().map(String::as_str));
    Container::probe(&words)
}

fn profile(c: Container, profile: Value) -> Container {
    c.edit(|c| c["linux"]["seccomp"] = profile)
}

fn allow_but(rules: Value) -> Value {
    json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules})
}

#[track_caller]
fn answers(c: &Container) -> Vec<String> {
    c.prints().lines().map(str::to_owned).collect()
}

/// (name, action, errnoRet or 0, what the call prints; `` if the program is killed before it prints, exit status)
const ACTIONS: &[(&str, &str, u32, &str, i32)] = &[
    ("allow", "SCMP_ACT_ALLOW", 0, "1", 0),
    ("errno", "SCMP_ACT_ERRNO", 0, "EPERM", 0),
    ("errno-of-choice", "SCMP_ACT_ERRNO", 38, "ENOSYS", 0),
    ("log", "SCMP_ACT_LOG", 0, "1", 0),
    ("trace-without-tracer", "SCMP_ACT_TRACE", 0, "ENOSYS", 0),
    ("kill", "SCMP_ACT_KILL", 0, "", 128 + 31),
    ("kill-thread", "SCMP_ACT_KILL_THREAD", 0, "", 128 + 31),
    ("kill-process", "SCMP_ACT_KILL_PROCESS", 0, "", 128 + 31),
    ("trap", "SCMP_ACT_TRAP", 0, "", 128 + 31),
];

fn action(row: &(&str, &str, u32, &str, i32)) {
    let mut rule = json!({"names": ["getpgid"], "action": row.1});
    if row.2 != 0 {
        rule["errnoRet"] = json!(row.2);
    }
    // The default must differ from the rule's action, or the rule would have no effect.
    let mut profile_of = allow_but(json!([rule]));
    if row.1 == "SCMP_ACT_ALLOW" {
        profile_of = json!({"defaultAction": "SCMP_ACT_LOG", "syscalls": [rule]});
    }
    let output = profile(getpgid(&["1"]), profile_of).run().exits(row.4);
    assert_eq!(output.line(), row.3);
}

/// (name, conditions, calls with the result: `!` the rule matches, `=` it does not)
type Operator = (&'static str, &'static str, &'static [(&'static str, char)]);

const OPERATORS: &[Operator] = &[
    (
        "eq",
        r#"[{"index": 0, "value": 5, "op": "SCMP_CMP_EQ"}]"#,
        &[("5", '!'), ("4", '='), ("6", '='), ("4294967301", '=')],
    ),
    ("ne", r#"[{"index": 0, "value": 5, "op": "SCMP_CMP_NE"}]"#, &[("5", '='), ("4", '!'), ("4294967301", '!')]),
    (
        "lt",
        r#"[{"index": 0, "value": 5, "op": "SCMP_CMP_LT"}]"#,
        &[("4", '!'), ("5", '='), ("6", '='), ("4294967296", '=')],
    ),
    (
        "le",
        r#"[{"index": 0, "value": 5, "op": "SCMP_CMP_LE"}]"#,
        &[("4", '!'), ("5", '!'), ("6", '='), ("4294967300", '=')],
    ),
    (
        "gt",
        r#"[{"index": 0, "value": 5, "op": "SCMP_CMP_GT"}]"#,
        &[("4", '='), ("5", '='), ("6", '!'), ("4294967296", '!')],
    ),
    (
        "ge",
        r#"[{"index": 0, "value": 5, "op": "SCMP_CMP_GE"}]"#,
        &[("4", '='), ("5", '!'), ("6", '!'), ("4294967296", '!')],
    ),
    (
        "wide-eq",
        r#"[{"index": 0, "value": 8589934597, "op": "SCMP_CMP_EQ"}]"#,
        &[("8589934597", '!'), ("5", '='), ("4294967301", '='), ("8589934598", '=')],
    ),
    (
        "wide-gt",
        r#"[{"index": 0, "value": 8589934597, "op": "SCMP_CMP_GT"}]"#,
        &[("8589934597", '='), ("8589934598", '!'), ("12884901888", '!'), ("4294967305", '=')],
    ),
    (
        "wide-le",
        r#"[{"index": 0, "value": 8589934597, "op": "SCMP_CMP_LE"}]"#,
        &[("8589934597", '!'), ("8589934598", '='), ("12884901888", '='), ("4294967305", '!')],
    ),
    (
        "unsigned",
        r#"[{"index": 0, "value": 5, "op": "SCMP_CMP_GT"}]"#,
        &[("18446744073709551615", '!'), ("9223372036854775808", '!')],
    ),
    (
        "masked",
        r#"[{"index": 0, "value": 240, "valueTwo": 80, "op": "SCMP_CMP_MASKED_EQ"}]"#,
        &[("80", '!'), ("95", '!'), ("336", '!'), ("96", '='), ("16", '='), ("240", '=')],
    ),
    (
        "masked-wide",
        r#"[{"index": 0, "value": 4294967296, "valueTwo": 4294967296, "op": "SCMP_CMP_MASKED_EQ"}]"#,
        &[("4294967296", '!'), ("4294967303", '!'), ("7", '='), ("8589934592", '=')],
    ),
    ("last-index", r#"[{"index": 5, "value": 9, "op": "SCMP_CMP_EQ"}]"#, &[("1,0,0,0,0,9", '!'), ("9,9,9,9,9,8", '=')]),
    (
        "both-must-hold",
        r#"[{"index": 1, "value": 1, "op": "SCMP_CMP_EQ"}, {"index": 2, "value": 2, "op": "SCMP_CMP_EQ"}]"#,
        &[("1,1,2", '!'), ("1,1,3", '='), ("1,0,2", '=')],
    ),
    (
        "one-index-twice",
        r#"[{"index": 1, "value": 1, "op": "SCMP_CMP_EQ"}, {"index": 1, "value": 2, "op": "SCMP_CMP_EQ"}]"#,
        &[("1,1", '!'), ("1,2", '!'), ("1,3", '=')],
    ),
];

fn operator(row: &Operator) {
    let conditions: Value = serde_json::from_str(row.1).unwrap();
    let rule = json!([{"names": ["getpgid"], "action": "SCMP_ACT_ERRNO", "errnoRet": MARK, "args": conditions}]);
    let calls: Vec<_> = row.2.iter().map(|(call, _)| *call).collect();
    let output = answers(&profile(getpgid(&calls), allow_but(rule)));
    assert_eq!(output.len(), calls.len());
    for ((call, wanted), got) in row.2.iter().zip(output) {
        assert_eq!(got == MARKED, *wanted == '!', "getpgid({call}) gave {got}");
    }
}

fn filter_is_installed_once() {
    let rule = json!([{"names": ["getpgid"], "action": "SCMP_ACT_ERRNO"}]);
    let output = profile(Container::sh("grep Seccomp /proc/self/status"), allow_but(rule)).prints();
    // One more than the suite's own filters: the suite may run under the old-kernel filter.
    assert_eq!(output, format!("Seccomp:\t2\nSeccomp_filters:\t{}\n", kernel::own_filters().1 + 1));
}

fn no_filter_unless_asked() {
    let (mode, count) = kernel::own_filters();
    let output = Container::sh("grep Seccomp /proc/self/status").prints();
    assert_eq!(output, format!("Seccomp:\t{mode}\nSeccomp_filters:\t{count}\n"));
}

/// System calls that the probe and the runtime need from installing the filter until the program exits.
const NEEDED: &[&str] = &[
    "access",
    "arch_prctl",
    "brk",
    "capget",
    "capset",
    "chdir",
    "clock_gettime",
    "clone",
    "close",
    "close_range",
    "dup",
    "dup2",
    "dup3",
    "epoll_create1",
    "epoll_ctl",
    "epoll_pwait",
    "eventfd2",
    "execve",
    "execveat",
    "exit",
    "exit_group",
    "faccessat",
    "faccessat2",
    "fchdir",
    "fchown",
    "fcntl",
    "fstat",
    "fstatfs",
    "futex",
    "getcwd",
    "getdents64",
    "getegid",
    "geteuid",
    "getgid",
    "getpid",
    "getppid",
    "getrandom",
    "gettid",
    "getuid",
    "ioctl",
    "lseek",
    "lstat",
    "madvise",
    "mmap",
    "mprotect",
    "munmap",
    "nanosleep",
    "newfstatat",
    "open",
    "openat",
    "openat2",
    "poll",
    "ppoll",
    "prctl",
    "pread64",
    "prlimit64",
    "read",
    "readlink",
    "readlinkat",
    "recvfrom",
    "recvmsg",
    "rseq",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sched_getaffinity",
    "sched_yield",
    "sendmsg",
    "sendto",
    "set_robust_list",
    "set_tid_address",
    "setgid",
    "setgroups",
    "setresgid",
    "setresuid",
    "setuid",
    "sigaltstack",
    "stat",
    "statfs",
    "statx",
    "tgkill",
    "umask",
    "uname",
    "wait4",
    "write",
    "writev",
];

fn only_needed(default_errno: Option<u32>) -> Value {
    let mut profile = json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
        "syscalls": [{"names": NEEDED, "action": "SCMP_ACT_ALLOW"}]
    });
    if let Some(errno) = default_errno {
        profile["defaultErrnoRet"] = json!(errno);
    }
    profile
}

fn default_errno() {
    assert_eq!(answers(&profile(getpgid(&["1"]), only_needed(None))), ["EPERM"]);
}

fn default_errno_of_choice() {
    assert_eq!(answers(&profile(getpgid(&["1"]), only_needed(Some(MARK)))), [MARKED]);
}

fn calls_newer_than_the_profile_do_not_exist() {
    // openat2 and faccessat2 are the newest calls named; higher numbers give ENOSYS so that programs use fallbacks.
    let newer = [900, 2000, 100_000].map(|number: u32| number.to_string());
    let mut words = vec!["syscall"];
    words.extend(newer.iter().map(String::as_str));
    assert_eq!(answers(&profile(Container::probe(&words), only_needed(None))), ["ENOSYS"; 3]);
}

fn unknown_names_are_skipped() {
    let rule =
        json!([{"names": ["no_such_call", "getpgid", "another_one"], "action": "SCMP_ACT_ERRNO", "errnoRet": MARK}]);
    assert_eq!(answers(&profile(getpgid(&["1"]), allow_but(rule))), [MARKED]);
}

fn without_no_new_privileges() {
    let c = profile(getpgid(&["1"]), only_needed(Some(MARK))).edit(|c| {
        c["process"]["noNewPrivileges"] = json!(false);
        c["process"]["user"] = json!({"uid": 1000, "gid": 1000, "additionalGids": [7]});
    });
    assert_eq!(answers(&c), [MARKED]);
}

fn several_names_and_rules() {
    let rules = json!([
        {"names": ["getsid", "getpgid"], "action": "SCMP_ACT_ERRNO", "errnoRet": MARK,
         "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]},
        {"names": ["getpgid"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95, "args": [{"index": 0, "value": 2, "op": "SCMP_CMP_EQ"}]},
        {"names": ["personality"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}
    ]);
    let getsid = libc::SYS_getsid;
    let words = [
        format!("{GETPGID},1"),
        format!("{GETPGID},2"),
        format!("{GETPGID},0"),
        format!("{getsid},1"),
        format!("{getsid},2"),
        format!("{},0", libc::SYS_personality),
    ];
    let mut all = vec!["syscall"];
    all.extend(words.iter().map(String::as_str));
    let output = answers(&profile(Container::probe(&all), allow_but(rules)));
    assert_eq!(output, [MARKED, "EOPNOTSUPP", "1", MARKED, "ESRCH", "ENOSYS"]);
}

/// The bit that marks a system call number as x32.
const X32: i64 = 0x4000_0000;

fn x32_calls_match_their_own_rules() {
    let rule = json!([{"names": ["getpgid"], "action": "SCMP_ACT_ERRNO", "errnoRet": MARK}]);
    let mut all = allow_but(rule);
    all["architectures"] = json!(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]);
    let call = format!("{},1", X32 + GETPGID);
    assert_eq!(answers(&profile(Container::probe(&["syscall", &call]), all)), [MARKED]);
}

fn x32_calls_are_refused_unless_listed() {
    // An unlisted architecture must not bypass the rules, so its calls kill the process.
    let rule = json!([{"names": ["getpgid"], "action": "SCMP_ACT_ERRNO", "errnoRet": MARK}]);
    let mut all = allow_but(rule);
    all["architectures"] = json!(["SCMP_ARCH_X86_64"]);
    let call = format!("{},1", X32 + GETPGID);
    profile(Container::probe(&["syscall", &call]), all).run().exits(128 + 31);
}

fn flags_are_accepted() {
    let rule = json!([{"names": ["getpgid"], "action": "SCMP_ACT_ERRNO", "errnoRet": MARK}]);
    let mut all = allow_but(rule);
    all["flags"] = json!(["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC"]);
    assert_eq!(answers(&profile(getpgid(&["1"]), all)), [MARKED]);
}

fn empty_flags_are_accepted() {
    let rule = json!([{"names": ["getpgid"], "action": "SCMP_ACT_ERRNO", "errnoRet": MARK}]);
    let mut all = allow_but(rule);
    all["flags"] = json!([]);
    assert_eq!(answers(&profile(getpgid(&["1"]), all)), [MARKED]);
}

fn the_filter_holds_for_children() {
    let rule = json!([{"names": ["getpgid"], "action": "SCMP_ACT_ERRNO", "errnoRet": MARK}]);
    let script = format!("/probe probe syscall {GETPGID},1 & wait; (exec /probe probe syscall {GETPGID},1)");
    assert_eq!(answers(&profile(Container::sh(&script), allow_but(rule))), [MARKED, MARKED]);
}
