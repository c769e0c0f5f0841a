//! The hooks of a configuration: lists them, and decides whether any runs before the container is created.

use oci_spec::runtime::{Hook, Hooks};

/// The hooks of one kind.
pub(crate) fn hooks_of(list: Option<&Vec<Hook>>) -> &[Hook] {
    list.map_or(&[], Vec::as_slice)
}

/// Whether any hook runs before the container is created, in the parent or in the container's process.
pub(super) fn come_before_start(hooks: &Hooks) -> bool {
    let kinds = [hooks.prestart(), hooks.create_runtime(), hooks.create_container()];
    kinds.iter().any(|list| !hooks_of(list.as_ref()).is_empty())
}
