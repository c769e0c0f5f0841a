//! A thread with namespaces of its own, for tests that need a host they may change: mounts, network interfaces.

use crate::harness::skip::skip;
use crate::harness::user::AS_USER;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use std::{panic, path::Path, process::Command, thread};

/// Runs `body` in new mount and network namespaces; what it starts is in them too.
pub(crate) fn apart(body: impl FnOnce() + Send) {
    if *AS_USER {
        skip("changes the host's mounts or networks, apart from it, which takes root");
    }
    let outcome = thread::scope(|scope| {
        let inside = scope.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET).unwrap();
            let (none, all) = (None::<&str>, MsFlags::MS_PRIVATE | MsFlags::MS_REC);
            mount(none, "/", none, all, none).unwrap();
            body();
        });
        inside.join()
    });
    if let Err(payload) = outcome {
        match payload.downcast::<String>() {
            // Told again here, because the first telling was to another thread.
            Ok(text) => panic!("{text}"),
            Err(payload) => panic::resume_unwind(payload),
        }
    }
}

/// Mounts an empty tmpfs that everybody may write to.
pub(crate) fn mount_tmpfs(at: &Path) {
    std::fs::create_dir_all(at).unwrap();
    mount(Some("tmpfs"), at, Some("tmpfs"), MsFlags::empty(), None::<&str>).unwrap();
}

/// Runs a program of the host; whether it is there and succeeded.
pub(crate) fn host(words: &[&str]) -> Result<String, String> {
    let said = Command::new(words[0]).args(&words[1..]).output().map_err(|error| format!("{}: {error}", words[0]))?;
    match said.status.success() {
        true => Ok(String::from_utf8_lossy(&said.stdout).into_owned()),
        false => Err(format!("{}: {}", words.join(" "), String::from_utf8_lossy(&said.stderr))),
    }
}
