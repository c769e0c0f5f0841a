//! The order of all steps between the clone and execve, with the reasons.
//!
//! Leaves to the other modules of `plan` what each step contains. Start reading at `create`.

use super::act::{Act, Gate, InRoot, Start};
use super::annotations;
use super::identity;
use super::last_steps::{self, Last};
use super::mounts::Mounts;
use super::namespaces::{self, CGROUP, MOUNT, NETWORK, Namespaces, PID, USER};
use super::propagation::Propagation;
use super::steps::Steps;
use super::{
    Exec, Host, Notes, PassedFd, Plan, Request, Step, c_path, c_string, devices, filter, hooks, hooks_of, landlock,
    mounts, process,
};
use super::{net_devices, resctrl, resources, sysctls, validate};
use crate::plan::masked_paths;
use crate::spec::pointer::Pointer;
use crate::spec::problem::Problems;
use oci_spec::runtime::{Process, Spec};

/// Compiles the plan of a container's init process.
pub(super) fn create(spec: &Spec, host: &Host, request: &Request) -> Result<Plan, Problems> {
    let mut notes = Notes::default();
    validate::check(spec, &mut notes.problems, &mut notes.warnings);
    annotations::check(spec, &mut notes);
    let linux = spec.linux().as_ref();
    let hooks = spec.hooks().as_ref();
    let at = Pointer::of("/process");
    let mut passed_fds = Vec::new();
    let namespaces = namespaces::compile(spec, host, &mut passed_fds, &mut notes);
    let resources = resources::of(spec, &host.cgroup, &mut notes.problems, &mut notes.warnings);
    let mut steps = Steps::default();
    let Some(process) = spec.process() else {
        notes.problems.add(Pointer::of("/process"), "is missing: there is no program to run");
        return Err(notes.problems);
    };

    enter_namespaces(&mut steps, &namespaces, &passed_fds, host, request.scope);
    // Runs before anything opens a terminal, because that could become the controlling terminal of the caller's
    // session.
    steps.then("/process/terminal", Act::NewSession);
    if !request.no_new_keyring {
        steps.then("/process", Act::NewSessionKeyring);
    }
    if namespaces.new & NETWORK != 0 {
        steps.then("/linux/namespaces", Act::LoopbackUp);
    }
    oom_score(&mut steps, process, &namespaces, &at, &mut notes);
    let mounts = build_root(&mut steps, spec, host, request, &namespaces, &mut passed_fds, &mut notes);
    let net_devices = net_devices::compile(linux, host, &mut notes.problems);
    let resctrl = resctrl::compile(linux, &request.id);
    let host_acts = !net_devices.is_empty() || resctrl.is_some() || !resources.writes_inside.is_empty();
    if host_acts || hooks.is_some_and(hooks::come_before_start) {
        // Hooks on the host's side need the container's mounts and the host's paths (config.md, "createRuntime").
        steps.then("/hooks", Act::Await(Gate::Host));
    }
    for number in 0..hooks_of(hooks.and_then(|h| h.create_container().as_ref())).len() {
        steps.at(Pointer::of("/hooks/createContainer").index(number), Act::CreateContainerHook(number));
    }
    enter_root(&mut steps, spec, request, &namespaces);
    finish_root(&mut steps, spec, process, mounts, &namespaces, &mut notes);

    let start_hooks = hooks_of(hooks.and_then(|h| h.start_container().as_ref())).len();
    let start = if request.run { Start::Parent } else { Start::Listener };
    let seccomp = linux.and_then(|l| l.seccomp().as_ref());
    let last = Last {
        process,
        seccomp,
        at: &at,
        start,
        start_hooks,
        preserve: &request.preserve_fds,
        joins: false,
        enters: namespaces.enters_pid_last,
    };
    if namespaces.enters_pid_last {
        // setns(2) moves only children into the pid namespace. Hooks must not be there, so from here on only the
        // successor is forked.
        join_namespaces(&mut steps, &passed_fds, |kind| kind == PID);
    }
    let parent_rlimits = prepare_and_exec(&mut steps, &last, spec, &namespaces, host, &mut notes);
    let program = process::program(process, &request.environment, &at, &mut notes);
    let warnings = std::mem::take(&mut notes.warnings);
    let detach_exe_before_clone = host.detach_exe(is_hidden(&namespaces)).0;
    let intermediate = intermediate(&namespaces, &passed_fds);
    let plan = Plan {
        namespaces,
        passed_fds,
        intermediate,
        init: steps.0,
        program,
        detach_exe_before_clone,
        parent_rlimits,
        resources,
        resctrl,
        net_devices,
        warnings,
    };
    notes.problems.or(plan)
}

/// Compiles the plan of an additional process in a container. `process` is its own document.
pub(super) fn exec(spec: &Spec, process: &Process, host: &Host, exec: &Exec) -> Result<Plan, Problems> {
    let mut notes = Notes::default();
    let at = Pointer::of("");
    validate::check_process(process, &at, &mut notes.problems, &mut notes.warnings);
    let mut passed_fds = vec![PassedFd::Process];
    let user = exec.user_namespace_changed.then(|| {
        passed_fds.push(PassedFd::UserNamespace);
        passed_fds.len() - 1
    });
    let namespaces = Namespaces { joined: exec.namespaces, ..Namespaces::default() };
    let mut steps = Steps::default();
    steps.then("", Act::CloseDescriptors);
    if host.detach_exe(false).1 {
        steps.then("", Act::DetachExe);
    }
    // Labels and scores are written through the host's procfs, so this runs before that is closed to join.
    if host.privileged {
        oom_score(&mut steps, process, &Namespaces::default(), &at, &mut notes);
    }
    steps.0.extend(process::labels(process, host, &at, &mut notes));
    if let Some(root) = &exec.root {
        steps.then("", Act::OpenRoot(c_path(root, &at, &mut notes.problems)));
    }
    if exec.namespaces & USER != 0 {
        steps.then("", Act::LeaveGroups);
    }
    // This step closes all host descriptors (CVE-2024-21626). The container does not see the process yet: the process
    // enters the pid namespace after it has dropped its rights (CVE-2016-9962).
    steps.then("", Act::JoinProcess { kinds: exec.namespaces, slot: 0, user });
    if exec.root.is_some() {
        steps.then("", Act::ChangeRoot);
    }
    if exec.namespaces & USER != 0 {
        steps.then("", Act::BecomeRoot);
    }
    steps.then("", Act::NewSession);
    if !exec.no_new_keyring {
        // The container must not get the keys of the caller's session.
        steps.then("", Act::NewSessionKeyring);
    }
    if process.terminal().unwrap_or(false) {
        steps.then("/terminal", process::terminal(process, false, exec.namespaces & PID == 0));
    }
    let last = Last {
        process,
        seccomp: spec.linux().as_ref().and_then(|l| l.seccomp().as_ref()),
        at: &at,
        start: Start::Parent,
        start_hooks: 0,
        preserve: &exec.preserve_fds,
        joins: true,
        enters: exec.namespaces & PID != 0,
    };
    let parent_rlimits = prepare_and_exec(&mut steps, &last, spec, &namespaces, host, &mut notes);
    let program = process::program(process, &exec.environment, &at, &mut notes);
    let warnings = std::mem::take(&mut notes.warnings);
    let (detach_exe_before_clone, init) = (host.detach_exe(false).0, steps.0);
    // Everything else concerns the container as a whole, and was done at create.
    let plan = Plan {
        namespaces,
        passed_fds,
        init,
        program,
        detach_exe_before_clone,
        parent_rlimits,
        warnings,
        ..Plan::default()
    };
    notes.problems.or(plan)
}

/// The steps until all namespaces are joined or made.
fn enter_namespaces(steps: &mut Steps, namespaces: &Namespaces, passed_fds: &[PassedFd], host: &Host, scope: bool) {
    // Descriptors leaked by the caller must reach neither a hook nor the program.
    steps.then("", Act::CloseDescriptors);
    if scope {
        // Until then the process is in the caller's cgroup, which would be charged for its work.
        steps.then("/linux/cgroupsPath", Act::Await(Gate::Cgroup));
    }
    if namespaces.maps.is_some() {
        // Without a mapping the process has the overflow uid, and every permission check below would fail.
        steps.then("/linux/uidMappings", Act::Await(Gate::IdMaps));
        steps.then("/linux/uidMappings", Act::BecomeRoot);
    }
    if let Some(offsets) = namespaces.time_offsets.as_ref().filter(|_| namespaces.made_by_user()) {
        let offsets = c_string(offsets.as_str(), &Pointer::of("/linux/timeOffsets"), &mut Problems::default());
        steps.then("/linux/timeOffsets", Act::NewTimeNamespace(offsets));
    }
    // Needs a capability, and must happen before processes of the container can see this one.
    if host.detach_exe(is_hidden(namespaces)).1 {
        steps.then("", Act::DetachExe);
    }
    // setns(2) moves only children into a pid namespace, so that one is joined last, or by the parent. The intermediate
    // process joins the user namespace and what is made inside it, before this process exists.
    join_namespaces(steps, passed_fds, |kind| (PID | USER | namespaces.joined_before_user) & kind == 0);
    if namespaces.joined & USER != 0 {
        steps.then("/linux/namespaces", Act::BecomeRoot);
    }
    if namespaces.new & CGROUP != 0 {
        // The process is already in the container's cgroup, which is the root of the new namespace.
        steps.then("/linux/namespaces", Act::NewCgroupNamespace);
    }
}

/// Whether processes of other containers cannot see the process while it performs its steps.
fn is_hidden(namespaces: &Namespaces) -> bool {
    namespaces.new & PID != 0 || namespaces.enters_pid_last
}

/// The steps of the intermediate process. Each namespace is joined where this process has rights to it: those of the
/// caller's user namespace first, then the user namespace, then a pid namespace inside it.
fn intermediate(namespaces: &Namespaces, passed_fds: &[PassedFd]) -> Vec<Step> {
    let mut steps = Steps::default();
    if namespaces.via_intermediate {
        join_namespaces(&mut steps, passed_fds, |kind| namespaces.joined_before_user & kind != 0);
        join_namespaces(&mut steps, passed_fds, |kind| kind == USER);
        join_namespaces(&mut steps, passed_fds, |kind| kind == PID && namespaces.joined_before_user & PID == 0);
    }
    steps.0
}

fn join_namespaces(steps: &mut Steps, passed_fds: &[PassedFd], wanted: impl Fn(u64) -> bool) {
    for (slot, joined) in passed_fds.iter().enumerate() {
        if let PassedFd::Namespace { origin, kind, path } = joined
            && wanted(*kind)
        {
            let path = c_path(path, origin, &mut Problems::default());
            steps.at(origin.clone(), Act::JoinNamespace { kind: *kind, slot, path });
        }
    }
}

/// Sets oom_score_adj through the host's procfs. In a user namespace only the parent may do so, at the host's gate.
fn oom_score(steps: &mut Steps, process: &Process, namespaces: &Namespaces, at: &Pointer, notes: &mut Notes) {
    if let Some(score) = process.oom_score_adj().filter(|_| !namespaces.own(USER)) {
        let place = at.key("oomScoreAdj");
        let score = c_string(score.to_string(), &place, &mut notes.problems);
        steps.at(place, Act::SetOomScore(score));
    }
}

/// The steps that build the root file system. They need the host's tree, so they run before the root is entered.
fn build_root(
    steps: &mut Steps,
    spec: &Spec,
    host: &Host,
    request: &Request,
    namespaces: &Namespaces,
    passed_fds: &mut Vec<PassedFd>,
    notes: &mut Notes,
) -> Mounts {
    let linux = spec.linux().as_ref();
    let place = Pointer::of("/root/path");
    let path = spec.root().as_ref().map(|root| request.bundle.join(root.path())).unwrap_or_default();
    if let Some(Err(why)) = &host.root {
        notes.problems.add(place.clone(), format!("{}: {why}", path.display()));
    }
    let path = c_path(&path, &place, &mut notes.problems);
    if namespaces.new & MOUNT == 0 {
        steps.then("/root/path", Act::OpenRoot(path));
        if !namespaces.have_mounts() {
            namespaces::refuse_mounts(spec, &mut notes.problems);
            return Mounts::default();
        }
    } else {
        // Runs before the first mount, because otherwise that mount would propagate to the host.
        let Propagation { inherited, detach, .. } = Propagation::of(linux);
        steps.then("/linux/rootfsPropagation", Act::SetPropagation(inherited));
        // Root of a user namespace may not reach the root file system, so the parent passes a clone of it.
        let pass = namespaces.own(USER) && host.can_clone_mounts && detach.is_none();
        let passed_fd = pass.then(|| {
            let source = spec.root().as_ref().map(|root| request.bundle.join(root.path())).unwrap_or_default();
            passed_fds.push(PassedFd::Tree {
                origin: Pointer::of("/root/path"),
                source,
                recursive: true,
                id_map: None,
            });
            passed_fds.len() - 1
        });
        steps.then("/root/path", Act::BindRoot { path, detach, passed_fd });
    }
    let mounts = mounts::compile(spec, host, request, namespaces, passed_fds, notes);
    steps.0.extend(mounts.steps.iter().cloned());
    steps.0.extend(devices::compile(linux, mounts.dev_is_bound, namespaces.own(USER), notes));
    mounts
}

/// The steps from the host's root to the container's.
fn enter_root(steps: &mut Steps, spec: &Spec, request: &Request, namespaces: &Namespaces) {
    if namespaces.new & MOUNT == 0 {
        steps.then("/root/path", Act::ChangeRoot);
        return;
    }
    steps.then("/root/path", if request.no_pivot { Act::MoveRoot } else { Act::PivotRoot });
    if let Some(flags) = Propagation::of(spec.linux().as_ref()).root {
        steps.then("/linux/rootfsPropagation", Act::SetRootPropagation(flags));
    }
}

/// The steps inside the container's root: those that set something, then those that restrict paths.
fn finish_root(
    steps: &mut Steps,
    spec: &Spec,
    process: &Process,
    mounts: Mounts,
    namespaces: &Namespaces,
    notes: &mut Notes,
) {
    let linux = spec.linux().as_ref();
    // Both may have to make a directory or file, so they run before anything is read-only.
    let place = Pointer::of("/process/cwd");
    if namespaces.have_mounts() {
        let cwd = InRoot(c_path(process.cwd(), &place, &mut notes.problems));
        steps.at(place, Act::MakeWorkingDirectory(cwd));
    }
    if process.terminal().unwrap_or(false) {
        let controlling = !namespaces.enters_pid_last;
        steps.then("/process/terminal", process::terminal(process, namespaces.have_mounts(), controlling));
    }
    let names: [(_, _, fn(_) -> _); 2] =
        [("/hostname", spec.hostname(), Act::SetHostname), ("/domainname", spec.domainname(), Act::SetDomainname)];
    for (place, name, act) in names {
        if let Some(name) = name.as_deref().filter(|name| !name.is_empty()) {
            steps.then(place, act(c_string(name, &Pointer::of(place), &mut notes.problems)));
        }
    }
    steps.0.extend(sysctls::compile(linux, notes));
    steps.0.extend(masked_paths::compile(linux, notes));
    steps.0.extend(mounts.readonly);
    if spec.root().as_ref().and_then(oci_spec::runtime::Root::readonly).unwrap_or(false) {
        steps.then("/root/readonly", Act::ReadonlyRoot);
    }
}

/// The steps from the runtime's rights to the program's, and execve. Returns the steps that the parent performs at
/// `Gate::Limits`.
fn prepare_and_exec(
    steps: &mut Steps,
    last: &Last<'_>,
    spec: &Spec,
    namespaces: &Namespaces,
    host: &Host,
    notes: &mut Notes,
) -> Vec<Step> {
    let (process, at) = (last.process, last.at);
    let linux = spec.linux().as_ref();
    steps.at(at.clone(), Act::ResetInherited);
    if let Some(cpus) = process::cpus(process, last.joins) {
        steps.at(at.clone(), Act::SetCpuAffinity(cpus));
    }
    steps.0.extend(process::attributes(process, linux.and_then(|l| l.personality().as_ref()), at));
    steps.0.extend(process::memory_policy(linux));
    // exec does both before it joins the container.
    if !last.joins {
        steps.0.extend(process::labels(process, host, at, notes));
        steps.then("", Act::CloseHost);
    }
    let user = process.user();
    steps.at(at.key("user"), Act::OwnStandardStreams { uid: user.uid() });
    let mut rlimits = process::rlimits(process, at);
    let mut by_parent = Vec::new();
    if namespaces.own(USER) && !rlimits.is_empty() {
        // Raising a limit needs CAP_SYS_RESOURCE in the initial user namespace, which this process has left.
        std::mem::swap(&mut by_parent, &mut rlimits);
        steps.at(at.key("rlimits"), Act::Await(Gate::Limits));
    }
    steps.0.extend(rlimits);
    let no_new_privileges = process.no_new_privileges().unwrap_or(false);
    if no_new_privileges {
        steps.at(at.key("noNewPrivileges"), Act::NoNewPrivileges);
    }
    // Runs as root first, for a directory that only root may enter.
    let cwd = c_path(process.cwd(), &at.key("cwd"), &mut notes.problems);
    steps.at(at.key("cwd"), Act::ChangeDirectory(cwd.clone()));
    let capabilities = process::capabilities(process, host, namespaces.own(USER), notes);
    steps.at(at.key("capabilities").key("bounding"), Act::LimitBounding(capabilities.bounding));
    let may_set_groups = host.may_set_groups(namespaces);
    let groups = identity::groups(user, may_set_groups, linux, &at.key("user"), &mut notes.problems);
    let groups = groups.filter(|_| !annotations::keeps_groups(spec));
    steps.at(at.key("user"), Act::SetUser { uid: user.uid(), gid: user.gid(), groups });
    steps.at(at.key("user"), Act::SetUmask(user.umask().unwrap_or(0o022)));
    steps.at(at.key("cwd"), Act::CheckDirectory(cwd));
    let filter = last.seccomp.and_then(|profile| filter::compile(profile, notes));
    let landlock = landlock::compile(spec, host, notes);
    last_steps::add(steps, last, filter, landlock, capabilities, no_new_privileges);
    by_parent
}
