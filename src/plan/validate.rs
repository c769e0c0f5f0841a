//! Validates a configuration independently of the host: values out of range, settings that contradict each other, and
//! settings that need a namespace that is not listed. All problems are collected, each with its place.
//!
//! Deliberately reads only the document. Checks that depend on files, the kernel or the caller happen where the plan is
//! made; resources are checked in `plan::resources`.

mod devices;
mod ids;
mod linux;
mod mounts;
mod namespaces;
mod process;
mod seccomp;
pub(crate) mod sysctl;

use crate::spec::pointer::Pointer;
use crate::spec::problem::Problems;
use namespaces::Own;
use oci_spec::runtime::{Hook, Hooks, Process, Spec};
use std::path::Path;

/// Adds every host-independent problem of `spec`, in the order of the document's sections.
pub(crate) fn check(spec: &Spec, problems: &mut Problems, warnings: &mut Vec<String>) {
    version(spec.version(), problems);
    match spec.root() {
        None => problems.add(Pointer::of("/root"), "is missing"),
        Some(root) => {
            let at = Pointer::of("/root/path");
            no_nul(&text(root.path()), &at, problems);
            if root.path().as_os_str().is_empty() {
                problems.add(at, "is empty; expected the directory of the root file system");
            }
        }
    }
    let own = Own::of(spec);
    mounts::check(spec, problems);
    if let Some(process) = spec.process() {
        check_process(process, &Pointer::of("/process"), problems, warnings);
    }
    host_name(spec.hostname().as_deref(), Pointer::of("/hostname"), own, problems);
    host_name(spec.domainname().as_deref(), Pointer::of("/domainname"), own, problems);
    if let Some(listed) = spec.hooks() {
        hooks(listed, problems);
    }
    for name in spec.annotations().iter().flatten().map(|(name, _)| name) {
        if name.is_empty() {
            problems.add(Pointer::of("/annotations").key(name), "has an empty name");
        }
    }
    if let Some(section) = spec.linux() {
        namespaces::check(section, own, problems);
        linux::check(section, own, problems);
        devices::check(section, problems);
        sysctl::check(section, own, problems);
        if let Some(filter) = section.seccomp() {
            seccomp::check(filter, problems);
        }
    }
}

/// Adds every host-independent problem of one process: `/process` of a configuration, or a `process.json` if `at` is
/// the empty pointer.
pub(crate) fn check_process(process: &Process, at: &Pointer, problems: &mut Problems, warnings: &mut Vec<String>) {
    process::check(process, at, problems, warnings);
}

/// `ociVersion`: must be SemVer 2.0 with the major version 1 (config.md, "Specification version").
fn version(version: &str, problems: &mut Problems) {
    let at = Pointer::of("/ociVersion");
    let Some(major) = semantic_version(version) else {
        problems.add(at, format!("{version:?} is not a version such as \"1.3.0\" (SemVer 2.0)"));
        return;
    };
    if major != "1" {
        problems.add(
            at,
            format!("{version:?} is not supported; this runtime supports versions 1.0.0 to 1.3.0 and later 1.x"),
        );
    }
}

/// The major number of a version, or `None` if the text is not SemVer 2.0.
fn semantic_version(text: &str) -> Option<&str> {
    let number = |part: &str| part.bytes().all(|b| b.is_ascii_digit()) && (part == "0" || !part.starts_with('0'));
    let word = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let (text, build) = text.split_once('+').map_or((text, None), |(text, build)| (text, Some(build)));
    let (core, before) = text.split_once('-').map_or((text, None), |(core, before)| (core, Some(before)));
    let mut numbers = core.split('.');
    let (major, minor, patch) = (numbers.next()?, numbers.next()?, numbers.next()?);
    let fits = numbers.next().is_none()
        && [major, minor, patch].iter().all(|part| !part.is_empty() && number(part))
        && build.is_none_or(|build| build.split('.').all(word))
        && before.is_none_or(|before| {
            before.split('.').all(|part| word(part) && (number(part) || !part.bytes().all(|b| b.is_ascii_digit())))
        });
    fits.then_some(major)
}

/// Checks `hostname` or `domainname`. Both change the UTS namespace, which must not be the caller's.
fn host_name(name: Option<&str>, at: Pointer, own: Own, problems: &mut Problems) {
    let Some(name) = name.filter(|name| !name.is_empty()) else { return };
    no_nul(name, &at, problems);
    // __NEW_UTS_LEN; sethostname(2) refuses longer names.
    if name.len() > 64 {
        problems.add(at.clone(), format!("has {} bytes; the kernel allows at most 64", name.len()));
    }
    if !own.has(namespaces::UTS) {
        problems.add(at, "needs a uts namespace; without one it would rename the host");
    }
}

fn hooks(listed: &Hooks, problems: &mut Problems) {
    let kinds = [
        ("prestart", listed.prestart()),
        ("createRuntime", listed.create_runtime()),
        ("createContainer", listed.create_container()),
        ("startContainer", listed.start_container()),
        ("poststart", listed.poststart()),
        ("poststop", listed.poststop()),
    ];
    for (name, list) in kinds {
        for (index, entry) in list.iter().flatten().enumerate() {
            hook(entry, &Pointer::of("/hooks").key(name).index(index), problems);
        }
    }
}

fn hook(entry: &Hook, at: &Pointer, problems: &mut Problems) {
    absolute(&text(entry.path()), &at.key("path"), problems);
    for (member, list) in [("args", entry.args()), ("env", entry.env())] {
        for (index, entry) in list.iter().flatten().enumerate() {
            no_nul(entry, &at.key(member).index(index), problems);
        }
    }
    if let Some(timeout) = entry.timeout().filter(|timeout| *timeout <= 0) {
        problems.add(at.key("timeout"), format!("{timeout} is out of range; expected a timeout of at least 1 second"));
    }
}

/// A path as text. Lossless, because the documents are UTF-8.
fn text(path: &Path) -> std::borrow::Cow<'_, str> {
    path.to_string_lossy()
}

/// Refuses NUL bytes: the kernel ends every string at a NUL, so it would silently use a shorter string.
fn no_nul(text: &str, at: &Pointer, problems: &mut Problems) {
    if text.contains('\0') {
        problems.add(at.clone(), "contains a NUL byte");
    }
}

fn absolute(path: &str, at: &Pointer, problems: &mut Problems) {
    no_nul(path, at, problems);
    if path.is_empty() {
        problems.add(at.clone(), "is empty; it must be an absolute path");
    } else if !path.starts_with('/') {
        problems.add(at.clone(), format!("{path:?} is relative; it must be absolute"));
    }
}

/// Resolves `.`, `..` and doubled slashes as if there were no symbolic links. Relative paths start at `/`.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => _ = parts.pop(),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests;
