//! Compiles the plans of the processes that execute CRIU.
//!
//! For a checkpoint, the process only executes it. For a restore, it first makes all mount points in the root file
//! system, by the same steps as `create`, and the mounts that CRIU finds under a path of the host. Which request CRIU
//! gets is left to `container`.

use super::act::{Act, Bind, InRoot, Start};
use super::namespaces::{MOUNT, Namespaces};
use super::steps::Steps;
use super::{PassedFd, Plan, Program};
use crate::spec::pointer::Pointer;
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Directories searched after those of PATH, because engines run with a short one.
const SEARCHED: [&str; 4] = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin"];

/// How CRIU is executed.
#[derive(Clone, Debug)]
pub(crate) struct Criu {
    /// Its socket for requests.
    pub(crate) socket: i32,
    /// Other descriptors that it inherits.
    pub(crate) inherited: Vec<i32>,
    /// Its environment.
    pub(crate) environment: Vec<CString>,
}

impl Criu {
    fn program(&self) -> Program {
        let path = self.environment.iter().find_map(|entry| entry.as_bytes().strip_prefix(b"PATH="));
        let given = path.unwrap_or_default().split(|byte| *byte == b':').filter(|name| name.starts_with(b"/"));
        let all = given.chain(SEARCHED.map(str::as_bytes));
        let words = ["criu".to_owned(), "swrk".to_owned(), self.socket.to_string()];
        Program {
            arguments: words.into_iter().filter_map(|word| CString::new(word).ok()).collect(),
            environment: self.environment.clone(),
            search: all.filter_map(|directory| CString::new(directory).ok()).collect(),
        }
    }

    /// The steps until CRIU is executed.
    fn execute(&self, steps: &mut Steps) {
        steps.then("", Act::ResetInherited);
        steps.then("", Act::SetUmask(0o022));
        steps.then("", Act::FindProgram);
        steps.then("", Act::AwaitStart(Start::Parent));
        let kept = [self.socket].into_iter().chain(self.inherited.iter().copied());
        steps.then("", Act::PreserveDescriptors(kept.collect()));
        steps.then("", Act::Execute);
    }
}

/// The plan of the process that makes a checkpoint.
pub(crate) fn checkpoint(criu: &Criu) -> Plan {
    let mut steps = Steps::default();
    steps.then("", Act::CloseDescriptors);
    criu.execute(&mut steps);
    Plan { init: steps.0, program: criu.program(), ..Plan::default() }
}

/// The plan of the process that restores a container. `created` is the plan that would create it, and `stage` a
/// directory on which the bind mounts are made that CRIU attaches: the mount of the configuration's place `keys[N]` at
/// `/N`.
///
/// The process joins the mount namespace at the path `mounts`, which no other process is in, so nothing is left of its mounts when it ends.
pub(crate) fn restore(mut created: Plan, criu: &Criu, stage: &Path, keys: &[String], mounts: PathBuf) -> Plan {
    let mut steps = Steps::default();
    let bind_of = |key: &String| {
        let of_key = |step: &&super::Step| step.origin.to_string() == *key;
        created.init.iter().filter(of_key).find_map(|step| match &step.act {
            Act::Bind(bind) => Some((step.origin.clone(), bind.clone())),
            _ => None,
        })
    };
    let staged: Vec<_> = keys.iter().map(bind_of).collect();
    let mut root = None;
    for step in &created.init {
        if matches!(step.act, Act::BindRoot { .. }) {
            root = Some(step.clone());
        }
        if is_preparation(&step.act) {
            steps.0.push(step.clone());
        }
        if step.act == Act::CloseDescriptors {
            let path = CString::new(mounts.as_os_str().as_bytes()).unwrap_or_default();
            steps.then("", Act::JoinNamespace { kind: MOUNT, slot: created.passed_fds.len(), path });
        }
    }
    // CRIU mounts everything itself, on a root without mounts.
    steps.then("/root/path", Act::UnmountRoot);
    steps.0.extend(root);
    if staged.iter().any(Option::is_some) {
        let stage = CString::new(stage.as_os_str().as_bytes()).unwrap_or_default();
        steps.then("", Act::MountStage(stage));
    }
    for (number, (origin, bind)) in staged.into_iter().enumerate().filter_map(|(number, bind)| Some((number, bind?))) {
        let target = InRoot(CString::new(staged_name(number)).unwrap_or_default());
        steps.at(origin, Act::Bind(Bind { target, copy_symlink: false, ..bind }));
    }
    criu.execute(&mut steps);
    created.passed_fds.push(PassedFd::Namespace { origin: Pointer::of(""), kind: MOUNT, path: mounts });
    // The pid namespace is CRIU's affair: this process must not enter it.
    let namespaces = Namespaces { new: 0, enters_pid_last: true, ..created.namespaces.clone() };
    let namespaces = Namespaces { joined: 0, maps: None, time_offsets: None, via_intermediate: false, ..namespaces };
    Plan { namespaces, init: steps.0, program: criu.program(), ..created }
}

/// The path of a staged mount below the stage.
pub(crate) fn staged_name(number: usize) -> String {
    format!("/{number}")
}

/// Whether the step of `create` is also a step of a restore: those that make mounts, mount points, device nodes and
/// links in the root file system, and those that must come before them.
fn is_preparation(act: &Act) -> bool {
    matches!(
        act,
        Act::CloseDescriptors
            | Act::DetachExe
            | Act::Await(super::act::Gate::Cgroup)
            | Act::SetPropagation(_)
            | Act::BindRoot { .. }
            | Act::Mount(_)
            | Act::MountCgroup(_)
            | Act::Bind(_)
            | Act::Remount { .. }
            | Act::MakeDevice(_)
            | Act::BindDevice(..)
            | Act::MakeLink(_)
            | Act::MakeWorkingDirectory(_)
    )
}
