//! Tables of the members of `config.json` outside its `linux` section, and of the `process.json` that `exec` reads
//! (config.md). Deliberately leaves the `linux` section to `shape::linux`.

use super::linux::{ID_MAPPINGS, LINUX};
use super::{FLAG, I32, I64, Member, Shape, TEXT, TEXTS, U32, U64, defaulted, optional, required};
use crate::spec::shape::enums;

/// The whole of `config.json`.
pub(crate) const SPEC: Shape = Shape::Object(&[
    required("ociVersion", &TEXT),
    required("root", &ROOT),
    optional("mounts", &Shape::List(&MOUNT)),
    optional("process", &PROCESS),
    optional("hostname", &TEXT),
    optional("domainname", &TEXT),
    optional("hooks", &HOOKS),
    optional("annotations", &Shape::Map(&TEXT)),
    optional("linux", &LINUX),
    optional("solaris", &Shape::Foreign),
    optional("windows", &Shape::Foreign),
    optional("vm", &Shape::Foreign),
    optional("zos", &Shape::Foreign),
    // Never part of the specification at this place, but oci-spec 0.10 reads them.
    optional("uidMappings", &Shape::Foreign),
    optional("gidMappings", &Shape::Foreign),
]);

const ROOT: Shape = Shape::Object(&[required("path", &TEXT), optional("readonly", &FLAG)]);

const MOUNT: Shape = Shape::Object(&[
    required("destination", &TEXT),
    optional("type", &TEXT),
    optional("source", &TEXT),
    optional("options", &TEXTS),
    optional("uidMappings", &ID_MAPPINGS),
    optional("gidMappings", &ID_MAPPINGS),
]);

/// One process: `process` in `config.json`, or the whole of a `process.json`.
pub(crate) const PROCESS: Shape = Shape::Object(&[
    optional("terminal", &FLAG),
    optional("consoleSize", &Shape::Object(&[required("height", &U64), required("width", &U64)])),
    defaulted("user", &USER, r#"{"uid":0,"gid":0}"#),
    optional("args", &TEXTS),
    optional("commandLine", &Shape::Foreign),
    optional("env", &TEXTS),
    required("cwd", &TEXT),
    optional("capabilities", &Shape::Object(CAPABILITIES)),
    optional("rlimits", &Shape::List(&RLIMIT)),
    optional("noNewPrivileges", &FLAG),
    optional("apparmorProfile", &TEXT),
    optional("oomScoreAdj", &I32),
    optional("selinuxLabel", &TEXT),
    optional(
        "ioPriority",
        &Shape::Object(&[required("class", &Shape::Word(&enums::IO_CLASSES)), defaulted("priority", &I64, "0")]),
    ),
    optional("scheduler", &SCHEDULER),
    optional("execCPUAffinity", &Shape::Object(&[optional("initial", &Shape::Cpus), optional("final", &Shape::Cpus)])),
]);

const USER: Shape = Shape::Object(&[
    required("uid", &U32),
    defaulted("gid", &U32, "0"),
    optional("umask", &U32),
    optional("additionalGids", &Shape::List(&U32)),
    optional("username", &Shape::Foreign),
]);

const CAPABILITIES: &[Member] = &[
    optional("bounding", &Shape::List(&Shape::Capability)),
    optional("effective", &Shape::List(&Shape::Capability)),
    optional("permitted", &Shape::List(&Shape::Capability)),
    optional("inheritable", &Shape::List(&Shape::Capability)),
    optional("ambient", &Shape::List(&Shape::Capability)),
];

const RLIMIT: Shape =
    Shape::Object(&[required("type", &Shape::Word(&enums::RLIMITS)), required("soft", &U64), required("hard", &U64)]);

const SCHEDULER: Shape = Shape::Object(&[
    required("policy", &Shape::Word(&enums::SCHEDULER_POLICIES)),
    optional("nice", &I32),
    optional("priority", &I32),
    optional("flags", &Shape::List(&Shape::Respelt(&enums::SCHEDULER_FLAGS))),
    optional("runtime", &U64),
    optional("deadline", &U64),
    optional("period", &U64),
]);

const HOOKS: Shape = Shape::Object(&[
    optional("prestart", &Shape::List(&HOOK)),
    optional("createRuntime", &Shape::List(&HOOK)),
    optional("createContainer", &Shape::List(&HOOK)),
    optional("startContainer", &Shape::List(&HOOK)),
    optional("poststart", &Shape::List(&HOOK)),
    optional("poststop", &Shape::List(&HOOK)),
]);

const HOOK: Shape = Shape::Object(&[
    required("path", &TEXT),
    optional("args", &TEXTS),
    optional("env", &TEXTS),
    optional("timeout", &I64),
]);
