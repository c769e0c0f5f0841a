//! Configurations that nobody wrote: recorded ones with some options set otherwise, the same for the same seed.

use crate::plan::Host;
use serde_json::{Value, json};

/// A small generator of numbers (splitmix64), so that a seed names a configuration for ever.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Dice(seed)
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

    /// One time in `of`.
    pub(super) fn chance(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }

    pub(super) fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }
}

/// Changes one to eight things: mostly to other good values, now and then to rubbish.
pub(super) fn mutate(document: &mut Value, dice: &mut Dice) {
    let options = options();
    for _ in 0..=dice.below(8) {
        match dice.below(12) {
            0 => disturb(document, dice),
            1 => spoil(document, dice),
            _ => {
                let (place, values) = dice.pick(&options);
                let value = dice.pick(values).clone();
                set(document, place, value);
            }
        }
    }
}

/// Other facts about the host than that it has everything.
pub(super) fn host(mut host: Host, dice: &mut Dice) -> Host {
    host.privileged = !dice.chance(4);
    host.can_detach_exe = !dice.chance(4);
    host.procfs_takes_pid_namespace = !dice.chance(4);
    if dice.chance(3) {
        host.permitted = dice.next();
    }
    if dice.chance(4) {
        host.cgroup.controllers.truncate(dice.below(7));
    }
    host
}

/// Members worth setting, and what to. `null` removes one.
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

/// A place somewhere in the document.
fn somewhere<'a>(mut at: &'a mut Value, dice: &mut Dice) -> &'a mut Value {
    loop {
        let size = match &*at {
            Value::Object(members) => members.len(),
            Value::Array(list) => list.len(),
            _ => 0,
        };
        if size == 0 || dice.chance(4) {
            return at;
        }
        let number = dice.below(size);
        at = match at {
            Value::Object(members) => members.values_mut().nth(number).expect("counted"),
            Value::Array(list) => &mut list[number],
            _ => unreachable!("only these have a size"),
        };
    }
}

/// Removes, doubles or turns round entries.
fn disturb(document: &mut Value, dice: &mut Dice) {
    match somewhere(document, dice) {
        Value::Array(list) if !list.is_empty() => match dice.below(3) {
            0 => drop(list.remove(dice.below(list.len()))),
            1 => {
                let entry = dice.pick(list).clone();
                list.push(entry);
            }
            _ => list.reverse(),
        },
        Value::Object(members) if !members.is_empty() => {
            let name = members.keys().nth(dice.below(members.len())).expect("counted").clone();
            members.remove(&name);
        }
        Value::Bool(value) => *value = !*value,
        _ => (),
    }
}

/// Puts a value there that hardly belongs.
fn spoil(document: &mut Value, dice: &mut Dice) {
    let rubbish = [
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
    *somewhere(document, dice) = dice.pick(&rubbish).clone();
}
