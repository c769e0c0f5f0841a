//! Compiles `linux.resources.memory`: limits in bytes, -1 means unlimited. v1 limits memory plus swap, v2 limits swap
//! alone.

use super::{Draft, MemoryGuard, Refused};
use crate::spec::pointer::Pointer;
use oci_spec::runtime::LinuxMemory;

/// Adds the writes of the memory controller.
pub(super) fn compile(memory: &LinuxMemory, at: &Pointer, draft: &mut Draft<'_>) {
    refuse_what_v2_lacks(memory, at, draft);
    let limit = bytes(memory.limit(), at, "limit", draft);
    let reservation = bytes(memory.reservation(), at, "reservation", draft);
    let swap = bytes(memory.swap(), at, "swap", draft);
    // Swap first: lowering memory.max may push pages to swap, so swap must be limited before.
    swap_max(swap, limit, at, draft);
    set("memory.max", limit, at.key("limit"), draft);
    set("memory.low", reservation, at.key("reservation"), draft);

    if memory.check_before_update() == Some(true) {
        let finite = |value: Amount| match value {
            Amount::Bytes(n) => Some(n),
            _ => None,
        };
        let (limit, total) = (finite(limit), finite(swap));
        if limit.is_some() || total.is_some() {
            draft.plan.memory_guard = Some(MemoryGuard { origin: at.clone(), limit, total });
        }
    }
}

/// A parsed limit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Amount {
    /// Absent, or 0, which engines write for "absent".
    Unset,
    /// -1.
    Unlimited,
    Bytes(u64),
}

fn bytes(value: Option<i64>, at: &Pointer, name: &str, draft: &mut Draft<'_>) -> Amount {
    match value {
        None | Some(0) => Amount::Unset,
        Some(-1) => Amount::Unlimited,
        Some(n) => u64::try_from(n).map(Amount::Bytes).unwrap_or_else(|_| {
            draft.problems.add(at.key(name), format!("{n} is not a size in bytes; -1 means unlimited"));
            Amount::Unset
        }),
    }
}

fn set(file: &'static str, amount: Amount, origin: Pointer, draft: &mut Draft<'_>) {
    match amount {
        Amount::Unset => {}
        // For memory.low, "max" is a protection and does not lift a limit, so the controller is needed.
        Amount::Unlimited if file == "memory.low" => draft.write(origin, file, "max".to_owned()),
        Amount::Unlimited => draft.lift(origin, file, "max".to_owned()),
        Amount::Bytes(n) => draft.write(origin, file, n.to_string()),
    }
}

/// Writes `memory.swap.max` = swap - limit. The file is missing if the kernel does not account swap. That is no error
/// for a request of no swap or of unlimited swap, because both are then in force.
fn swap_max(swap: Amount, limit: Amount, at: &Pointer, draft: &mut Draft<'_>) {
    const FILE: &str = "memory.swap.max";
    match (swap, limit) {
        (Amount::Unlimited, _) => draft.lift(at.key("swap"), FILE, "max".to_owned()),
        (Amount::Unset, Amount::Unlimited) => draft.lift(at.key("limit"), FILE, "max".to_owned()),
        (Amount::Unset, _) => {}
        (Amount::Bytes(s), Amount::Unlimited) => draft.write(at.key("swap"), FILE, s.to_string()),
        (Amount::Bytes(_), Amount::Unset) => {
            draft.problems.add(at.key("swap"), "counts memory and swap together, so memory.limit must be set too");
        }
        (Amount::Bytes(s), Amount::Bytes(m)) if s < m => {
            let what = format!("{s} counts memory and swap together, so it must not be below memory.limit, {m}");
            draft.problems.add(at.key("swap"), what);
        }
        (Amount::Bytes(s), Amount::Bytes(m)) => {
            let when_refused = if s == m { Refused::UnlessMissing } else { Refused::Fail };
            draft.write_or(at.key("swap"), FILE, (s - m).to_string(), when_refused);
        }
    }
}

fn refuse_what_v2_lacks(memory: &LinuxMemory, at: &Pointer, draft: &mut Draft<'_>) {
    let asked = |value: Option<i64>| value.is_some_and(|n| n != 0 && n != -1);
    if asked(memory.kernel()) {
        draft.unsupported(at.key("kernel"), "kernel memory counts toward memory.limit, so use memory.limit");
    }
    if asked(memory.kernel_tcp()) {
        draft.unsupported(at.key("kernelTCP"), "socket buffers count toward memory.limit, so use memory.limit");
    }
    if memory.swappiness().is_some() {
        draft.unsupported(at.key("swappiness"), "limit swap with memory.swap, or set the host's vm.swappiness");
    }
    if memory.disable_oom_killer() == Some(true) {
        let instead = "set unified \"memory.high\" to slow the container down before its limit, or process.oomScoreAdj";
        draft.unsupported(at.key("disableOOMKiller"), instead);
    }
    if memory.use_hierarchy() == Some(false) {
        draft.unsupported(
            at.key("useHierarchy"),
            "limits always apply to the whole subtree; remove it or set it to true",
        );
    }
}
