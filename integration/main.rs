//! The integration suite: drives a container runtime as a black box, through its command line alone.
//!
//! `RUNTIME=/usr/bin/crun cargo test --test integration [FILTER]` runs it against another runtime, which checks the tests
//! themselves; what those are expected to do differently is listed, with reasons, in `harness/differences.rs`.
//! The built binary needs neither cargo nor this source tree, only root, cgroup v2 and a static busybox.
//! It deliberately knows nothing of davit's code. Called as `integration probe …` it is the program inside the container,
//! as `integration without …` it takes system calls away from a command;
//! `integration engines [FILTER]` is another suite, with Docker, containerd, Podman and Buildah around the runtime;
//! `integration user [FILTER]` is the same suite as an ordinary user;
//! `integration load [FILTER]` a third, with many containers and hosts that lack something.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "a test fails by panicking, starts programs by std, and prints its skips; the bans protect the runtime itself"
)]

mod attacks;
mod attributes;
mod bad_input;
mod caller;
mod cgroup;
mod cli;
mod contract;
mod devices;
mod engines;
mod events;
mod exec;
mod fds;
mod foreground;
mod harness;
mod hooks;
mod exec_attributes;
mod old_kernels;
mod lifecycle;
mod load;
mod mounts;
mod namespaces;
mod net_devices;
mod seccomp_agent;
mod pause_ps_update;
mod probe;
mod process;
mod sd_notify;
mod real_input;
mod rootless;
mod rootless_engines;
mod seccomp;
mod systemd;
mod systemd_user;
mod terminal;
mod userns;
mod verbs;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut words = std::env::args();
    match words.nth(1).as_deref() {
        Some("probe") => return probe::main(&words.collect::<Vec<_>>()),
        Some("without") => return harness::without_syscalls::main(&words.collect::<Vec<_>>()),
        Some("engines") => return engines::main(words.collect()),
        Some("user") => return harness::user_env::main(&words.collect::<Vec<_>>()),
        Some("load") => return load::main(words.collect()),
        _ => {}
    }
    let mut tests = Vec::new();
    for part in [
        attacks::tests,
        attributes::tests,
        bad_input::tests,
        caller::tests,
        cgroup::tests,
        cli::tests,
        contract::tests,
        devices::tests,
        events::tests,
        exec::tests,
        fds::tests,
        foreground::tests,
        hooks::tests,
        exec_attributes::tests,
        old_kernels::tests,
        lifecycle::tests,
        mounts::tests,
        namespaces::tests,
        net_devices::tests,
        seccomp_agent::tests,
        pause_ps_update::tests,
        process::tests,
        sd_notify::tests,
        real_input::tests,
        rootless::tests,
        rootless_engines::tests,
        seccomp::tests,
        systemd::tests,
        systemd_user::tests,
        terminal::tests,
        userns::tests,
        verbs::tests,
    ] {
        tests.extend(part());
    }
    let known = harness::trial::differences_are_known(&tests);
    // Tests wait more than they compute, so a single-CPU machine gains from a few at a time.
    let code = harness::trial::run(std::env::args().skip(1), 4, tests);
    if known { code } else { ExitCode::FAILURE }
}
