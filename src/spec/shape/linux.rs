//! Tables of the members of the `linux` section of `config.json`, and of the resources document that `update` reads
//! (config-linux.md).

use super::{FLAG, I64, Member, Need, Shape, TEXT, TEXTS, U16, U32, U64, optional, required};
use crate::spec::shape::enums;

/// `linux`.
pub(crate) const LINUX: Shape = Shape::Object(&[
    optional("netDevices", &Shape::Map(&Shape::Object(&[optional("name", &TEXT)]))),
    optional("uidMappings", &ID_MAPPINGS),
    optional("gidMappings", &ID_MAPPINGS),
    optional("sysctl", &Shape::Map(&TEXT)),
    optional("resources", &RESOURCES),
    optional("cgroupsPath", &TEXT),
    optional("namespaces", &Shape::List(&NAMESPACE)),
    optional("devices", &Shape::List(&DEVICE)),
    optional("seccomp", &SECCOMP),
    optional("rootfsPropagation", &TEXT),
    optional("maskedPaths", &TEXTS),
    optional("readonlyPaths", &TEXTS),
    optional("mountLabel", &TEXT),
    optional("intelRdt", &INTEL_RDT),
    optional("memoryPolicy", &MEMORY_POLICY),
    optional(
        "personality",
        &Shape::Object(&[required("domain", &Shape::Word(&enums::PERSONALITIES)), optional("flags", &TEXTS)]),
    ),
    optional("timeOffsets", &Shape::Map(&Shape::Object(&[optional("secs", &I64), optional("nanosecs", &U32)]))),
]);

/// `uidMappings` and `gidMappings` of `linux` and of a mount.
pub(crate) const ID_MAPPINGS: Shape =
    Shape::List(&Shape::Object(&[required("containerID", &U32), required("hostID", &U32), required("size", &U32)]));

const NAMESPACE: Shape = Shape::Object(&[required("type", &Shape::Word(&enums::NAMESPACES)), optional("path", &TEXT)]);

const DEVICE: Shape = Shape::Object(&[
    required("type", &Shape::Word(&enums::DEVICES)),
    required("path", &TEXT),
    Member { name: "major", need: Need::UnlessFifo, shape: &I64 },
    Member { name: "minor", need: Need::UnlessFifo, shape: &I64 },
    optional("fileMode", &U32),
    optional("uid", &U32),
    optional("gid", &U32),
]);

const SECCOMP: Shape = Shape::Object(&[
    required("defaultAction", &Shape::Word(&enums::SECCOMP_ACTIONS)),
    optional("defaultErrnoRet", &U32),
    optional("architectures", &Shape::List(&Shape::Word(&enums::SECCOMP_ARCHITECTURES))),
    optional("flags", &Shape::List(&Shape::Word(&enums::SECCOMP_FLAGS))),
    optional("listenerPath", &TEXT),
    optional("listenerMetadata", &TEXT),
    optional("syscalls", &Shape::List(&SYSCALL)),
]);

const SYSCALL: Shape = Shape::Object(&[
    required("names", &TEXTS),
    required("action", &Shape::Word(&enums::SECCOMP_ACTIONS)),
    optional("errnoRet", &U32),
    optional("args", &Shape::List(&SYSCALL_ARGUMENT)),
]);

const SYSCALL_ARGUMENT: Shape = Shape::Object(&[
    required("index", &U32),
    required("value", &U64),
    optional("valueTwo", &U64),
    required("op", &Shape::Word(&enums::SECCOMP_OPERATORS)),
]);

const INTEL_RDT: Shape = Shape::Object(&[
    optional("closID", &TEXT),
    optional("schemata", &TEXTS),
    optional("l3CacheSchema", &TEXT),
    optional("memBwSchema", &TEXT),
    optional("enableMonitoring", &FLAG),
    // Removed from the specification in 1.3. Only oci-spec uses this spelling.
    optional("enableCmt", &Shape::Foreign),
    optional("enableMbm", &Shape::Foreign),
]);

const MEMORY_POLICY: Shape = Shape::Object(&[
    required("mode", &Shape::Word(&enums::MEMORY_MODES)),
    optional("nodes", &TEXT),
    optional("flags", &Shape::List(&Shape::Word(&enums::MEMORY_FLAGS))),
]);

/// `linux.resources`, or the whole document that `update --resources` reads.
pub(crate) const RESOURCES: Shape = Shape::Object(&[
    optional("devices", &Shape::List(&DEVICE_RULE)),
    optional("memory", &MEMORY),
    optional("cpu", &CPU),
    optional("pids", &Shape::Object(&[Member { name: "limit", need: Need::OrDropParent, shape: &I64 }])),
    optional("blockIO", &BLOCK_IO),
    optional(
        "hugepageLimits",
        &Shape::List(&Shape::Object(&[required("pageSize", &TEXT), required("limit", &Shape::Clamped)])),
    ),
    optional("network", &NETWORK),
    optional("rdma", &Shape::Map(&Shape::Object(&[optional("hcaHandles", &U32), optional("hcaObjects", &U32)]))),
    optional("unified", &Shape::Map(&TEXT)),
]);

const DEVICE_RULE: Shape = Shape::Object(&[
    required("allow", &FLAG),
    optional("type", &Shape::WordOrEmpty(&enums::DEVICE_RULES)),
    optional("major", &I64),
    optional("minor", &I64),
    optional("access", &TEXT),
]);

const MEMORY: Shape = Shape::Object(&[
    optional("limit", &I64),
    optional("reservation", &I64),
    optional("swap", &I64),
    optional("kernel", &I64),
    optional("kernelTCP", &I64),
    optional("swappiness", &U64),
    optional("disableOOMKiller", &FLAG),
    optional("useHierarchy", &FLAG),
    optional("checkBeforeUpdate", &FLAG),
]);

const CPU: Shape = Shape::Object(&[
    optional("shares", &U64),
    optional("quota", &I64),
    optional("burst", &U64),
    optional("period", &U64),
    optional("realtimeRuntime", &I64),
    optional("realtimePeriod", &U64),
    optional("cpus", &TEXT),
    optional("mems", &TEXT),
    optional("idle", &I64),
]);

const BLOCK_IO: Shape = Shape::Object(&[
    optional("weight", &U16),
    optional("leafWeight", &U16),
    optional(
        "weightDevice",
        &Shape::List(&Shape::Object(&[
            required("major", &I64),
            required("minor", &I64),
            optional("weight", &U16),
            optional("leafWeight", &U16),
        ])),
    ),
    optional("throttleReadBpsDevice", &THROTTLES),
    optional("throttleWriteBpsDevice", &THROTTLES),
    optional("throttleReadIOPSDevice", &THROTTLES),
    optional("throttleWriteIOPSDevice", &THROTTLES),
]);

const THROTTLES: Shape =
    Shape::List(&Shape::Object(&[required("major", &I64), required("minor", &I64), required("rate", &U64)]));

const NETWORK: Shape = Shape::Object(&[
    optional("classID", &U32),
    optional("priorities", &Shape::List(&Shape::Object(&[required("name", &TEXT), required("priority", &U32)]))),
]);
