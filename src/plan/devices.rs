//! Compiles `/dev`: the default devices and links of every container, and `linux.devices`.

use super::act::{Act, Device, InRoot, Link};
use super::{Notes, Step, c_path, c_string};
use crate::spec::pointer::Pointer;
use oci_spec::runtime::{Linux, LinuxDeviceType};
use std::ffi::CString;
use std::path::Path;

/// The default devices (config-linux.md, "Default Devices").
const DEFAULTS: [(&str, u32, u32); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];

/// The default links (runtime-linux.md, "Dev symbolic links"), and `/dev/core`, which runc and crun make.
const LINKS: [(&str, &str, Option<&str>); 5] = [
    ("fd", "/proc/self/fd", Some("/proc/self/fd")),
    ("stdin", "/proc/self/fd/0", Some("/proc/self/fd")),
    ("stdout", "/proc/self/fd/1", Some("/proc/self/fd")),
    ("stderr", "/proc/self/fd/2", Some("/proc/self/fd")),
    ("core", "/proc/kcore", Some("/proc/kcore")),
];

/// Steps that fill `/dev` and make the listed devices. With `by_bind`, nodes are bound from the host, because a user
/// namespace may not make device nodes.
pub(super) fn compile(linux: Option<&Linux>, dev_is_bound: bool, by_bind: bool, notes: &mut Notes) -> Vec<Step> {
    let mut steps = Vec::new();
    let listed = linux.and_then(|l| l.devices().as_deref()).unwrap_or_default();
    let at = Pointer::of("/linux/devices");
    let mut add = |device: Device, origin: Pointer, host: CString| {
        let fifo = device.kind == libc::S_IFIFO;
        let act = if by_bind && !fifo { Act::BindDevice(device, host) } else { Act::MakeDevice(device) };
        steps.push(Step { origin, act });
    };
    if !dev_is_bound {
        for (name, major, minor) in DEFAULTS {
            let path = format!("/dev/{name}");
            // An entry of the configuration for the same path replaces the default.
            if listed.iter().any(|device| device.path() == Path::new(&path)) {
                continue;
            }
            let device = Device {
                directory: InRoot(c"/dev".to_owned()),
                name: c_string(name, &at, &mut notes.problems),
                kind: libc::S_IFCHR,
                number: libc::makedev(major, minor),
                mode: 0o666,
                uid: 0,
                gid: 0,
            };
            add(device, at.clone(), c_string(path, &at, &mut notes.problems));
        }
    }
    let is_later = |index: usize, path: &Path| listed[index + 1..].iter().any(|later| later.path() == path);
    for (index, entry) in listed.iter().enumerate() {
        // Engines list a device twice if a user names both the device and its directory. The last entry for a path
        // counts (docs/differences.md). /dev/ptmx is a link to the container's own devpts.
        if is_later(index, entry.path()) || (!dev_is_bound && entry.path() == Path::new("/dev/ptmx")) {
            continue;
        }
        let origin = at.index(index);
        let kind = match entry.typ() {
            LinuxDeviceType::C | LinuxDeviceType::U => libc::S_IFCHR,
            LinuxDeviceType::B => libc::S_IFBLK,
            LinuxDeviceType::P => libc::S_IFIFO,
            LinuxDeviceType::A => continue,
        };
        let (directory, name) = split(entry.path());
        let device = Device {
            directory: InRoot(c_path(directory, &origin.key("path"), &mut notes.problems)),
            name: c_path(name, &origin.key("path"), &mut notes.problems),
            kind,
            number: libc::makedev(entry.major() as u32, entry.minor() as u32),
            // Generators written in Go include the type bits. Only the permission bits apply.
            mode: entry.file_mode().unwrap_or(0o666) & 0o777,
            uid: entry.uid().unwrap_or(0),
            gid: entry.gid().unwrap_or(0),
        };
        let host = c_path(entry.path(), &origin, &mut notes.problems);
        add(device, origin, host);
    }
    if !dev_is_bound {
        links(&mut steps);
    }
    steps
}

fn links(steps: &mut Vec<Step>) {
    let dev = InRoot(c"/dev".to_owned());
    let own = |text: &str| CString::new(text).unwrap_or_default();
    for (name, text, if_exists) in LINKS {
        let if_exists = if_exists.map(|path| InRoot(own(path)));
        let link = Link { directory: dev.clone(), name: own(name), text: own(text), if_exists, replace: false };
        steps.push(Step { origin: Pointer::of("/linux/devices"), act: Act::MakeLink(link) });
    }
    let ptmx =
        Link { directory: dev, name: c"ptmx".to_owned(), text: c"pts/ptmx".to_owned(), if_exists: None, replace: true };
    steps.push(Step { origin: Pointer::of("/linux/devices"), act: Act::MakeLink(ptmx) });
}

/// Splits a path into directory and name. The directory of a name directly below the root is "/".
pub(super) fn split(path: &Path) -> (&Path, &Path) {
    let name = path.file_name().map_or(Path::new(""), Path::new);
    (path.parent().unwrap_or(Path::new("/")), name)
}
