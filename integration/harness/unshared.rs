//! Runs a test in a thread with its own mount and network namespaces, so that it may change mounts and interfaces.
//! What the test changes there is left to the test.

use crate::harness::skip::skip;
use crate::harness::user::AS_USER;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use std::{panic, path::Path, process::Command, thread};

/// Runs `body` in new mount and network namespaces. Processes that it starts inherit them.
pub(crate) fn apart(body: impl FnOnce() + Send) {
    if *AS_USER {
        skip("needs root: it unshares the mount and network namespaces");
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
            // Panic again in this thread, because the panic hook recorded the text in the other thread.
            Ok(text) => panic!("{text}"),
            Err(payload) => panic::resume_unwind(payload),
        }
    }
}

/// Mounts an empty tmpfs that is writable for all users.
pub(crate) fn mount_tmpfs(at: &Path) {
    std::fs::create_dir_all(at).unwrap();
    mount(Some("tmpfs"), at, Some("tmpfs"), MsFlags::empty(), None::<&str>).unwrap();
}

/// Runs a program of the host. Returns its output, or an error if it is missing or fails.
pub(crate) fn host(words: &[&str]) -> Result<String, String> {
    let output = Command::new(words[0]).args(&words[1..]).output().map_err(|error| format!("{}: {error}", words[0]))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(format!("{}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr))),
    }
}
