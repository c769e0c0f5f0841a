//! The root directory, which holds the state directories of all containers of one caller.
//!
//! Decides its path, its mode and the use of `$XDG_RUNTIME_DIR`. Does not know the content of a container's directory.

use crate::container::state::id::Id;
use crate::host::in_user_namespace;
use crate::sys;
use anyhow::{Context, bail};
use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

/// The directory below `/run` or `$XDG_RUNTIME_DIR`.
const NAME: &str = "davit";

/// The root directory, absolute. It may not exist yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Root {
    path: PathBuf,
    kind: Kind,
}

/// Where the path comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// `--root`.
    Given,
    /// The default `/run/davit`.
    System,
    /// The default `$XDG_RUNTIME_DIR/davit`.
    OfUser,
}

/// What the default depends on.
struct Caller {
    euid: u32,
    runtime_dir: Option<OsString>,
    user: Option<OsString>,
}

impl Root {
    /// The directory of `--root`, or the default for the caller's rights and environment.
    pub(crate) fn choose(given: Option<&Path>) -> anyhow::Result<Self> {
        if let Some(path) = given {
            return Root::given(path);
        }
        let caller = Caller {
            euid: sys::process::effective_uid(),
            runtime_dir: std::env::var_os("XDG_RUNTIME_DIR"),
            user: std::env::var_os("USER"),
        };
        Ok(Root::by_rule(&caller, in_user_namespace))
    }

    fn given(path: &Path) -> anyhow::Result<Self> {
        if path.as_os_str().is_empty() {
            bail!("option --root: the directory must not be empty");
        }
        let path = std::path::absolute(path).with_context(|| format!("option --root {}", path.display()))?;
        if !path.components().any(|part| matches!(part, Component::Normal(_))) {
            bail!("option --root should not be set to /");
        }
        Ok(Root { path, kind: Kind::Given })
    }

    /// `$XDG_RUNTIME_DIR/davit` for those who may not write `/run`: other users than root, and the root of a user
    /// namespace that is not a root outside (it keeps its own `$USER`).
    fn by_rule(caller: &Caller, in_user_namespace: impl FnOnce() -> bool) -> Self {
        match caller.runtime_dir.as_deref().filter(|dir| !dir.is_empty()) {
            Some(dir)
                if caller.euid != 0 || (caller.user.as_deref() != Some(OsStr::new("root")) && in_user_namespace()) =>
            {
                Root { path: Path::new(dir).join(NAME), kind: Kind::OfUser }
            }
            _ => Root { path: Path::new("/run").join(NAME), kind: Kind::System },
        }
    }

    /// The state directory of a container, whether it exists or not.
    pub(crate) fn of(&self, id: &Id) -> PathBuf {
        self.path.join(id.as_str())
    }

    /// Makes the directory and its missing parents with mode 0700. Below `$XDG_RUNTIME_DIR` it gets the sticky bit,
    /// which protects it from cleanup programs (XDG base directory specification).
    pub(crate) fn make(&self) -> anyhow::Result<()> {
        let context = || format!("make the root directory {}", self.path.display());
        DirBuilder::new().recursive(true).mode(0o700).create(&self.path).with_context(context)?;
        if self.kind == Kind::OfUser {
            fs::set_permissions(&self.path, Permissions::from_mode(0o1700)).with_context(context)?;
        }
        Ok(())
    }

    /// The ids of all directories in it, sorted. A missing default root has none; a missing `--root` is an error.
    pub(crate) fn ids(&self) -> anyhow::Result<Vec<Id>> {
        let context = || format!("read the root directory {}", self.path.display());
        let entries = match fs::read_dir(&self.path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.kind != Kind::Given => return Ok(Vec::new()),
            Err(error) => return Err(error).with_context(context),
        };
        let mut ids = Vec::new();
        for entry in entries {
            let entry = entry.with_context(context)?;
            let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if let Some(id) = entry.file_name().to_str().filter(|_| is_directory).and_then(|name| Id::new(name).ok()) {
                ids.push(id);
            }
        }
        ids.sort();
        Ok(ids)
    }
}

#[cfg(test)]
mod tests {
    use super::{Caller, Kind, Root};
    use std::path::Path;

    #[test]
    fn a_given_root_is_made_absolute_and_never_the_file_system_root() {
        assert_eq!(Root::given(Path::new("/run/x/")).expect("good").path, Path::new("/run/x"));
        let here = std::env::current_dir().expect("cwd");
        assert_eq!(Root::given(Path::new("x")).expect("good").path, here.join("x"));
        for slash in ["/", "//", "/.", "/..", "/./../"] {
            let error = Root::given(Path::new(slash)).expect_err(slash).to_string();
            assert_eq!(error, "option --root should not be set to /");
        }
        assert!(Root::given(Path::new("")).is_err());
    }

    #[test]
    fn the_default_root_depends_on_who_calls() {
        // euid, $XDG_RUNTIME_DIR, $USER, in a user namespace, the root, of the user
        for (euid, xdg, user, inside, path, kind) in [
            (0, Some("/run/user/0"), Some("root"), true, "/run/davit", Kind::System),
            (0, Some("/run/user/0"), Some("me"), false, "/run/davit", Kind::System),
            (0, Some("/run/user/0"), Some("me"), true, "/run/user/0/davit", Kind::OfUser),
            (0, Some("/run/user/0"), None, true, "/run/user/0/davit", Kind::OfUser),
            (0, None, None, true, "/run/davit", Kind::System),
            (1000, Some("/run/user/1000"), Some("me"), false, "/run/user/1000/davit", Kind::OfUser),
            (1000, Some(""), Some("me"), false, "/run/davit", Kind::System),
            (1000, None, Some("me"), false, "/run/davit", Kind::System),
        ] {
            let caller = Caller { euid, runtime_dir: xdg.map(Into::into), user: user.map(Into::into) };
            assert_eq!(Root::by_rule(&caller, || inside), Root { path: path.into(), kind }, "{euid} {xdg:?} {user:?}");
        }
    }
}
