//! Runs inside the container and prints everything that distinguishes an incomplete container from a correct one. It
//! omits values that differ in every run. The caller compares the output.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;

/// The last line.
pub(crate) const END: &str = "that is all";

/// Collects what is visible inside the container.
pub(crate) fn take() -> String {
    let mut text = String::new();
    let mut add = |name: &str, value: &str| text += &format!("{name}: {}\n", value.trim_end());
    for (name, value) in std::env::vars_os() {
        add("environment", &format!("{name:?}={value:?}"));
    }
    for line in read("/proc/self/status").lines() {
        let wanted = [
            "Umask",
            "Uid",
            "Gid",
            "Groups",
            "SigBlk",
            "SigIgn",
            "SigCgt",
            "Cap",
            "NoNewPrivs",
            "Seccomp",
            "Cpus_allowed_list",
        ];
        if wanted.iter().any(|name| line.starts_with(name)) {
            add("status", line);
        }
    }
    // Only the topmost mount at a path is visible.
    let mut mounts = BTreeMap::new();
    for line in read("/proc/self/mountinfo").lines() {
        // The ids of the mount, its parent, its device and its peer group differ in every run. Where a new sysfs or
        // cgroup2 mount is refused, the host's mount is bound, so source and options are the host's. A device node that
        // cannot be created is bound from the host; the directory listing shows its properties.
        let at = line.split(' ').nth(4).unwrap_or_default();
        let from_host = at.starts_with("/sys/") && !(at == "/sys/fs/cgroup" && line.contains(" - cgroup2 "));
        if from_host || (at.starts_with("/dev/") && line.contains(" - devtmpfs ")) {
            continue;
        }
        let Some((mount, file_system)) = line.split_once(" - ") else { continue };
        let words = mount.split(' ').enumerate();
        let mut words: Vec<_> = words.filter(|(n, word)| *n > 2 && !word.contains(':')).map(|(_, word)| word).collect();
        let one_of_all = ["sysfs", "cgroup2"].into_iter().find(|name| file_system.starts_with(name));
        words.push(one_of_all.unwrap_or(file_system));
        mounts.insert(at.to_owned(), words.join(" "));
    }
    mounts.values().for_each(|mount| add("mount", mount));
    for file in ["limits", "cgroup", "oom_score_adj", "uid_map", "gid_map", "setgroups", "personality", "cmdline"] {
        add(file, &read(&format!("/proc/self/{file}")).replace('\0', " "));
    }
    for file in ["sys/kernel/hostname", "sys/kernel/domainname", "sys/net/ipv4/ip_forward", "net/dev_mcast"] {
        add(file, &read(&format!("/proc/{file}")));
    }
    add("loopback", &read("/sys/class/net/lo/flags"));
    add("directory", &format!("{:?}", std::env::current_dir()));
    for directory in ["/dev", "/dev/pts", "/dev/shm", "/proc/self/fd"] {
        let mut lines: Vec<_> =
            fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| seen(&entry)).collect();
        lines.sort();
        lines.iter().for_each(|line| add(directory, line));
    }
    for (name, stream) in [("stdin", std::io::stdin().as_raw_fd()), ("stdout", std::io::stdout().as_raw_fd())] {
        let kind = fs::metadata(format!("/proc/self/fd/{stream}")).map(|seen| seen.mode() & 0o170_000);
        add(name, &format!("{kind:?}"));
    }
    text + END + "\n"
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| error.to_string())
}

fn seen(entry: &fs::DirEntry) -> String {
    let name = entry.file_name();
    let link =
        fs::read_link(entry.path()).unwrap_or_default().to_string_lossy().replace(|c: char| c.is_ascii_digit(), "");
    match entry.metadata() {
        Ok(seen) => format!("{name:?} {:o} {}:{} {:x} {link}", seen.mode(), seen.uid(), seen.gid(), seen.rdev()),
        Err(error) => format!("{name:?} {error}"),
    }
}
