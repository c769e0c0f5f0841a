//! `davit exec`.

use super::{Scene, Takes, Verb, id, paths, words};
use crate::container::{self, ExecRequest, ExecWords, Program};
use anyhow::{Context, bail};
use clap::{ArgMatches, Args};
use std::ffi::OsString;
use std::path::PathBuf;

pub(super) const VERB: Verb = Verb {
    name: "exec",
    about: "Run another process in a container",
    help: "\
Run COMMAND in the container ID, which must be created or running: in its namespaces, cgroup and root file system, with
the user, environment, capabilities and limits of its own process unless flags override them. With --process, read all
of this from a file with the format of `process` in config.json, and omit COMMAND. Flags end at ID.

Exit status: the command's own, or 128 and the number of the signal that killed it; 255 if it could not be run; with
--detach, 0 as soon as it runs.

Example:
  davit exec --tty --env TERM=$TERM web sh",
    takes: Takes::AtLeast(1),
    flags_end: true,
    define: |command| {
        Words::augment_args(command)
            .override_usage("davit exec [OPTIONS] <ID> <COMMAND>...\n       davit exec [OPTIONS] --process FILE <ID>")
    },
    perform,
};

#[derive(Args)]
struct Words {
    /// AF_UNIX socket that receives the master of the process's terminal
    #[arg(long, value_name = "SOCKET", value_parser = paths())]
    console_socket: Option<PathBuf>,
    /// AF_UNIX socket that receives a pidfd of the process
    #[arg(long, value_name = "SOCKET", value_parser = paths())]
    pidfd_socket: Option<PathBuf>,
    /// Working directory in the container
    #[arg(long, value_name = "DIR", value_parser = paths())]
    cwd: Option<PathBuf>,
    /// Add NAME=value to the environment; may be repeated
    #[arg(long, short, value_name = "ENTRY")]
    env: Vec<String>,
    /// Give the process a terminal
    #[arg(long, short)]
    tty: bool,
    /// Numeric user id, and group id if given
    #[arg(long, short, value_name = "UID[:GID]")]
    user: Option<String>,
    /// Numeric id of an additional group; may be repeated
    #[arg(long, short = 'g', value_name = "GID")]
    additional_gids: Vec<String>,
    /// Read the whole process from FILE
    #[arg(long, short, value_name = "FILE", value_parser = paths())]
    process: Option<PathBuf>,
    /// Return as soon as the command runs
    #[arg(long, short)]
    detach: bool,
    /// Write the pid of the process to FILE
    #[arg(long, value_name = "FILE", value_parser = paths())]
    pid_file: Option<PathBuf>,
    /// SELinux label of the process
    #[arg(long, value_name = "LABEL")]
    process_label: Option<String>,
    /// AppArmor profile of the process
    #[arg(long, value_name = "PROFILE")]
    apparmor: Option<String>,
    /// Set no_new_privs: no execve may grant privileges
    #[arg(long)]
    no_new_privs: bool,
    /// Add a capability; may be repeated
    #[arg(long, short, value_name = "CAP")]
    cap: Vec<String>,
    /// Pass N file descriptors, starting at 3, to the command
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    preserve_fds: u32,
    /// Run in this cgroup below the container's own
    #[arg(long, value_name = "PATH")]
    cgroup: Vec<String>,
    /// Add the process to a paused container; it waits for `davit resume`
    #[arg(long)]
    ignore_paused: bool,
    /// Name of the container, then the command and its arguments
    #[arg(value_name = "ID", required = true, trailing_var_arg = true)]
    words: Vec<OsString>,
}

fn perform(matches: &ArgMatches, scene: &Scene<'_>) -> anyhow::Result<u8> {
    let words = words::<Words>(matches)?;
    let in_a_file = words.process.as_ref().is_some_and(|file| !file.as_os_str().is_empty());
    if words.words.len() < 2 && !in_a_file {
        bail!("davit: \"exec\" requires a minimum of 2 argument(s)");
    }
    // An invalid value has the same exit status as any other failure of exec.
    let request = request(words).map_err(container::exec_failed)?;
    container::exec(&scene.root()?, &request, scene.log)
}

fn request(words: Words) -> anyhow::Result<ExecRequest> {
    let given = |path: Option<PathBuf>| path.filter(|path| !path.as_os_str().is_empty());
    let text = |text: Option<String>| text.filter(|text| !text.is_empty());
    let (name, command) = words.words.split_first().context("the container's id is missing")?;
    let id = id(name)?;
    let program = match given(words.process) {
        Some(file) => Program::File(file),
        None => Program::Words(Box::new(ExecWords {
            arguments: command.iter().map(argument).collect::<Result<_, _>>()?,
            tty: words.tty,
            cwd: given(words.cwd),
            environment: words.env,
            user: text(words.user).map(|user| user_and_group(&user)).transpose()?,
            groups: words
                .additional_gids
                .iter()
                .map(|gid| number(gid, "--additional-gids"))
                .collect::<Result<_, _>>()?,
            capabilities: words.cap,
            no_new_privileges: words.no_new_privs,
            apparmor: text(words.apparmor),
            label: text(words.process_label),
        })),
    };
    Ok(ExecRequest {
        id,
        program,
        console_socket: given(words.console_socket),
        pidfd_socket: given(words.pidfd_socket),
        pid_file: given(words.pid_file),
        detach: words.detach,
        preserve_fds: words.preserve_fds,
        cgroup: words.cgroup.last().map(|path| cgroup(path)).transpose()?,
        ignore_paused: words.ignore_paused,
    })
}

/// JSON documents hold only text, so an argument must be UTF-8.
fn argument(word: &OsString) -> anyhow::Result<String> {
    word.to_str().map(str::to_owned).with_context(|| format!("argument {:?} is not UTF-8", word.display()))
}

/// `UID[:GID]`, digits only: a name must not silently become 0 (CVE-2026-30892).
fn user_and_group(text: &str) -> anyhow::Result<(u32, Option<u32>)> {
    match text.split_once(':') {
        None => Ok((number(text, "--user")?, None)),
        Some((uid, gid)) => Ok((number(uid, "--user")?, Some(number(gid, "--user")?))),
    }
}

fn number(text: &str, flag: &str) -> anyhow::Result<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.then(|| text.parse().ok()).flatten().filter(|id| *id != u32::MAX);
    number.with_context(|| format!("{flag}: {text:?} is not a numeric id"))
}

/// A path below the container's cgroup. The form `controller:path` is for cgroup v1, with its separate hierarchies.
fn cgroup(text: &str) -> anyhow::Result<PathBuf> {
    match text.split_once(':') {
        None => Ok(PathBuf::from(text)),
        Some(("", path)) => Ok(PathBuf::from(path)),
        Some((controllers, _)) => bail!("--cgroup: cgroup v2 has no separate hierarchy for {controllers:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{cgroup, user_and_group};

    #[test]
    fn users_are_numeric() {
        assert_eq!(user_and_group("0").expect("a uid"), (0, None));
        assert_eq!(user_and_group("1000:1001").expect("both"), (1000, Some(1001)));
        for bad in [
            "",
            "root",
            "-1",
            "+1",
            "1000:",
            ":5",
            "1000:wheel",
            " 1",
            "1 ",
            "99999999999",
            "4294967295",
            "1:2:3",
            "0x1",
        ] {
            assert!(user_and_group(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn cgroup_paths_with_controllers_are_refused() {
        assert_eq!(cgroup("/a/b").expect("a path").to_str(), Some("/a/b"));
        assert!(cgroup("cpu,memory:/a").is_err());
    }
}
