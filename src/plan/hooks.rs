//! The hooks of a configuration: which there are, and which of them come while the container is being made.

use oci_spec::runtime::{Hook, Hooks};

/// The hooks of one kind.
pub(crate) fn hooks_of(list: Option<&Vec<Hook>>) -> &[Hook] {
    list.map_or(&[], Vec::as_slice)
}

/// Whether any is run before the container is created, by whoever.
pub(super) fn come_before_start(hooks: &Hooks) -> bool {
    let kinds = [hooks.prestart(), hooks.create_runtime(), hooks.create_container()];
    kinds.iter().any(|list| !hooks_of(list.as_ref()).is_empty())
}
