//! Probing the kernel and the caller into `plan::Host`. Finds out, never decides; looks only at what the configuration at
//! hand makes a question of.

use crate::cgroup::Layout;
use crate::launch_words as words;
