//! Every decision, made before any process, mount or cgroup exists.

pub(crate) mod validate;
