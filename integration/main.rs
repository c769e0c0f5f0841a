//! The integration suite: tests a container runtime as a black box, only through its command line. It deliberately uses
//! none of davit's code.
//!
//! `RUNTIME=/usr/bin/crun cargo integration [FILTER]` runs it against another runtime, which checks the tests themselves.
//! `harness/differences.rs` lists the expected differences of other runtimes, with reasons.
//! The built binary needs neither cargo nor this source tree, only root, cgroup v2 and a static busybox.
//!
//! | Call | Purpose |
//! |---|---|
//! | `integration probe …` | is the program inside the container |
//! | `integration without …` | runs a command without some system calls |
//! | `integration engines [FILTER]` | tests the runtime below Docker, containerd, Podman and Buildah |
//! | `integration user [FILTER]` | runs this suite as an ordinary user |
//! | `integration load [FILTER]` | tests many containers, and hosts that lack a resource |
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
mod ended;
mod engines;
mod events;
mod exec;
mod fds;
mod foreground;
mod harness;
mod hooks;
mod exec_attributes;
mod old_kernels;
mod landlock;
mod leniency;
mod lifecycle;
mod load;
mod mounts;
mod namespaces;
mod net_devices;
mod seccomp_agent;
mod checkpoint;
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
        ended::tests,
        events::tests,
        exec::tests,
        fds::tests,
        foreground::tests,
        hooks::tests,
        exec_attributes::tests,
        old_kernels::tests,
        landlock::tests,
        leniency::tests,
        lifecycle::tests,
        mounts::tests,
        namespaces::tests,
        net_devices::tests,
        seccomp_agent::tests,
        checkpoint::tests,
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
    // Tests mostly wait, so running 4 at a time is faster even on a single CPU.
    let code = harness::trial::run(std::env::args().skip(1), 4, tests);
    if known { code } else { ExitCode::FAILURE }
}
