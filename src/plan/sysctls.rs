//! `linux.sysctl`: kernel parameters as files below /proc/sys. Which of them a container may set is judged in `validate`.

use super::act::Act;
use super::{Notes, Step, c_string};
use crate::spec::pointer::Pointer;
use oci_spec::runtime::Linux;

/// One step for each parameter, in the order of their names: the document's own order is lost in a map.
pub(super) fn compile(linux: Option<&Linux>, notes: &mut Notes) -> Vec<Step> {
    let mut sysctls: Vec<_> = linux.and_then(|l| l.sysctl().as_ref()).into_iter().flatten().collect();
    sysctls.sort();
    let step = |(name, value): (&String, &String)| {
        let origin = Pointer::of("/linux/sysctl").key(name);
        let name = c_string(below_proc(name), &origin, &mut notes.problems);
        let value = c_string(value.as_str(), &origin, &mut notes.problems);
        Step { origin, act: Act::SetSysctl { name, value } }
    };
    sysctls.into_iter().map(step).collect()
}

/// A kernel parameter's name as a path below /proc: whichever separator comes first is the separator (sysctl.d(5)).
fn below_proc(name: &str) -> String {
    let dots = name.find(['.', '/']).is_some_and(|first| name.as_bytes()[first] == b'.');
    let swapped = |c| match c {
        '.' => '/',
        '/' => '.',
        c => c,
    };
    let path: String = if dots { name.chars().map(swapped).collect() } else { name.to_owned() };
    format!("sys/{path}")
}

#[cfg(test)]
mod tests {
    use super::below_proc;

    #[test]
    fn the_first_separator_is_the_separator() {
        for (name, path) in [
            ("kernel.msgmax", "sys/kernel/msgmax"),
            ("net/ipv4/conf/eth0.1/forwarding", "sys/net/ipv4/conf/eth0.1/forwarding"),
            ("net.ipv4.conf.eth0/1.forwarding", "sys/net/ipv4/conf/eth0.1/forwarding"),
            ("plain", "sys/plain"),
        ] {
            assert_eq!(below_proc(name), path);
        }
    }
}
