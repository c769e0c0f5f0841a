//! `davit features`: what this build supports, from the tables it works with.

use super::{Scene, Takes, Verb, output};
use crate::plan::options;
use crate::spec::features::{Cgroup, IntelRdt, MemoryPolicy, Seccomp, Supported, document};
use crate::spec::shape::enums;
use clap::ArgMatches;

pub(super) const VERB: Verb = Verb {
    name: "features",
    about: "Print what this runtime supports as JSON",
    help: "\
Print the features document of the runtime specification: what this build of davit supports, whatever the kernel it runs
on. Needs no privilege.

Exit status: 0.

Example:
  davit features | jq .linux.seccomp",
    takes: Takes::Exactly(0),
    flags_end: false,
    define: |command| command,
    perform,
};

fn perform(_: &ArgMatches, _: &Scene<'_>) -> anyhow::Result<u8> {
    let options: Vec<_> = options::known().collect();
    output::print(&(document(&supported(&options))? + "\n"))?;
    Ok(0)
}

/// The lists are the tables that configurations are parsed and compiled with.
fn supported<'a>(mount_options: &'a [&'a str]) -> Supported<'a> {
    Supported {
        mount_options,
        namespaces: &enums::NAMESPACES,
        capabilities: &enums::CAPABILITIES,
        cgroup: Cgroup { v1: false, v2: true, systemd: true, systemd_user: true, rdma: true },
        seccomp: Seccomp {
            enabled: true,
            actions: &enums::SECCOMP_ACTIONS,
            operators: &enums::SECCOMP_OPERATORS,
            archs: &enums::SECCOMP_ARCHITECTURES,
            known_flags: &enums::SECCOMP_FLAGS,
            supported_flags: &enums::SECCOMP_FLAGS,
        },
        apparmor: true,
        selinux: true,
        intel_rdt: IntelRdt { enabled: true, schemata: true, monitoring: true },
        memory_policy: MemoryPolicy { modes: &enums::MEMORY_MODES, flags: &enums::MEMORY_FLAGS },
        idmap: true,
        net_devices: true,
        checkpoint: true,
        version: env!("CARGO_PKG_VERSION"),
        commit: option_env!("DAVIT_COMMIT").unwrap_or_default(),
        unsafe_annotations: &["org.systemd.property.", "org.criu.config"],
    }
}
