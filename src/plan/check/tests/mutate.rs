//! Mutates recorded configurations at random. The same seed always gives the same configuration.
//!
//! Leaves to the tests which configurations are valid.

use crate::plan::Host;
use serde_json::{Value, json};

/// A random number generator (splitmix64). It is fixed here so that a seed always gives the same configuration.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    /// True with a probability of 1 / `of`.
    pub(super) fn chance(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }

    pub(super) fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }
}

/// Makes one to eight changes: mostly to other valid values, sometimes to invalid ones.
pub(super) fn mutate(document: &mut Value, random: &mut Random) {
    let options = options();
    for _ in 0..=random.below(8) {
        match random.below(12) {
            0 => restructure(document, random),
            1 => corrupt(document, random),
            _ => {
                let (place, values) = random.pick(&options);
                let value = random.pick(values).clone();
                set(document, place, value);
            }
        }
    }
}

/// Removes some features of the host at random.
pub(super) fn host(mut host: Host, random: &mut Random) -> Host {
    host.privileged = !random.chance(4);
    host.can_detach_exe = !random.chance(4);
    host.procfs_takes_pid_namespace = !random.chance(4);
    if random.chance(4) {
        host.landlock = random.below(7) as u32;
    }
    if random.chance(3) {
        host.permitted = random.next();
    }
    if random.chance(4) {
        host.cgroup.controllers.truncate(random.below(7));
    }
    host
}

/// Members to set, and their values. `null` removes the member.
fn options() -> Vec<(&'static str, Vec<Value>)> {
    let hook = json!([{"path": "/bin/true"}, {"path": "/bin/false", "timeout": 1}]);
    let map = json!([{"containerID": 0, "hostID": 100_000, "size": 65536}]);
    let filter =
        |action: &str| json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir"], "action": action}]});
    let rights = json!({"bounding": ["CAP_KILL", "CAP_SYS_ADMIN"], "permitted": ["CAP_KILL"], "effective": ["CAP_KILL"],
        "inheritable": ["CAP_KILL", "CAP_NEW"], "ambient": ["CAP_KILL"]});
    let kinds = ["pid", "network", "ipc", "uts", "mount", "cgroup", "user", "time"];
    let mut spaces = vec![json!([])];
    for skip in 0..=kinds.len() {
        let list: Vec<_> =
            kinds.iter().enumerate().filter(|(n, _)| *n != skip).map(|(_, k)| json!({"type": k})).collect();
        spaces.push(json!(list));
        let joined = |(n, k): (usize, &&str)| {
            if n % 3 == skip % 3 { json!({"type": k, "path": format!("/run/ns/{k}")}) } else { json!({"type": k}) }
        };
        spaces.push(json!(kinds.iter().enumerate().map(joined).collect::<Vec<_>>()));
    }
    vec![
        ("/linux/namespaces", spaces),
        ("/linux/uidMappings", vec![map.clone(), Value::Null]),
        ("/linux/gidMappings", vec![map, Value::Null]),
        ("/linux/timeOffsets", vec![json!({"boottime": {"secs": 5}}), Value::Null]),
        ("/linux/seccomp", vec![filter("SCMP_ACT_ERRNO"), filter("SCMP_ACT_NOTIFY"), Value::Null]),
        ("/linux/rootfsPropagation", ["shared", "rslave", "private", "unbindable"].map(Value::from).to_vec()),
        ("/linux/maskedPaths", vec![json!(["/proc/kcore"]), Value::Null]),
        ("/linux/readonlyPaths", vec![json!(["/proc/sys"]), Value::Null]),
        ("/linux/sysctl", vec![json!({"kernel.msgmax": "1", "net.ipv4.ip_forward": "1"}), Value::Null]),
        ("/linux/personality", vec![json!({"domain": "LINUX32"}), Value::Null]),
        ("/linux/devices", vec![json!([{"path": "/dev/null", "type": "c", "major": 1, "minor": 3}]), Value::Null]),
        ("/hooks/createContainer", vec![hook.clone(), Value::Null]),
        ("/hooks/startContainer", vec![hook.clone(), Value::Null]),
        ("/hooks/prestart", vec![hook, Value::Null]),
        ("/root/readonly", vec![json!(true), json!(false)]),
        ("/hostname", vec![json!("box"), Value::Null]),
        ("/domainname", vec![json!("example.org"), Value::Null]),
        ("/mounts", vec![json!([]), Value::Null]),
        ("/mounts/0/options", vec![json!(["ro", "rprivate"]), json!(["bind", "idmap"]), json!(["remount", "ro"])]),
        ("/process/terminal", vec![json!(true), json!(false)]),
        ("/process/noNewPrivileges", vec![json!(true), json!(false)]),
        (
            "/process/user",
            vec![json!({"uid": 0, "gid": 0}), json!({"uid": 7, "gid": 8, "additionalGids": [9], "umask": 0})],
        ),
        ("/process/capabilities", vec![rights, json!({}), Value::Null]),
        ("/process/rlimits", vec![json!([{"type": "RLIMIT_CORE", "soft": 0, "hard": 0}]), Value::Null]),
        ("/process/oomScoreAdj", vec![json!(0), json!(-1000), Value::Null]),
        ("/process/env", vec![json!(["HOME=/x"]), json!([]), Value::Null]),
        ("/process/cwd", vec![json!("/"), json!("/a/b")]),
        ("/process/selinuxLabel", vec![json!("a:b:c"), Value::Null]),
        ("/process/apparmorProfile", vec![json!("unconfined"), Value::Null]),
        ("/process/ioPriority", vec![json!({"class": "IOPRIO_CLASS_IDLE", "priority": 0}), Value::Null]),
    ]
}

fn set(document: &mut Value, place: &str, value: Value) {
    let (parent, name) = place.rsplit_once('/').expect("a pointer");
    if document.pointer(parent).is_none()
        && let Some((above, parent)) = parent.rsplit_once('/')
        && let Some(Value::Object(members)) = document.pointer_mut(above)
    {
        members.insert(parent.to_owned(), json!({}));
    }
    match document.pointer_mut(parent) {
        Some(Value::Object(members)) if value.is_null() => drop(members.remove(name)),
        Some(Value::Object(members)) => drop(members.insert(name.to_owned(), value)),
        _ => (),
    }
}

/// A random value in the document.
fn random_value<'a>(mut at: &'a mut Value, random: &mut Random) -> &'a mut Value {
    loop {
        let size = match &*at {
            Value::Object(members) => members.len(),
            Value::Array(list) => list.len(),
            _ => 0,
        };
        if size == 0 || random.chance(4) {
            return at;
        }
        let number = random.below(size);
        at = match at {
            Value::Object(members) => members.values_mut().nth(number).expect("counted"),
            Value::Array(list) => &mut list[number],
            _ => unreachable!("only these have a size"),
        };
    }
}

/// Removes, duplicates or reorders entries.
fn restructure(document: &mut Value, random: &mut Random) {
    match random_value(document, random) {
        Value::Array(list) if !list.is_empty() => match random.below(3) {
            0 => drop(list.remove(random.below(list.len()))),
            1 => {
                let entry = random.pick(list).clone();
                list.push(entry);
            }
            _ => list.reverse(),
        },
        Value::Object(members) if !members.is_empty() => {
            let name = members.keys().nth(random.below(members.len())).expect("counted").clone();
            members.remove(&name);
        }
        Value::Bool(value) => *value = !*value,
        _ => (),
    }
}

/// Replaces a value with one that is probably invalid.
fn corrupt(document: &mut Value, random: &mut Random) {
    let invalid = [
        Value::Null,
        json!(-1),
        json!(u64::MAX),
        json!(1.5),
        json!(""),
        json!("a\u{0}b"),
        json!("../.."),
        json!([]),
        json!({}),
        json!(true),
        json!("CAP_SYS_ADMIN"),
        json!("/"),
        json!(65536),
    ];
    *random_value(document, random) = random.pick(&invalid).clone();
}
