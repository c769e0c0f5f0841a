//! Decides the place of a container's cgroup: parses `linux.cgroupsPath` for the caller's cgroup driver.
//!
//! Pure: leaves to `cgroup` where the hierarchy is mounted, and the caller's own cgroup.

use crate::plan::systemd_scope::{self, Property};
use crate::spec::pointer::Pointer;
use crate::spec::problem::Problems;
use std::path::{Component, Path, PathBuf};

/// The cgroup driver: who creates cgroups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Driver {
    /// The runtime, with mkdir(2).
    Cgroupfs,
    /// systemd, by request over D-Bus (`--systemd-cgroup`).
    Systemd,
}

/// The place of a container's cgroup. The same `cgroupsPath` always gives the same place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Place {
    /// A path without leading slash, below the mount point of the hierarchy.
    BelowMount(PathBuf),
    /// A path without leading slash, below the parent of the caller's own cgroup. It is not below the caller's cgroup,
    /// because the kernel enables no controllers below a cgroup that has processes.
    BesideOwn(PathBuf),
    /// A scope of systemd, `<prefix>-<name>.scope` in `slice` (`slice:prefix:name`).
    Scope(Scope),
}

/// The request for a systemd scope.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scope {
    /// The unit name of the slice. `None` is the default slice, which depends on the caller.
    pub(crate) slice: Option<String>,
    /// The unit name of the scope.
    pub(crate) unit: String,
    /// The description of the unit, for people.
    pub(crate) description: String,
    /// Properties from annotations.
    pub(crate) properties: Vec<Property>,
}

/// Parses `linux.cgroupsPath`, found at `at`. Adds a problem and returns `None` if the value is invalid.
pub(crate) fn compile(
    cgroups_path: Option<&Path>,
    id: &str,
    driver: Driver,
    at: &Pointer,
    problems: &mut Problems,
) -> Option<Place> {
    // Engines write the empty string for "default".
    let given = cgroups_path.filter(|path| !path.as_os_str().is_empty());
    let place = match driver {
        Driver::Cgroupfs => given.map_or_else(|| Ok(Place::BesideOwn(PathBuf::from(id))), directory),
        Driver::Systemd => scope(given, id),
    };
    place.map_err(|what| problems.add(at.clone(), what)).ok()
}

fn directory(given: &Path) -> Result<Place, String> {
    let mut path = PathBuf::new();
    for component in given.components() {
        match component {
            Component::RootDir | Component::CurDir => {}
            Component::Normal(name) => path.push(name),
            Component::ParentDir | Component::Prefix(_) => {
                return Err(format!("{} must not contain \"..\"", given.display()));
            }
        }
    }
    if path.as_os_str().is_empty() {
        return Err(format!("{} is the root of the hierarchy, which cannot be a container's cgroup", given.display()));
    }
    Ok(if given.is_absolute() { Place::BelowMount(path) } else { Place::BesideOwn(path) })
}

fn scope(given: Option<&Path>, id: &str) -> Result<Place, String> {
    let make = |slice: &str, unit: String| {
        let slice = (!slice.is_empty()).then(|| slice.to_owned());
        let description = format!("container {id} of {}", env!("CARGO_PKG_NAME"));
        Place::Scope(Scope { slice, unit, description, properties: Vec::new() })
    };
    let Some(given) = given else {
        // Unit names may contain every character of an id except the plus sign (systemd-escape(1)).
        return Ok(make("", format!("{}-{}.scope", env!("CARGO_PKG_NAME"), id.replace('+', "\\x2b"))));
    };
    let text = given.to_str().unwrap_or_default();
    let parts: Vec<&str> = text.split(':').collect();
    let [slice, prefix, name] = parts[..] else {
        return Err(format!("{} is not of the form slice:prefix:name, which --systemd-cgroup needs", given.display()));
    };
    if name.is_empty() || text.contains('/') {
        return Err(format!("{} has no unit name; expected slice:prefix:name", given.display()));
    }
    if name.ends_with(".slice") {
        return Err(format!("{name} is a slice, which holds units and no processes; name the container's own scope"));
    }
    if !slice.is_empty() {
        systemd_scope::directory(slice)?;
    }
    let unit = if prefix.is_empty() { format!("{name}.scope") } else { format!("{prefix}-{name}.scope") };
    match systemd_scope::is_unit(&unit) {
        true => Ok(make(slice, unit)),
        false => Err(format!("\"{}\" is not a valid unit name", unit.escape_debug())),
    }
}

#[cfg(test)]
mod tests {
    use super::{Driver, Place, Scope, compile};
    use crate::spec::pointer::Pointer;
    use crate::spec::problem::Problems;
    use std::path::Path;

    fn place(driver: Driver, path: Option<&str>) -> Result<Place, String> {
        let mut problems = Problems::default();
        let at = Pointer::of("/linux/cgroupsPath");
        let place = compile(path.map(Path::new), "c1", driver, &at, &mut problems);
        place.ok_or_else(|| problems.iter().map(|p| format!("{}: {}", p.at, p.what)).collect::<Vec<_>>().join("; "))
    }

    #[test]
    fn a_path_is_below_the_mount_point_or_beside_the_callers_cgroup() {
        let below = |path: &str| Ok(Place::BelowMount(path.into()));
        let beside = |path: &str| Ok(Place::BesideOwn(path.into()));
        for (given, expected) in [
            (Some("/docker/c1"), below("docker/c1")),
            (Some("//docker/./c1/"), below("docker/c1")),
            (Some("pods/c1"), beside("pods/c1")),
            (Some("./c1"), beside("c1")),
            (Some(""), beside("c1")),
            (None, beside("c1")),
            // Without --systemd-cgroup this is an ordinary name, as with runc.
            (Some("system.slice:docker:c1"), beside("system.slice:docker:c1")),
        ] {
            assert_eq!(place(Driver::Cgroupfs, given), expected, "{given:?}");
        }
    }

    #[test]
    fn a_path_with_dot_dot_or_to_the_root_is_refused() {
        for given in ["/a/../../b", "..", "../c1", "/a/.."] {
            let error = place(Driver::Cgroupfs, Some(given)).expect_err(given);
            assert!(error.starts_with("/linux/cgroupsPath: ") && error.contains("must not contain \"..\""), "{error}");
        }
        for given in ["/", "///.", "."] {
            let error = place(Driver::Cgroupfs, Some(given)).expect_err(given);
            assert!(error.contains("is the root of the hierarchy"), "{error}");
        }
    }

    #[test]
    fn the_systemd_driver_expects_slice_prefix_name() {
        let scope = |slice: Option<&str>, unit: &str| {
            let (slice, unit) = (slice.map(str::to_owned), unit.to_owned());
            let description = "container c1 of davit".to_owned();
            Ok(Place::Scope(Scope { slice, unit, description, properties: Vec::new() }))
        };
        let place = |given| place(Driver::Systemd, given);
        assert_eq!(place(Some("system.slice:docker:x")), scope(Some("system.slice"), "docker-x.scope"));
        assert_eq!(place(Some(":libpod:x")), scope(None, "libpod-x.scope"));
        assert_eq!(place(Some("::x")), scope(None, "x.scope"));
        assert_eq!(place(None), scope(None, "davit-c1.scope"));
        for given in ["/docker/x", "a:b", "a:b:c:d", "a:b:", "a/b:c:d", "a:b:c", ":b:c d", ":b:c.slice", "--.slice:b:c"]
        {
            place(Some(given)).expect_err(given);
        }
    }
}
