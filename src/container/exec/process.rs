//! The process document for `exec`: the container's own with changes by flags, or the caller's.

use crate::container::{ExecWords, Program};
use crate::report::Log;
use crate::spec::load;
use anyhow::{Context, Result, bail};
use oci_spec::runtime::{Capability, LinuxCapabilities, Process};
use std::fs;
use std::path::Path;

/// The requested process.
pub(super) fn wanted(own: &Process, program: &Program, log: &Log) -> Result<Process> {
    match program {
        Program::File(path) => from_file(own, path, log),
        Program::Words(words) => from_words(own.clone(), words),
    }
}

/// Reads a `process.json`. Protections and limits of the container's first process apply where the document has no
/// value, because an engine that leaves a member out does not want to lift them.
fn from_file(own: &Process, path: &Path, log: &Log) -> Result<Process> {
    let shown = path.display().to_string();
    let bytes = fs::read(path).with_context(|| format!("read {shown}"))?;
    let loaded = load::load_process(&bytes);
    let (mut process, warnings) = loaded.map_err(|problems| problems.of(&shown))?;
    warnings.iter().for_each(|warning| log.warning(warning));
    macro_rules! inherit {
        ($($member:ident, $set:ident;)*) => {
            $(if process.$member().is_none() {
                process.$set(own.$member().clone());
            })*
        };
    }
    inherit! {
        capabilities, set_capabilities;
        rlimits, set_rlimits;
        apparmor_profile, set_apparmor_profile;
        selinux_label, set_selinux_label;
        oom_score_adj, set_oom_score_adj;
        scheduler, set_scheduler;
        io_priority, set_io_priority;
        exec_cpu_affinity, set_exec_cpu_affinity;
    }
    if process.user().umask().is_none() {
        process.user_mut().set_umask(own.user().umask());
    }
    Ok(process)
}

fn from_words(mut process: Process, words: &ExecWords) -> Result<Process> {
    process.set_args(Some(words.arguments.clone())).set_terminal(Some(words.tty)).set_console_size(None);
    if let Some(cwd) = &words.cwd {
        process.set_cwd(cwd.clone());
    }
    process.env_mut().get_or_insert_default().extend(words.environment.iter().cloned());
    if let Some((uid, gid)) = words.user {
        process.user_mut().set_uid(uid);
        if let Some(gid) = gid {
            process.user_mut().set_gid(gid);
        }
    }
    if !words.groups.is_empty() {
        process.user_mut().additional_gids_mut().get_or_insert_default().extend(&words.groups);
    }
    if words.no_new_privileges {
        process.set_no_new_privileges(Some(true));
    }
    if words.apparmor.is_some() {
        process.set_apparmor_profile(words.apparmor.clone());
    }
    if words.label.is_some() {
        process.set_selinux_label(words.label.clone());
    }
    if !words.capabilities.is_empty() {
        let mut sets = process.capabilities().clone().unwrap_or_default();
        words.capabilities.iter().try_for_each(|name| add(&mut sets, name))?;
        process.set_capabilities(Some(sets));
    }
    Ok(process)
}

/// Adds a capability to the sets that let this process use it. Not to the inheritable and ambient sets, because
/// programs that it executes would get it too (CVE-2022-29162).
fn add(sets: &mut LinuxCapabilities, name: &str) -> Result<()> {
    let upper = name.to_ascii_uppercase();
    let Ok(capability) = upper.strip_prefix("CAP_").unwrap_or(&upper).parse::<Capability>() else {
        bail!("--cap: unknown capability {name:?}");
    };
    let with = |set: &Option<_>| {
        let mut set: oci_spec::runtime::Capabilities = set.clone().unwrap_or_default();
        set.insert(capability);
        Some(set)
    };
    let (bounding, effective, permitted) = (with(sets.bounding()), with(sets.effective()), with(sets.permitted()));
    sets.set_bounding(bounding).set_effective(effective).set_permitted(permitted);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::from_words;
    use crate::container::ExecWords;
    use oci_spec::runtime::{Capability, Process};

    fn own() -> Process {
        let text = r#"{"user": {"uid": 5, "gid": 6, "additionalGids": [7]}, "cwd": "/", "args": ["own"],
            "terminal": true, "env": ["A=1"], "noNewPrivileges": true,
            "capabilities": {"bounding": ["CAP_KILL"], "inheritable": ["CAP_KILL"]}}"#;
        serde_json::from_str(text).expect("a process")
    }

    #[test]
    fn what_flags_do_not_say_is_the_containers_own() {
        let words = ExecWords { arguments: vec!["new".to_owned()], ..ExecWords::default() };
        let process = from_words(own(), &words).expect("fits");
        let mut wanted = own();
        wanted.set_args(Some(vec!["new".to_owned()])).set_terminal(Some(false));
        assert_eq!(process, wanted);
    }

    #[test]
    fn an_added_capability_is_not_inheritable() {
        let words =
            ExecWords { capabilities: vec!["CAP_CHOWN".to_owned(), "chown".to_owned()], ..ExecWords::default() };
        let process = from_words(own(), &words).expect("fits");
        let sets = process.capabilities().as_ref().expect("sets");
        for set in [sets.bounding(), sets.effective(), sets.permitted()] {
            assert!(set.as_ref().expect("a set").contains(&Capability::Chown));
        }
        assert_eq!(sets.inheritable(), own().capabilities().as_ref().expect("sets").inheritable());
        assert!(sets.ambient().is_none());
        let words = ExecWords { capabilities: vec!["CAP_FLY".to_owned()], ..ExecWords::default() };
        assert!(from_words(own(), &words).is_err());
    }

    #[test]
    fn a_user_without_a_group_keeps_the_containers_group() {
        let words = ExecWords { user: Some((9, None)), groups: vec![8], ..ExecWords::default() };
        let user = from_words(own(), &words).expect("fits").user().clone();
        assert_eq!((user.uid(), user.gid(), user.additional_gids().clone()), (9, 6, Some(vec![7, 8])));
    }
}
