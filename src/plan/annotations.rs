//! Annotations of crun, runc and davit (`run.oci.*`, `org.opencontainers.runc.*`, `io.davit.*`): each is followed,
//! refused or warned about. None is ignored silently, because users ask for something with it.
//!
//! Properties of systemd scopes are left to `systemd_scope`, Landlock rules to `landlock`.

use super::{Notes, landlock};
use crate::spec::pointer::Pointer;
use oci_spec::runtime::Spec;

/// Keep the caller's supplementary groups (`podman run --group-add keep-groups`).
const KEEP_GROUPS: &str = "run.oci.keep_original_groups";
/// The mount option that `linux.mountLabel` is passed in.
const MOUNT_CONTEXT: &str = "run.oci.mount_context_type";
/// The values of [`MOUNT_CONTEXT`] (mount(8), "SELinux-specific mount options").
const MOUNT_CONTEXTS: [&str; 4] = ["context", "fscontext", "defcontext", "rootcontext"];

/// Annotations that change what a container is or who learns of it. To run without them would be another container.
const REFUSED: [(&str, &str); 6] = [
    ("run.oci.delegate-cgroup", "davit does not move the container's process below its cgroup"),
    ("run.oci.systemd.subgroup", "davit does not move the container's process below its cgroup"),
    ("run.oci.hooks.stdout", "davit keeps the output of hooks for its errors"),
    ("run.oci.hooks.stderr", "davit keeps the output of hooks for its errors"),
    ("run.oci.pidfd_receiver", "use --pidfd-socket"),
    ("run.oci.seccomp.receiver", "use linux.seccomp.listenerPath"),
];

/// Whether the caller's supplementary groups are kept.
pub(super) fn keeps_groups(spec: &Spec) -> bool {
    get(spec, KEEP_GROUPS).is_some_and(is_set)
}

/// The mount option for `linux.mountLabel`.
pub(super) fn mount_context(spec: &Spec) -> &str {
    get(spec, MOUNT_CONTEXT).filter(|word| MOUNT_CONTEXTS.contains(word)).unwrap_or("context")
}

/// Reports what is refused, and warns about what is not known.
pub(super) fn check(spec: &Spec, notes: &mut Notes) {
    let mut annotations: Vec<_> = spec.annotations().iter().flatten().collect();
    annotations.sort();
    for (name, value) in annotations {
        let place = Pointer::of("/annotations").key(name);
        if let Some((_, why)) = REFUSED.iter().find(|(refused, _)| refused == name) {
            notes.problems.add(place, format!("is not supported: {why}"));
        } else if name == MOUNT_CONTEXT && !MOUNT_CONTEXTS.contains(&value.as_str()) {
            notes.problems.add(place, format!("{value:?} is unknown; expected one of {}", MOUNT_CONTEXTS.join(", ")));
        } else if name == KEEP_GROUPS && !is_set(value) && !["", "0", "false"].contains(&value.as_str()) {
            notes.problems.add(place, format!("{value:?} is unknown; expected 1 or 0"));
        } else if is_of_a_runtime(name) && ![KEEP_GROUPS, MOUNT_CONTEXT, landlock::ANNOTATION].contains(&name.as_str())
        {
            notes.warnings.push(format!("{place}: unknown annotation is ignored"));
        }
    }
}

fn get<'a>(spec: &'a Spec, name: &str) -> Option<&'a str> {
    spec.annotations().as_ref()?.get(name).map(String::as_str)
}

fn is_set(value: &str) -> bool {
    ["1", "true"].contains(&value)
}

fn is_of_a_runtime(name: &str) -> bool {
    ["run.oci.", "org.opencontainers.runc.", "io.davit."].iter().any(|start| name.starts_with(start))
}
