//! Tests older kernels: the minimum version, and a container's lifecycle without each optional or newer system call.
//! Also tests the errors of calls that reach a limit.
//! The seccomp filter that removes calls is left to `harness::without_syscalls`.
//!
//! `docs/kernel-features.md` lists the needed calls and their fallbacks; each of its entries is a row here.

use crate::harness::bundle::{Container, push};
use crate::harness::call::{Call, LIMIT, Output};
use crate::harness::kernel;
use crate::harness::runtime::RUNTIME;
use crate::harness::runtime::only_davit;
use crate::harness::trial::{Test, rows, tests};
use serde_json::json;
use std::{fs, path::Path};

pub(crate) fn tests() -> Vec<Test> {
    let mut all =
        tests![a_kernel_below_the_minimum_is_refused, old_kernel_filter_blocks_newer_calls_and_flags, limits_are_named];
    all.extend(rows!("without", CALLS, without));
    all
}

/// Calls the runtime through another program of this suite.
fn through(c: &Container, words: &[&str], runtime: &[&str]) -> Output {
    let (suite, state) = (std::env::current_exe().unwrap(), c.state_dir());
    let mut all = vec![suite.to_str().unwrap()];
    all.extend(words);
    all.extend([RUNTIME.as_str(), "--root", state.to_str().unwrap()]);
    all.extend(runtime);
    Call::new(&c.dir, &all).run()
}

/// personality(2) makes the kernel report version 2.6 to a process.
fn a_kernel_below_the_minimum_is_refused() {
    only_davit("other runtimes have other minimum kernel versions");
    let c = Container::sleeper();
    c.write();
    let bundle = c.dir.to_str().unwrap().to_owned();
    let refuses = |words: &[&str]| {
        let output = through(&c, &["probe", "uname26"], words).fails().says("this kernel is Linux 2.6.");
        output.says("davit needs 5.14 or newer");
    };
    refuses(&["create", "--bundle", &bundle, &c.id]);
    refuses(&["run", "--bundle", &bundle, &c.id]);
    refuses(&["plan", &bundle]);
    c.nothing_left();
    let c = c.up();
    let output = through(&c, &["probe", "uname26"], &["exec", &c.id, "true"]).fails();
    output.says("this kernel is Linux 2.6.");
}

/// Checks the results of a system call and a flag on the simulated kernel of `hack/test --old-kernel`.
fn old_kernel_filter_blocks_newer_calls_and_flags() {
    only_davit("it tests the suite's own filter");
    let c = Container::sleeper();
    let suite = std::env::current_exe().unwrap();
    // process_mrelease, which is the first newer call, and one far above. Then memfd_create without a name: this gives
    // EFAULT if the kernel supports the flags, and MFD_EXEC is not supported here.
    let memfd = libc::SYS_memfd_create;
    let calls = ["448,0,0".into(), "100000".into(), format!("{memfd},0,1"), format!("{memfd},0,17")];
    let mut words =
        vec![suite.to_str().unwrap(), "without", "--old", "--", suite.to_str().unwrap(), "probe", "syscall"];
    words.extend(calls.iter().map(String::as_str));
    let output = Call::new(&c.dir, &words).run().ok();
    assert_eq!(output.out.lines().collect::<Vec<_>>(), ["ENOSYS", "ENOSYS", "EFAULT", "EINVAL"]);
}

/// The kernel's text names none of these limits.
fn limits_are_named() {
    only_davit("other runtimes have other texts");
    for (call, errno, text) in [
        (
            "keyctl",
            libc::EDQUOT,
            "make a session keyring: disk quota exceeded (a limit of keys is reached: kernel.keys.maxkeys",
        ),
        ("keyctl", libc::EDQUOT, "--no-new-keyring"),
        ("move_mount", libc::ENOSPC, "no space left on device (a limit is reached: fs.mount-max"),
        ("fsopen", libc::EMFILE, "too many open files (the limit of open files is reached: RLIMIT_NOFILE)"),
    ] {
        let c = Container::sleeper();
        c.write();
        let lacking = format!("{call}={errno}");
        let output = through(&c, &["without", &lacking, "--"], &["create", "--bundle", c.dir.to_str().unwrap(), &c.id]);
        output.fails().says(text);
        c.nothing_left();
    }
}

/// What happens without a system call.
enum Without {
    /// Everything works.
    Works,
    /// This subcommand fails with this text and leaves nothing behind.
    Refused(&'static str, &'static str),
}

const CALLS: &[(&str, Without)] = &[
    ("bpf", Without::Refused("create", "/linux/resources/devices: load the device program")),
    ("copy_file_range", Without::Works),
    ("execveat", Without::Works),
    ("keyctl", Without::Works),
    ("memfd_create", Without::Refused("create", "make an empty executable in memory: function not implemented")),
    ("renameat2", Without::Works),
    ("sched_setattr", Without::Works),
    ("seccomp", Without::Refused("create", "install seccomp filter")),
    ("set_mempolicy", Without::Works),
    ("pidfd_send_signal", Without::Refused("kill", "send signal 9: function not implemented")),
    ("open_tree", Without::Refused("create", "open the source: function not implemented")),
    ("move_mount", Without::Refused("create", "attach: function not implemented")),
    ("fsopen", Without::Refused("create", "mount proc on /proc: function not implemented")),
    ("fsconfig", Without::Refused("create", "mount proc on /proc: function not implemented")),
    ("fsmount", Without::Refused("create", "mount proc on /proc: function not implemented")),
    ("fspick", Without::Works),
    ("pidfd_open", Without::Refused("exec", "pidfd_open")),
    (
        "clone3",
        Without::Refused("create", "clone with new ipc, network, pid, uts, mount namespaces: function not implemented"),
    ),
    ("close_range", Without::Refused("create", "mark descriptors close-on-exec: function not implemented")),
    ("openat2", Without::Refused("create", "cgroup.controllers: function not implemented")),
    ("pidfd_getfd", Without::Works),
    ("faccessat2", Without::Works),
    ("process_madvise", Without::Works),
    ("epoll_pwait2", Without::Works),
    ("mount_setattr", Without::Refused("create", "make the own executable read-only: function not implemented")),
    ("quotactl_fd", Without::Works),
    ("landlock_create_ruleset", Without::Works),
    ("memfd_secret", Without::Works),
    ("process_mrelease", Without::Works),
    ("futex_waitv", Without::Works),
    ("set_mempolicy_home_node", Without::Works),
    ("cachestat", Without::Works),
    ("fchmodat2", Without::Works),
    ("map_shadow_stack", Without::Works),
    ("statmount", Without::Works),
    ("listmount", Without::Works),
    ("mseal", Without::Works),
    ("setxattrat", Without::Works),
    ("open_tree_attr", Without::Works),
    ("file_getattr", Without::Works),
];

/// Differences on a kernel without CONFIG_CHECKPOINT_RESTORE, where the runtime executes a copy of itself.
const COPIED: &[(&str, Without)] = &[
    ("execveat", Without::Refused("create", "execute the own executable from memory: function not implemented")),
    ("memfd_create", Without::Refused("create", "copy the own executable to memory: function not implemented")),
    ("mount_setattr", Without::Refused("create", "change the mount's attributes: function not implemented")),
];

fn expected<'a>(row: &'a (&str, Without)) -> &'a Without {
    let copied = COPIED.iter().find(|other| other.0 == row.0);
    // This file exists only with that option.
    copied.filter(|_| !Path::new("/proc/sys/kernel/ns_last_pid").exists()).map_or(&row.1, |other| &other.1)
}

/// Runs create, start, exec, state, kill and delete on a container that uses many features.
fn without(row: &(&str, Without)) {
    only_davit("other runtimes have other minimum kernel versions");
    let c = Container::sh("echo up >/out/up; exec sleep 1000").edit(|c| {
        push(
            &mut c["mounts"],
            json!({"destination": "/b", "type": "bind", "source": "volume", "options": ["rbind", "rro"]}),
        );
        c["linux"]["seccomp"] = json!({"defaultAction": "SCMP_ACT_ALLOW"});
        c["linux"]["maskedPaths"] = json!(["/proc/keys", "/etc/passwd", "/proc/fs"]);
    });
    c.write();
    let volume = c.dir.join("volume");
    fs::create_dir(&volume).unwrap();
    // Empty if the subcommand failed as expected.
    let call = |words: &[&str]| -> Option<Output> {
        let output = through(&c, &["without", row.0, "--"], words);
        match *expected(row) {
            Without::Refused(verb, why) if verb == words[0] => {
                output.fails().says(why);
                None
            }
            _ => Some(output.ok()),
        }
    };
    let bundle = c.dir.to_str().unwrap().to_owned();
    if call(&["create", "--bundle", &bundle, &c.id]).is_none() {
        return c.nothing_left();
    }
    if call(&["start", &c.id]).is_none() {
        return;
    }
    assert_eq!(c.wait_out("up"), "up\n");
    let script = "head -c 4 /etc/passwd; touch /b/x || echo refused";
    let Some(output) = call(&["exec", &c.id, "/bin/sh", "-c", script]) else { return };
    assert_eq!(output.out, "refused\n");
    for verb in ["state", "ps", "pause", "resume"] {
        call(&[verb, &c.id]).unwrap();
    }
    let pid = c.pid();
    if call(&["kill", &c.id, "KILL"]).is_none() {
        return;
    }
    kernel::wait_exit(pid, LIMIT);
    call(&["delete", &c.id]).unwrap();
    c.nothing_left();
    assert_eq!(fs::read_dir(volume).unwrap().count(), 0);
}
