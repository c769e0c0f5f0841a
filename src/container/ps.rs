//! `ps`: lists the processes of a container, as host pids or as lines of ps(1).

use super::{Container, Id, Root};
use anyhow::{Context, bail};
use std::ffi::OsString;
use std::process::Stdio;

/// The pids of all processes in and below the container's cgroup. Without a cgroup only the first process is known.
pub(crate) fn pids(root: &Root, id: &Id) -> anyhow::Result<Vec<i32>> {
    let context = || format!("cannot list the processes of {id}");
    let container = Container::find(root, id).with_context(context)?;
    match (container.record.open_cgroup().with_context(context)?, container.pid()) {
        (Some(cgroup), _) => cgroup.pids().with_context(context),
        (None, 0) => Ok(Vec::new()),
        (None, pid) => Ok(vec![pid]),
    }
}

/// The lines of `ps OPTIONS` for the container's processes, with the title line.
pub(crate) fn ps(root: &Root, id: &Id, options: &[OsString]) -> anyhow::Result<String> {
    let pids = pids(root, id)?;
    let default = [OsString::from("-ef")];
    let options = if options.is_empty() { &default } else { options };
    #[expect(clippy::disallowed_methods, reason = "ps(1) is a program of the host's, run as a shell would run it")]
    let ps = std::process::Command::new("ps").args(options).stdin(Stdio::null()).output();
    let output = ps.context("run ps (--format json works without it)")?;
    if !output.status.success() {
        bail!("ps: {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    select(&String::from_utf8_lossy(&output.stdout), &pids)
}

/// The title line, and the lines whose column `PID` has one of `pids`.
fn select(table: &str, pids: &[i32]) -> anyhow::Result<String> {
    let mut lines = table.lines();
    let titles = lines.next().unwrap_or_default();
    let column = titles.split_whitespace().position(|title| title == "PID");
    let column = column.context("ps: there is no column PID in its output; ask for one, such as with -o pid,args")?;
    let ours = lines.filter(|line| {
        let pid = line.split_whitespace().nth(column).and_then(|field| field.parse().ok());
        pid.is_some_and(|pid| pids.contains(&pid))
    });
    Ok(std::iter::once(titles).chain(ours).fold(String::new(), |text, line| text + line + "\n"))
}

#[cfg(test)]
mod tests {
    use super::select;

    const TABLE: &str =
        "UID        PID  CMD\nroot         1  init\nroot        42  sh -c 7\nme           7  sleep 42\n";

    #[test]
    fn lines_are_chosen_by_the_column_pid_alone() {
        assert_eq!(select(TABLE, &[42]).expect("has PID"), "UID        PID  CMD\nroot        42  sh -c 7\n");
        assert_eq!(select(TABLE, &[]).expect("has PID"), "UID        PID  CMD\n");
        let all = select(TABLE, &[1, 7, 42, 99]).expect("has PID");
        assert_eq!(all, TABLE);
    }

    #[test]
    fn a_table_without_pids_is_an_error() {
        assert!(select("USER CMD\nroot init\n", &[1]).is_err());
        assert!(select("", &[1]).is_err());
    }
}
