//! Every decision: what a configuration means on this host, as plain data. Calls no kernel and holds no descriptor.

pub(crate) mod placement;
pub(crate) mod resources;
pub(crate) mod validate;
