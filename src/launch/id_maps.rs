//! Writes the id maps of a user namespace from its parent, and reads them. Mounts with mapped ids are left to
//! `idmapped_mount`.

use super::explain::{cause_text, printed};
use crate::channel::Cause;
use crate::hook::{self, Prepared, Rights};
use crate::plan::namespaces::{Maps, Writer};
use crate::sys::pipe::Meanwhile;
use anyhow::{Context, Result, anyhow, bail};
use std::fs;
use std::path::Path;

/// Timeout for newuidmap and newgidmap in seconds: they may query a directory service for the ranges (nsswitch.conf,
/// `subid`).
const TIME_FOR_MAPS: u32 = 30;

/// Writes the maps of the process `pid`, each in one write(2), because the kernel accepts only one
/// (user_namespaces(7)).
pub(super) fn write(pid: i32, maps: Option<&Maps>) -> Result<()> {
    let Some(maps) = maps else { return Ok(()) };
    let put = |name: &str, place: &str, text: &str| {
        let file = format!("/proc/{pid}/{name}");
        fs::write(&file, text).with_context(|| format!("{place}: write {:?} to {file}", text.trim_end()))
    };
    match maps.writer {
        Writer::Privileged => (),
        Writer::OwnIds => put("setgroups", "/linux/gidMappings", "deny")?,
        Writer::Programs => {
            map_by_program("newuidmap", pid, &maps.uids).context("/linux/uidMappings")?;
            return map_by_program("newgidmap", pid, &maps.gids).context("/linux/gidMappings");
        }
    }
    put("uid_map", "/linux/uidMappings", &maps.uids)?;
    put("gid_map", "/linux/gidMappings", &maps.gids)
}

/// Runs a set-user-ID program of shadow-utils that writes a map. It succeeds if /etc/subuid or /etc/subgid grants the
/// ids to the caller.
fn map_by_program(name: &str, pid: i32, map: &str) -> Result<()> {
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
    let found = std::env::split_paths(&path).map(|directory| directory.join(name));
    let Some(program) = found.into_iter().find(|file| file.is_absolute() && is_executable(file)) else {
        bail!(
            "cannot map ids other than the caller's without privilege: {name} is not in $PATH (install package uidmap)"
        )
    };
    let mut arguments = vec![name.to_owned(), pid.to_string()];
    arguments.extend(map.split_ascii_whitespace().map(str::to_owned));
    let prepared = Prepared::program(&program, &arguments, TIME_FOR_MAPS)?;
    hook::run(&prepared, b"", Rights::default(), Meanwhile::default()).map_err(|failure| {
        let printed = printed(&failure.output);
        match failure.cause {
            Cause::Timeout(_) => anyhow!("{name} did not end within {TIME_FOR_MAPS} s{printed}"),
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

/// Checks that a joined user namespace has the maps of the configuration.
pub(super) fn compare(pid: i32, agreed: Option<&Maps>) -> Result<()> {
    let Some(agreed) = agreed else { return Ok(()) };
    for (name, place, text) in
        [("uid_map", "/linux/uidMappings", &agreed.uids), ("gid_map", "/linux/gidMappings", &agreed.gids)]
    {
        let (mut wanted, mut there) = (numbers(text), of(pid, name)?);
        wanted.sort_unstable();
        there.sort_unstable();
        if !wanted.is_empty() && wanted != there {
            bail!("{place}: mappings differ from those of the joined user namespace: {there:?}");
        }
    }
    Ok(())
}

/// Returns the host id of the user `uid` of the process `pid`; `None` if it is not mapped.
pub(crate) fn host_uid(pid: i32, uid: u32) -> Result<Option<u32>> {
    Ok(look_up(&of(pid, "uid_map")?, uid))
}

fn look_up(map: &[[u32; 3]], id: u32) -> Option<u32> {
    map.iter().find_map(|[inside, outside, size]| {
        id.checked_sub(*inside).filter(|offset| offset < size).and_then(|offset| outside.checked_add(offset))
    })
}

fn of(pid: i32, name: &str) -> Result<Vec<[u32; 3]>> {
    let file = format!("/proc/{pid}/{name}");
    Ok(numbers(&fs::read_to_string(&file).with_context(|| format!("read {file}"))?))
}

/// The lines of a map: container id, host id, size.
fn numbers(text: &str) -> Vec<[u32; 3]> {
    let line = |line: &str| {
        let mut numbers = line.split_ascii_whitespace().map(str::parse);
        Some([numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?])
    };
    text.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::{look_up, numbers};

    #[test]
    fn a_map_leads_from_the_container_to_the_host() {
        let map = numbers("         0     100000       1000\n      1000       1000          1\n");
        assert_eq!(map, [[0, 100_000, 1000], [1000, 1000, 1]]);
        for (inside, outside) in [(0, Some(100_000)), (999, Some(100_999)), (1000, Some(1000)), (1001, None)] {
            assert_eq!(look_up(&map, inside), outside, "{inside}");
        }
    }
}
