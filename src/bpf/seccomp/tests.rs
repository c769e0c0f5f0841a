//! Compares the answers of compiled filters with a reference that evaluates the profile for every call.

mod exhaustive;
mod libseccomp;
mod meaning;
mod random;
mod reference;

pub(crate) use random::fuzz;

use super::*;
use crate::bpf::interpreter::{Data, check, run};

/// Parses `linux.seccomp` of a recorded configuration. Leaks the strings, because a test process exits soon.
fn recorded(config: &str) -> Profile<'static> {
    let config: &'static serde_json::Value =
        Box::leak(Box::new(serde_json::from_str(config).expect("a recorded configuration is JSON")));
    let seccomp = &config["linux"]["seccomp"];
    let errno = |value: &serde_json::Value| value.as_u64().map(|errno| errno as u32);
    let text = |value: &'static serde_json::Value| value.as_str().expect("a string");
    let list = |value: &'static serde_json::Value| value.as_array().map_or(&[][..], |list| list.as_slice());
    Profile {
        default: Action::from_name(text(&seccomp["defaultAction"]), errno(&seccomp["defaultErrnoRet"]))
            .expect("action"),
        architectures: list(&seccomp["architectures"])
            .iter()
            .map(|a| Arch::from_name(text(a)).expect("arch"))
            .collect(),
        rules: list(&seccomp["syscalls"])
            .iter()
            .map(|rule| Rule {
                names: list(&rule["names"]).iter().map(text).collect(),
                action: Action::from_name(text(&rule["action"]), errno(&rule["errnoRet"])).expect("action"),
                conditions: list(&rule["args"])
                    .iter()
                    .map(|condition| Condition {
                        index: condition["index"].as_u64().expect("an index") as u8,
                        operator: Operator::from_name(text(&condition["op"])).expect("operator"),
                        value: condition["value"].as_u64().unwrap_or_default(),
                        value_two: condition["valueTwo"].as_u64().unwrap_or_default(),
                    })
                    .collect(),
            })
            .collect(),
    }
}

fn docker() -> Profile<'static> {
    recorded(include_str!("../../../tests/configs/docker-default.json"))
}

fn podman() -> Profile<'static> {
    recorded(include_str!("../../../tests/configs/podman-default.json"))
}

fn compiled(profile: &Profile<'_>, native: Arch) -> Vec<sock_filter> {
    let filter = compile_for(profile, native).expect("the profile compiles");
    check(&filter.program).expect("the kernel accepts the program");
    filter.program
}
