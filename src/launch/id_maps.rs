//! Writes the id maps of a user namespace from its parent, and reads them.
//!
//! Leaves mounts with mapped ids to `idmapped_mount`, and the contents of the maps to `plan::namespaces`.

use super::explain::{cause_text, printed};
use crate::channel::Cause;
use crate::hook::{self, Prepared, Rights};
use crate::plan::namespaces::{Maps, Writer};
use crate::sys::pipe::Meanwhile;
use anyhow::{Context, Result, anyhow, bail};
use std::fs;
use std::path::Path;

/// Timeout of newuidmap and newgidmap, in seconds: they may query a directory service for the ranges (nsswitch.conf,
/// `subid`).
const TIMEOUT: u32 = 30;

/// Writes the maps of the process `pid`, each with one write(2), because the kernel accepts no second
/// (user_namespaces(7)).
pub(super) fn write(pid: i32, maps: Option<&Maps>) -> Result<()> {
    let Some(maps) = maps else { return Ok(()) };
    let write_file = |name: &str, place: &str, text: &str| {
        let file = format!("/proc/{pid}/{name}");
        fs::write(&file, text).with_context(|| format!("{place}: write {:?} to {file}", text.trim_end()))
    };
    match maps.writer {
        Writer::Privileged => (),
        Writer::OwnIds => write_file("setgroups", "/linux/gidMappings", "deny")?,
        Writer::Programs => {
            map_by_program("newuidmap", pid, &maps.uids).context("/linux/uidMappings")?;
            return map_by_program("newgidmap", pid, &maps.gids).context("/linux/gidMappings");
        }
    }
    write_file("uid_map", "/linux/uidMappings", &maps.uids)?;
    write_file("gid_map", "/linux/gidMappings", &maps.gids)
}

/// Writes a map with a set-user-ID program of shadow-utils, which requires that /etc/subuid or /etc/subgid gives the
/// caller the ids.
fn map_by_program(name: &str, pid: i32, map: &str) -> Result<()> {
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
    let found = std::env::split_paths(&path).map(|directory| directory.join(name));
    let Some(program) = found.into_iter().find(|file| file.is_absolute() && is_executable(file)) else {
        bail!("mapping ids other than the caller's own needs {name}, which is not in $PATH: install the package uidmap")
    };
    let mut arguments = vec![name.to_owned(), pid.to_string()];
    arguments.extend(map.split_ascii_whitespace().map(str::to_owned));
    let prepared = Prepared::program(&program, &arguments, TIMEOUT)?;
    hook::run(&prepared, b"", Rights::default(), Meanwhile::default()).map_err(|failure| {
        let printed = printed(&failure.output);
        match failure.cause {
            Cause::Timeout(_) => anyhow!("{name} did not end within {TIMEOUT} s{printed}"),
            Cause::ExitStatus(status) => anyhow!("{name} ended with status {status}{printed}"),
            Cause::Signal(signal) => anyhow!("{name} was killed by signal {signal}{printed}"),
            cause => anyhow!("{}: {}", program.display(), cause_text(cause, &[])),
        }
    })
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(file).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// Checks that a joined user namespace has the maps that the configuration lists.
pub(super) fn check_joined(pid: i32, expected: Option<&Maps>) -> Result<()> {
    let Some(expected) = expected else { return Ok(()) };
    for (name, place, text) in
        [("uid_map", "/linux/uidMappings", &expected.uids), ("gid_map", "/linux/gidMappings", &expected.gids)]
    {
        let (mut wanted, mut actual) = (parse_map(text), read_map(pid, name)?);
        wanted.sort_unstable();
        actual.sort_unstable();
        if !wanted.is_empty() && wanted != actual {
            bail!("{place}: does not match the joined user namespace, which has {actual:?}");
        }
    }
    Ok(())
}

/// The host id of `uid` in the user namespace of the process `pid`. `None` if the uid is not mapped.
pub(crate) fn host_uid(pid: i32, uid: u32) -> Result<Option<u32>> {
    Ok(host_id(&read_map(pid, "uid_map")?, uid))
}

fn host_id(map: &[[u32; 3]], id: u32) -> Option<u32> {
    map.iter().find_map(|[inside, outside, size]| {
        id.checked_sub(*inside).filter(|offset| offset < size).and_then(|offset| outside.checked_add(offset))
    })
}

fn read_map(pid: i32, name: &str) -> Result<Vec<[u32; 3]>> {
    let file = format!("/proc/{pid}/{name}");
    Ok(parse_map(&fs::read_to_string(&file).with_context(|| format!("read {file}"))?))
}

/// Parses the lines of a map: container id, host id, size.
fn parse_map(text: &str) -> Vec<[u32; 3]> {
    let line = |line: &str| {
        let mut fields = line.split_ascii_whitespace().map(str::parse);
        Some([fields.next()?.ok()?, fields.next()?.ok()?, fields.next()?.ok()?])
    };
    text.lines().filter_map(line).collect()
}

/// A fuzz target: the content of a map.
#[cfg(any(test, fuzzing))]
pub(crate) fn fuzz(text: &str) {
    let map = parse_map(text);
    for id in [0, 1000, u32::MAX] {
        let _ = host_id(&map, id);
    }
}

#[cfg(test)]
mod tests {
    use super::{host_id, parse_map};

    #[test]
    fn a_map_translates_container_ids_to_host_ids() {
        let map = parse_map("         0     100000       1000\n      1000       1000          1\n");
        assert_eq!(map, [[0, 100_000, 1000], [1000, 1000, 1]]);
        for (inside, outside) in [(0, Some(100_000)), (999, Some(100_999)), (1000, Some(1000)), (1001, None)] {
            assert_eq!(host_id(&map, inside), outside, "{inside}");
        }
    }
}
