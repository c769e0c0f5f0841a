//! THE boot order: what happens between the clone and execve, in which order, and why.
//!
//! Read `create` from top to bottom. What each step is gets decided elsewhere in `plan`; here it gets its place.

use super::act::{Act, Gate, InRoot, Start};
use super::identity;
use super::last_steps::{self, Last};
use super::mounts::Mounts;
use super::namespaces::{self, CGROUP, MOUNT, NETWORK, Namespaces, PID, USER};
use super::propagation::Propagation;
use super::steps::Steps;
use super::{
    Exec, Host, Notes, PassedFd, Plan, Request, Step, c_path, c_string, devices, filter, hooks, hooks_of, mounts,
    process,
};
use super::{net_devices, resctrl, resources, sysctls, validate};
use crate::plan::masked_paths;
use crate::spec::pointer::Pointer;
use crate::spec::problem::Problems;
use oci_spec::runtime::{Process, Spec};

/// The plan of a container's first process.
pub(super) fn create(spec: &Spec, host: &Host, request: &Request) -> Result<Plan, Problems> {
    let mut notes = Notes::default();
    validate::check(spec, &mut notes.problems, &mut notes.warnings);
    let linux = spec.linux().as_ref();
    let hooks = spec.hooks().as_ref();
    let at = Pointer::of("/process");
    let mut passed_fds = Vec::new();
    let namespaces = namespaces::compile(spec, host, &mut passed_fds, &mut notes);
    let resources = resources::of(spec, &host.cgroup, &mut notes.problems, &mut notes.warnings);
    let mut order = Steps::default();
    let Some(process) = spec.process() else {
        notes.problems.add(Pointer::of("/process"), "is missing; there is nothing to run");
        return Err(notes.problems);
    };

    enter_namespaces(&mut order, &namespaces, &passed_fds, host, request.scope);
    // The session comes before anything may open a terminal, which would become the controlling one.
    order.then("/process/terminal", Act::NewSession);
    if !request.no_new_keyring {
        order.then("/process", Act::NewSessionKeyring);
    }
    if namespaces.new & NETWORK != 0 {
        order.then("/linux/namespaces", Act::LoopbackUp);
    }
    own_score(&mut order, process, &namespaces, &at, &mut notes);
    let mounts = build_root(&mut order, spec, host, request, &namespaces, &mut passed_fds, &mut notes);
    let net_devices = net_devices::compile(linux, host, &mut notes.problems);
    let resctrl = resctrl::compile(linux, &request.id);
    let host_acts = !net_devices.is_empty() || resctrl.is_some() || !resources.writes_inside.is_empty();
    if host_acts || hooks.is_some_and(hooks::come_before_start) {
        // The host's hooks see the container's mounts while the host's paths are still there (config.md, "createRuntime").
        order.then("/hooks", Act::Await(Gate::Host));
    }
    for number in 0..hooks_of(hooks.and_then(|h| h.create_container().as_ref())).len() {
        order.at(Pointer::of("/hooks/createContainer").index(number), Act::CreateContainerHook(number));
    }
    enter_root(&mut order, spec, request, &namespaces);
    finish_root(&mut order, spec, process, mounts, &namespaces, &mut notes);

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
        // setns(2) moves only children into it: from here on nothing is forked but the successor, which no hook can be.
        join_namespaces(&mut order, &passed_fds, |kind| kind == PID);
    }
    let parent_rlimits = become_the_program(&mut order, &last, spec, &namespaces, host, &mut notes);
    let program = process::program(process, &request.environment, &at, &mut notes);
    let warnings = std::mem::take(&mut notes.warnings);
    let detach_exe_before_clone = host.detach_exe(is_hidden(&namespaces)).0;
    let plan = Plan {
        namespaces,
        passed_fds,
        init: order.0,
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

/// The plan of another process in a container; `process` is its own document.
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
    let mut order = Steps::default();
    order.then("", Act::CloseDescriptors);
    if host.detach_exe(false).1 {
        order.then("", Act::DetachExe);
    }
    // Before joining: the labels and scores are written through the host's procfs, which must not come along.
    if host.privileged {
        own_score(&mut order, process, &Namespaces::default(), &at, &mut notes);
    }
    order.0.extend(process::labels(process, host, &at, &mut notes));
    if let Some(root) = &exec.root {
        order.then("", Act::OpenRoot(c_path(root, &at, &mut notes.problems)));
    }
    if exec.namespaces & USER != 0 {
        order.then("", Act::LeaveGroups);
    }
    // Everything of the host's is closed in this step (CVE-2024-21626). The container does not see this process yet: it
    // enters the pid namespace when it holds no more than the program will (CVE-2016-9962).
    order.then("", Act::JoinProcess { kinds: exec.namespaces, slot: 0, user });
    if exec.root.is_some() {
        order.then("", Act::ChangeRoot);
    }
    if exec.namespaces & USER != 0 {
        order.then("", Act::BecomeRoot);
    }
    order.then("", Act::NewSession);
    if !exec.no_new_keyring {
        // Keys of the caller's session are not for the container.
        order.then("", Act::NewSessionKeyring);
    }
    if process.terminal().unwrap_or(false) {
        order.then("/terminal", process::terminal(process, false, exec.namespaces & PID == 0));
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
    let parent_rlimits = become_the_program(&mut order, &last, spec, &namespaces, host, &mut notes);
    let program = process::program(process, &exec.environment, &at, &mut notes);
    let warnings = std::mem::take(&mut notes.warnings);
    let (detach_exe_before_clone, init) = (host.detach_exe(false).0, order.0);
    // What concerns the container as a whole was done when it was created.
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

/// First breath to all namespaces joined or made.
fn enter_namespaces(order: &mut Steps, namespaces: &Namespaces, passed_fds: &[PassedFd], host: &Host, scope: bool) {
    // Whatever the caller leaked to us must reach neither a hook nor the program.
    order.then("", Act::CloseDescriptors);
    if scope {
        // Until then it is in the caller's cgroup, and what it does would count there.
        order.then("/linux/cgroupsPath", Act::Await(Gate::Cgroup));
    }
    if namespaces.maps.is_some() {
        // Without a mapping this process is nobody, and every permission check below would fail.
        order.then("/linux/uidMappings", Act::Await(Gate::IdMaps));
        order.then("/linux/uidMappings", Act::BecomeRoot);
    }
    if let Some(offsets) = namespaces.time_offsets.as_ref().filter(|_| namespaces.made_by_user()) {
        let offsets = c_string(offsets.as_str(), &Pointer::of("/linux/timeOffsets"), &mut Problems::default());
        order.then("/linux/timeOffsets", Act::NewTimeNamespace(offsets));
    }
    // Needs a capability, so it comes early; and while nobody of the container can see this process yet.
    if host.detach_exe(is_hidden(namespaces)).1 {
        order.then("", Act::DetachExe);
    }
    // The PID namespace is joined last, or by the parent, because setns(2) moves only children into it; the user namespace and
    // what is made inside it are joined by the intermediate process, before this one exists.
    join_namespaces(order, passed_fds, |kind| kind != PID && kind != USER);
    if namespaces.joined & USER != 0 {
        order.then("/linux/namespaces", Act::BecomeRoot);
    }
    if namespaces.new & CGROUP != 0 {
        // Made by a process that is in the container's cgroup already, which becomes the namespace's root.
        order.then("/linux/namespaces", Act::NewCgroupNamespace);
    }
}

/// Whether no process of another container sees the process while it builds.
fn is_hidden(namespaces: &Namespaces) -> bool {
    namespaces.new & PID != 0 || namespaces.enters_pid_last
}

fn join_namespaces(order: &mut Steps, passed_fds: &[PassedFd], wanted: fn(u64) -> bool) {
    for (slot, joined) in passed_fds.iter().enumerate() {
        if let PassedFd::Namespace { origin, kind, path } = joined
            && wanted(*kind)
        {
            let path = c_path(path, origin, &mut Problems::default());
            order.at(origin.clone(), Act::JoinNamespace { kind: *kind, slot, path });
        }
    }
}

/// oom_score_adj is written through the host's procfs. In a user namespace only the parent may, at the host's gate.
fn own_score(order: &mut Steps, process: &Process, namespaces: &Namespaces, at: &Pointer, notes: &mut Notes) {
    if let Some(score) = process.oom_score_adj().filter(|_| !namespaces.own(USER)) {
        let place = at.key("oomScoreAdj");
        let score = c_string(score.to_string(), &place, &mut notes.problems);
        order.at(place, Act::SetOomScore(score));
    }
}

/// The root file system with everything mounted and made in it, while the host's tree is still reachable.
fn build_root(
    order: &mut Steps,
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
        order.then("/root/path", Act::OpenRoot(path));
        if namespaces.joined & MOUNT == 0 {
            validate::refuse_mounts(spec, &mut notes.problems);
            return Mounts::default();
        }
    } else {
        // Before the first mount: otherwise it would appear on the host as well.
        let Propagation { inherited, detach, .. } = Propagation::of(linux);
        order.then("/linux/rootfsPropagation", Act::SetPropagation(inherited));
        // To a mapped root the way to the root file system may be closed; the parent can lend it.
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
        order.then("/root/path", Act::BindRoot { path, detach, passed_fd });
    }
    let mounts = mounts::compile(spec, host, request, namespaces, passed_fds, notes);
    order.0.extend(mounts.steps.iter().cloned());
    order.0.extend(devices::compile(linux, mounts.dev_is_bound, namespaces.own(USER), notes));
    mounts
}

/// From the host's root to the container's.
fn enter_root(order: &mut Steps, spec: &Spec, request: &Request, namespaces: &Namespaces) {
    if namespaces.new & MOUNT == 0 {
        order.then("/root/path", Act::ChangeRoot);
        return;
    }
    order.then("/root/path", if request.no_pivot { Act::MoveRoot } else { Act::PivotRoot });
    if let Some(flags) = Propagation::of(spec.linux().as_ref()).root {
        order.then("/linux/rootfsPropagation", Act::SetRootPropagation(flags));
    }
}

/// What is set from inside the container's root, and what closes it.
fn finish_root(
    order: &mut Steps,
    spec: &Spec,
    process: &Process,
    mounts: Mounts,
    namespaces: &Namespaces,
    notes: &mut Notes,
) {
    let linux = spec.linux().as_ref();
    // Before anything becomes read-only, since both may have to make a directory or file.
    let place = Pointer::of("/process/cwd");
    if namespaces.own(MOUNT) {
        let cwd = InRoot(c_path(process.cwd(), &place, &mut notes.problems));
        order.at(place, Act::MakeWorkingDirectory(cwd));
    }
    if process.terminal().unwrap_or(false) {
        let controlling = !namespaces.enters_pid_last;
        order.then("/process/terminal", process::terminal(process, namespaces.own(MOUNT), controlling));
    }
    let names: [(_, _, fn(_) -> _); 2] =
        [("/hostname", spec.hostname(), Act::SetHostname), ("/domainname", spec.domainname(), Act::SetDomainname)];
    for (place, name, act) in names {
        if let Some(name) = name.as_deref().filter(|name| !name.is_empty()) {
            order.then(place, act(c_string(name, &Pointer::of(place), &mut notes.problems)));
        }
    }
    order.0.extend(sysctls::compile(linux, notes));
    order.0.extend(masked_paths::compile(linux, notes));
    order.0.extend(mounts.readonly);
    if spec.root().as_ref().and_then(oci_spec::runtime::Root::readonly).unwrap_or(false) {
        order.then("/root/readonly", Act::ReadonlyRoot);
    }
}

/// From the runtime's rights to the program's, and execve. The steps that the parent does at `Gate::Limits` are returned.
fn become_the_program(
    order: &mut Steps,
    last: &Last<'_>,
    spec: &Spec,
    namespaces: &Namespaces,
    host: &Host,
    notes: &mut Notes,
) -> Vec<Step> {
    let (process, at) = (last.process, last.at);
    let linux = spec.linux().as_ref();
    order.at(at.clone(), Act::ResetSignals);
    if let Some(cpus) = process::cpus(process, last.joins) {
        order.at(at.clone(), Act::SetCpuAffinity(cpus));
    }
    order.0.extend(process::attributes(process, linux.and_then(|l| l.personality().as_ref()), at));
    order.0.extend(process::memory_policy(linux));
    // exec has done both before it joined the container.
    if !last.joins {
        order.0.extend(process::labels(process, host, at, notes));
        order.then("", Act::CloseHost);
    }
    let user = process.user();
    order.at(at.key("user"), Act::OwnStandardStreams { uid: user.uid() });
    let mut rlimits = process::rlimits(process, at);
    let mut by_parent = Vec::new();
    if namespaces.own(USER) && !rlimits.is_empty() {
        // Raising a limit takes CAP_SYS_RESOURCE in the first user namespace, which this process has left.
        std::mem::swap(&mut by_parent, &mut rlimits);
        order.at(at.key("rlimits"), Act::Await(Gate::Limits));
    }
    order.0.extend(rlimits);
    let no_new_privileges = process.no_new_privileges().unwrap_or(false);
    if no_new_privileges {
        order.at(at.key("noNewPrivileges"), Act::NoNewPrivileges);
    }
    // As root where that helps, for a directory that only root may enter.
    let cwd = c_path(process.cwd(), &at.key("cwd"), &mut notes.problems);
    order.at(at.key("cwd"), Act::ChangeDirectory(cwd.clone()));
    let capabilities = process::capabilities(process, host, namespaces.own(USER), notes);
    order.at(at.key("capabilities").key("bounding"), Act::LimitBounding(capabilities.bounding));
    let may_set_groups = host.may_set_groups(namespaces);
    let groups = identity::groups(user, may_set_groups, linux, &at.key("user"), &mut notes.problems);
    order.at(at.key("user"), Act::SetUser { uid: user.uid(), gid: user.gid(), groups });
    order.at(at.key("user"), Act::SetUmask(user.umask().unwrap_or(0o022)));
    order.at(at.key("cwd"), Act::CheckDirectory(cwd));
    let filter = last.seccomp.and_then(|profile| filter::compile(profile, notes));
    last_steps::secure(order, last, filter, capabilities, no_new_privileges);
    by_parent
}
