//! Compiles `linux.sysctl`: kernel parameters, as files below /proc/sys. `validate` decides which of them a container
//! may set.

use super::act::Act;
use super::{Notes, Step, c_string};
use crate::spec::pointer::Pointer;
use oci_spec::runtime::Linux;

/// One step for each parameter, sorted by name, because the parsed document has no order.
pub(super) fn compile(linux: Option<&Linux>, notes: &mut Notes) -> Vec<Step> {
    let mut sysctls: Vec<_> = linux.and_then(|l| l.sysctl().as_ref()).into_iter().flatten().collect();
    sysctls.sort();
    let step = |(name, value): (&String, &String)| {
        let origin = Pointer::of("/linux/sysctl").key(name);
        let name = c_string(format!("sys/{}", path(name).unwrap_or_default()), &origin, &mut notes.problems);
        let value = c_string(value.as_str(), &origin, &mut notes.problems);
        Step { origin, act: Act::SetSysctl { name, value } }
    };
    sysctls.into_iter().map(step).collect()
}

/// The path of a parameter below `/proc/sys`. The first separator decides (sysctl.d(5)). If it is a dot, dots separate
/// the parts and a slash means a literal dot. If it is a slash, slashes separate the parts and dots are literal.
///
/// Returns `None` for a name with an empty part, `.` or `..`, because it is not a path below that directory.
pub(crate) fn path(name: &str) -> Option<String> {
    let path = match name.find(['.', '/']).map(|first| &name[first..=first]) {
        Some(".") => name
            .chars()
            .map(|c| {
                if c == '.' {
                    '/'
                } else if c == '/' {
                    '.'
                } else {
                    c
                }
            })
            .collect(),
        _ => name.to_owned(),
    };
    let fits = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
    fits.then_some(path)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_first_separator_decides() {
        for (name, path) in [
            ("kernel.msgmax", Some("kernel/msgmax")),
            ("net/ipv4/conf/eth0.1/forwarding", Some("net/ipv4/conf/eth0.1/forwarding")),
            ("net.ipv4.conf.eth0/1.forwarding", Some("net/ipv4/conf/eth0.1/forwarding")),
            ("plain", Some("plain")),
            ("net..x", None),
            ("../x", None),
        ] {
            assert_eq!(super::path(name).as_deref(), path, "{name}");
        }
    }
}
