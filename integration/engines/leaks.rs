//! Checks that containers leak no processes, mounts, cgroups or runtime state: compares before and after many short
//! processes, and before and after all checks of an engine.

use super::{
    Check,
    census::Census,
    engine::{Engine, Kind},
    time_limit::left,
};
use crate::harness::call::Call;
use crate::harness::cgroups::BY_SYSTEMD;
use crate::harness::skip::skip;

/// The last check of every engine.
pub(crate) const LAST: &[Check] = &[("health", "nothing is left after all of this", nothing)];
pub(crate) const CHECKS: &[Check] = &[("health", "a storm of 100 execs leaks nothing", storm)];

/// The number of processes in a storm.
pub(crate) const STORM: usize = 100;

fn storm(e: &Engine) {
    let up = e.up(&["--init"], "exec sleep 1000");
    storm_of(&|| e.prepare(&["exec", &up.name, "true"]));
}

/// Runs a storm of calls, five at a time.
pub(crate) fn five_at_a_time(call: &dyn Fn() -> Call) {
    for _ in 0..STORM / 5 {
        for call in (0..5).map(|_| call().spawn()).collect::<Vec<_>>() {
            call.finish_within(left()).ok();
        }
    }
}

/// Runs a storm of calls and checks that it leaks nothing.
pub(crate) fn storm_of(call: &dyn Fn() -> Call) {
    call().spawn().finish_within(left()).ok();
    let before = Census::take();
    five_at_a_time(call);
    // Monitor processes such as conmon exit shortly after the call.
    before.until_again();
}

fn nothing(e: &Engine) {
    if *BY_SYSTEMD {
        skip("systemd and what it starts are in the same namespaces, and come and go");
    }
    if matches!(e.kind, Kind::Docker | Kind::Podman) {
        let left = e.call(&["ps", "-a", "--no-trunc", "--format", "{{.Names}} {{.Status}} {{.Command}}"]).ok().out;
        assert_eq!(left, "", "containers are left");
    }
    e.shut_down().until_again();
}
