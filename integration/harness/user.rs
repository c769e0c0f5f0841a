//! Defines the suite's ordinary user: its ids, its subordinate ids, and whether this process runs as that user.
//! Starting the suite as that user is left to `user_env`.

use crate::harness::skip::skip;
use nix::mount::{MsFlags, mount};
use std::{fs, os::unix::fs::PermissionsExt, path::Path, sync::LazyLock};

/// The ordinary user. No entry of /etc/passwd is needed.
pub(crate) const UID: u32 = 1000;
/// First id of the range that /etc/subuid gives to that user in these tests, and its size.
pub(crate) const RANGE: (u32, u32) = (300_000, 65_536);

/// Whether the suite runs without privileges, so that its containers need user namespaces with the user's ranges.
pub(crate) static AS_USER: LazyLock<bool> = LazyLock::new(|| !nix::unistd::geteuid().is_root());

/// Maps the user's own id and the whole range, in the format of `linux.uidMappings`.
pub(crate) fn mappings() -> serde_json::Value {
    serde_json::json!([
        {"containerID": 0, "hostID": UID, "size": 1},
        {"containerID": 1, "hostID": RANGE.0, "size": RANGE.1}
    ])
}

/// The reason why subordinate id ranges are not possible on this host.
pub(crate) fn no_ranges() -> Option<String> {
    for program in ["/usr/bin/newuidmap", "/usr/bin/newgidmap"] {
        if !fs::metadata(program).is_ok_and(|data| data.permissions().mode() & 0o4000 != 0) {
            return Some(format!("{program} is missing or not set-user-ID (package uidmap)"));
        }
    }
    let files = ["/etc/subuid", "/etc/subgid", "/etc/passwd"];
    let missing = files.into_iter().find(|file| !Path::new(file).exists());
    missing.map(|file| format!("{file} does not exist, so the suite cannot mount over it"))
}

/// Gives the user a name and a range, in this thread's mount namespace only.
pub(crate) fn give_range(place: &Path) {
    if let Some(why) = no_ranges() {
        skip(why);
    }
    // Uses the user's name: RootlessKit 1 finds a range listed under a uid twice, and requests it twice.
    let range = format!("ordinary:{}:{}\n", RANGE.0, RANGE.1);
    let passwd = format!("root:x:0:0::/root:/bin/sh\nordinary:x:{UID}:{UID}::/tmp:/bin/sh\n");
    for (name, text) in [("subuid", &range), ("subgid", &range), ("passwd", &passwd)] {
        let (own, hosts) = (place.join(name), Path::new("/etc").join(name));
        fs::write(&own, text).unwrap();
        mount(Some(&own), &hosts, None::<&str>, MsFlags::MS_BIND, None::<&str>).unwrap();
    }
}
